"""Description of a curated corpus: card, Croissant metadata, statistics and plots.

describe(folder, facts={...}, benchmarks=frame)     # folder with data/, rejects.parquet, funnel.parquet

Everything follows from the files in the folder, so equal corpora get equal descriptions, byte by byte. Runs
share a corpus, so it contains no run's name.
"""

import warnings
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.cards.card import render_card
from pipelines.cards.croissant import write_croissant
from rewards.contracts.files import atomic_open, write_json, write_text
from rewards.contracts.records import PROBLEM

TITLE = "Math problems with short answers"
_ANSWER_TYPES = (
    ("integer", r"^[-+]?\d{1,3}(?:,?\d{3})*$|^[-+]?\d+$"),
    ("decimal", r"^[-+]?\d*\.\d+$"),
    ("fraction", r"^[-+]?(?:\d+\s*/\s*\d+|\\[dt]?frac\s*\{[^{}]*\}\s*\{[^{}]*\}|\\frac\d\d)$"),
    ("tuple or interval", r"^\\?(?:left)?\s*[(\[].*,.*[)\]]$"),
    ("percent or unit", r"^[-+]?[\d.,]+\s*(?:\\?%|\\text|\\mathrm|[A-Za-z])"),
    ("words", r"^[\p{L}\s.'-]{2,}$"),
    ("equation", r"="),
)
"""Kinds of answers by their form; the first match counts, and anything else is an expression."""

_LENGTHS = (50, 100, 200, 400, 800, 1600, 3200)


def describe(folder: Path, facts: dict[str, Any], benchmarks: pl.DataFrame) -> None:
    """Write README.md, croissant.json, statistics.json and plots/ to `folder`.

    `benchmarks` [benchmark, fingerprint] are those that the corpus was checked against.
    """
    tables = statistics(folder)
    write_json(folder / "statistics.json", {title: table.to_dicts() for title, table in tables.items()})
    plot(tables, folder / "plots")
    write_text(folder / "README.md", card(tables, facts, benchmarks))
    write_croissant(folder, TITLE)


def statistics(folder: Path) -> dict[str, pl.DataFrame]:
    """Counts of the corpus by name: splits, funnel, reasons, sources before and after, answer types, ..."""
    rows = pl.scan_parquet(folder / "data" / "*.parquet")
    rejects = pl.scan_parquet(folder / "rejects.parquet")
    answer_type = pl.lit("expression")
    for kind, pattern in reversed(_ANSWER_TYPES):
        answer_type = (
            pl.when(pl.col("answer").str.contains(pattern)).then(pl.lit(kind)).otherwise(answer_type)
        )
    length = pl.col("problem").str.len_chars()
    bins = pl.lit(f"over {_LENGTHS[-1]}")
    for limit in reversed(_LENGTHS):
        bins = pl.when(length <= limit).then(pl.lit(f"up to {limit}")).otherwise(bins)

    def count(by: pl.Expr, name: str) -> pl.DataFrame:
        table = rows.group_by(by.fill_null("none stated").alias(name)).agg(problems=pl.len().cast(pl.Int64))
        return table.sort("problems", name, descending=[True, False]).collect()

    after = rows.group_by("source", "license").agg(kept=pl.len().cast(pl.Int64))
    before = pl.concat([rows.select("source"), rejects.select("source")]).group_by("source")
    sources = before.agg(read=pl.len().cast(pl.Int64)).join(after, on="source", how="left")
    reasons = rejects.group_by("step", "reason").agg(rows=pl.len().cast(pl.Int64))
    order = [f"up to {limit}" for limit in _LENGTHS] + [f"over {_LENGTHS[-1]}"]
    lengths = count(bins, "characters")
    return {
        "gold errors": gold_errors(folder),
        "splits": count(pl.col("split"), "split"),
        "funnel": pl.read_parquet(folder / "funnel.parquet"),
        "reasons": reasons.sort("rows", "step", "reason", descending=[True, False, False]).collect(),
        "sources": sources.select("source", "license", "read", pl.col("kept").fill_null(0))
        .sort("kept", "source", descending=[True, False])
        .collect(),
        "answer types": count(answer_type, "answer"),
        "lengths": lengths.sort(pl.col("characters").replace_strict(order, list(range(len(order))))),
        "levels": count(pl.col("level"), "level").head(20),
        "subjects": count(pl.col("subject"), "subject").head(20),
        "languages": count(pl.col("language"), "language"),
    }


def gold_errors(folder: Path) -> pl.DataFrame:
    """Estimated shares of wrong golds, of sources with at least 30 rows to judge by, the largest first."""
    path = folder / "gold_errors.parquet"
    if not path.exists():
        return pl.DataFrame()
    rates = pl.read_parquet(path).filter(pl.col("n_evidence") >= 30)
    rates = rates.with_columns(pl.col("rate", "ci95_low", "ci95_high").round(4))
    return rates.sort("rate", "source", descending=[True, False]).head(30)


def plot(tables: dict[str, pl.DataFrame], folder: Path) -> None:
    """Draw the funnel, sources before and after, and the distributions as PNG files."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    def draw(title: str, labels: list[str], series: dict[str, list[int]], is_log: bool = False) -> None:
        figure = Figure(figsize=(8, 1.2 + 0.26 * max(4, len(labels))), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for place, (name, values) in enumerate(series.items()):
            positions = [index + 0.4 * place for index in range(len(labels))]
            axes.barh(positions, values, height=0.8 / len(series), label=name)
        positions = [index + 0.2 * (len(series) - 1) for index in range(len(labels))]
        # Labels are data: a dollar sign in a subject is not TeX.
        axes.set_yticks(positions, [_drawable(label) for label in labels], fontsize=8, parse_math=False)
        axes.invert_yaxis()
        axes.set_xlabel("rows, logarithmic" if is_log else "rows")
        if is_log:
            axes.set_xscale("symlog")
        if len(series) > 1:
            axes.legend(fontsize=8)
        axes.set_title(title, fontsize=10)
        with atomic_open(folder / f"{title.replace(' ', '-')}.png") as file, warnings.catch_warnings():
            # Letters that the font lacks are drawn as boxes; the card has them as text.
            warnings.filterwarnings("ignore", message="Glyph")
            # Without the software's version, so that the same corpus gives the same file.
            figure.savefig(file, format="png", dpi=80, metadata={"Software": None})

    funnel = tables["funnel"]
    counts_per_step = {name: funnel[name].to_list() for name in ("kept", "dropped")}
    draw("funnel", funnel["step"].to_list(), counts_per_step)
    sources = tables["sources"].head(60)
    draw(
        "sources",
        sources["source"].to_list(),
        {"before": sources["read"].to_list(), "after": sources["kept"].to_list()},
        is_log=True,
    )
    for title in ("answer types", "lengths", "levels", "subjects", "languages"):
        labels, counts = tables[title].to_dict(as_series=False).values()
        draw(title, [str(label)[:40] for label in labels], {"problems": counts})


def _drawable(label: str) -> str:
    """A label in one line, without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in label)


def card(tables: dict[str, pl.DataFrame], facts: dict[str, Any], benchmarks: pl.DataFrame) -> str:
    """Write the data set card with its YAML front matter."""
    from huggingface_hub import DatasetCardData

    from pipelines.cards.licenses import hub_license

    licenses = tables["sources"].filter(pl.col("kept") > 0)["license"].fill_null("none stated")
    n_rows = int(tables["splits"]["problems"].sum())
    front_matter = DatasetCardData(
        license=sorted({hub_license(text) for text in licenses}),
        language=sorted(tables["languages"]["language"]),
        pretty_name=TITLE,
        size_categories=[size_category(n_rows)],
        task_categories=["text-generation"],
        tags=["math", "reinforcement-learning", "verifiable-rewards", "reasoner-zero"],
        configs=[
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": f"data/{split}-*.parquet"}
                    for split in sorted(tables["splits"]["split"])
                ],
            }
        ],
    )
    removed = tables["reasons"].filter(pl.col("step") == "decontaminate")["rows"].sum()
    return render_card(
        "corpus.md.j2",
        front_matter.to_yaml(),
        title=TITLE,
        tables=tables,
        facts=facts,
        benchmarks=benchmarks,
        n_rows=n_rows,
        n_leaks=removed,
        columns=PROBLEM.columns,
    )


def size_category(n_rows: int) -> str:
    """The hub's size category of a data set.

    >>> size_category(75_000), size_category(999)
    ('10K<n<100K', 'n<1K')
    """
    names = ("1K", "10K", "100K", "1M", "10M", "100M", "1B")
    limits = [10**exponent for exponent in range(3, 10)]
    for place, (limit, name) in enumerate(zip(limits, names, strict=True)):
        if n_rows < limit:
            return f"n<{name}" if place == 0 else f"{names[place - 1]}<n<{name}"
    return "n>1B"
