"""The steps of curation as functions from parquet files to parquet files, each over a part of the corpus.

`read_sources` cuts sources into parts; `tidy_parts` cleans and filters some of them and distributes their
rows to partitions by the hash of their numbers and operators; `solve_partition` deduplicates and
decontaminates one.
Duplicates have equal numbers and operators, so no cluster crosses partitions, and the result does not depend
on how the corpus was cut. Rows have a column `row`: the number of their source, then their number in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from curation.audit.siblings import sibling_votes
from curation.config import CurationConfig
from curation.decontaminate.leaks import find_leaks
from curation.dedup.clusters import deduplicate
from curation.dedup.duplicates import find_duplicates, mathematics, templates
from curation.filters import details, first_reasons
from curation.screens.figures import without_decoration
from curation.sources.read import read_parts
from curation.text.normalize import name_languages, tidy
from curation.text.repair import repaired, restore_controls
from curation.text.series import comparable
from curation.text.token_index import Frequencies, count_tokens
from curation.wrappers.frames import SAMPLE, Frame, learn_frames, strip_frames
from curation.wrappers.wrappers import Wrappers
from rewards.contracts.files import hash_text, write_parquet
from rewards.contracts.records import REJECT

_SOURCE_SHIFT = 40
REJECT_ROWS = pl.Schema({**REJECT.polars, "row": pl.Int64()})


@dataclass(frozen=True, slots=True)
class Work:
    """The folders through which the steps pass files to each other."""

    root: Path

    def parts(self) -> list[Path]:
        return sorted((self.root / "read").glob("*.parquet"))

    def rejects(self, step: str) -> list[Path]:
        return sorted((self.root / "rejects").glob(f"{step}-*.parquet"))

    def kept(self) -> list[Path]:
        return sorted((self.root / "kept").glob("*.parquet"))


def _set_aside(work: Work, step: str, name: str, rows: pl.DataFrame, removed: pl.DataFrame) -> pl.DataFrame:
    """Write the rows named in `removed` (row, reason, detail, matched) as rejects; return the others."""
    lost = rows.join(removed, on="row", how="inner", maintain_order="left").with_columns(step=pl.lit(step))
    write_parquet(work.root / "rejects" / f"{step}-{name}.parquet", lost.select(REJECT_ROWS.names()))
    return rows.join(removed, on="row", how="anti", maintain_order="left")


def read_sources(
    work: Work,
    config: CurationConfig,
    data_root: Path | None,
    on_progress: Callable[[str, int], None],
) -> dict[str, str]:
    """Read all sources into parts; return the hash of each source."""
    fingerprints = {}
    for place, source in enumerate(config.sources):
        n_rows = 0
        for number, part in enumerate(read_parts(source, data_root, config.execution.rows_per_part)):
            row = (pl.col("number") + (place << _SOURCE_SHIFT)).alias("row")
            name = f"{place:05d}-{number:05d}"
            write_parquet(work.root / "read" / f"{name}.parquet", part.rows.with_columns(row).drop("number"))
            rejects = part.rejects.with_columns(row).select(REJECT_ROWS.names())
            write_parquet(work.root / "rejects" / f"read-{name}.parquet", rejects)
            fingerprints[source.name] = part.fingerprint
            n_rows += part.rows.height + part.rejects.height
        on_progress(source.name, n_rows)
    return fingerprints


def frames_of_source(parts: list[Path]) -> list[Frame]:
    """The frames of one source, learned from some texts of all its parts."""
    most = -(-SAMPLE // max(len(parts), 1))
    texts = []
    for part in parts:
        problems = pl.read_parquet(part, columns=["problem"])["problem"].unique(maintain_order=True)
        texts.append(problems.gather_every(max(1, len(problems) // most)).head(2 * most))
    return learn_frames(pl.concat(texts)) if texts else []


def sample_part(part: Path, share: int, frames: Sequence[Frame] = ()) -> pl.Series:
    """Texts in one part to learn wrappers from: one in `share` of them, by the hash of their numbers.

    A problem and the same problem in a wrapper have the same numbers, so they are drawn together.
    """
    texts = strip_frames(tidy(pl.read_parquet(part, columns=["problem"])["problem"]), list(frames))
    return texts if share == 1 else texts.filter(pl.Series(mathematics(texts) % np.uint64(share) == 0))


def tidy_parts(
    parts: list[Path],
    work: Work,
    config: CurationConfig,
    wrappers: Wrappers,
    n_partitions: int,
    frames: list[list[Frame]],
) -> int:
    """Clean up, unwrap and filter some parts, each with its source's frames, and distribute their rows;
    `bare` is the text that is compared, `written` the text in the source."""
    part = parts[0]
    read = [pl.read_parquet(one) for one in parts]
    rows = pl.concat(read)
    problem = tidy(restore_controls(rows["problem"]))
    rows = rows.with_columns(
        without_decoration(repaired(problem)).alias("problem"),
        repaired(tidy(restore_controls(rows["answer"]))).alias("answer"),
        pl.col("solution").str.normalize("NFC").str.replace_all(r"\r\n?", "\n"),
        written=rows["problem"],
    )
    ends = np.cumsum([one.height for one in read])
    stripped = [
        strip_frames(rows["problem"].slice(end - one.height, one.height), own)
        for end, one, own in zip(ends, read, frames, strict=True)
    ]
    rows = rows.with_columns(pl.concat(stripped))
    rows = rows.with_columns(bare=wrappers.strip(rows["problem"]))
    if config.normalize.strip_wrappers:
        made = [source.name for source in config.sources if source.generator]
        own = pl.when(pl.col("source").is_in(made)).then("problem").otherwise("bare")
        rows = rows.with_columns(problem=own)
    rows = rows.with_columns(bare=comparable(rows["bare"]))
    rows = rows.with_columns(language=name_languages(rows["problem"]))
    empty = rows.filter(pl.col("problem") == "").select(
        "row",
        reason=pl.lit("empty_problem"),
        detail=pl.lit("nothing left after cleanup"),
        matched=_no_match(),
    )
    rows = _set_aside(work, "normalize", part.stem, rows, empty)
    reasons = first_reasons(rows, config.filters)
    unsuited = rows.select("row").with_columns(reasons).filter(pl.col("reason").is_not_null())
    unsuited = unsuited.with_columns(
        detail=pl.col("reason").replace_strict(details(), default="", return_dtype=pl.String),
        matched=_no_match(),
    )
    rows = _set_aside(work, "filter", part.stem, rows, unsuited).drop("written")
    keys = rows.select("source", "source_id", "problem").iter_rows()
    rows = rows.with_columns(
        problem_id=pl.Series([hash_text("\x1f".join(key), 16) for key in keys], dtype=pl.String),
        partition=pl.Series(mathematics(rows["bare"]) % np.uint64(n_partitions), dtype=pl.UInt64),
    )
    for (partition,), own_rows in rows.group_by("partition", maintain_order=True):
        folder = work.root / "partitions" / f"{partition:05d}"
        write_parquet(folder / part.name, own_rows.drop("partition"))
    write_parquet(work.root / "frequencies" / part.name, count_tokens(rows["bare"]))
    return rows.height


def _no_match() -> pl.Expr:
    return pl.lit(None, dtype=pl.String)


def sum_frequencies(work: Work, n_rows: int, protected: pl.DataFrame) -> Frequencies:
    """Count the rows, and benchmark problems, that contain each token."""
    counts = pl.concat(
        [
            pl.scan_parquet(work.root / "frequencies" / "*.parquet"),
            count_tokens(protected["problem"]).lazy(),
        ]
    )
    table = counts.group_by("hash").agg(pl.col("n").sum()).sort("hash").collect(engine="streaming")
    return Frequencies(n_rows + protected.height, table["hash"].to_numpy(), table["n"].to_numpy())


def solve_partition(
    folder: Path, work: Work, config: CurationConfig, frequencies: Frequencies, protected: Path
) -> dict[str, int]:
    """Drop repeated rows, keep one row of each cluster, and drop what leaks or has a duplicate that leaks.

    Returns n_conflicts and largest_cluster.
    """
    name = folder.name
    rows = pl.concat([pl.read_parquet(part) for part in sorted(folder.iterdir())]).sort("row")
    # A source may contain the same id and text twice: one is the row, the other is rejected here.
    repeated = rows.filter(pl.col("problem_id").cum_count().over("problem_id") > 1).select(
        "row", reason=pl.lit("repeated_row"), detail=pl.lit("id and text seen before"), matched=_no_match()
    )
    rows = _set_aside(work, "normalize", f"p{name}", rows, repeated)
    roots = find_duplicates(rows["bare"], config.dedup, rows["answer"], frequencies)
    rows = rows.with_columns(root=rows["row"].gather(roots))
    write_parquet(work.root / "votes" / f"{name}.parquet", sibling_votes(rows))
    unsure = [source.name for source in config.sources if source.needs_support]
    result = deduplicate(rows.with_columns(has_vote=~pl.col("source").is_in(unsure)), config.dedup)
    names = rows.select(matched="row", name=pl.format("{}:{}", "source", "source_id"))
    duplicates = result.removed.join(names, on="matched", how="left", maintain_order="left")
    duplicates = duplicates.select("row", "reason", "detail", matched="name")
    write_parquet(work.root / "conflicts" / f"{name}.parquet", result.conflicts)
    kept = _set_aside(work, "dedup", name, rows, duplicates)
    leaks = find_leaks(rows["bare"], pl.read_parquet(protected), config.decontaminate, frequencies)
    leaks = leaks.with_columns(row=rows["row"].gather(leaks["row"]))
    kept = _set_aside(work, "decontaminate", name, kept, spread_leaks(leaks, rows, kept))
    template = pl.Series("template", templates(kept["bare"]), dtype=pl.String)
    kept = kept.with_columns(cluster=pl.coalesce(template, "problem_id"))
    write_parquet(work.root / "kept" / f"{name}.parquet", kept.drop("bare", "root"))
    return {"n_conflicts": result.n_conflicts, "largest_cluster": result.largest_cluster}


def spread_leaks(leaks: pl.DataFrame, rows: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """Leaks among the kept rows: their own, or otherwise that of one of their duplicates."""
    leaks = leaks.join(rows.select("row", "root"), on="row", how="left", maintain_order="left")
    own = kept.select("row", "root").join(leaks.drop("root"), on="row", maintain_order="left")
    kin = kept.select("row", "root").join(leaks.rename({"row": "kin"}), on="root", maintain_order="left")
    both = pl.concat([own.drop("root"), kin.drop("root", "kin")])
    return both.unique("row", keep="first", maintain_order=True)


def write_shard(
    work: Work, target: Path, low: int, high: int, chosen: pl.DataFrame, columns: list[str]
) -> int:
    """Write the kept rows from `low` to `high` that are in `chosen` (row, split, copy), in order."""
    frame = pl.scan_parquet(work.kept()).filter(pl.col("row").is_between(low, high)).collect()
    frame = chosen.join(frame, on="row", how="left", maintain_order="left")
    copy = pl.col("copy") > 0
    name = pl.when(copy).then(pl.format("{}-{}", "problem_id", "copy")).otherwise("problem_id")
    write_parquet(target, frame.with_columns(problem_id=name).select(columns))
    return frame.height
