"""Equality of functions and sequences: what may count as the same, and what must not."""

import pytest

from rewards.arithmetic.integers import integer_letters
from rewards.grader import Reason, compare_answers
from rewards.parsing.parser import parse_answer

SAME = [
    (r"\frac{1-(-1)^n}{2}", r"\sin^2(n\pi/2)"),
    (r"\cos(n\pi)", "(-1)^n"),
    ("(-1)^{2n}", "1"),
    (r"\lfloor n/2\rfloor", r"\frac n2-\frac{1-(-1)^n}{4}"),
    (r"\lfloor\frac{-1+\sqrt{1+8n}}{2}\rfloor", r"\lfloor\frac{-1+\sqrt{2+8n}}{2}\rfloor"),
    (r"\lceil\frac{n}{3}\rceil", r"\lfloor\frac{n+2}{3}\rfloor"),
    ("3^{n+1}+(-1)^n", "3(3^n)+(-1)^n"),
    (r"\frac{n(n+1)}{2}", r"\sum_{k=1}^n k"),
    (r"x^{40}+\sqrt x", r"\sqrt x(1+x^{39}\sqrt x)"),
    (r"2\ln x", r"\ln x^2"),
]
DIFFERENT = [
    ("3^{n+1}+(-1)^n", "99^{n+1}+(-1)^n"),
    ("2^{2n-1}+(-1)^n", "3^{2n-1}+(-1)^n"),
    (r"\sin(880\pi t)", "0"),
    (r"\lfloor n/10\rfloor", "0"),
    (r"\lfloor n/999\rfloor", "0"),
    (r"\lfloor\sqrt n\rfloor", r"\lfloor\sqrt{n+1}\rfloor"),
    (r"\lceil\frac{n}{3}\rceil", r"\lfloor\frac{n+3}{3}\rfloor"),
    (r"\lfloor x\rfloor", "x"),
    (r"x^{40}+\sqrt x", r"\sqrt x"),
    (r"\binom{k-1}{n-1}", r"\binom{k-2}{n-1}"),
]


@pytest.mark.parametrize(("gold", "answer"), SAME)
def test_same(gold: str, answer: str) -> None:
    assert compare_answers(gold, answer)[0] is Reason.CORRECT


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_different(gold: str, answer: str) -> None:
    assert compare_answers(gold, answer)[0] is not Reason.CORRECT
    assert compare_answers(answer, gold)[0] is not Reason.CORRECT


def test_the_answer_does_not_make_a_letter_an_integer() -> None:
    gold, answer = r"4\cos(2\pi t)", r"\frac{4\cdot t!}{t!}"
    assert compare_answers(gold, answer)[0] is not Reason.CORRECT
    assert compare_answers(answer, gold)[0] is Reason.CORRECT  # t! in the reference: t is an integer


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("n!", "n"),
        (r"\binom nk", "kn"),
        ("(-1)^n x", "n"),
        (r"\sum_{k=1}^m k", "m"),
        (r"\sin nx", ""),
        ("2^n", ""),
    ],
)
def test_letters_are_integers_by_their_place(text: str, letters: str) -> None:
    assert "".join(sorted(integer_letters(parse_answer(text).value))) == letters
