"""A Prefect worker with a private scratch folder: python -m pipelines.orchestration.worker start --pool local

Prefect itself keeps it in one folder of /tmp for all users of a machine: whoever comes second cannot start a
worker, and whoever comes first owns the folder of the others. Only the worker's process is told; TMPDIR stays
as it is for the runs, whose sockets need short paths.
"""

import os
import sys
import tempfile
from pathlib import Path


def main() -> None:
    scratch = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser() / "tmp"
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = str(scratch)
    from prefect.cli import app

    sys.argv = ["prefect", "worker", *sys.argv[1:]]
    app()


if __name__ == "__main__":
    main()
