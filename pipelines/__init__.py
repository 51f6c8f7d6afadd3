"""The stages chained: command line, flows, artifacts, child processes, publishing."""

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m` looks in the working folder first, where a user's own rewards.py or evals/ would be found.
    sys.path[0] = __path__[0].rpartition("/")[0]
