"""Loading of benchmarks: from a config to its questions, and from those to the texts to protect.

load(BenchmarkConfig(name="math500"), Path("data"))
from_frame("heldout", frame)      # frame with the columns problem and answer
"""

import logging
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import polars as pl

from evals.benchmarks.choices import choice_letter
from evals.benchmarks.draw import draw
from evals.benchmarks.known import name_unknown, unknown_questions
from evals.benchmarks.registry import (
    LETTERS,
    QUESTION,
    SHOT,
    Benchmark,
    Question,
    Spec,
    ask_choices,
    registered,
    shows_options,
    split_options,
)
from evals.benchmarks.rows import Row, read_hub, read_rows
from evals.config import BenchmarkConfig
from rewards.contracts.engine import derive_seed
from rewards.contracts.files import canonical_json, hash_text

logger = logging.getLogger(__name__)


def load(
    config: BenchmarkConfig,
    data_root: Path | None = None,
    frame: pl.DataFrame | None = None,
    *,
    seed: int = 0,
) -> Benchmark:
    """Read the questions of a benchmark, and its development rows when its config asks for worked examples.

    `frame` is required for kind = frame and rejected otherwise; `seed` decides which questions a limit draws
    and the order of shuffled options.
    """
    if (frame is not None) != (config.kind == "frame"):
        raise ValueError(
            f"benchmark {config.name!r} has kind = {config.kind!r}: a frame goes with kind = 'frame'"
        )
    if frame is not None:
        benchmark = from_frame(config.name, frame)
    elif config.kind == "custom":
        rows = _custom_rows(config, data_root)
        benchmark = _build(config.name, rows, _custom_parser(config))
    else:
        benchmark = _load_registered(config, data_root)
    benchmark = replace(benchmark, questions=draw(benchmark.questions, config.limit, seed))
    if config.shuffle_options:
        benchmark = replace(benchmark, questions=shuffle_options(benchmark.questions, seed))
    shots = _load_shots(config, data_root) if config.n_shots else None
    return replace(benchmark, shots=shots)


def _load_registered(config: BenchmarkConfig, data_root: Path | None) -> Benchmark:
    if config.name not in registered():
        known = ", ".join(registered())
        raise ValueError(
            f"unknown benchmark {config.name!r}: known are {known}; for your own, set kind = 'custom'"
        )
    spec = registered()[config.name]
    benchmark = _build(config.name, _registered_rows(config, spec, data_root), spec.parse)
    found, expected = benchmark.questions.height, " or ".join(map(str, spec.n_questions))
    if found not in spec.n_questions and config.file:
        logger.warning(
            "benchmark=%s questions=%d expected=%s file=%s", spec.name, found, expected, config.file
        )
    elif found not in spec.n_questions:
        raise ValueError(f"{spec.title} has {expected} questions, found {found}: is the file cut or mixed?")
    if unknown := unknown_questions(config.name, benchmark.questions):
        remark = name_unknown(config.name, unknown, found)
        logger.warning(remark)
        return replace(benchmark, remark=remark)
    return benchmark


def _load_shots(config: BenchmarkConfig, data_root: Path | None) -> pl.DataFrame:
    """Read the development rows from which worked examples are taken."""
    spec = registered().get(config.name) if config.kind == "registered" else None
    parse = spec.parse if spec else _custom_parser(config)
    if config.shots_file:
        rows = read_rows((data_root or Path()) / config.shots_file)
    elif spec is None or not spec.shots_file:
        raise ValueError(
            f"benchmark {config.name!r} has no development rows: name a shots_file or set n_shots = 0"
        )
    elif data_root is not None and not config.hub:
        rows = read_rows(data_root / spec.shots_file)
    else:
        rows = read_hub(config.hub or spec.hub.name, config.hub_subset or spec.hub.subset, spec.shots_split)
    return pl.DataFrame([asdict(parse(row)) for row in rows], schema=SHOT)


def shuffle_options(questions: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Reorder the options of every multiple-choice question by a draw from `seed` and the question's id.

    Problem, answer and choices change together; ValueError for a question that does not end with its options.
    """
    return pl.DataFrame([_shuffled(row, seed) for row in questions.iter_rows(named=True)], schema=QUESTION)


def _shuffled(row: dict, seed: int) -> dict:
    if row["choices"] is None:
        return row
    stem = split_options(row["problem"], row["choices"])
    if stem is None:
        raise ValueError(
            f"question {row['question_id']!r} does not end with its options, one per line after its letter: "
            "they cannot be reordered; set shuffle_options = false"
        )
    order = list(range(len(row["choices"])))
    random.Random(derive_seed(seed, "options", row["question_id"])).shuffle(order)
    choices = tuple(row["choices"][index] for index in order)
    answer = LETTERS[order.index(LETTERS.index(row["answer"]))]
    return row | {"problem": ask_choices(stem, choices), "answer": answer, "choices": choices}


def from_frame(name: str, frame: pl.DataFrame) -> Benchmark:
    """Make a benchmark from a frame with `problem` and `answer`; ids, level and subject are used if present.

    Frames of curated problems work as they are: `problem_id` becomes the question's id.
    """
    parse = _custom_parser(BenchmarkConfig(name=name, kind="frame"))
    rows = (Row(row, f"frame {name!r}", number) for number, row in enumerate(frame.iter_rows(named=True), 1))
    return _build(name, rows, parse)


def protected(benchmarks: Iterable[Benchmark]) -> pl.DataFrame:
    """List the problems that must not occur in training data: [benchmark, question_id, problem]."""
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
            f"{spec.title}: {data_root / spec.file} is not there; set `file`, or omit the data root "
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
        problem, answer = row.text(config.problem_field), row.text(config.answer_field)
        choices = row.texts("choices") if row.has("choices") else None
        if choices is not None:
            problem = problem if shows_options(problem, choices) else ask_choices(problem, choices)
            answer = _letter(row, config.answer_field, answer, choices)
        return Question(
            problem=problem,
            answer=answer,
            question_id=row.optional(config.id_field, "question_id", "problem_id", "unique_id"),
            level=row.optional(config.level_field),
            subject=row.optional(config.subject_field),
            choices=choices,
            thought=row.optional("thought"),
        )

    return parse


def _letter(row: Row, field: str, answer: str, choices: tuple[str, ...]) -> str:
    """The letter of the right option, from a letter in any dress, the option's text, or its index from 0."""
    named = choice_letter(answer, choices)
    index = LETTERS[int(answer)] if answer.isdecimal() and int(answer) < len(choices) else None
    if named is None and index is None:
        raise row.error(
            f"field {field!r} is {answer!r}, which names none of the {len(choices)} options; give the "
            "letter, the option's text or its index from 0"
        )
    if named is not None and index is not None and named != index:
        raise row.error(
            f"field {field!r} is {answer!r}: the text of option {named}, or the index of option {index}; "
            "give the letter"
        )
    return named or index or ""


def _build(name: str, rows: Iterator[Row], parse: Callable[[Row], Question]) -> Benchmark:
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
    return Benchmark(name, pl.DataFrame(questions, schema=QUESTION), fingerprint, n_all=len(questions))
