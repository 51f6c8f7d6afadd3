"""The responses of a run for the viewer: its evaluations, those inside training, and the rollouts."""

from pathlib import Path

from evals.viewer.tables import ResponseSet
from pipelines.artifacts.artifact import MANIFEST, Artifact
from pipelines.stages.evaluated import evaluation_facts, set_aside

COMPLETIONS, DISAGREEMENTS = "completions.parquet", "disagreements.parquet"
TITLES = {
    "base": "before training",
    "final": "after training",
    "model": "the evaluation",
    "files": "stored samples",
}


def find_responses(run: Path) -> list[ResponseSet]:
    """The sets of a run's folder, or of one evaluation's; FileNotFoundError says what is missing.

    A training that still runs is shown as far as it has come.
    """
    if (run / COMPLETIONS).is_file():
        return [_evaluation(run, run.resolve().name[:12], "evaluation")]
    found = []
    for folder in sorted(run.glob("evaluate-*"), key=_order):
        if (folder / MANIFEST).is_file() and (folder / COMPLETIONS).is_file():
            name = folder.name.removeprefix("evaluate-")
            found.append(_evaluation(folder, name, TITLES.get(name, name)))
    for folder in sorted(run.glob("train/evaluations/step-*")):
        files = tuple(sorted(folder.glob("*.parquet")))
        if files:
            step = int(folder.name.removeprefix("step-"))
            found.append(ResponseSet(f"during-{step}", f"during training, step {step}", {None: files}))
    rollouts: dict[int | None, tuple[Path, ...]] = {}
    for path in sorted(run.glob("train/rollouts/step-*.parquet")):  # One file a step and rank.
        step = int(path.stem.split("-")[1])
        rollouts[step] = (*rollouts.get(step, ()), path)
    if rollouts:
        found.append(ResponseSet("training", "training rollouts", rollouts))
    if not found:
        raise FileNotFoundError(
            f"{run}: no responses yet; name a run's folder (runs/demo) or one of its evaluations, after "
            "reasoner-zero train or eval"
        )
    return found


def opened_first(sets: list[ResponseSet]) -> str:
    """The set that the page opens with: the last evaluation of the trained model, if there is one."""
    names = [each.name for each in sets]
    return "final" if "final" in names else names[0]


def _order(folder: Path) -> tuple[bool, str]:
    """The evaluations of the base and the trained model come first."""
    return folder.name not in ("evaluate-base", "evaluate-final"), folder.name


def _evaluation(folder: Path, name: str, title: str) -> ResponseSet:
    disagreements = folder / DISAGREEMENTS
    return ResponseSet(
        name,
        title,
        {None: (folder / COMPLETIONS,)},
        disagreements if disagreements.is_file() else None,
        tuple(_facts(folder)),
    )


def _facts(folder: Path) -> list[str]:
    """How it was sampled and judged, and the questions that were set aside."""
    if not (folder / MANIFEST).is_file():
        return []
    artifact = Artifact("evaluate", folder.name, folder)
    facts = [f"{name}: {text}" for name, text in evaluation_facts(artifact)]
    if not (folder / "rejects.parquet").is_file():
        return facts
    for row in set_aside({"": artifact}).iter_rows(named=True):
        facts.append(
            f"{row['benchmark']}: {row['n_set_aside']} of {row['n_questions']} set aside: {row['detail']}"
        )
    return facts
