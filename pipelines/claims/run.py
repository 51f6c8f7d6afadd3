"""Run claims one after the other, and write what they came to."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.artifacts.workspace import Workspace
from pipelines.claims.cells import Opened, make_runs
from pipelines.claims.config import claim_names, load_claim
from pipelines.claims.page import write_claim
from pipelines.claims.verdict import Verdict, decide


def choose_claims(names: Sequence[str]) -> list[str]:
    """The claims to run: those named, or all that do not take hours. All are read first."""
    claims = {name: load_claim(name) for name in names or claim_names()}
    return [name for name, claim in claims.items() if names or not claim.is_long]


def run_claim(
    name: str,
    runs: Path,
    say: Callable[[str], None],
    data_root: str | None = None,
    opened: Opened = Workspace.open,
) -> Verdict:
    """Make the runs of a claim, or reuse them, and write RUNS/claims/NAME; returns the verdict."""
    claim = load_claim(name)
    say(f"{name}: {claim.statement}")
    made = make_runs(claim, runs, say, data_root, opened)
    verdict = decide(claim, made)
    stem = Path(name).stem
    write_claim(runs / "claims" / stem, stem, claim, made, verdict)
    say(f"{stem}: {verdict.outcome}")
    return verdict
