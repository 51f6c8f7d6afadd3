"""What a claim leaves behind in RUNS/claims/NAME: verdict.json, the steps, its curves and a page.

`write_index` gathers all of them in RUNS/claims: claims.md, and claims.html with the figures inside.
"""

import io
import json
import logging
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import matplotlib
import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.markup import escape
from rich.table import Table

from evals.report.canvas import BASE, FINAL, INK, THIRD, WARN, drawing, panel, to_svg
from evals.report.files import use_light_colors
from pipelines.cards.card import markdown_text
from pipelines.claims.cells import Runs, in_words
from pipelines.claims.config import Claim
from pipelines.claims.verdict import Interval, Row, Verdict
from rewards.contracts.files import atomic_open, write_json, write_parquet, write_text

logger = logging.getLogger(__name__)

COLORS = (FINAL, WARN, THIRD, BASE, INK)
DASHES = ("-", "--", ":", "-.")
"""Variants beyond the colors repeat them with another line."""
COLUMNS = (
    "task",
    "variant",
    "measure [95 %]",
    "minus the control",
    "at the end",
    "tokens",
    "reach",
    "first token",
    "as expected",
)
TURNING = ("accuracy", "reflection_rate", "response_tokens", "correct_reflection_tokens")
"""Columns of METRIC that are drawn for turning points; for other claims, accuracy."""
LABELS = {
    "accuracy": "accuracy",
    "reflection_rate": "reflection rate",
    "response_tokens": "tokens of all responses",
    "correct_reflection_tokens": "tokens of right responses that reflect",
}


def numbers(values: Interval | None) -> str:
    """A mean with its interval; alone where there is one unit only.

    >>> numbers((0.5, 0.25, 0.75)), numbers((1.0, None, None))
    ('.500 [.250, .750]', '1.000')
    """
    if values is None:
        return ""
    mean, *ends = (f"{value:.3f}".replace("0.", ".", 1) for value in values if value is not None)
    return f"{mean} [{', '.join(ends)}]" if ends else mean


def short(value: float | None) -> str:
    """Two places, and no sign before zeros.

    >>> short(0.987), short(-0.004), short(None)
    ('0.99', '0.00', '')
    """
    return "" if value is None else f"{round(value, 2) + 0.0:.2f}"


def cells_of(row: Row) -> list[str]:
    """A row of the table, columns COLUMNS."""
    n = len(row.bends)
    value = f"{row.value[0] * n:.0f} of {n} runs" if n else numbers(row.value)
    last = numbers((row.last, None, None))
    return [
        row.task,
        row.name,
        value,
        "" if n else numbers(row.difference),
        last,
        f"{row.tokens:.0f}",
        short(row.reach),
        short(row.first),
        row.outcome or "",
    ]


def make_table(name: str, verdict: Verdict) -> Table:
    """The verdict for the terminal."""
    title = f"{name}: {verdict.outcome} ({verdict.n_bases} bases x {verdict.n_seeds} seeds)"
    first = int(len({row.task for row in verdict.rows}) == 1)  # One task needs no column.
    table = Table(*COLUMNS[first:], title=escape(title), title_justify="left")
    for row in verdict.rows:
        table.add_row(*map(escape, cells_of(row)[first:]))
    return table


def anchor(name: str) -> str:
    """A claim's name as the id of its heading.

    >>> anchor("turning_point"), anchor('My "claim"')
    ('turning_point', 'my-claim')
    """
    return re.sub(r"[^\w-]+", "-", name.lower()).strip("-")


def write_claim(folder: Path, name: str, claim: Claim, runs: Runs, verdict: Verdict) -> None:
    """Write what the claim's runs came to; the same runs, the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_parquet(folder / "steps.parquet", pl.concat(runs.steps))
    write_parquet(folder / "held_out.parquet", pl.concat(runs.held_out))
    facts = {
        "name": name,
        "claim": claim.model_dump(mode="json"),
        "verdict": asdict(verdict),
        "bases": [asdict(base) | {"words": in_words(base)} for base in runs.bases],
        "cpu_s": sum(runs.costs.values()),
    }
    with drawing():
        figure = draw(claim, runs)
        alt = " ".join(claim.statement.split())
        write_text(folder / "curves.svg.html", to_svg(figure, f"claim-{anchor(name)}", alt))
        use_light_colors(figure)
        buffer = io.StringIO()
        with matplotlib.rc_context({"svg.hashsalt": name}):
            figure.savefig(buffer, format="svg", facecolor="white", metadata={"Date": None})
        # Paths have a line for each point: in one line they are half as large and no diff of thousands.
        write_text(folder / "curves.svg", re.sub(r"\s*\n\s*", " ", buffer.getvalue()).strip() + "\n")
    # Last: the index shows claims that have it.
    write_json(folder / "verdict.json", facts)


def draw(claim: Claim, runs: Runs) -> Figure:
    """The measured columns by step for each variant: every run faint, the mean over runs bold."""
    columns = TURNING if claim.measure == "turning_point" else ("accuracy",)
    is_tested = claim.measure in ("held_out", "gain")
    frames = pl.concat(runs.held_out if is_tested else runs.steps)
    figure, axes = panel(
        (5.0, 1.4 + 1.5 * len(columns) * len(claim.tasks)), rows=len(columns) * len(claim.tasks)
    )
    for number, (task, column) in enumerate((task, column) for task in claim.tasks for column in columns):
        of_task = frames.filter(pl.col("task") == task)
        draw_series(axes[number], claim, of_task, column)
        where = f", {_drawn(task)}" if len(claim.tasks) > 1 else ""
        axes[number].set_title(f"{'held-out ' if is_tested else ''}{LABELS[column]}{where}")
    axes[-1].set_xlabel("step")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=1 if max(map(len, names)) > 16 else 4)
    return figure


def draw_series(ax: Axes, claim: Claim, steps: pl.DataFrame, column: str) -> None:
    """One panel: a column of METRIC by step."""
    window = max(1, steps["step"].n_unique() // 20)
    for number, variant in enumerate(claim.variants):
        color, own = COLORS[number % len(COLORS)], steps.filter(pl.col("variant") == number)
        dash = DASHES[number // len(COLORS) % len(DASHES)]
        for _, run in own.group_by("base", "seed", maintain_order=True):
            values = run[column].rolling_mean(window, min_samples=1)
            ax.plot(run["step"], values, color=color, ls=dash, lw=0.6, alpha=0.35)
        mean = own.group_by("step").agg(pl.col(column).mean()).sort("step")
        smooth = mean[column].rolling_mean(window, min_samples=1)
        ax.plot(mean["step"], smooth, color=color, ls=dash, label=_drawn(variant.name))
    ax.set_ylim(bottom=0)


def _drawn(text: str) -> str:
    """Text for matplotlib, which reads formulas between dollars and leaves out labels that begin with _."""
    return (" " if text.startswith("_") else "") + text.replace("$", r"\$")


def write_index(folder: Path) -> tuple[Path, Path]:
    """Gather the claims in `folder`: claims.md and claims.html; returns both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [facts for path in sorted(folder.glob("*/verdict.json")) if (facts := _facts(path))]
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent, Path(__file__).parents[2] / "evals" / "report"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"text": markdown_text, "quote": quote}
    paths = (folder / "claims.md", folder / "claims.html")
    for path in paths:
        environment.autoescape = path.suffix == ".html"
        with atomic_open(path, "w") as file:
            file.write(environment.get_template(f"{path.name}.j2").render(claims=found, columns=COLUMNS))
    return paths


def _facts(path: Path) -> dict[str, Any] | None:
    """What the page says of a claim, from its verdict.json; None, with a warning, where it is not ours."""
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        facts["name"] = path.parent.name
        facts["anchor"] = anchor(path.parent.name)
        facts["figure"] = (path.parent / "curves.svg.html").read_text(encoding="utf-8")
        facts["rows"] = [cells_of(Row(**row)) for row in facts["verdict"]["rows"]]
        facts["headline"] = headline(facts)
        is_gain = facts["claim"]["measure"] == "gain"
        facts["control"] = "the base model" if is_gain else facts["claim"]["variants"][0]["name"]
    except (KeyError, TypeError, ValueError, FileNotFoundError) as error:
        text = "%s: left out of the page, not as `claims` writes it (%r); run its claim again"
        logger.warning(text, path, error)
        return None
    return facts


def headline(facts: dict[str, Any]) -> str:
    """The figure of a claim in one cell: what sets variants apart, or how many runs have a turning point."""
    rows = [Row(**row) for row in facts["verdict"]["rows"]]
    parts = []
    for row in rows:
        where = f"{row.name}, {row.task}" if len(facts["claim"]["tasks"]) > 1 else row.name
        if row.bends:
            parts.append(f"{where}: {cells_of(row)[2]}")
        elif row.difference is not None:
            parts.append(f"{where}: {numbers(row.difference)}")
    return "; ".join(parts) or numbers(rows[0].value)
