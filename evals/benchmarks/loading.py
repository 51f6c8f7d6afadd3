"""Turn a benchmark's config into its questions, and hand the protected texts to decontamination.

load(BenchmarkConfig(name="math500"), Path("data"))
from_frame("heldout", frame)      # frame with the columns problem and answer
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import polars as pl

from evals.benchmarks.registry import QUESTION, Benchmark, Question, Spec, registered
from evals.benchmarks.rows import Row, read_hub, read_rows
from evals.config import BenchmarkConfig
from rewards.files import canonical_json, hash_text

logger = logging.getLogger(__name__)


def load(
    config: BenchmarkConfig, data_root: Path | None = None, frame: pl.DataFrame | None = None
) -> Benchmark:
    """Read the questions of a benchmark; `frame` is needed for kind = frame and refused otherwise."""
    if (frame is not None) != (config.kind == "frame"):
        raise ValueError(
            f"benchmark {config.name!r} has kind = {config.kind!r}: a frame goes with kind = 'frame'"
        )
    if frame is not None:
        return from_frame(config.name, frame, limit=config.limit)
    if config.kind == "custom":
        rows = _custom_rows(config, data_root)
        return _build(config.name, rows, _custom_parser(config), config.limit)
    if config.name not in registered():
        known = ", ".join(registered())
        raise ValueError(
            f"unknown benchmark {config.name!r}: known are {known}; your own needs kind = 'custom'"
        )
    spec = registered()[config.name]
    benchmark = _build(config.name, _registered_rows(config, spec, data_root), spec.parse, limit=0)
    found, expected = benchmark.questions.height, " or ".join(map(str, spec.n_questions))
    if found not in spec.n_questions and config.file:
        logger.warning(
            "benchmark=%s questions=%d expected=%s file=%s", spec.name, found, expected, config.file
        )
    elif found not in spec.n_questions:
        raise ValueError(f"{spec.title} has {expected} questions, found {found}: is the file cut or mixed?")
    questions = benchmark.questions.head(config.limit) if config.limit else benchmark.questions
    return Benchmark(benchmark.name, questions, benchmark.fingerprint)


def from_frame(name: str, frame: pl.DataFrame, *, limit: int = 0) -> Benchmark:
    """Make a benchmark of a frame with `problem` and `answer`; ids, level and subject are taken when there.

    Frames of curated problems fit as they are: `problem_id` serves as the question's id.
    """
    parse = _custom_parser(BenchmarkConfig(name=name, kind="frame"))
    rows = (Row(row, f"frame {name!r}", number) for number, row in enumerate(frame.iter_rows(named=True), 1))
    return _build(name, rows, parse, limit)


def protected(benchmarks: Iterable[Benchmark]) -> pl.DataFrame:
    """List what must not occur in training data: [benchmark, question_id, problem]."""
    schema = {"benchmark": pl.String(), "question_id": pl.String(), "problem": pl.String()}
    frames = [
        benchmark.questions.select(pl.lit(benchmark.name).alias("benchmark"), "question_id", "problem")
        for benchmark in benchmarks
    ]
    return pl.concat([pl.DataFrame(schema=schema), *frames])


def _registered_rows(config: BenchmarkConfig, spec: Spec, data_root: Path | None) -> Iterator[Row]:
    if config.file:
        return read_rows((data_root or Path()) / config.file)
    if data_root is not None and not config.hub:
        if (data_root / spec.file).exists():
            return read_rows(data_root / spec.file)
        raise FileNotFoundError(
            f"{spec.title}: {data_root / spec.file} is not there; set `file`, or leave out the data root "
            f"to read {spec.hub.name} from the hub"
        )
    return read_hub(
        config.hub or spec.hub.name, config.hub_subset or spec.hub.subset, config.hub_split or spec.hub.split
    )


def _custom_rows(config: BenchmarkConfig, data_root: Path | None) -> Iterator[Row]:
    if config.file:
        return read_rows((data_root or Path()) / config.file)
    return read_hub(config.hub, config.hub_subset, config.hub_split or "test")


def _custom_parser(config: BenchmarkConfig) -> Callable[[Row], Question]:
    def parse(row: Row) -> Question:
        return Question(
            problem=row.text(config.problem_field),
            answer=row.text(config.answer_field),
            question_id=row.optional(config.id_field, "question_id", "problem_id", "unique_id"),
            level=row.optional(config.level_field),
            subject=row.optional(config.subject_field),
            choices=row.texts("choices") if row.has("choices") else None,
        )

    return parse


def _build(name: str, rows: Iterator[Row], parse: Callable[[Row], Question], limit: int) -> Benchmark:
    questions: list[dict] = []
    first_row: dict[str, int] = {}
    for row in rows:
        question = asdict(parse(row))
        question["question_id"] = question["question_id"] or str(row.number)
        earlier = first_row.setdefault(question["question_id"], row.number)
        if earlier != row.number:
            raise row.error(
                f"id {question['question_id']!r} was already used in row {earlier}; ids must be unique"
            )
        questions.append({column: question[column] for column in QUESTION})
    if not questions:
        raise ValueError(f"benchmark {name!r} has no questions: its file is empty")
    fingerprint = hash_text(canonical_json({"name": name, "questions": questions}))
    frame = pl.DataFrame(questions, schema=QUESTION)
    return Benchmark(name, frame.head(limit) if limit else frame, fingerprint)
