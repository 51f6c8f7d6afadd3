"""Prefect settings for a run with a temporary server; import this before Prefect, which reads them at import.

Variables that are already set in the environment stay as they are.
"""

import os
from pathlib import Path

from pipelines.orchestration.settings import settings

HOME = Path(os.environ.get("PREFECT_HOME", Path("runs") / ".prefect")).resolve()
OF_A_RUN = {
    # The default of 20 s is too short on a loaded machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_LOGGING_LEVEL": "WARNING",
}

for name, value in (settings(HOME) | OF_A_RUN).items():
    os.environ.setdefault(name, value)

# The server's database file needs its folder.
Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
