"""An evaluation of eight questions and a training of two steps, on disk; and a Chromium."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from evals.viewer.tables import Responses, ResponseSet

HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror="document.title=1"><!--'


@pytest.fixture(scope="session")
def responses(make_completions, tmp_path_factory: pytest.TempPathFactory) -> Responses:
    folder = tmp_path_factory.mktemp("responses")
    names = {f"q{number}": "0101" for number in range(8)}
    rows = make_completions(names, levels={"q1": "2"})
    rows = rows.with_columns(
        prompt=pl.lit("Answer in tags.\n") + pl.col("prompt") + pl.lit("\nAssistant:"),
        response=pl.when(pl.col("question_id") == "q3").then(pl.lit("Wait, " + HOSTILE)).otherwise(pl.lit(""))
        + pl.lit(r"so \(x^2\) is it ")
        + pl.col("response"),
    )
    rows.write_parquet(folder / "completions.parquet", statistics=False)
    rows.filter(pl.col("question_id") == "q5", pl.col("sample") == 1).write_parquet(
        folder / "disagreements.parquet"
    )
    rollouts = rows.rename({"question_id": "problem_id"}).select(
        "problem_id", "sample", "seed", "prompt", "response", "n_prompt_tokens", "n_response_tokens",
        "finish_reason", "gold", "extracted", "reason", reward=pl.col("is_correct").cast(pl.Float64),
    )  # fmt: skip
    steps: dict[int | None, tuple[Path, ...]] = {}
    for step in (1, 2):
        paths = [folder / f"step-{step}-rank-{rank}.parquet" for rank in (0, 1)]
        for path, part in zip(paths, (rollouts[:16], rollouts[16:]), strict=True):
            part.with_columns(step=pl.lit(step, pl.Int64)).write_parquet(path)
        steps[step] = tuple(paths)
    evaluation = ResponseSet(
        "final",
        "after training",
        {None: (folder / "completions.parquet",)},
        folder / "disagreements.parquet",
        ("temperature 1.0",),
    )
    return Responses([evaluation, ResponseSet("training", "rollouts", steps)])


@pytest.fixture
def dump_dom(tmp_path: Path) -> Callable[[str], str]:
    """The page at an address, as a real browser draws it."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("needs a Chromium on the PATH")
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --dump-dom"
    flags += " --disable-component-update --disable-sync --virtual-time-budget=8000"

    def dump(address: str) -> str:
        command = [program, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", address]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    return dump
