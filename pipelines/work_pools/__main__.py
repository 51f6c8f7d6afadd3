"""Write the sbatch script of a Prefect worker: python -m pipelines.work_pools --help.

With `jobset` as first argument: the Kubernetes manifest of a training on several machines.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the script, to be submitted with sbatch, or the manifest, to be applied with kubectl."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["jobset"]:
        return print_jobset(words[1:])
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.work_pools",
        description="Write the sbatch script of a Prefect worker inside a Slurm allocation.",
    )
    parser.add_argument("--api-url", required=True, help="Prefect API, such as http://HOST:4200/api")
    parser.add_argument("--partition", required=True, help="Slurm partition")
    parser.add_argument("--nodes", type=int, default=1, help="nodes of the allocation (default: 1)")
    parser.add_argument("--gpus", type=int, default=8, help="GPUs per node (default: 8)")
    parser.add_argument("--cpus", type=int, default=32, help="CPU cores (default: 32)")
    parser.add_argument("--hours", type=int, default=24, help="time limit (default: 24)")
    parser.add_argument("--pool", default="slurm", help="work pool, of type process (default: slurm)")
    parser.add_argument("--project", default=".", help="this project's folder on the node (default: .)")
    sys.stdout.write(sbatch_script(**vars(parser.parse_args(words))))


def print_jobset(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.work_pools jobset",
        description="Write the manifest of a training on several machines: a JobSet whose first pod runs "
        "reasoner-zero and starts the ranks on the others over ssh.",
    )
    parser.add_argument("--image", required=True, help="image made from the project's Dockerfile")
    parser.add_argument("--config", required=True, help="TOML file, as the pods see it")
    parser.add_argument("--name", default="reasoner-zero", help="name of the JobSet")
    parser.add_argument("--nodes", type=int, default=2, help="machines (default: 2)")
    parser.add_argument("--gpus", type=int, default=8, help="GPUs per machine (default: 8)")
    parser.add_argument("--claim", default="runs", help="volume claim of the results (default: runs)")
    parser.add_argument("--secret", default="reasoner-zero-ssh", help="secret with an ssh key pair")
    given = vars(parser.parse_args(arguments))
    if given["nodes"] < 2:
        parser.error("--nodes: 2 or more; a single machine needs no JobSet")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    sys.stdout.write(environment.get_template("jobset.yaml.j2").render(given))


def sbatch_script(**values: str | int) -> str:
    """Render the script; strings are quoted for the shell."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    quoted = {name: shlex.quote(value) if isinstance(value, str) else value for name, value in values.items()}
    return environment.get_template("slurm.sbatch.j2").render(quoted)


if __name__ == "__main__":
    main()
