"""Stored responses to the questions of a benchmark, by what the questions say, or by their ids.

    matched = match(responses, benchmark)       # to a benchmark with reference answers
    matched = gather(responses, "mine")         # the files' own answers are the reference

A response whose file has the question's text is matched by that alone: the same id with another text is
another question. What cannot be matched is named in the rejects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from evals.benchmarks.choices import choice_letter
from evals.benchmarks.content import Index, content, content_hash
from evals.benchmarks.registry import LETTERS, QUESTION, Benchmark
from evals.foreign.response import Response, asked
from evals.sampling import RESPONSE
from rewards.contracts import records
from rewards.contracts.files import canonical_json, hash_text
from rewards.grader import Reason, compare_answers


@dataclass(slots=True)
class Matched:
    benchmark: Benchmark
    """Only the questions with a response, with their options in the order that the model saw."""
    responses: pl.DataFrame
    """RESPONSE rows."""
    strangers: list[Response]
    """Responses that belong to no question."""
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    """The responses of each question, in order of appearance."""

    name: str
    rows: dict[str, list[Response]] = field(default_factory=dict)
    seen: dict[tuple[str, str], Response] = field(default_factory=dict)

    def add(self, question_id: str, response: Response) -> None:
        """Keep a response; one that is stored twice counts once, two texts for one sample are refused."""
        if response.sample is not None:
            known = self.seen.setdefault((question_id, response.sample), response)
            if known.text != response.text:
                raise ValueError(
                    f"{response.origin}: another text for the sample that {known.origin} has as well "
                    f"({self.name}, question {question_id}): these are two runs; score them one at a time"
                )
            if known is not response:
                return
        self.rows.setdefault(question_id, []).append(response)

    def frame(self) -> pl.DataFrame:
        rows = [
            {
                "key": hash_text(canonical_json([self.name, question_id, index, response.text]), 32),
                "benchmark": self.name,
                "question_id": question_id,
                "sample": index,
                "seed": None,
                "prompt": response.prompt,
                "response": response.text,
                "n_prompt_tokens": None,
                "n_response_tokens": response.n_tokens,
                "finish_reason": response.finish_reason,
            }
            for question_id, responses in self.rows.items()
            for index, response in enumerate(responses)
        ]
        return pl.DataFrame(rows, schema=RESPONSE)


def match(responses: Iterable[Response], benchmark: Benchmark) -> Matched:
    """Match responses to a benchmark's questions; its reference answers count."""
    index, found, strangers = Index(benchmark.questions), _Found(benchmark.name), list[Response]()
    ids = set(benchmark.questions["question_id"])
    for response in responses:
        question_id = _find(response, index, ids)
        if question_id is None:
            strangers.append(response)
        else:
            found.add(question_id, response)
    kept = benchmark.questions.filter(pl.col("question_id").is_in(list(found.rows)))
    questions, differing = [], list[str]()
    for row in kept.iter_rows(named=True):
        given = found.rows[row["question_id"]]
        questions.append(_as_shown(row, given))
        gold = given[0].gold
        if row["choices"] is None and gold and compare_answers(row["answer"], gold)[0] is not Reason.CORRECT:
            differing.append(f"{row['question_id']} ({gold[:40]!r}, here {row['answer'][:40]!r})")
    notes = []
    if differing:
        notes.append(
            f"{benchmark.name}: the files have another reference answer for {len(differing)} questions, such "
            f"as {differing[0]}; the benchmark's counts"
        )
    if lacking := benchmark.questions.height - kept.height:
        notes.append(
            f"{benchmark.name}: {lacking} of {benchmark.questions.height} questions have no response"
        )
    return Matched(_remade(benchmark, questions), found.frame(), strangers, notes)


def gather(responses: Sequence[Response], name: str) -> Matched:
    """Make a benchmark of the files' questions, with their own answers; a row without one is refused."""
    found, questions = _Found(name), dict[str, dict[str, Any]]()
    for response in responses:
        if response.gold is None:
            raise ValueError(
                f"{response.origin}: it has no answer to compare with; name the benchmark (--benchmarks)"
            )
        key = content_hash(response.problem) if response.problem else f"id:{response.question_id}"
        answer = _own_answer(response)
        known = questions.setdefault(
            key,
            {
                "question_id": response.question_id or str(len(questions) + 1),
                "problem": response.problem or "",
                "answer": answer,
                "level": None,
                "subject": None,
                "choices": None if response.choices is None else list(response.choices),
                "origin": response.origin,
            },
        )
        if known["answer"] != answer:
            raise ValueError(
                f"{response.origin}: the answer is {answer!r}, but {known['origin']} has {known['answer']!r} "
                "for the same question; correct one of them"
            )
        found.add(known["question_id"], response)
    rows = [{column: row[column] for column in QUESTION} for row in questions.values()]
    if len({row["question_id"] for row in rows}) < len(rows):
        # The same ids for other texts, as when two files number their rows.
        raise ValueError(
            f"{name}: one id stands for two questions with other texts; score the files one at a time, or "
            "name the benchmark (--benchmarks)"
        )
    return Matched(_remade(Benchmark(name, pl.DataFrame(), ""), rows), found.frame(), [])


def _find(response: Response, index: Index, ids: set[str]) -> str | None:
    for text in filter(None, (response.problem, asked(response.prompt))):
        if (question_id := index.find(text)) is not None:
            return question_id
    says_nothing = not response.problem and not response.prompt
    return response.question_id if says_nothing and response.question_id in ids else None


def _as_shown(row: dict[str, Any], responses: list[Response]) -> dict[str, Any]:
    """The question with its options as the model saw them, which may be in another order than here."""
    if row["choices"] is None or responses[0].choices is None:
        return row
    shown, first = responses[0].choices, responses[0]
    if other := next((one for one in responses if one.choices != shown), None):
        raise ValueError(
            f"{other.origin}: options in another order than in {first.origin}; score the files one at a time"
        )
    places = {content(choice): place for place, choice in enumerate(shown)}
    right = content(row["choices"][LETTERS.index(row["answer"])])
    if right in places:
        return row | {"choices": list(shown), "answer": LETTERS[places[right]]}
    if first.gold is None:
        return row
    return row | {"choices": list(shown), "answer": _own_answer(first)}


def _own_answer(response: Response) -> str:
    """The answer of a row; in multiple choice the letter, of a letter in any dress, an index or a text."""
    gold = response.gold or ""
    if response.choices is None:
        return gold
    if gold.isdecimal() and int(gold) < len(response.choices) and gold not in response.choices:
        return LETTERS[int(gold)]
    letter = choice_letter(gold, response.choices)
    if letter is None:
        raise ValueError(
            f"{response.origin}: the answer {gold!r} names none of the {len(response.choices)} options"
        )
    return letter


def _remade(benchmark: Benchmark, questions: list[dict[str, Any]]) -> Benchmark:
    fingerprint = hash_text(canonical_json({"name": benchmark.name, "questions": questions}))
    frame = pl.DataFrame(questions, schema=QUESTION)
    return replace(
        benchmark, questions=frame, fingerprint=fingerprint, n_all=benchmark.n_all or len(questions)
    )


def rejects(name: str, strangers: list[Response]) -> pl.DataFrame:
    """REJECT rows of responses that belong to no question of any benchmark; `name` is the last one's."""
    return records.REJECT.frame(
        [
            {
                "step": "match",
                "reason": "no_question",
                "detail": f"no question of {name} says this; from {response.origin}",
                "source": name,
                "source_id": response.question_id or response.origin,
                "problem": response.problem or response.prompt,
                "answer": response.gold,
            }
            for response in strangers
        ]
    )
