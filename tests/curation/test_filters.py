"""Filters: each names its reason, and problems similar to those it removes stay."""

import polars as pl
import pytest

from curation.filters import FILTERS, FilterConfig, details, first_reason


def reason(problem: str, answer: str = "4", language: str = "en", **config) -> str | None:
    row = {"problem": problem, "written": problem, "answer": answer, "language": language}
    frame = pl.DataFrame([row])
    return frame.select(first_reason(FilterConfig(**config))).item()


CHOICE = "Which is prime?\n(A) 4\n(B) 5\n(C) 6"


@pytest.mark.parametrize(
    ("problem", "answer", "expected"),
    [
        pytest.param(CHOICE, "B", "multiple_choice", id="options in brackets"),
        pytest.param("Which?\n**A)** $4$\n**B)** $5$\n**C)** $6$", "B", "multiple_choice", id="emphasis"),
        pytest.param("Which is prime? A. 4 B. 5 C. 6", "B", "multiple_choice", id="options in a line"),
        pytest.param(r"$\textbf{(A)} 4\;\textbf{(B)} 5\;\textbf{(C)} 6$", "5", "multiple_choice", id="bold"),
        pytest.param(r"$\textbf{a)} 4\;\textbf{b)} 5\;\textbf{c)} 6$", "5", "multiple_choice", id="low"),
        pytest.param("下列正确的是 A．一 B．二 C．三", "A", "multiple_choice", id="Chinese options"),
        pytest.param("Points A, B and C lie on a line. Find AB.", "3", None, id="points are no options"),
        pytest.param("Prove that 2 is prime.", "x", "proof", id="prove"),
        pytest.param("Let n > 1. Show that n^2 > n.", "x", "proof", id="show that"),
        pytest.param("已知 n>1，求证 n^2>n。", "x", "proof", id="Chinese proof"),
        pytest.param("Jill saw a show that was 30 minutes long. How long are 4?", "120", None, id="a show"),
        pytest.param("Two dice show the same number. What is the chance?", "1/6", None, id="dice show"),
        pytest.param("Let f(x)=x^2.\n(1) Find f(2).\n(2) Find f(3).", "4; 9", "multi_part", id="parts"),
        pytest.param(
            "A sequence has\n(i) a_1 = 1, and\n(ii) a_n = 2a_{n-1} for n > 1.\n\nFind a_5.", "16", None,
            id="conditions are no parts",
        ),
        pytest.param(
            "Calculate:\n$(1)\\sqrt{8}-\\sqrt{2}$;\n$(2)2^{-1}+3$.", "7/2", "multi_part", id="formulas",
        ),
        pytest.param(
            "Find the number of integers n such that:\n(1) n > 3;\n(2) n < 9.", "5", None, id="conditions",
        ),
        pytest.param(r"The sum of $1$ and $2$ is $\boxed{3}$.", "3", "holds_answer", id="boxed result"),
        pytest.param(r"The chance is $\boxed{\frac{1}{2}}$.", "1/2", "holds_answer", id="boxed fraction"),
        pytest.param(r"Find x. Put it in \boxed{}.", "3", None, id="empty box"),
        pytest.param(r"The sum is $\boxed{\text{\_\_\_}}$.", "3", None, id="a blank in a box"),
        pytest.param("Find x.\n<details><summary>Answer</summary>6", "6", "holds_answer", id="unfolds"),
        pytest.param("[asy] draw((0,0)--(1,1)); [/asy] Find x.", "3", "missing_figure", id="asy"),
        pytest.param("As shown in the figure, find the angle.", "30", "missing_figure", id="as shown"),
        pytest.param("如图，求角度。", "30", "missing_figure", id="Chinese figure"),
        pytest.param("The figure skater spins 5 times. How often in 3?", "15", None, id="figure skater"),
        pytest.param("Is 7 prime?", "Yes", "yes_no", id="yes"),
        pytest.param("Is 7 prime?", "是", "yes_no", id="Chinese yes"),
        pytest.param("Who is older?", "Noah", None, id="a name"),
        pytest.param("Find x in the equation.", "N/A", "missing_answer", id="placeholder"),
        pytest.param("Find x in the equation.", " . ", "missing_answer", id="only marks"),
        pytest.param("Find x in the equation.", "0", None, id="zero is an answer"),
        pytest.param("Find x in the equation.", "∅", "missing_answer", id="a symbol alone cannot be checked"),
        pytest.param("x?", "4", "too_short", id="short"),
        pytest.param("x" * 4001, "4", "too_long", id="long"),
        pytest.param("Find x in the equation.", "y" * 151, "long_answer", id="long answer"),
        pytest.param("27+58=?", "85", None, id="a generated problem"),
    ],
)  # fmt: skip
def test_first_reason(problem, answer, expected):
    assert reason(problem, answer) == expected


def test_languages_are_one_switch():
    assert reason("求 x 的值。", language="zh") == "language"
    assert reason("求 x 的值。", language="zh", languages="en+zh") is None
    assert reason("Найдите x.", language="other", languages="en+zh") == "language"


@pytest.mark.parametrize("name", ["multiple_choice", "proof", "multi_part", "missing_figure", "yes_no"])
def test_kinds_can_be_kept(name):
    examples = {
        "multiple_choice": (CHOICE, "B"),
        "proof": ("Prove that 2 is prime.", "x"),
        "multi_part": ("(1) Find 2+2. (2) Find 3+3.", "4, 6"),
        "missing_figure": ("Find x in the figure below.", "4"),
        "yes_no": ("Is 7 prime?", "yes"),
    }
    assert reason(*examples[name]) == name
    assert reason(*examples[name], **{name: False}) is None


def test_every_filter_has_its_own_reason():
    assert len(details()) == len(FILTERS)
