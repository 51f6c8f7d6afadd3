import polars as pl
import pytest

from evals.benchmarks.draw import draw, share_out


def questions(**sizes: int) -> pl.DataFrame:
    rows = [(f"{subject}-{n}", subject) for subject, size in sizes.items() for n in range(size)]
    return pl.DataFrame(rows, schema=["question_id", "subject"], orient="row")


def test_every_subject_is_drawn_in_its_share_and_in_order():
    bank = questions(algebra=60, law=30, logic=10)
    drawn = draw(bank, 20, seed=1)
    assert dict(drawn.group_by("subject").len().iter_rows()) == {"algebra": 12, "law": 6, "logic": 2}
    ids = bank["question_id"].to_list()
    places = [ids.index(one) for one in drawn["question_id"]]
    assert places == sorted(places) and places[:12] != list(range(12)), "not the first rows"


def test_the_seed_decides_and_a_larger_limit_keeps_a_smaller_draw():
    bank = questions(algebra=100)
    few, more = (set(draw(bank, n, seed=1)["question_id"]) for n in (10, 20))
    assert few < more and few == set(draw(bank, 10, seed=1)["question_id"])
    assert few != set(draw(bank, 10, seed=2)["question_id"])


@pytest.mark.parametrize("limit", [0, 5, 6])
def test_without_a_limit_or_with_a_large_one_nothing_moves(limit):
    bank = questions(algebra=3, law=2)
    assert draw(bank, limit, seed=1).equals(bank)


@pytest.mark.parametrize("n", range(1, 12))
def test_all_seats_are_given_and_none_twice(n):
    seats = share_out(n, [7, 3, 1])
    assert sum(seats) == n and all(got <= size for got, size in zip(seats, [7, 3, 1], strict=True))
