"""Draw some of a benchmark's questions: by a seed, and from every subject in its share.

The first rows of MMLU are all abstract algebra; a draw speaks for the whole. A question's place in its
subject's draw depends on the seed and its id alone, so a larger limit keeps what a smaller one drew wherever
the shares allow it.
"""

import math

import polars as pl

from rewards.contracts.engine import derive_seed


def draw(questions: pl.DataFrame, limit: int, seed: int) -> pl.DataFrame:
    """`limit` of the questions (evals.benchmarks.registry.QUESTION), in their own order; 0: all of them."""
    if not limit or limit >= questions.height:
        return questions
    strata: dict[str | None, list[tuple[int, int]]] = {}
    for place, (question_id, subject) in enumerate(questions.select("question_id", "subject").iter_rows()):
        ticket = derive_seed(seed, "limit", question_id)
        strata.setdefault(subject, []).append((ticket, place))
    seats = share_out(limit, [len(rows) for rows in strata.values()])
    places = [place for rows, n in zip(strata.values(), seats, strict=True) for _, place in sorted(rows)[:n]]
    return questions[sorted(places)]


def share_out(n_seats: int, sizes: list[int]) -> list[int]:
    """Seats in proportion to sizes, largest remainders first; earlier ones win ties.

    >>> share_out(5, [60, 30, 10])
    [3, 2, 0]
    """
    exact = [n_seats * size / sum(sizes) for size in sizes]
    seats = [math.floor(share) for share in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda i: seats[i] - exact[i])
    for i in by_remainder[: n_seats - sum(seats)]:
        seats[i] += 1
    return seats
