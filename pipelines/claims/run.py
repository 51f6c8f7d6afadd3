"""Run claims one after the other, and write what they came to."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.artifacts.workspace import Workspace
from pipelines.claims.cells import Opened, make_runs
from pipelines.claims.check import load_tasks
from pipelines.claims.config import claim_names, load_claim
from pipelines.claims.page import write_claim
from pipelines.claims.verdict import Verdict, decide
from pipelines.config import ConfigError


def choose_claims(names: Sequence[str]) -> list[str]:
    """The claims to run: those named, or all that do not take hours. All are read and checked first.

    ConfigError also when two have one name, since their results would share a folder.
    """
    claims = {name: load_claim(name) for name in names or claim_names()}
    chosen = [name for name, claim in claims.items() if names or not claim.is_long]
    stems: dict[str, str] = {}
    for name in chosen:
        load_tasks(name, claims[name])
        if (other := stems.setdefault(Path(name).stem, name)) != name:
            raise ConfigError(f"{other} and {name} have one name, and so one folder: rename one of them")
    return chosen


def run_claim(
    name: str,
    runs: Path,
    say: Callable[[str], None],
    data_root: str | None = None,
    opened: Opened = Workspace.open,
) -> Verdict:
    """Make the runs of a claim, or reuse them, and write RUNS/claims/NAME; returns the verdict."""
    claim = load_claim(name)
    tasks = load_tasks(name, claim)
    say(f"{name}: {claim.statement}")
    for task in tasks:
        n_bases = claim.n_bases if tasks[task].gate else 1
        if claim.measure not in ("gain", "turning_point") and n_bases * len(claim.seeds) == 1:
            say(f"  {task}: one base and one seed have no interval, so nothing can be shown: add some")
    made = make_runs(claim, tasks, runs, say, data_root, opened)
    verdict = decide(claim, made)
    stem = Path(name).stem
    write_claim(runs / "claims" / stem, stem, claim, made, verdict)
    values = {end for row in verdict.rows for end in row.value if end is not None}
    if claim.measure != "turning_point" and len(values) == 1:
        say(f"{stem}: the measure is {values.pop():.3f} in every run, which tells no variant from another")
    say(f"{stem}: {verdict.outcome}")
    return verdict
