"""The curation stage: configured sources in, clean problems out, every other row set aside with its reason.

curated = curate(config, data_root=Path("data"), protected=benchmark_problems)
curated.problems, curated.rejects, curated.funnel
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from curation.config import CurationConfig
from curation.dedup import deduplicate
from curation.duplicates import find_duplicates
from curation.filters import details, first_reason
from curation.leaks import find_leaks
from curation.mix import assign_split, over_cap
from curation.normalise import language, readable
from curation.sources import ROW_SCHEMA, read_source
from curation.wrappers import learn_wrappers
from rewards.files import hash_text
from rewards.records import PROBLEM, REJECT

logger = logging.getLogger(__name__)

FUNNEL = pl.Schema({"step": pl.String(), "read": pl.Int64(), "kept": pl.Int64(), "dropped": pl.Int64()})
STEPS = ("read", "normalise", "filter", "dedup", "decontaminate", "mix")


@dataclass(frozen=True, slots=True)
class Curated:
    """What curation made: PROBLEM rows, REJECT rows, counts per step, and the hash of each source."""

    problems: pl.DataFrame
    rejects: pl.DataFrame
    funnel: pl.DataFrame
    inputs: dict[str, str]


class _Ledger:
    """Books every row: each step's kept and dropped rows add up to what it read."""

    def __init__(self, on_progress: Callable[[str, int], None] | None) -> None:
        self.rejects: list[pl.DataFrame] = []
        self.funnel: list[dict] = []
        self.on_progress = on_progress or (lambda step, n_rows: None)

    def book(self, step: str, n_read: int, kept: pl.DataFrame, rejects: pl.DataFrame) -> pl.DataFrame:
        assert kept.height + rejects.height == n_read, (
            f"{step}: {kept.height} kept + {rejects.height} dropped != {n_read} read"
        )
        self.rejects.append(rejects)
        self.funnel.append({"step": step, "read": n_read, "kept": kept.height, "dropped": rejects.height})
        logger.info("step=%s read=%d kept=%d dropped=%d", step, n_read, kept.height, rejects.height)
        self.on_progress(step, n_read)
        return kept

    def drop(self, step: str, rows: pl.DataFrame, removed: pl.DataFrame) -> pl.DataFrame:
        """Take the rows named in `removed` (row, reason, detail, matched) out of `rows`."""
        lost = rows.join(removed, on="row", how="inner", maintain_order="left")
        rejects = REJECT.check(lost.with_columns(step=pl.lit(step)))
        return self.book(
            step, rows.height, rows.join(removed, on="row", how="anti", maintain_order="left"), rejects
        )


def curate(
    config: CurationConfig,
    *,
    data_root: Path | None,
    protected: pl.DataFrame,
    on_progress: Callable[[str, int], None] | None = None,
) -> Curated:
    """Run all steps in order; same inputs and config give equal frames, whatever the number of threads.

    protected: columns benchmark, question_id, problem. `on_progress` is told each finished step and its rows;
    while sources are read, the name of each and its rows.
    Raises SourceError when a source cannot be used, ValueError when nothing is left.
    """
    if not config.sources:
        raise ValueError("curation.sources is empty: name at least one source")
    ledger = _Ledger(on_progress)
    rows, inputs = _read(config, data_root, ledger)
    rows = _normalise(rows, config, ledger)
    rows = _filter(rows, config, ledger)
    rows = _with_roots(rows, config)
    everything, rows = rows, _dedup(rows, config, ledger)
    rows = _decontaminate(everything, rows, protected, config, ledger)
    rows = _mix(rows, config, ledger)
    if rows.is_empty():
        worst = max(ledger.funnel, key=lambda step: step["dropped"])
        raise ValueError(
            f"no problem is left; most were dropped by step {worst['step']} ({worst['dropped']})"
        )
    rows = rows.with_columns(split=assign_split(rows, config.mix, config.seed))
    rejects = pl.concat(ledger.rejects)
    assert rows.height + rejects.height == ledger.funnel[0]["read"], "rows went missing between steps"
    return Curated(
        PROBLEM.check(rows), REJECT.check(rejects), pl.DataFrame(ledger.funnel, schema=FUNNEL), inputs
    )


def _read(
    config: CurationConfig, data_root: Path | None, ledger: _Ledger
) -> tuple[pl.DataFrame, dict[str, str]]:
    frames, rejects, inputs = [pl.DataFrame(schema=ROW_SCHEMA)], [REJECT.frame([])], {}
    for source in config.sources:
        read = read_source(source, data_root)
        frames.append(read.rows)
        rejects.append(read.rejects)
        inputs[source.name] = read.fingerprint
        ledger.on_progress(source.name, read.rows.height + read.rejects.height)
    rows, lost = pl.concat(frames), pl.concat(rejects)
    rows = ledger.book("read", rows.height + lost.height, rows, lost)
    return rows.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64)), inputs


def _normalise(rows: pl.DataFrame, config: CurationConfig, ledger: _Ledger) -> pl.DataFrame:
    """Tidy the texts; `bare` is the text that is compared, `problem` the one that is trained on."""
    rows = rows.with_columns(
        readable(pl.col("problem")),
        readable(pl.col("answer")),
        pl.col("solution").str.normalize("NFC").str.replace_all(r"\r\n?", "\n"),
    )
    wrappers = learn_wrappers(rows["problem"], config.normalise.min_evidence)
    rows = rows.with_columns(bare=wrappers.strip(rows["problem"]))
    if config.normalise.strip_wrappers:
        made = [source.name for source in config.sources if source.generator]
        rows = rows.with_columns(
            problem=pl.when(pl.col("source").is_in(made)).then("problem").otherwise("bare")
        )
    rows = rows.with_columns(language=language(pl.col("problem")))
    ids = [
        hash_text("\x1f".join(parts), 16)
        for parts in rows.select("source", "source_id", "problem").iter_rows()
    ]
    rows = rows.with_columns(problem_id=pl.Series(ids, dtype=pl.String))
    # A source may hold the same id and text twice: one of them is the row, the other is set aside here.
    is_repeat = pl.col("problem_id").cum_count().over("problem_id") > 1
    reason = (
        pl.when(pl.col("problem") == "")
        .then(pl.lit("empty_problem"))
        .when(is_repeat)
        .then(pl.lit("repeated_row"))
    )
    removed = rows.select(
        "row", reason=reason, detail=pl.lit("nothing left after tidying, or id and text seen before")
    )
    removed = removed.filter(pl.col("reason").is_not_null()).with_columns(
        matched=pl.lit(None, dtype=pl.String)
    )
    return ledger.drop("normalise", rows, removed)


def _filter(rows: pl.DataFrame, config: CurationConfig, ledger: _Ledger) -> pl.DataFrame:
    removed = rows.select("row", reason=first_reason(config.filters)).filter(pl.col("reason").is_not_null())
    removed = removed.with_columns(
        detail=pl.col("reason").replace_strict(details(), default=""), matched=pl.lit(None, dtype=pl.String)
    )
    return ledger.drop("filter", rows, removed)


def _with_roots(rows: pl.DataFrame, config: CurationConfig) -> pl.DataFrame:
    """Add `root`: the first row that says the same."""
    roots = find_duplicates(rows["bare"], config.dedup, rows["answer"])
    return rows.with_columns(root=rows["row"].gather(roots))


def _dedup(rows: pl.DataFrame, config: CurationConfig, ledger: _Ledger) -> pl.DataFrame:
    result = deduplicate(rows, config.dedup)
    if result.largest_cluster > config.dedup.max_cluster:
        logger.warning("largest_cluster=%d max_cluster=%d", result.largest_cluster, config.dedup.max_cluster)
    logger.info("answer_conflicts=%d largest_cluster=%d", result.n_conflicts, result.largest_cluster)
    names = rows.select(matched="row", name=pl.format("{}:{}", "source", "source_id"))
    removed = result.removed.join(names, on="matched", how="left", maintain_order="left")
    kept = ledger.drop("dedup", rows, removed.select("row", "reason", "detail", matched="name"))
    return kept.with_columns(cluster=pl.col("problem_id"))


def _decontaminate(
    everything: pl.DataFrame,
    rows: pl.DataFrame,
    protected: pl.DataFrame,
    config: CurationConfig,
    ledger: _Ledger,
) -> pl.DataFrame:
    """Drop each row that leaks, or of whose duplicates one leaks."""
    leaks = find_leaks(everything["bare"], protected, config.decontaminate)
    leaks = leaks.with_columns(row=everything["row"].gather(leaks["row"]))
    leaks = leaks.join(everything.select("row", "root"), on="row", how="left", maintain_order="left")
    own = rows.select("row", "root").join(leaks.drop("root"), on="row", maintain_order="left")
    kin = rows.select("row", "root").join(leaks.rename({"row": "kin"}), on="root", maintain_order="left")
    removed = pl.concat([own.drop("root"), kin.drop("root", "kin")]).unique(
        "row", keep="first", maintain_order=True
    )
    return ledger.drop("decontaminate", rows, removed)


def _mix(rows: pl.DataFrame, config: CurationConfig, ledger: _Ledger) -> pl.DataFrame:
    caps = {source.name: source.max_problems for source in config.sources if source.max_problems}
    removed = rows.select("row", reason=over_cap(rows, caps, config.mix.max_problems, config.seed))
    removed = removed.filter(pl.col("reason").is_not_null())
    removed = removed.with_columns(detail=pl.lit("above the cap"), matched=pl.lit(None, dtype=pl.String))
    return ledger.drop("mix", rows, removed)
