"""A child that starts as a worker does, and says below which process it runs."""

import os

from pipelines.jobs.process import die_with_parent

if __name__ == "__main__":
    die_with_parent()
    print("the worker runs below", os.getppid(), flush=True)  # noqa: T201
