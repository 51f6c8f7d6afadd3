"""Where flows run: base job templates of Prefect work pools, and a worker for Slurm.

    prefect work-pool create nodes --type docker --base-job-template pipelines/work_pools/docker.json
    python -m pipelines.work_pools --partition gpu --gpus 8 --api-url http://HOST:4200/api > worker.sbatch

process, docker and kubernetes are JSON for `--base-job-template`; a deployment that names the pool as its
work pool then runs there, and the form of the pool shows the variables.
"""
