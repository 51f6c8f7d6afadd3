"""The home that nobody else enters."""

import io
import sys
from pathlib import Path

import pytest

from pipelines.orchestration.private_home import AUTH, CLIENT_KEY, SERVER_KEY, keys, open_home
from pipelines.orchestration.rotating_log import rotate


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}


def test_an_open_home_is_closed(tmp_path: Path) -> None:
    home = tmp_path / ".prefect"
    (home / "logs").mkdir(parents=True, mode=0o755)
    (home / "prefect.db").write_text("x")
    (home / "logs" / "server.log").write_text("x")
    (tmp_path / "outside").write_text("x")
    (tmp_path / "outside").chmod(0o644)
    (home / "link").symlink_to(tmp_path / "outside")
    open_home(home)
    assert home.stat().st_mode & 0o777 == 0o700 and (home / "logs").stat().st_mode & 0o777 == 0o700
    assert (home / "prefect.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "outside").stat().st_mode & 0o777 == 0o644  # a link is not followed


def test_every_up_has_its_own_key_and_the_operators_is_respected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SERVER_KEY, raising=False)
    monkeypatch.setenv(CLIENT_KEY, "of another server")
    first, second = keys(tmp_path), keys(tmp_path)
    assert first[SERVER_KEY] == first[CLIENT_KEY] != second[SERVER_KEY]
    assert (tmp_path / AUTH).read_text() == second[CLIENT_KEY] and modes(tmp_path) == {0o600}
    monkeypatch.setenv(SERVER_KEY, "admin:pw")
    monkeypatch.delenv(CLIENT_KEY)
    assert keys(tmp_path) == {SERVER_KEY: "admin:pw", CLIENT_KEY: "admin:pw"}
    assert not (tmp_path / AUTH).exists()


def test_a_log_never_grows_beyond_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "".join(f"line {n} é\n" for n in range(5000)).encode() + b"\xff broken\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    rotate(tmp_path / "server.log", max_bytes=4000)
    files = list(tmp_path.iterdir())
    assert len(files) == 5 and all(path.stat().st_size <= 4000 for path in files)
    assert (tmp_path / "server.log").read_text().endswith("� broken\n")
