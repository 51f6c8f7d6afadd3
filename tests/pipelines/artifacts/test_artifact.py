"""The artifact contract: complete or absent, made once, reused, checked."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from pipelines.artifacts import artifact as contract
from pipelines.artifacts.artifact import Draft, Stage, Store, check
from rewards.contracts.files import read_json
from tests.pipelines.conftest import ROOT

STAGE = Stage("toy", ("rewards/contracts/files.py",))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def write_one(draft: Draft) -> None:
    draft.write("rows.parquet", pl.DataFrame({"n": [1, 2, 3]}))
    draft.count(read=4, kept=3, rejected=1)


def test_manifest_describes_the_folder(store: Store) -> None:
    def build(draft: Draft) -> None:
        write_one(draft)
        (draft.folder / "deep").mkdir()
        (draft.folder / "deep" / "note.txt").write_text("hello")
        draft.seeds = {"toy": 5}

    made = store.produce(STAGE, {"a": 1}, {"source:x": "ab12"}, build)
    assert made.folder == store.root / "toy" / made.fingerprint
    manifest = made.manifest
    assert manifest["config"] == {"a": 1} and manifest["inputs"] == {"source:x": "ab12"}
    assert manifest["counts"] == {"read": 4, "kept": 3, "rejected": 1} and manifest["seeds"] == {"toy": 5}
    # SHA-256 of b"hello", as sha256sum prints it.
    assert manifest["files"]["deep/note.txt"] == {
        "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "bytes": 5,
    }
    assert set(manifest["files"]) == {"rows.parquet", "deep/note.txt"}
    assert set(manifest["usage"]) == {"wall_s", "cpu_s", "peak_memory_bytes"}
    assert manifest["environment"]["libraries"]["polars"] == pl.__version__
    assert check(made.folder) == []
    assert made.read("rows.parquet")["n"].to_list() == [1, 2, 3]


@pytest.mark.parametrize("error", [RuntimeError("bad row"), KeyboardInterrupt(), SystemExit(1)])
def test_failing_builder_leaves_no_artifact(store: Store, error: BaseException) -> None:
    def build(draft: Draft) -> None:
        write_one(draft)
        raise error

    with pytest.raises(type(error)):
        store.produce(STAGE, {}, {}, build)
    assert store.find("toy", store.fingerprint(STAGE, {}, {})) is None
    assert not [path for path in (store.root / "toy").iterdir() if path.is_dir()]  # rolled back
    # The result of the next attempt contains nothing of the failed one.
    made = store.produce(STAGE, {}, {}, lambda draft: (draft.folder / "new.txt").write_text("x") and None)
    assert set(made.manifest["files"]) == {"new.txt"}


def test_a_file_that_was_being_written_at_the_kill_is_no_part_of_the_artifact(store: Store) -> None:
    """SIGKILL during an atomic write leaves its temporary file, neither renamed nor removed."""
    stage = Stage("toy", STAGE.packages, is_resumable=True)
    rows = store.root / "toy" / store.fingerprint(stage, {}, {})
    torn = rows.with_suffix(".partial") / "rollouts"
    torn.mkdir(parents=True)
    (torn / ".step-000004-rank-000.parquet.0s91iiq8.tmp").write_bytes(b"")
    made = store.produce(stage, {}, {}, lambda draft: (draft.folder / "new.txt").write_text("x") and None)
    assert set(made.manifest["files"]) == {"new.txt"}


def test_resumable_builder_finds_what_it_left(store: Store) -> None:
    stage = Stage("toy", STAGE.packages, is_resumable=True)

    def build(draft: Draft) -> None:
        path = draft.folder / "done.txt"
        if not path.exists():
            path.write_text("first half")
            raise RuntimeError("killed")
        path.write_text(path.read_text() + ", second half")

    with pytest.raises(RuntimeError):
        store.produce(stage, {}, {}, build)
    made = store.produce(stage, {}, {}, build)
    assert (made.folder / "done.txt").read_text() == "first half, second half"


def test_after_a_failure_only_what_is_missing_is_made(store: Store) -> None:
    built: list[str] = []

    def chain(is_good: bool) -> None:
        def first(draft: Draft) -> None:
            built.append("first")
            write_one(draft)

        def second(draft: Draft) -> None:
            built.append("second")
            write_one(draft)
            if not is_good:
                raise RuntimeError("lost")

        made = store.produce(STAGE, {}, {}, first)
        store.produce(Stage("next", STAGE.packages), {}, {"toy": made.content}, second)

    with pytest.raises(RuntimeError, match="lost"):
        chain(is_good=False)
    chain(is_good=True)
    chain(is_good=True)
    assert built == ["first", "second", "second"]


def test_second_call_does_not_build(store: Store) -> None:
    first = store.produce(STAGE, {"a": 1}, {}, write_one)

    def refuse(draft: Draft) -> None:
        raise AssertionError("built again")

    assert store.produce(STAGE, {"a": 1}, {}, refuse) == first
    with pytest.raises(AssertionError, match="built again"):
        store.produce(STAGE, {"a": 2}, {}, refuse)


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "manifest"])
def test_damaged_artifact_is_renamed_and_made_again(store: Store, damage: str) -> None:
    made = store.produce(STAGE, {}, {}, write_one)
    target = made.folder / "rows.parquet"
    whole = target.read_bytes()
    if damage == "flip":
        target.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    elif damage == "cut":
        target.write_bytes(whole[:-1])
    elif damage == "remove":
        target.unlink()
    else:
        (made.folder / "manifest.json").unlink()
    assert len(check(made.folder)) == 1
    again = store.produce(STAGE, {}, {}, write_one)
    assert again.folder == made.folder and check(again.folder) == []
    assert (again.folder / "rows.parquet").read_bytes() == whole
    assert len([path for path in made.folder.parent.iterdir() if ".damaged-" in path.name]) == 1


def test_fingerprint_follows_config_inputs_and_code(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = store.fingerprint(STAGE, {"a": 1, "b": 2}, {"x": "1"})
    assert plain == store.fingerprint(STAGE, {"b": 2, "a": 1}, {"x": "1"})
    others = {
        store.fingerprint(STAGE, {"a": 1, "b": 3}, {"x": "1"}),
        store.fingerprint(STAGE, {"a": 1, "b": 2}, {"x": "2"}),
        store.fingerprint(STAGE, {"a": 1, "b": 2}, {"y": "1"}),
        store.fingerprint(Stage("other", STAGE.packages), {"a": 1, "b": 2}, {"x": "1"}),
        store.fingerprint(Stage("toy", ("rewards/contracts/records.py",)), {"a": 1, "b": 2}, {"x": "1"}),
    }
    monkeypatch.setattr(contract, "LAYOUT", contract.LAYOUT + 1)
    others.add(store.fingerprint(STAGE, {"a": 1, "b": 2}, {"x": "1"}))
    assert len(others | {plain}) == 7


def test_code_version_follows_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.artifacts import provenance

    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    package = tmp_path / "stage"
    package.mkdir()
    (package / "code.py").write_text("x = 1\n")
    version = provenance.code_version.__wrapped__
    first = version(("stage",))
    (package / "notes.md").write_text("not code")
    assert version(("stage",)) == first
    (package / "code.py").write_text("x = 2\n")
    second = version(("stage",))
    (package / "template.j2").write_text("{{ x }}")
    third = version(("stage",))
    (package / "code.py").rename(package / "renamed.py")
    assert len({first, second, third, version(("stage",))}) == 4
    with pytest.raises(FileNotFoundError, match="no such package"):
        version(("absent",))


def test_counts_must_add_up(store: Store) -> None:
    with pytest.raises(AssertionError, match="rows were lost: read 5, kept 3, rejected 1"):
        store.produce(STAGE, {}, {}, lambda draft: draft.count(read=5, kept=3, rejected=1))


def test_volatile_files_do_not_change_the_content(tmp_path: Path) -> None:
    def build(note: str, result: str):
        def write(draft: Draft) -> None:
            (draft.folder / "result.txt").write_text(result)
            (draft.folder / "timings").mkdir()
            (draft.folder / "timings" / "a.txt").write_text(note)
            (draft.folder / "clock.txt").write_text(note)
            draft.volatile = {"timings", "clock.txt"}

        return write

    made = [
        Store(tmp_path / str(i)).produce(STAGE, {}, {}, build(*texts))
        for i, texts in enumerate((("1 s", "same"), ("2 s", "same"), ("1 s", "other")))
    ]
    assert made[0].content == made[1].content != made[2].content
    # They are checked anyway.
    (made[0].folder / "clock.txt").write_text("9 s")
    assert check(made[0].folder) == ["clock.txt differs from its SHA-256"]


BUILDER = """\
import logging, sys, time
from pathlib import Path
from pipelines.artifacts.artifact import Stage, Store

logging.basicConfig(level=logging.INFO, filename=sys.argv[2], format="%(message)s")

def build(draft):
    with open(sys.argv[2], "a") as log:
        log.write("built\\n")
    (draft.folder / "a.txt").write_text("a")
    (draft.folder.parent / "started").touch()
    while not Path(sys.argv[3]).exists():
        time.sleep(0.02)

print(Store(Path(sys.argv[1])).produce(Stage("toy", ("rewards/contracts/files.py",)), {}, {}, build).folder)
"""


def start(*arguments: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILDER, *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)


def said(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.02)


def test_two_processes_build_once(tmp_path: Path) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    both = [start(tmp_path, log, gate) for _ in range(2)]
    # One builds and is held at the gate; the other must wait for it and not build too.
    while len(said(log)) < 2:
        time.sleep(0.02)
    gate.touch()
    folders = {process.communicate()[0] for process in both}
    assert len(folders) == 1
    words = [line.partition(" ")[0] for line in said(log)]
    # Either may write its first line before the other.
    assert sorted(words[:2]) == ["built", "waiting"]
    assert words[2:] == ["stage=toy", "stage=toy"]


def test_killed_builder_leaves_no_artifact_and_no_lock(tmp_path: Path) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"
    started = tmp_path / "artifacts" / "toy" / "started"
    first = start(tmp_path, log, gate)
    wait_for(started)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not list((tmp_path / "artifacts").rglob("manifest.json"))
    gate.touch()
    out, _ = start(tmp_path, log, gate).communicate()
    assert read_json(Path(out.strip()) / "manifest.json")["files"].keys() == {"a.txt"}
    assert [line.partition(" ")[0] for line in said(log)] == ["built", "built", "stage=toy"]
