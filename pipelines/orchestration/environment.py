"""Prefect settings for a run with a temporary server; import this before Prefect, which reads them at import.

Variables that are already set in the environment stay as they are.
"""

import os
import secrets
from pathlib import Path

from pipelines.orchestration.private_home import CLIENT_KEY, SERVER_KEY, open_home
from pipelines.orchestration.settings import DATABASE, settings

OURS = (Path("runs") / ".prefect").resolve()
HOME = Path(os.environ.get("PREFECT_HOME", OURS)).resolve()
OF_A_RUN = {
    # The default of 20 s is too short on a loaded machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_LOGGING_LEVEL": "WARNING",
}

ours = settings(HOME) | OF_A_RUN
for name, value in ours.items():
    os.environ.setdefault(name, value)
if DATABASE in ours:  # What a parent with another home has set is not the operator's choice.
    os.environ[DATABASE] = ours[DATABASE]

# The server's database file needs its folder, which nobody else enters.
if Path(os.environ["PREFECT_HOME"]) == OURS:
    open_home(OURS)
else:
    Path(os.environ["PREFECT_HOME"]).mkdir(mode=0o700, parents=True, exist_ok=True)

# A temporary server answers only to the run that started it; another server has a key of its own.
if "PREFECT_API_URL" not in os.environ and not (HOME / "profiles.toml").exists():
    key = f"run:{secrets.token_urlsafe(32)}"
    os.environ[SERVER_KEY] = os.environ[CLIENT_KEY] = key
    # It does not come back: with the default of 5, each of the last calls to it would take a minute.
    os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "3")
