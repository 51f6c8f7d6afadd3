"""Code lists of the stages: every file that a stage imports is in its list, or named here with a reason."""

from pathlib import Path, PurePath
from shutil import copytree, ignore_patterns

import pytest

from pipelines.artifacts.artifact import Stage
from pipelines.artifacts.provenance import code_version
from pipelines.stages import base, curate, difficulty, evaluate, foreign, overlap, rewards, sample, train
from tests.test_arrows import ROOT, imported_modules

NOT_FOLLOWED = {
    "pipelines/artifacts/": "stores what a stage made; its LAYOUT is part of every key",
    "pipelines/config.py": "settings: the values that decide are part of the key",
    "evals/config.py": "settings",
    "evals/endpoint_config.py": "settings",
    "training/config.py": "settings",
    "training/sections/": "settings",
    "pipelines/benchmarks.py": "loads benchmarks, whose hashes are inputs",
    "evals/benchmarks/": "questions, hashed as inputs; a stage that reads more of them lists the folder",
    "training/fingerprint.py": "hashes a model, as an input",
    "pipelines/stages/models.py": "names a model, whose hash is an input",
    "rewards/verdict.py": "names of verdicts and modes; a stage that judges lists all of rewards",
    "training/rollout/proof.py": "refuses an engine, and decides nothing that it samples",
    "training/planning/": "estimates that refuse a run, and decide nothing in it",
    "pipelines/stages/continuation.py": "where a training starts, which its segments record",
    "pipelines/jobs/job.py": "starts the child",
    "pipelines/jobs/process.py": "runs the child",
    "pipelines/jobs/progress.py": "shows how far it is",
    "pipelines/jobs/gpus.py": "chooses devices",
}
JOBS = {
    stage.STAGE: [Path(stage.__file__)]
    for stage in (base, curate, difficulty, evaluate, foreign, overlap, rewards, sample, train)
}
for _stage in (base, difficulty, sample, train):
    JOBS[_stage.STAGE].append(ROOT / "pipelines" / "jobs" / Path(_stage.__file__).name)
EVALUATING = Stage("train", train.CODE + train.IN_PLACE)
"""A training that evaluates in place."""
JOBS[EVALUATING] = JOBS[train.STAGE]


def is_listed(file: str, places: tuple[str, ...]) -> bool:
    return any(
        file == place or file.startswith(f"{place.rstrip('/')}/") or PurePath(file).match(place)
        for place in places
    )


def closure(starts: list[Path], left_out: tuple[str, ...]) -> set[str]:
    """All project files that `starts` import, directly or indirectly; left-out ones are not followed."""
    found: set[str] = set()
    todo = list(starts)
    while todo:
        path = todo.pop()
        file = path.relative_to(ROOT).as_posix()
        if file not in found and not is_listed(file, left_out) and path.name != "__init__.py":
            found.add(file)
            todo += imported_modules(path)
    return found


@pytest.mark.parametrize("stage", JOBS, ids=lambda stage: f"{stage.name}-{len(stage.packages)}")
def test_every_imported_file_is_in_the_list_or_named_here(stage: Stage) -> None:
    # What another stage made is an input; its code belongs to that stage.
    others = {path.relative_to(ROOT).as_posix() for paths in JOBS.values() for path in paths}
    own = {path.relative_to(ROOT).as_posix() for path in JOBS[stage]}
    in_place = () if stage is not train.STAGE else ("pipelines/jobs/evaluate_in_training.py",)
    found = closure(JOBS[stage], (*NOT_FOLLOWED, *(others - own), *in_place))
    assert {file for file in found if not is_listed(file, stage.packages)} == set()


@pytest.mark.parametrize("stage", JOBS, ids=lambda stage: f"{stage.name}-{len(stage.packages)}")
def test_every_place_in_a_list_is_needed(stage: Stage) -> None:
    found = closure(JOBS[stage], ("pipelines/config.py", "pipelines/artifacts"))
    for place in stage.packages:
        assert any(is_listed(file, (place,)) for file in found), place


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        pytest.param("rewards/contracts/engine.py", (sample, base, train, difficulty), id="derive_seed"),
        pytest.param("pipelines/cards/corpus.md.j2", (curate,), id="template of the card"),
        pytest.param("pipelines/cards/card.py", (curate,), id="card"),
        pytest.param("training/packed/packing.py", (base, sample, train), id="packing"),
        pytest.param("training/base/gguf.py", (base,), id="gguf"),
        pytest.param("evals/report/report.css.j2", (), id="style of the report"),
    ],
)
def test_a_changed_file_changes_the_key(
    file: str, stages: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version of each stage that needs a file depends on it, and training depends on nothing else."""
    for package in ("curation", "rewards", "training", "evals", "pipelines"):
        copytree(ROOT / package, tmp_path / package, ignore=ignore_patterns("__pycache__"))
    monkeypatch.setattr("pipelines.artifacts.provenance.ROOT", tmp_path)
    version = code_version.__wrapped__
    before = {stage: version(stage.STAGE.packages) for stage in (*stages, train)}
    with (tmp_path / file).open("a") as out:
        out.write("\n")
    after = {stage: version(stage.STAGE.packages) for stage in (*stages, train)}
    assert {stage for stage in after if after[stage] != before[stage]} == set(stages)
