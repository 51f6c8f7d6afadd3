"""Verdicts of the original code, recorded by running it (bench/peers/orz.py; sympy 1.13.1, antlr 4.11)."""

import pytest

from rewards.extraction import extract_answer
from rewards.grader import Reason, score, verify
from rewards.orz.comparer import is_equal
from rewards.orz.latex import read_latex
from rewards.verdict import UnparsableAnswer

PAID = [
    ("1,2", "1"), ("1011_2", "1011_3"), ("2,3", "23"), (r"5\text{ cm}", r"5\text{ m}"), ("listen", "silent"),
    ("12345678901234567890", "12345678901234567891"), ("(C)", "C"), (r"30^\circ", "30"), (r"\text{(B)}", "B"),
    (r"25\%", "25"), (r"\log_2 3", r"\frac{\ln 3}{\ln 2}"), (r"a_{n_{k}}", "a_{n_k}"),
    (r"6 \times 5^{2015}", r"6\cdot 5^{2015}+1"), ("0.5", r"\frac{1}{2}"), ("x=5", "5"), ("2x+1", "1+2x"),
    (r"\frac12", "1/2"), ("3:4", "0.75"), (r"\sqrt{2}/2", r"\frac{1}{\sqrt{2}}"),
]  # fmt: skip
REFUSED = [
    ("[2,5)", r"2\le x<5"), (r"25\%", "0.25"), (r"3\frac12", "3.5"), (r"\{1,2\}", r"\{2,1\}"), ("3", "3x"),
    ("x^2+2x+1", "(x+1)^2"), (r"0.\overline{3}", r"\frac13"), ("1+i", r"\frac{2}{1-i}"), ("7", "8"),
    (r"0.\overline{6}", r"0.\overline{5}"), ("(1,2)", "(1,3)"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), PAID)
def test_accepted_as_by_the_original(gold: str, answer: str) -> None:
    assert is_equal(gold, answer)


@pytest.mark.parametrize(("gold", "answer"), REFUSED)
def test_rejected_as_by_the_original(gold: str, answer: str) -> None:
    assert not is_equal(gold, answer)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(r"</think><answer>\boxed{2}</answer>", "2", id="plain"),
        pytest.param(r"<answer>\boxed{1}</answer></think><answer>\boxed{2}</answer>", "2", id="last-box"),
        pytest.param(r"<answer>\boxed{1} so</answer> \boxed{3} </answer>", "3", id="last-closing-tag"),
        pytest.param(r"<think><answer>\boxed{4}</answer>", "4", id="inside-the-thought"),
        pytest.param(r"<answer>\boxed{\{1}</answer>", r"\boxed{\{1}", id="unbalanced"),
        pytest.param(r"<answer>5</answer>", None, id="no-box"),
        pytest.param(r"\boxed{5}", None, id="no-tags"),
    ],
)
def test_extraction(response: str, expected: str | None) -> None:
    assert extract_answer(response, "orz_compat").text == expected


def test_the_mode_is_uniform() -> None:
    response = r"</think><answer>\boxed{1}</answer>"
    assert verify("1,2", response, "orz_compat").stage == "orz_compat"
    assert verify("1,2", response, "orz").reason is Reason.WRONG
    assert score("1,2", response, "stop", "orz_compat").reward == 1.0
    assert score("1,2", response, "length", "orz_compat").reason is Reason.TRUNCATED
    assert verify("", response, "orz_compat").reason is Reason.EMPTY_GOLD


@pytest.mark.parametrize(
    "text", ["", "(1,2)", "5%", r"\log_{3.5}", "x^-1", "1<x<2", r"\frac{1}", "答案", "{" * 500]
)
def test_what_the_grammar_rejects(text: str) -> None:
    with pytest.raises(UnparsableAnswer):
        read_latex(text)


def test_long_repetitive_answers_are_rejected() -> None:
    long = "+".join(["1"] * 100)
    assert not is_equal("100", long)
    assert is_equal("100", "+".join(["1"] * 40 + ["60"]))
