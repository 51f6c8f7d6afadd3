"""Verification of answers on the command line: one pair, or a JSONL file of pairs."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from rewards.grader import verify, verify_batch
from rewards.second_opinion import ask_math_verify, disagreements
from rewards.verdict import Mode, Reason, Verdict


def verify_one(gold: str, response: str, mode: Mode, out: TextIO, *, second_opinion: bool = False) -> int:
    """Print the verdict; exit status 0 for a correct answer, 1 otherwise."""
    verdict = verify(gold, response, mode)
    if verdict.reason is Reason.NO_ANSWER and "boxed" not in response and mode == "lenient":
        # Text without a box on the command line is meant as the answer itself.
        verdict = verify(gold, f"\\boxed{{{response}}}", mode)
    shown = {"gold": gold} | _describe(verdict) | {"meaning": verdict.reason.explanation}
    if second_opinion:
        opinion = ask_math_verify(gold, response)
        verdict_of = "accepts" if opinion.is_correct else "refuses"
        shown["2nd"] = f"Math-Verify {verdict_of} it: gold read as {opinion.gold}, answer as {opinion.answer}"
    out.write("".join(f"{name:<10}{value}\n" for name, value in shown.items()))
    return 0 if verdict.is_correct else 1


def verify_file(path: Path, mode: Mode, out: TextIO, *, second_opinion: bool = False) -> int:
    """Print one JSON verdict per row of `path`, and a last line with the counts of reasons.

    `second_opinion` prints, before that line, every row that Math-Verify judges differently, with both
    readings.
    ValueError for a row that is not {"gold": text, "response": text}, with file, row and field.
    """
    pairs = [_pair(path, number, line) for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)]
    verdicts = verify_batch(pairs, mode)
    for verdict in verdicts:
        out.write(json.dumps(_describe(verdict), ensure_ascii=False) + "\n")
    counts = Counter(str(verdict.reason) for verdict in verdicts)
    summary: dict = {"rows": len(verdicts), "reasons": dict(sorted(counts.items()))}
    if second_opinion:
        differing = disagreements(pairs, verdicts)
        for row in differing:
            out.write(json.dumps({"disagreement": asdict(row)}, ensure_ascii=False) + "\n")
        summary["disagreements"] = len(differing)
    out.write(json.dumps(summary) + "\n")
    return 0


def _pair(path: Path, number: int, line: str) -> tuple[str, str]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: row {number}: not JSON: {error.msg}") from None
    if not isinstance(row, dict):
        raise ValueError(f"{path}: row {number}: expected an object with gold and response")
    for field in ("gold", "response"):
        if not isinstance(row.get(field), str):
            raise ValueError(
                f"{path}: row {number}: field {field!r} must be text, got {row.get(field)!r}; "
                f"the row has {', '.join(row) or 'no fields'}"
            )
    return row["gold"], row["response"]


def _describe(verdict: Verdict) -> dict:
    return {
        "reward": verdict.reward,
        "reason": str(verdict.reason),
        "extracted": verdict.extracted,
        "rung": verdict.rung,
        "stage": verdict.stage,
    }
