"""Prefect settings for a run without a server of one's own; imported before Prefect, which reads them at
import.

Anything already set in the environment or in a Prefect profile's variables stays as it is.
"""

import os
from pathlib import Path

HOME = Path(os.environ.get("PREFECT_HOME", Path("runs") / ".prefect")).resolve()

DEFAULTS = {
    "PREFECT_HOME": str(HOME),
    # Does not follow PREFECT_HOME by itself.
    "PREFECT_LOCAL_STORAGE_PATH": str(HOME / "storage"),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # The default of 20 s fails on a loaded machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_LOGGING_LEVEL": "WARNING",
}

for name, value in DEFAULTS.items():
    os.environ.setdefault(name, value)

# The server's database file needs its folder.
Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
