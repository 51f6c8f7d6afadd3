"""Prefect settings for a run without a server of one's own; imported before Prefect, which reads them at
import.

Anything already set in the environment or in a Prefect profile's variables stays as it is.
"""

import os
from pathlib import Path

from pipelines.orchestration.settings import settings

HOME = Path(os.environ.get("PREFECT_HOME", Path("runs") / ".prefect")).resolve()
OF_A_RUN = {
    # The default of 20 s fails on a loaded machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_LOGGING_LEVEL": "WARNING",
}

for name, value in (settings(HOME) | OF_A_RUN).items():
    os.environ.setdefault(name, value)

# The server's database file needs its folder.
Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)
