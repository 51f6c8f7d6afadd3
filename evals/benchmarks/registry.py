"""The benchmark types, and the registry of benchmarks known by name.

A benchmark is one file in this folder: a function from a `Row` to a `Question`, registered with its usual
path under the data root, its data set on the hub and the number of questions it must have.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from evals.benchmarks.rows import Row

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

QUESTION = pl.Schema(
    {
        "question_id": pl.String(),
        "problem": pl.String(),
        "answer": pl.String(),
        "level": pl.String(),
        "subject": pl.String(),
        "choices": pl.List(pl.String()),
    }
)
"""Columns of `Benchmark.questions`; level, subject and choices may be null. `problem` lists the choices."""

SHOT = pl.Schema({**QUESTION, "thought": pl.String()})
"""Columns of `Benchmark.shots`: development rows, with the reasoning when there is one."""


@dataclass(frozen=True, slots=True)
class Question:
    problem: str
    answer: str
    question_id: str | None = None
    """None: the row number is used."""
    level: str | None = None
    subject: str | None = None
    choices: tuple[str, ...] | None = None
    """Texts of the options A, B, C, ... of a multiple-choice question; `answer` is then the letter."""
    thought: str | None = None
    """The reasoning of a development row, without its last sentence that states the answer."""


@dataclass(frozen=True, slots=True)
class Hub:
    """Where a benchmark is on the hub."""

    name: str
    subset: str = ""
    split: str = "test"


@dataclass(frozen=True, slots=True)
class Spec:
    name: str
    title: str
    file: str
    """Usual path under the data root."""
    hub: Hub
    n_questions: tuple[int, ...]
    """Row counts that a complete copy may have (mirrors of one benchmark can differ by a row)."""
    parse: Callable[[Row], Question]
    shots_file: str
    """Usual path of the development rows under the data root; empty: it has none."""
    shots_split: str
    """Their split on the hub."""
    public: str = ""
    """Month in which its problems became public, YYYY-MM: that of the contest or of the paper."""
    task_id: str = ""
    """Its task in the hub's own list of benchmarks (eval.yaml of the data set); empty: it is not in it."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Questions ready to be asked of a model; `fingerprint` covers all of them, even those cut by `limit`."""

    name: str
    questions: pl.DataFrame
    fingerprint: str
    shots: pl.DataFrame | None = None
    """SHOT rows for worked examples, when requested."""
    n_all: int = 0
    """Questions that the benchmark has, without `limit`."""
    remark: str = ""
    """What a reader of its scores should know: questions that differ from the published text."""


_SPECS: dict[str, Spec] = {}


def register(
    name: str,
    *,
    title: str,
    file: str,
    hub: Hub,
    n_questions: int | tuple[int, ...],
    shots_file: str = "",
    shots_split: str = "",
    public: str = "",
    task_id: str = "",
) -> Callable[[Callable[[Row], Question]], Callable[[Row], Question]]:
    """Register the decorated row parser as the benchmark `name`."""

    def add(parse: Callable[[Row], Question]) -> Callable[[Row], Question]:
        if name in _SPECS:
            raise ValueError(f"benchmark {name!r} is registered twice")
        counts = (n_questions,) if isinstance(n_questions, int) else n_questions
        _SPECS[name] = Spec(name, title, file, hub, counts, parse, shots_file, shots_split, public, task_id)
        return parse

    return add


def registered() -> dict[str, Spec]:
    """All known benchmarks, sorted by name."""
    return dict(sorted(_SPECS.items()))


def is_after(public: str, cutoff: str) -> bool | None:
    """Did problems become public after a model's last data? Months as YYYY-MM; None: not known.

    >>> is_after("2025-02", "2024-09"), is_after("2024-09", "2024-09"), is_after("", "2024-09")
    (True, False, None)
    """
    return public > cutoff[:7] if public and cutoff else None


def ask_choices(stem: str, choices: tuple[str, ...]) -> str:
    r"""Write a multiple-choice question the way ORZ's GPQA file does.

    >>> print(ask_choices("Which is even?", ("3", "4")))
    Which is even?
    <BLANKLINE>
    A. 3
    B. 4
    """
    return f"{stem}\n\n{list_options(choices)}"


def list_options(choices: Sequence[str]) -> str:
    """Write one option per line, after its letter."""
    return "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False))


def shows_options(problem: str, choices: Sequence[str]) -> bool:
    """Tell whether a problem shows its options after their letters, in whatever form.

    >>> shows_options("Which? (A) 3 (B) 4", ("3", "4")), shows_options("Which?", ("3", "4"))
    (True, False)
    """
    labels = (rf"(?<!\w){letter}[\]).:]" for letter in LETTERS[: len(choices)])
    return bool(choices) and all(re.search(label, problem) for label in labels)


def split_options(problem: str, choices: Sequence[str]) -> str | None:
    """Strip the options from the end of a problem; None when they are not there in `list_options` form.

    >>> split_options(ask_choices("Which is even?", ("3", "4")), ("3", "4"))
    'Which is even?'
    """
    text, options = problem.rstrip(), list_options(choices).rstrip()
    return text[: -len(options)].rstrip() if text.endswith(options) else None
