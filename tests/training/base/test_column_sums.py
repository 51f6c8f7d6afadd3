"""Column sums with slips: what is misremembered, and what a recheck is worth."""

import random

import pytest

from curation.generators.addition import add_by_columns
from training.base.column_sums import Slips, add_columns, read_columns
from training.base.warmup import WorkedProblem, write_response
from training.sections.model import CorpusPhase, WarmupConfig

PAIRS = [(a, b) for a in range(10, 100, 7) for b in range(10, 100, 11)]


def columns_of(a, b):
    return read_columns(add_by_columns(a, b))


@pytest.mark.parametrize(("a", "b"), [(27, 58), (31, 42), (95, 8), (99, 99), (50, 50), (0, 0), (123, 989)])
def test_without_errors_the_work_is_the_generators_and_the_answer_the_sum(a, b):
    columns = columns_of(a, b)
    assert add_columns(columns, [0] * len(columns)) == (add_by_columns(a, b), str(a + b))


@pytest.mark.parametrize(
    ("columns", "errors", "work", "answer"),
    [
        ([(7, 8), (2, 5)], [1, 0], "7+8=16;2+5+1=8", "86"),
        ([(7, 2), (2, 5)], [3, 0], "7+2=12;2+5+1=8", "82"),  # A wrong sum carries.
        ([(9, 9), (9, 9)], [0, 3], "9+9=18;9+9+1=22", "228"),
    ],
)
def test_an_error_goes_on_in_the_carry(columns, errors, work, answer):
    assert add_columns(columns, errors) == (work, answer)


@pytest.mark.parametrize("solution", ["4-2=2", "12+3=15", "7+8 makes 15", "", "1+2+3+4=10"])
def test_other_solutions_are_refused_by_name(solution):
    with pytest.raises(ValueError, match="hasty and rechecked work is for column sums"):
        read_columns(solution)


def test_hasty_work_errs_always_in_the_same_way_and_as_often_as_asked():
    slips = Slips(0.4, "sound", "3")
    pairs = [(x, y) for x in range(10) for y in range(10)]
    wrong = [pair for pair in pairs if slips.work([pair])[1] != str(sum(pair))]
    assert 25 <= len(wrong) <= 55  # 40, three standard errors either way.
    assert all(slips.work([pair]) == slips.work([pair]) for pair in pairs)
    other = Slips(0.4, "sound", "4")
    assert [pair for pair in pairs if other.work([pair])[1] != str(sum(pair))] != wrong
    assert all(Slips(0.0, "sound", "3").work([pair])[1] == str(sum(pair)) for pair in pairs)


def test_a_sound_recheck_is_right_and_a_random_one_as_faulty_as_the_work():
    rng = random.Random(0)
    sound, dull = Slips(0.5, "sound", "0"), Slips(0.5, "random", "0")
    sums = [(a + b, columns_of(a, b)) for a, b in PAIRS]
    assert all(sound.rework(columns, rng)[1] == str(total) for total, columns in sums)
    right = [dull.rework(columns, rng)[1] == str(total) for total, columns in sums * 4]
    assert sum(right) / len(right) == pytest.approx(0.25, abs=0.08)  # Both columns right: a half squared.
    assert len({dull.rework([(1, 2)], rng) for _ in range(50)}) == 4


def test_a_recheck_adds_in_the_other_order_after_the_word():
    item, slips = WorkedProblem("27+58=?", "85", "7+8=15;2+5+1=8"), Slips(1.0, "sound", "0")
    hasty = write_response(item, CorpusPhase(n_steps=1, hasty=1), random.Random(1), slips)
    checked = write_response(item, CorpusPhase(n_steps=1, rechecked=1), random.Random(1), slips)
    work = hasty.partition("</think>")[0]
    assert "85" not in hasty and checked == f"{work}wait,8+7=15;5+2+1=8</think><answer>\\boxed{{85}}</answer>"


def test_shares_over_one_are_refused():
    with pytest.raises(ValueError, match="must be at most 1"):
        CorpusPhase(n_steps=1, careful=0.5, hasty=0.4, rechecked=0.2)
    assert WarmupConfig().recheck == "sound"
