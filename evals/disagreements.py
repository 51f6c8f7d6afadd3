"""Where the judges disagree: responses that our verifier, Math-Verify and ORZ's comparer judge differently.

Ours decides; in each row at least one of the three is wrong.
"""

import logging

import polars as pl

from rewards.grader import verify_batch
from rewards.second_opinion import ask_all, is_available

logger = logging.getLogger(__name__)

SCHEMA = {
    "benchmark": pl.String, "question_id": pl.String, "sample": pl.Int64, "gold": pl.String,
    "ours": pl.Boolean, "our_reading": pl.String, "our_reason": pl.String,
    "theirs": pl.Boolean, "their_gold": pl.String, "their_reading": pl.String,
    "orz": pl.Boolean,
}  # fmt: skip
"""One response: each judge's verdict, and what each read; null where it read nothing or was not asked.
`theirs` is Math-Verify's verdict, which reads the response itself; `orz` is Open-Reasoner-Zero's, which gets
our reading."""


def find_disagreements(completions: pl.DataFrame) -> pl.DataFrame:
    """List the COMPLETION rows that the judges do not judge alike (columns: SCHEMA), in their order.

    Single letters are left out: the other judges know no options. Without Math-Verify, which is then
    said, its columns are null.
    """
    rows = [row for row in completions.to_dicts() if not (len(row["gold"]) == 1 and row["gold"].isalpha())]
    found = [
        {
            **{name: row[name] for name in ("benchmark", "question_id", "sample", "gold")},
            "ours": row["is_correct"],
            "our_reading": row["extracted"],
            "our_reason": row["reason"],
            **opinion,
            "orz": orz,
        }
        for row, opinion, orz in zip(rows, _math_verify(rows), _orz(rows), strict=True)
    ]
    same = pl.col("ours").eq(pl.col("orz")) & pl.col("ours").eq(pl.col("theirs")).fill_null(value=True)
    return pl.DataFrame(found, schema=SCHEMA).filter(~same)


def _math_verify(rows: list[dict]) -> list[dict]:
    if not is_available():
        logger.warning(
            "second opinion: Math-Verify is not installed (pip install math-verify); it is not asked"
        )
        return [{} for _ in rows]
    return [
        {
            "theirs": opinion.is_correct,
            "their_gold": opinion.gold,
            "their_reading": opinion.answer or opinion.problem or None,
        }
        for opinion in ask_all((row["gold"], row["response"]) for row in rows)
    ]


def _orz(rows: list[dict]) -> list[bool]:
    """ORZ's comparer on what our verifier found in each response."""
    asked = [(row["gold"], f"<answer>\\boxed{{{row['extracted'] or ''}}}</answer>") for row in rows]
    verdicts = verify_batch(asked, "orz_compat")
    return [
        verdict.is_correct and row["extracted"] is not None
        for verdict, row in zip(verdicts, rows, strict=True)
    ]
