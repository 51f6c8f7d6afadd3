"""Upload of a folder to a hub, and download for comparison, through huggingface_hub.

The token comes from the caller, from HF_TOKEN or from the client's own login; it is never logged. HF_ENDPOINT
points the client at another hub.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from rewards.contracts.files import hash_file

logger = logging.getLogger(__name__)
Kind = Literal["dataset", "model"]
Result = TypeVar("Result")

PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Pauses between attempts; some randomness is added, so that two senders do not collide again."""
PASSING = {408, 409, 412, 429, 500, 502, 503, 504}
"""Status codes after which another attempt may succeed: a busy hub, or somebody else's commit in between."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a publication goes."""

    kind: Kind
    repo: str
    branch: str = "main"
    is_private: bool = True
    """Of a new repository; one that exists stays as it is."""
    is_pull_request: bool = False
    """Propose the commit instead of making it."""

    def __str__(self) -> str:
        return f"{self.kind} {self.repo}" + (f" branch {self.branch}" if self.branch != "main" else "")


@dataclass(frozen=True, slots=True)
class Sent:
    """How a sending ended."""

    commit: str
    """The commit with exactly the files that were given: a new one, or the head if it had them already."""
    pull_request: str | None = None
    """Its address, if one was opened."""
    is_new: bool = True
    """False when nothing differed, so that no file and no commit was sent."""


def require_token(token: str | None) -> None:
    """Raise ValueError unless there is a token to write with."""
    from huggingface_hub import get_token

    if (token or get_token()) is None:
        raise ValueError("no hub token: set HF_TOKEN to one that can write, or log in with: hf auth login")


def make_repository(target: Target, token: str | None = None) -> None:
    """Create the repository and the branch, where missing."""
    from huggingface_hub import HfApi

    api = HfApi(token=token)

    def make() -> None:
        api.create_repo(target.repo, repo_type=target.kind, private=target.is_private, exist_ok=True)
        if target.branch != "main":
            api.create_branch(target.repo, repo_type=target.kind, branch=target.branch, exist_ok=True)

    persist(make, str(target))


def send_folder(
    folder: Path,
    target: Target,
    message: str,
    check: Callable[[], str | None],
    token: str | None = None,
) -> Sent:
    """Make the repository contain exactly the files in `folder`.

    `check` looks at the head, raises when it must not be replaced, and returns its commit; the new commit
    builds on it, if somebody else commits in between, the head is looked at again. Unchanged files are not
    sent, and no commit is made when nothing changed. Up to about 250 files are one commit; with hf_xet the
    client (whose upload_folder has replaced upload_large_folder) commits more in parts, deletions first. What
    arrived before a failure is not sent again. ValueError when the hub refuses token or files, RuntimeError
    when it stays unreachable.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    heads: list[str | None] = []

    def send() -> Sent:
        heads.append(check())
        commit = api.upload_folder(
            repo_id=target.repo,
            repo_type=target.kind,
            folder_path=folder,
            commit_message=message,
            delete_patterns="*",
            parent_commit=heads[-1],
            revision=target.branch,
            create_pr=target.is_pull_request,
        )
        # The first head: an attempt whose answer was lost may have made the commit.
        return Sent(str(commit.oid), commit.pr_url, is_new=commit.oid != heads[0])

    sent = persist(send, str(target))
    done = "published" if sent.is_new else "unchanged, nothing sent"
    logger.info("%s kind=%s repo=%s commit=%s", done, target.kind, target.repo, sent.commit)
    return sent


def tag_version(kind: Kind, repo: str, commit: str, tag: str, token: str | None = None) -> None:
    """Tag a commit on the hub; an existing tag is not moved."""
    from huggingface_hub import HfApi

    def send() -> None:
        HfApi(token=token).create_tag(repo, repo_type=kind, tag=tag, revision=commit, exist_ok=True)

    persist(send, f"{kind} {repo}")


def read_back(
    kind: Kind,
    repo: str,
    commit: str,
    files: list[tuple[str, int, str]],
    scratch: Path,
    token: str | None = None,
) -> None:
    """Download `commit` to `scratch` and compare it with `files`: (name, bytes, SHA-256).

    RuntimeError names the files that differ.
    """
    from huggingface_hub import snapshot_download

    folder = scratch / "files"

    def download() -> None:
        snapshot_download(
            repo,
            repo_type=kind,
            revision=commit,
            local_dir=folder,
            cache_dir=scratch / "cache",
            token=token,
        )

    persist(download, f"{kind} {repo}")
    wrong = [
        name
        for name, _, sha256 in files
        if not (folder / name).is_file() or hash_file(folder / name) != sha256
    ]
    if wrong:
        raise RuntimeError(
            f"{kind} {repo} at {commit} differs from what was sent: {', '.join(wrong)}; publish again"
        )


def persist(call: Callable[[], Result], what: str, pauses_s: Sequence[float] = PAUSES_S) -> Result:
    """Call until it succeeds, as long as failures may be temporary; what has arrived is not sent again."""
    from huggingface_hub.errors import HTTPError

    for pause_s in (*pauses_s, None):
        try:
            return call()
        except (HTTPError, RuntimeError) as error:
            # The client wraps the error of a single file's upload.
            fault = error.__cause__ if isinstance(error, RuntimeError) else error
            if not isinstance(fault, HTTPError):
                raise
        problem = passing_problem(fault, what)
        if pause_s is None:
            raise RuntimeError(
                f"the hub did not accept {what} after {len(pauses_s) + 1} attempts ({problem}); publish "
                "again later: what has arrived is not sent again"
            ) from fault
        logger.warning("hub busy what=%s problem=%s next_attempt_in_s=%.0f", what, problem, pause_s)
        time.sleep(pause_s * random.uniform(1.0, 1.3))
    raise AssertionError("the last attempt returns or raises")


def passing_problem(fault: Exception, what: str) -> str:
    """Describe a failure that another attempt may fix; ValueError or RuntimeError for any other."""
    from huggingface_hub.errors import HfHubHTTPError

    if not isinstance(fault, HfHubHTTPError):
        return f"{type(fault).__name__}: {fault}"
    status, said = fault.response.status_code, fault.server_message
    problem = f"status {status}" + (f": {said}" if said else "")
    if status == 401:
        raise ValueError(
            f"the hub refused the token for {what} ({problem}); set HF_TOKEN to one that can write there"
        ) from None
    if status == 403:
        raise ValueError(
            f"the hub refused {what} ({problem}); use a token that can write there, or free space there if "
            "the message is about storage"
        ) from None
    if status not in PASSING:
        raise RuntimeError(f"the hub did not accept {what} ({problem})") from fault
    return problem
