"""Prefect settings that a run's temporary server and `up` share: where its files go, and no telemetry."""

from pathlib import Path


def settings(home: Path) -> dict[str, str]:
    """Environment variables for processes that keep their Prefect files in `home`."""
    return {
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


POOL, GPU_LIMIT = "local", "gpu"


LOGGED = ("pipelines", "curation", "rewards", "evals")
"""Packages whose log lines are sent to the server."""
