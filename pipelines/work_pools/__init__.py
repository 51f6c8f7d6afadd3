"""Base job templates of Prefect work pools, and a Prefect worker for Slurm.

    prefect work-pool create nodes --type docker --base-job-template pipelines/work_pools/docker.json
    python -m pipelines.work_pools --partition gpu --gpus 8 --api-url http://HOST:4200/api > worker.sbatch

process, docker and kubernetes are JSON files for `--base-job-template`. A deployment that names the pool as
its work pool then runs there; the pool's form on the server shows the variables.
"""
