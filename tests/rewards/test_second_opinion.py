"""The second opinion: the real Math-Verify library in its worker."""

import json
import subprocess
import sys

import pytest

from rewards.algebra.worker_pool import MATH_VERIFY, WorkerPool
from rewards.grader import verify, verify_batch
from rewards.second_opinion import ask_math_verify, disagreements
from rewards.verdict import Reason


def test_the_library_judges() -> None:
    assert verify("1/2", r"so \boxed{0.5}", "math_verify").reason is Reason.CORRECT
    assert verify("1/2", r"so \boxed{0.6}", "math_verify").reason is Reason.WRONG
    assert verify("1/2", "no idea", "math_verify").reason is Reason.NO_ANSWER
    assert verify("7", r"\boxed{7}", "math_verify").rung == "as Math-Verify"


def test_disagreements_show_both_readings() -> None:
    pairs = [("x=5", r"\boxed{5}"), ("10 cm", r"\boxed{10\text{ mm}}"), ("3", r"\boxed{4}")]
    verdicts = verify_batch(pairs, "lenient")
    found = disagreements(pairs, verdicts)
    assert [(row.row, row.ours, row.theirs) for row in found] == [
        (2, verdicts[1].is_correct, ask_math_verify(*pairs[1]).is_correct)
    ]
    assert found[0].our_reading == r"10\text{ mm}" and found[0].their_gold


def test_a_worker_that_is_killed_costs_one_answer() -> None:
    pool = WorkerPool(1, MATH_VERIFY)
    try:
        huge = "9^{9^{9^{9}}}"
        assert pool.put([huge, f"$\\boxed{{{huge}+1}}$"]) == "timeout"
        assert json.loads(pool.put(["2", "$\\boxed{2}$"]))["is_correct"] is True
    finally:
        pool.close()


def test_without_the_library_the_message_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['math_verify'] = None\n"
        "from rewards.algebra.math_verify_worker import main; main()"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install 'reasoner-zero[math-verify]'" in said


@pytest.mark.parametrize("response", ["", "\x00", "9" * 5000, "\ud800"])
def test_odd_responses_do_not_raise(response: str) -> None:
    assert verify("5", response, "math_verify").reward == 0.0
