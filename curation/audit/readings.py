"""Which reference answers the Math-Verify library reads: a second opinion, which decides nothing."""

import logging

import polars as pl

from rewards.second_opinion import ask_all, is_available

logger = logging.getLogger(__name__)


def second_readings(golds: pl.Series, is_asked: bool) -> pl.Series:
    """Whether Math-Verify reads each of some different golds and finds it equal to itself in a box; null
    where it was not asked."""
    if is_asked and not is_available():
        logger.warning(
            "curation.audit.math_verify: Math-Verify is not installed, its column stays empty "
            "(pip install 'reasoner-zero[math-verify]')"
        )
        is_asked = False
    if not is_asked:
        return pl.Series([None], dtype=pl.Boolean).new_from_index(0, len(golds))
    opinions = ask_all((gold, f"$\\boxed{{{gold.strip().strip('$')}}}$") for gold in golds)
    found = [one.gold is not None and one.answer is not None and one.is_correct for one in opinions]
    return pl.Series(found, dtype=pl.Boolean)
