"""Scoring of sampled responses with the verifier: from responses to COMPLETION rows, without a model.

scored = score(generated.responses, benchmark, mode="orz")
"""

import logging
import re
import time
from dataclasses import dataclass

import polars as pl

from evals.benchmarks.choices import choice_letter
from evals.benchmarks.registry import Benchmark
from evals.profiles import Method
from evals.statistics.equivalence import answer_classes
from rewards.contracts import records
from rewards.extraction import Reading, is_formatted
from rewards.grader import verify_batch
from rewards.responses.thoughts import THOUGHTS, Tags, after_thought
from rewards.verdict import Mode, Reason, Verdict

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scored:
    completions: pl.DataFrame
    """COMPLETION rows in the order of the responses."""
    rejects: pl.DataFrame
    """REJECT rows: questions whose reference answer cannot be checked; their samples are not scored."""
    cpu_s: float
    """CPU seconds of the comparisons."""


def score(
    responses: pl.DataFrame,
    benchmark: Benchmark,
    *,
    mode: Mode = "orz",
    method: Method = "sample",
    thought_tags: tuple[Tags, ...] = (),
) -> Scored:
    """Verify every response against its question's reference answer.

    A response cut at the token limit is judged like any other; without an answer, its reason is `truncated`.
    With method letters, a response is just the chosen letter. `thought_tags` are read beside the known ones.
    """
    started = time.perf_counter()
    questions = benchmark.questions.select(
        "question_id", "problem", pl.col("answer").alias("gold"), "level", "subject", "choices"
    )
    strangers = responses.join(questions, on="question_id", how="anti")
    if strangers.height:
        raise ValueError(
            f"{benchmark.name}: responses to {strangers['question_id'].n_unique()} questions that it does "
            f"not have, such as {strangers['question_id'][0]!r}; score with the benchmark that was sampled"
        )
    rows = responses.join(questions, on="question_id", how="left", maintain_order="left").to_dicts()
    asked = "\\boxed{{{}}}".format if method == "letters" else str
    verdicts = _verdicts(
        [(row["prompt"], row["gold"], asked(row["response"])) for row in rows], mode, thought_tags
    )
    completions: list[dict] = []
    rejects: dict[str, dict] = {}
    for row, verdict in zip(rows, verdicts, strict=True):
        if verdict.reason == Reason.EMPTY_GOLD:
            rejects.setdefault(row["question_id"], _unusable(benchmark.name, row))
        else:
            completions.append(_completion(row, verdict, mode))
    _classify(completions)
    scored = Scored(
        records.COMPLETION.frame(completions),
        records.REJECT.frame(list(rejects.values())),
        sum(verdict.cpu_s for verdict in verdicts),
    )
    logger.info(
        "benchmark=%s responses=%d correct=%d unusable_questions=%d wall_s=%.2f",
        benchmark.name,
        len(rows),
        scored.completions["is_correct"].sum(),
        len(rejects),
        time.perf_counter() - started,
    )
    return scored


def _verdicts(rows: list[tuple[str, str, str]], mode: Mode, thought_tags: tuple[Tags, ...]) -> list[Verdict]:
    """Judge (prompt, gold, response) rows; a prompt may end inside a thought that it opened."""
    thoughts = (*thought_tags, *THOUGHTS)
    openings = tuple(opening for opening, _ in thoughts)
    is_open = [prompt.rstrip().endswith(openings) for prompt, _, _ in rows]
    verdicts: dict[int, Verdict] = {}
    for thinking in (False, True):
        places = [place for place, opened in enumerate(is_open) if opened is thinking]
        pairs = [rows[place][1:] for place in places]
        verdicts |= zip(places, verify_batch(pairs, mode, Reading(thoughts, thinking)), strict=True)
    return [verdicts[place] for place in range(len(rows))]


def _classify(completions: list[dict]) -> None:
    """Fill in `answer_class` question by question."""
    by_question: dict[str, list[dict]] = {}
    for completion in completions:
        by_question.setdefault(completion["question_id"], []).append(completion)
    for rows in by_question.values():
        answers, is_correct = [row["extracted"] for row in rows], [row["is_correct"] for row in rows]
        for row, number in zip(rows, answer_classes(answers, is_correct), strict=True):
            row["answer_class"] = number


def _completion(row: dict, verdict: Verdict, mode: Mode) -> dict:
    is_truncated = None if row["finish_reason"] is None else row["finish_reason"] == "length"
    extracted, reason = verdict.extracted, str(verdict.reason)
    if row["choices"] is not None and extracted is None and mode in ("lenient", "flexible"):
        extracted = _lone_letter(row["response"])
    if row["choices"] is not None and extracted is not None and mode != "orz_compat":
        # The letter counts, however it is written: "(C)", "C. 27" or the option's text.
        extracted = choice_letter(extracted, tuple(row["choices"])) or extracted
        reason = str(Reason.CORRECT if extracted == row["gold"] else Reason.WRONG)
    if is_truncated and reason == Reason.NO_ANSWER:
        reason = str(Reason.TRUNCATED)
    return {
        **{column: row[column] for column in records.COMPLETION.names if column in row},
        "extracted": extracted,
        "reason": reason,
        "is_correct": reason == Reason.CORRECT,
        "is_formatted": is_formatted(row["response"]),
        "is_truncated": is_truncated,
    }


def _lone_letter(response: str) -> str | None:
    """The response of a model that answers with nothing but the letter of an option."""
    text = after_thought(response).strip()
    return text if re.fullmatch(r"[(\[*]{0,3}[A-Z][)\].*]{0,3}", text) else None


def _unusable(name: str, row: dict) -> dict:
    return {
        "step": "score",
        "reason": "empty_gold",
        "detail": "the reference answer is empty after normalization: nothing can match it",
        "source": name,
        "source_id": row["question_id"],
        "problem": row["problem"],
        "answer": row["gold"],
    }
