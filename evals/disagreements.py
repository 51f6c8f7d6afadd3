"""Where the judges disagree: responses that our verifier and the Math-Verify library judge differently."""

import logging

import polars as pl

from rewards.second_opinion import ask_all, is_available

logger = logging.getLogger(__name__)

SCHEMA = {
    "benchmark": pl.String, "question_id": pl.String, "sample": pl.Int64, "gold": pl.String,
    "ours": pl.Boolean, "our_reading": pl.String, "our_reason": pl.String,
    "theirs": pl.Boolean, "their_gold": pl.String, "their_reading": pl.String,
}  # fmt: skip
"""One response: each judge's verdict, and what each read; null where it read nothing."""


def find_disagreements(completions: pl.DataFrame) -> pl.DataFrame:
    """List the COMPLETION rows that Math-Verify judges differently (columns: SCHEMA), in their order.

    Single letters are left out: the library knows no options. Empty, with a warning, when it is not
    installed.
    """
    if not is_available():
        logger.warning(
            "second opinion: Math-Verify is not installed (pip install math-verify); nothing is listed"
        )
        return pl.DataFrame(schema=SCHEMA)
    rows = [row for row in completions.to_dicts() if not (len(row["gold"]) == 1 and row["gold"].isalpha())]
    opinions = ask_all((row["gold"], row["response"]) for row in rows)
    found = [
        {
            **{name: row[name] for name in ("benchmark", "question_id", "sample", "gold")},
            "ours": row["is_correct"],
            "our_reading": row["extracted"],
            "our_reason": row["reason"],
            "theirs": opinion.is_correct,
            "their_gold": opinion.gold,
            "their_reading": opinion.answer or opinion.problem or None,
        }
        for row, opinion in zip(rows, opinions, strict=True)
        if row["is_correct"] != opinion.is_correct
    ]
    return pl.DataFrame(found, schema=SCHEMA)
