"""Sending a folder to a hub and reading it back, through huggingface_hub.

The token comes from HF_TOKEN or the client's own log-in and is never read here, so it cannot be logged.
HF_ENDPOINT points the client at another hub.
"""

import logging
from pathlib import Path
from typing import Literal

from rewards.files import hash_file

logger = logging.getLogger(__name__)
Kind = Literal["dataset", "model"]


def send_folder(folder: Path, kind: Kind, repo: str, message: str) -> str:
    """Make the repository hold exactly the files of `folder`; returns the commit.

    Unchanged files are not sent, and no commit is made when nothing changed. ValueError when the hub refuses
    the token.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError

    if get_token() is None:
        raise ValueError("no hub token: set HF_TOKEN to one that may write, or log in with: hf auth login")
    api = HfApi()
    try:
        api.create_repo(repo, repo_type=kind, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo, repo_type=kind, folder_path=folder, commit_message=message, delete_patterns="*"
        )
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise ValueError(
                f"the hub refused the token for {kind} {repo} (status {status}); "
                "set HF_TOKEN to a token that may write there"
            ) from None
        raise
    logger.info("published kind=%s repo=%s commit=%s", kind, repo, commit.oid)
    return commit.oid


def read_back(kind: Kind, repo: str, commit: str, files: list[tuple[str, int, str]], scratch: Path) -> None:
    """Download `commit` to `scratch` and compare it with `files`: (name, bytes, SHA-256).

    RuntimeError names the files that differ.
    """
    from huggingface_hub import snapshot_download

    folder = scratch / "files"
    snapshot_download(repo, repo_type=kind, revision=commit, local_dir=folder, cache_dir=scratch / "cache")
    wrong = [
        name
        for name, _, sha256 in files
        if not (folder / name).is_file() or hash_file(folder / name) != sha256
    ]
    if wrong:
        raise RuntimeError(
            f"{kind} {repo} at {commit} does not hold what was sent: {', '.join(wrong)}; publish again"
        )
