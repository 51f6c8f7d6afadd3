"""The curation stage: configured sources in, clean problems out, every other row rejected with a reason.

curated = curate(config, data_root=Path("data"), protected=benchmark_problems, folder=Path("out"))
curated.problems, curated.rejects, curated.funnel

`folder` gets data/<split>-*.parquet (rewards.contracts.records.PROBLEM), rejects.parquet (REJECT),
funnel.parquet and conflicts.parquet. Memory is bounded by the part sizes in `config.execution`, which do not
affect the result.
"""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow.parquet

from curation.alarms import alarms
from curation.audit.readings import second_readings
from curation.audit.score import error_rates, scored_votes, suspects_of_votes
from curation.config import CurationConfig
from curation.decontaminate.leaks import find_leaks
from curation.dedup.duplicates import find_duplicates, templates
from curation.dedup.golds import is_readable
from curation.executors import Executor, open_executor
from curation.mix import assign_split, n_copies, over_cap
from curation.steps import (
    REJECT_ROWS,
    Work,
    frames_of_source,
    read_sources,
    sample_part,
    solve_partition,
    sum_frequencies,
    tidy_parts,
    write_shard,
)
from curation.text.compiling import EXAMPLES, PROTECTED, compile_first
from curation.wrappers.frames import Frame
from curation.wrappers.wrappers import Wrappers, learn_wrappers, unwrap
from rewards.contracts.files import atomic_open, write_parquet
from rewards.contracts.records import PROBLEM, REJECT
from rewards.contracts.usage import measured

logger = logging.getLogger(__name__)

FUNNEL = pl.Schema({"step": pl.String(), "read": pl.Int64(), "kept": pl.Int64(), "dropped": pl.Int64()})
STEPS = ("read", "normalize", "filter", "dedup", "decontaminate", "mix")


@dataclass(slots=True)
class Curated:
    """What curation wrote to `folder`: counts per step, the hash of each source, facts worth knowing."""

    folder: Path
    funnel: pl.DataFrame
    inputs: dict[str, str]
    facts: dict = field(default_factory=dict)
    timings: list[dict] = field(default_factory=list)
    """phase, wall_s, cpu_s, peak_bytes; differs from run to run"""

    @property
    def problems(self) -> pl.DataFrame:
        return PROBLEM.check(pl.read_parquet(self.folder / "data"))

    @property
    def rejects(self) -> pl.DataFrame:
        return REJECT.check(pl.read_parquet(self.folder / "rejects.parquet"))


class NothingLeft(ValueError):
    """Every row was dropped: why, with counts, and where the rejects are."""

    def __init__(self, counts: list[tuple[str, int]], rejects: Path) -> None:
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in counts) or "the sources hold no rows"
        super().__init__(f"no problem is left; dropped: {reasons}; every row with its reason: {rejects}")
        self.counts, self.rejects = counts, rejects


def curate(
    config: CurationConfig,
    *,
    data_root: Path | None,
    protected: pl.DataFrame,
    folder: Path,
    on_progress: Callable[[str, int], None] | None = None,
) -> Curated:
    """Run all steps in order; the same inputs and config give equal files, however the work is divided.

    protected: columns benchmark, question_id, problem. `on_progress` is called with each finished step and
    its rows; while sources are read, with the name of each and its rows.
    Raises SourceError when a source cannot be used, NothingLeft when every row is dropped.
    """
    if not config.sources:
        raise ValueError("curation.sources is empty: name at least one source")
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in (folder / "data", *folder.glob(".work-*")):
        shutil.rmtree(left_over, ignore_errors=True)
    _compile()
    tell = on_progress or (lambda step, n_rows: None)
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".work-") as scratch,
        open_executor(config.execution) as executor,
    ):
        return _Run(config, Work(Path(scratch)), folder, executor, tell).run(data_root, protected)


def _compile() -> None:
    from curation.decontaminate import kernels

    compile_first(
        {
            "wrappers": lambda: unwrap(EXAMPLES, 1),
            "duplicates": lambda: find_duplicates(EXAMPLES),
            "templates": lambda: templates(EXAMPLES),
            "leaks": lambda: find_leaks(EXAMPLES, PROTECTED),
        },
        kernels,
    )


class _Run:
    """One run of the stage over its working folder."""

    def __init__(
        self,
        config: CurationConfig,
        work: Work,
        folder: Path,
        executor: Executor,
        tell: Callable[[str, int], None],
    ) -> None:
        self.config, self.work, self.folder, self.executor, self.tell = config, work, folder, executor, tell
        self.facts: dict = {}
        self.timings: list[dict] = []
        self.n_rows: dict[str, int] = {}
        self.frames: dict[int, list[Frame]] = {}

    def run(self, data_root: Path | None, protected: pl.DataFrame) -> Curated:
        with self.timed("read"):
            inputs = read_sources(self.work, self.config, data_root, self.tell)
        n_read = self.count([*self.work.parts(), *self.work.rejects("read")])
        self.book("read", n_read)
        with self.timed("wrappers"):
            wrappers = self.learn()
        with self.timed("tidy"):
            n_partitions = -(-n_read // self.config.execution.rows_per_partition)
            calls = [
                (
                    parts,
                    self.work,
                    self.config,
                    wrappers,
                    n_partitions,
                    [self.frames_of(part) for part in parts],
                )
                for parts in self.groups()
            ]
            n_left = sum(self.executor.map(tidy_parts, calls))
        with self.timed("solve"):
            self.solve(n_left, protected)
        for step in STEPS[1:-1]:
            self.book(step)
        with self.timed("mix"):
            chosen = self.mix()
        with self.timed("write"):
            self.write_data(chosen)
            self.write_rejects()
        with self.timed("audit"):
            self.audit()
        funnel = self.funnel(n_read, chosen)
        write_parquet(self.folder / "funnel.parquet", funnel)
        self.facts["alarms"] = alarms(self.config, self.folder, self.facts["largest_cluster"])
        return Curated(self.folder, funnel, inputs, self.facts, self.timings)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        with measured() as usage:
            yield
        wall_s, cpu_s, peak_bytes = usage.values()
        spent = {"wall_s": wall_s, "cpu_s": cpu_s, "peak_bytes": peak_bytes}
        self.timings.append({"phase": phase, **spent})
        logger.info("phase=%s wall_s=%.1f cpu_s=%.1f peak_mb=%d", phase, wall_s, cpu_s, peak_bytes // 2**20)

    @staticmethod
    def count(files: list[Path]) -> int:
        return sum(pyarrow.parquet.read_metadata(file).num_rows for file in files)

    def book(self, step: str, n_rows: int | None = None) -> None:
        self.n_rows[step] = self.count(self.work.rejects(step))
        self.tell(step, self.n_rows[step] if n_rows is None else n_rows)

    def learn(self) -> Wrappers:
        """Learn wrappers from the whole corpus, or from a sample of it that keeps related rows together."""
        parts = self.work.parts()
        share = -(-self.count(parts) // self.config.normalize.max_sample) or 1
        self.learn_frames(parts)
        texts = list(self.executor.map(sample_part, [(part, share, self.frames_of(part)) for part in parts]))
        wrappers = learn_wrappers(pl.concat(texts), self.config.normalize.min_evidence)
        self.facts["wrappers"] = {
            "prefixes": sorted(wrappers.prefixes.values()),
            "suffixes": sorted(wrappers.suffixes.values()),
            "endings": sorted(text for _, text in wrappers.endings.values()),
        }
        return wrappers

    def learn_frames(self, parts: list[Path]) -> None:
        """Learn each source's own frames; generators have none."""
        if not self.config.normalize.strip_wrappers:
            return
        by_source: dict[int, list[Path]] = {}
        for part in parts:
            place = int(part.stem.partition("-")[0])
            if not self.config.sources[place].generator:
                by_source.setdefault(place, []).append(part)
        learned = self.executor.map(frames_of_source, [(own,) for own in by_source.values()])
        self.frames = dict(zip(by_source, learned, strict=True))
        self.facts["frames"] = {
            self.config.sources[place].name: [str(frame) for frame in frames]
            for place, frames in self.frames.items()
            if frames
        }
        for name, frames in self.facts["frames"].items():
            logger.info("source=%s wrapper taken off: %s", name, "; ".join(frames))

    def groups(self) -> list[list[Path]]:
        """Parts of small sources together, up to `rows_per_part` rows: a call has costs of its own."""
        groups: list[list[Path]] = []
        size = most = self.config.execution.rows_per_part
        for part in self.work.parts():
            n_rows = self.count([part])
            if size + n_rows > most:
                groups.append([])
                size = 0
            groups[-1].append(part)
            size += n_rows
        return groups

    def frames_of(self, part: Path) -> list[Frame]:
        return self.frames.get(int(part.stem.partition("-")[0]), [])

    def nothing_left(self) -> NothingLeft:
        self.write_rejects()
        rejects = self.folder / "rejects.parquet"
        counts = pl.read_parquet(rejects, columns=["reason"])["reason"].value_counts(sort=True)
        return NothingLeft(
            list(counts.sort("count", "reason", descending=[True, False]).iter_rows()), rejects
        )

    def solve(self, n_rows: int, protected: pl.DataFrame) -> None:
        if not n_rows:
            raise self.nothing_left()
        target = self.work.root / "protected.parquet"
        write_parquet(target, protected.select("benchmark", "question_id", "problem"))
        frequencies = sum_frequencies(self.work, n_rows, protected)
        partitions = sorted((self.work.root / "partitions").glob("*"))
        calls = [(folder, self.work, self.config, frequencies, target) for folder in partitions]
        solved = list(self.executor.map(solve_partition, calls))
        self.facts["answer_conflicts"] = sum(one["n_conflicts"] for one in solved)
        self.facts["largest_cluster"] = max((one["largest_cluster"] for one in solved), default=0)
        conflicts = pl.read_parquet(sorted((self.work.root / "conflicts").glob("*.parquet")))
        write_parquet(
            self.folder / "conflicts.parquet", conflicts.sort("problem", "answer", "source", "source_id")
        )

    def mix(self) -> pl.DataFrame:
        """Decide which kept rows are used, how often and in which split: row, copy, split, in order."""
        config = self.config
        columns = ["row", "problem_id", "cluster", "source", "subject", "level", "language"]
        light = pl.scan_parquet(self.work.kept()).select(columns).collect().sort("row")
        caps = {source.name: source.max_problems for source in config.sources if source.max_problems}
        reason = over_cap(light, caps, config.mix.max_problems, config.seed, config.mix.quotas)
        light = light.with_columns(reason=reason)
        left_out = light.filter(pl.col("reason").is_not_null()).select("row", "reason")
        self.reject_left_out(left_out)
        self.book("mix")
        light = light.filter(pl.col("reason").is_null())
        if light.is_empty():
            raise self.nothing_left()
        light = light.with_columns(
            split=assign_split(light, config.mix, config.seed),
            copy=pl.int_ranges(n_copies(light, config.mix.quotas, config.seed)),
        )
        return light.select("row", "split", "copy").explode("copy").cast({"copy": pl.Int64})

    def reject_left_out(self, left_out: pl.DataFrame) -> None:
        for file in self.work.kept():
            rows = (
                pl.read_parquet(file)
                .join(left_out, on="row", maintain_order="left")
                .with_columns(
                    step=pl.lit("mix"),
                    detail=pl.lit("above the cap or quota"),
                    matched=pl.lit(None, dtype=pl.String),
                )
            )
            write_parquet(self.work.root / "rejects" / f"mix-{file.name}", rows.select(REJECT_ROWS.names()))

    def write_data(self, chosen: pl.DataFrame) -> None:
        """Write shards of bounded size, each split separately, rows in the order of sources."""
        size, calls = self.config.shard_rows, []
        for split in ("train", "validation"):
            rows = chosen.filter(pl.col("split") == split)
            n_shards = -(-rows.height // size)
            for number in range(n_shards):
                shard = rows.slice(number * size, size)
                target = self.folder / "data" / f"{split}-{number:05d}-of-{n_shards:05d}.parquet"
                low, high = shard["row"][0], shard["row"][-1]
                calls.append((self.work, target, low, high, shard, PROBLEM.names))
        assert sum(self.executor.map(write_shard, calls)) == chosen.height, "rows went missing while writing"

    def write_rejects(self) -> None:
        """Write all rejects to one file, step by step in row order, a bounded number at a time."""
        schema = REJECT.polars.to_frame().to_arrow().schema
        with atomic_open(self.folder / "rejects.parquet") as file:
            writer = pyarrow.parquet.ParquetWriter(file, schema)
            for step in STEPS:
                files = self.work.rejects(step)
                if not files:
                    continue
                rows = pl.scan_parquet(files).select("row").collect()["row"].sort()
                size = self.config.shard_rows
                for begin in range(0, len(rows), size):
                    low, high = rows[begin], rows[min(begin + size, len(rows)) - 1]
                    within = pl.scan_parquet(files).filter(pl.col("row").is_between(low, high))
                    frame = REJECT.check(within.collect().sort("row", maintain_order=True))
                    writer.write_table(frame.to_arrow().cast(schema))
            writer.close()

    def audit(self) -> None:
        """Write what speaks for and against each gold: signals.parquet for kept rows, suspects.parquet."""
        files = sorted((self.work.root / "votes").glob("*.parquet"))
        votes = pl.concat([pl.read_parquet(file) for file in files]).sort("row")
        write_parquet(self.folder / "votes.parquet", votes.drop("row", "problem"))
        write_parquet(self.folder / "suspects.parquet", suspects_of_votes(votes))
        kept = pl.scan_parquet(self.work.kept()).select("row", "problem_id", "source", "answer", "signals")
        scored = scored_votes(votes).select(
            "row", "n_sources", "n_for", "n_against", "other_gold", "score", "verdict"
        )
        rows = kept.collect().sort("row").join(scored, on="row", how="left", maintain_order="left")
        known = rows["answer"].unique(maintain_order=True)
        reads = pl.DataFrame(
            {
                "answer": known,
                "is_readable": [is_readable(one) for one in known],
                "math_verify_reads": second_readings(known, self.config.audit.math_verify),
            }
        )
        rows = rows.join(reads, on="answer", how="left", maintain_order="left").with_columns(
            pl.col("n_sources", "n_for").fill_null(1),
            pl.col("n_against").fill_null(0),
            pl.col("verdict").fill_null("no evidence"),
        )
        used = pl.scan_parquet(self.folder / "data").select("problem_id").collect()
        rows = rows.join(used, on="problem_id", how="semi", maintain_order="left").rename(
            {"signals": "imported"}
        )
        write_parquet(self.folder / "signals.parquet", rows.drop("row", "answer"))
        rates = error_rates(votes)
        write_parquet(self.folder / "gold_errors.parquet", rates)
        verdicts = rows["verdict"].value_counts(sort=True)
        self.facts["gold_audit"] = dict(verdicts.sort("verdict").iter_rows())

    def funnel(self, n_read: int, chosen: pl.DataFrame) -> pl.DataFrame:
        """Counts per step; every row read is used or rejected."""
        steps, left = [], n_read
        for step in STEPS:
            n_dropped = self.n_rows[step]
            steps.append({"step": step, "read": left, "kept": left - n_dropped, "dropped": n_dropped})
            left -= n_dropped
        n_taken = chosen.filter(pl.col("copy") == 0).height
        assert left == n_taken, f"rows went missing: {left} left by the steps, {n_taken} used"
        self.facts["n_copies"] = chosen.height - n_taken
        return pl.DataFrame(steps, schema=FUNNEL)
