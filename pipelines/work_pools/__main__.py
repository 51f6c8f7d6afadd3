"""Write the sbatch script of a Prefect worker: python -m pipelines.work_pools --help."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the script; submit it with sbatch."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.work_pools",
        description="Write the sbatch script of a Prefect worker inside a Slurm allocation.",
    )
    parser.add_argument("--api-url", required=True, help="Prefect API, such as http://HOST:4200/api")
    parser.add_argument("--partition", required=True, help="Slurm partition")
    parser.add_argument("--gpus", type=int, default=8, help="GPUs per node (default: 8)")
    parser.add_argument("--cpus", type=int, default=32, help="CPU cores (default: 32)")
    parser.add_argument("--hours", type=int, default=24, help="time limit (default: 24)")
    parser.add_argument("--pool", default="slurm", help="work pool, of type process (default: slurm)")
    parser.add_argument("--project", default=".", help="this project's folder on the node (default: .)")
    sys.stdout.write(sbatch_script(**vars(parser.parse_args(arguments))))


def sbatch_script(**values: str | int) -> str:
    """Render the script; strings are quoted for the shell."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    quoted = {name: shlex.quote(value) if isinstance(value, str) else value for name, value in values.items()}
    return environment.get_template("slurm.sbatch.j2").render(quoted)


if __name__ == "__main__":
    main()
