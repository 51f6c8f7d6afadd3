"""Command line, stages, artifacts, child processes, Prefect flows and publishing."""

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m` searches the working folder first, where it would find a user's own rewards.py or evals/.
    sys.path[0] = __path__[0].rpartition("/")[0]
