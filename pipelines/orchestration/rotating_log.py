"""Write standard input to a log file that is rotated: python -m pipelines.orchestration.rotating_log FILE

A server logs for months. It ends when every writer has closed the pipe.
"""

import signal
import sys
from logging import Formatter, LogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path

MAX_BYTES, KEPT = 10_000_000, 4
"""Size of a log file, and how many older ones are kept beside it."""


def rotate(path: Path, max_bytes: int = MAX_BYTES) -> None:
    """Copy lines from standard input to `path`; old ones go to `path`.1, .2, ..., the oldest are dropped."""
    handler = RotatingFileHandler(path, maxBytes=max_bytes, backupCount=KEPT, encoding="utf-8")
    handler.setFormatter(Formatter("%(message)s"))
    for line in sys.stdin.buffer:
        text = line.decode("utf-8", "replace").rstrip("\n")
        handler.emit(LogRecord("", 0, "", 0, text, None, None))
    handler.close()


if __name__ == "__main__":
    # Ends with its writers, not before them.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    rotate(Path(sys.argv[1]))
