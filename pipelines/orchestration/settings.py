"""Prefect settings that a run's temporary server and `up` share: where its files go, and no telemetry."""

import os
from importlib.metadata import entry_points
from pathlib import Path

DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
OWN_DATABASE = (DATABASE, "PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_DRIVER")
"""Variables by which an operator names another database."""


def settings(home: Path) -> dict[str, str]:
    """Environment variables for processes that keep their Prefect files in `home`."""
    return _database(home) | {
        "PREFECT_HOME": str(home),
        # Does not follow PREFECT_HOME automatically.
        "PREFECT_LOCAL_STORAGE_PATH": str(home / "storage"),
        "PREFECT_MEMO_STORE_PATH": str(home / "memo_store.toml"),
        # SQLite has one writer; the default of 10 s is too short on a loaded machine.
        "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
        "PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT": "60",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def _database(home: Path) -> dict[str, str]:
    """Prefect's own SQLite file, with `pipelines.orchestration.immediate`; nothing if the operator names
    another database, or if this environment is older than the plugin (`make setup` renews it)."""
    query = f"?plugin={PLUGIN}"
    named = [value for name in OWN_DATABASE if (value := os.environ.get(name))]
    if any(query not in value for value in named) or not entry_points(
        group="sqlalchemy.plugins", name=PLUGIN
    ):
        return {}
    return {DATABASE: f"sqlite+aiosqlite:///{home}/prefect.db{query}"}


PLUGIN = "immediate"
POOL, GPU_LIMIT = "local", "gpu"


LOGGED = ("pipelines", "curation", "rewards", "evals")
"""Packages whose log lines are sent to the server."""
