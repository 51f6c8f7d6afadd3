"""Renderer of a run's report: one HTML page that works offline, in light and dark, on a screen or a phone.

    path.write_text(render_report(ReportData(run="demo", metrics=metrics, base=base, final=final)))

The page loads nothing: figures are inline SVG, samples are JSON data that a short script inserts as text. A
content security policy allows only that script, by its hash, so nothing a model wrote can run. The same data
gives the same bytes.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evals.report.data import Headline, ReportData
from evals.report.paper import build_paper_section
from evals.report.plates import Section
from evals.report.reference import REFERENCE
from evals.report.samples import draw_samples, to_script_json
from evals.report.sections import build_sections
from evals.report.tables import budget_tables, curve_table, group_tables, result_rows, set_aside_notes
from evals.statistics.compare import compare
from evals.statistics.forecast import Forecast, forecast
from evals.statistics.metrics import summarize
from evals.statistics.reflection import analyze, by_pattern
from evals.statistics.turning_point import run_bends

MAX_DISAGREEMENTS = 200
"""Most responses that the page lists under the judges' disagreements; the rest are in the artifact."""


@dataclass(frozen=True, slots=True)
class Page:
    """Everything computed from the data, for the template and the figure files."""

    models: dict[str, pl.DataFrame]
    summaries: dict[str, pl.DataFrame]
    comparison: pl.DataFrame | None
    sections: list[Section]
    paper: Section | None = None
    """Figures of the benchmarks for papers and slides, on request."""


def build_page(data: ReportData, *, for_papers: bool = False) -> Page:
    """Compute the statistics and draw the figures; `for_papers`: also those that only files have."""
    models = {
        label: frame
        for label, frame in (("base", data.base), ("final", data.final))
        if frame is not None and frame.height
    }
    summaries = {label: summarize(frame) for label, frame in models.items()}
    comparison = data.comparison
    if comparison is None and len(models) == 2:
        comparison = compare(models["base"], models["final"])
    bends = run_bends(data.metrics) if data.bends is None else data.bends
    sections = build_sections(data, models, bends, _forecasts(data.metrics))
    paper = build_paper_section(models, summaries, comparison) if for_papers else None
    return Page(models, summaries, comparison, sections, paper)


def render_report(data: ReportData) -> str:
    """Return the page as text."""
    return render_page(data, build_page(data))


def render_page(data: ReportData, page: Page) -> str:
    """Render a built page with its template."""
    samples = draw_samples(page.models) if page.models else []
    environment = _environment()
    environment.filters["model_name"] = lambda name: data.label if name == "final" else name
    script = environment.get_template("browser.js.j2").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        data=data,
        sections=page.sections,
        results=result_rows(data, page.summaries),
        set_aside=set_aside_notes(data),
        models=list(page.models),
        curve=curve_table(page.models) if page.models else None,
        groups=group_tables(page.models),
        budgets=budget_tables(data),
        comparison=[] if page.comparison is None else page.comparison.to_dicts(),
        references=_references(page.summaries),
        reflection=[row for label, frame in page.models.items() for row in _reflection(label, frame)],
        disagreements=[]
        if data.disagreements is None
        else data.disagreements.head(MAX_DISAGREEMENTS).to_dicts(),
        samples_json=to_script_json(samples),
        n_samples=len(samples),
        n_completions=sum(frame.height for frame in page.models.values()),
        benchmarks=sorted({sample["benchmark"] for sample in samples}),
        script=script,
        script_digest=digest,
        summary_sentence=_sentence(data.headlines),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = show
    environment.filters["change"] = show_change
    environment.filters["p_value"] = lambda p: "< 0.001" if p < 0.001 else f"{p:.3f}"
    environment.filters["sample_address"] = sample_address
    environment.filters["percent"] = lambda value: show(value, "share")
    return environment


def show(value: float | None, unit: str = "number") -> str:
    """Write a number for a reader; a missing one is a dash.

    >>> show(0.0943, "share"), show(25.46, "tokens"), show(None), show(0.5)
    ('9.4%', '25.5', '–', '0.5')
    """
    if value is None:
        return "–"
    if unit == "share":
        return f"{value * 100:.1f}%"
    return f"{value:,.1f}" if unit == "tokens" else f"{value:.3g}"


def show_change(headline: Headline) -> str:
    """Write the difference after − before: points for shares, the plain difference otherwise.

    >>> show_change(Headline("Reward", 0.09, 0.94)), show_change(Headline("Length", 18.0, 25.5, "tokens"))
    ('+85.0 points', '+7.5')
    """
    if headline.before is None or headline.after is None:
        return ""
    delta = headline.after - headline.before
    text = f"{delta * 100:+.1f} points" if headline.unit == "share" else f"{delta:+,.3g}"
    return text.replace("-", "−")


def sample_address(row: Mapping[str, Any]) -> str:
    """Where the viewer shows a response, from the report: see `evals.viewer`.

    >>> sample_address({"model": "final", "benchmark": "math500", "question_id": "a b", "sample": 3})
    'view/index.html#set=final&of=math500&question=a+b&sample=3'
    """
    place = {
        "set": row["model"],
        "of": row["benchmark"],
        "question": row["question_id"],
        "sample": row["sample"],
    }
    return f"view/index.html#{urlencode(place)}"


def _sentence(items: tuple[Headline, ...]) -> str:
    """State the finding in one sentence: the first share, if possible with an interval, and the length."""
    moved = [item for item in items if item.before is not None and item.after is not None]
    shares = [item for item in moved if item.unit == "share"]
    chosen = [item for item in shares if item.after_ci95][:1] or shares[:1]
    chosen += [item for item in moved if item.unit == "tokens"][:1]
    parts = []
    for item in chosen:
        suffix = " tokens" if item.unit == "tokens" else ""
        parts.append(_movement(_in_sentence(item), item.before, item.after, item.unit) + suffix)
    sentence = " and ".join(parts)
    return sentence[:1].upper() + sentence[1:] + "." if sentence else ""


def _in_sentence(item: Headline) -> str:
    """A tile's name in the middle of a sentence.

    >>> _in_sentence(Headline("math500, avg@4", 0.1, 0.2, after_ci95=(0.1, 0.3)))
    'accuracy on math500'
    >>> _in_sentence(Headline("Macro average of 2 benchmarks", 0.1, 0.2, after_ci95=(0.1, 0.3)))
    'the macro average of 2 benchmarks'
    """
    name = item.name.partition(",")[0]
    if item.after_ci95 and "average" not in name:
        return f"accuracy on {name}"
    article = "the " if "average" in name else ""
    return article + name[:1].lower() + name[1:]


def _movement(name: str, before: float | None, after: float | None, unit: str) -> str:
    if show(before, unit) == show(after, unit):
        return f"{name} stayed at {show(after, unit)}"
    verb = "rose" if (after or 0) > (before or 0) else "fell"
    return f"{name} {verb} from {show(before, unit)} to {show(after, unit)}"


def _forecasts(metrics: pl.DataFrame | None) -> dict[str, Forecast]:
    """Where reward and accuracy are heading, if the steps say; accuracy only where it is not the reward."""
    if metrics is None:
        return {}
    names = ["reward"] if metrics["accuracy"].equals(metrics["reward"]) else ["reward", "accuracy"]
    known = {name: metrics.select("step", name).drop_nulls() for name in names}
    found = {name: forecast(rows["step"].to_list(), rows[name].to_list()) for name, rows in known.items()}
    return {name: ahead for name, ahead in found.items() if ahead is not None}


def _reflection(label: str, completions: pl.DataFrame) -> list[dict]:
    """Rows of the reflection table, with the patterns that occur listed."""
    rows = analyze(completions).to_dicts()
    for row in rows:
        found = by_pattern(completions.filter(pl.col("benchmark") == row["benchmark"]))
        words = [
            f"{item.pattern.strip(',')} {show(item.share, 'share')}" for item in found if item.n_responses
        ]
        row |= {"model": label, "patterns": ", ".join(words) or "none"}
    return rows


def _references(summaries: dict[str, pl.DataFrame]) -> list[dict]:
    """Published accuracies on this run's benchmarks: {model, <benchmark>: accuracy}."""
    names = {name for summary in summaries.values() for name in summary["benchmark"]}
    rows: dict[str, dict] = {}
    for row in REFERENCE.filter(pl.col("benchmark").is_in(list(names))).iter_rows(named=True):
        rows.setdefault(row["model"], {"model": row["model"]})[row["benchmark"]] = row["accuracy"]
    return list(rows.values())
