"""The private home of Prefect's files: only this user enters it, and the key of its API lies in it.

home = open_home(Path("runs/.prefect"))
environment |= keys(home)              # the same key for server, worker, flows, automations and shell
"""

import os
import secrets
from pathlib import Path

SERVER_KEY, CLIENT_KEY = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
AUTH = "auth"
PRIVATE_UMASK = 0o077


def open_home(home: Path) -> Path:
    """Create the folder, or close what an earlier version left readable: folders 0700, files 0600."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    for path in home.rglob("*"):
        if not path.is_symlink() and path.exists():
            path.chmod(0o700 if path.is_dir() else 0o600)
    return home


def keys(home: Path) -> dict[str, str]:
    """The key of the server's API, for both sides: the operator's own, if set, else a new random one.

    The random one is written to `home`/auth, which only this user can read.
    """
    if own := os.environ.get(SERVER_KEY):
        (home / AUTH).unlink(missing_ok=True)
        return {SERVER_KEY: own, CLIENT_KEY: os.environ.get(CLIENT_KEY) or own}
    key = f"reasoner-zero:{secrets.token_urlsafe(32)}"
    write_private(home / AUTH, key)
    return {SERVER_KEY: key, CLIENT_KEY: key}


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
