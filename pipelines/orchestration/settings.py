"""Where Prefect keeps its files, and that it sends nothing home; the same for a run's own server and `up`."""

from pathlib import Path


def settings(home: Path) -> dict[str, str]:
    """Environment of everything that keeps its Prefect files below `home`."""
    return {
        "PREFECT_HOME": str(home),
        # Does not follow PREFECT_HOME by itself.
        "PREFECT_LOCAL_STORAGE_PATH": str(home / "storage"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


POOL, GPU_LIMIT = "local", "gpu"


LOGGED = ("pipelines", "curation", "rewards", "evals")
"""Packages whose log lines go to the server."""
