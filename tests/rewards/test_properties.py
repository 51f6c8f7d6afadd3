"""Properties of generated answers: equality is reflexive and symmetric, style is free, nothing raises."""

import itertools
import math
import re
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewards.answer.types import (
    INFINITY,
    Collection,
    Constant,
    Interval,
    Matrix,
    Named,
    Number,
    Operation,
    Ratio,
    Region,
    Scalar,
    Symbol,
    Words,
    substitute,
    walk,
)
from rewards.compiling.compile import restyle
from rewards.compiling.rendering import render_answer
from rewards.compiling.wrong_answers import wrong_neighbors
from rewards.grader import Reason, compare_answers, grade, verify

quick = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

numbers = st.fractions(min_value=-50, max_value=50, max_denominator=30).map(Number)
atoms = st.one_of(numbers, st.sampled_from([Constant("pi"), Constant("e"), Symbol("x"), Symbol("y_1")]))
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(lambda a, b: Operation("+", (a, b)), inner, inner),
        st.builds(lambda a, b: Operation("*", (a, b)), inner, inner),
        st.builds(
            lambda a, b: Operation("/", (a, Operation("+", (Operation("^", (b, TWO)), ONE)))), inner, inner
        ),
        st.builds(lambda a: Operation("^", (a, TWO)), inner),
        st.builds(lambda a: Operation("sin", (a,)), inner),
        st.builds(lambda a: Operation("abs", (a,)), inner),
    ),
    max_leaves=6,
)
ONE, TWO = Number(Fraction(1)), Number(Fraction(2))


@quick
@given(expressions)
def test_an_expression_equals_its_renderings(value) -> None:
    text = render_answer(Scalar(value))
    assert compare_answers(text, restyle(text))[0] is Reason.CORRECT
    assert compare_answers(text, f"{text}+1-1")[0] is Reason.CORRECT
    assert compare_answers(f"1\\cdot({text})", text)[0] is Reason.CORRECT


@quick
@given(expressions)
def test_one_more_is_never_equal(value) -> None:
    text = render_answer(Scalar(value))
    assert compare_answers(text, f"{text}+1")[0] is not Reason.CORRECT


@quick
@given(expressions, expressions)
def test_equality_is_symmetric(first, second) -> None:
    left, right = render_answer(Scalar(first)), render_answer(Scalar(second))
    assert (compare_answers(left, right)[0] is Reason.CORRECT) == (
        compare_answers(right, left)[0] is Reason.CORRECT
    )


def in_floats(value, point: dict[str, float]) -> float:
    """Value of a generated expression in Python floats, computed without any of our code."""
    if isinstance(value, Number):
        return value.value.numerator / value.value.denominator
    if isinstance(value, Constant):
        return {"pi": math.pi, "e": math.e}[value.name]
    if isinstance(value, Symbol):
        return point[value.name]
    operands = [in_floats(operand, point) for operand in value.operands]
    rules = {"+": sum, "*": math.prod, "/": lambda v: v[0] / v[1], "^": lambda v: v[0] ** v[1]}
    rules |= {"sin": lambda v: math.sin(v[0]), "abs": lambda v: abs(v[0])}
    return rules[value.name](operands)


def changed(value, place: int):
    """The expression with one of its numbers or symbols replaced."""
    parts = [part for part in walk(value) if isinstance(part, Number | Symbol)]
    if not parts:
        return Operation("+", (value, ONE))
    part = parts[place % len(parts)]
    other = Number(part.value + 1) if isinstance(part, Number) else Constant("pi")
    return substitute(value, {part: other})


@settings(quick, max_examples=200)
@given(expressions, st.integers(0, 9))
def test_a_changed_expression_is_accepted_only_where_floats_agree(value, place: int) -> None:
    other = changed(value, place)
    accepted = is_accepted(render_answer(Scalar(value)), render_answer(Scalar(other)))
    points = [(0.37, -2.2), (-5.5, 1.9), (13.1, -0.6), (-0.013, 7.7)]
    agree = [
        math.isclose(
            in_floats(value, {"x": x, "y_1": y}),
            in_floats(other, {"x": x, "y_1": y}),
            rel_tol=1e-9,
            abs_tol=1e-9,
        )
        for x, y in points
    ]
    assert all(agree) or not accepted


@quick
@given(st.integers(-(10**25), 10**25))
def test_integers_differ_from_their_neighbors(n: int) -> None:
    assert compare_answers(str(n), f"{n:,}")[0] is Reason.CORRECT
    assert compare_answers(str(n), f"\\frac{{{2 * n}}}{{2}}")[0] is Reason.CORRECT
    assert compare_answers(str(n), str(n + 1))[0] is Reason.WRONG


scalars = expressions.map(Scalar)
constants = st.one_of(numbers, st.sampled_from([Constant("pi"), Operation("root", (TWO, TWO))]))
distinct = st.lists(numbers, min_size=2, max_size=4, unique=True).map(
    lambda values: tuple(Scalar(value) for value in values)
)
answers = st.one_of(
    scalars,
    st.builds(Collection, st.sampled_from(["list", "tuple", "set"]), distinct),
    st.builds(
        lambda ends, closed: Region((Interval(ends[0], ends[1], *closed),)),
        st.tuples(numbers, st.fractions(min_value=1, max_value=9)).map(
            lambda pair: (pair[0], Number(pair[0].value + pair[1]))
        ),
        st.tuples(st.booleans(), st.booleans()),
    ),
    st.builds(
        lambda low, closed: Region((Interval(low, INFINITY, closed, False),), Symbol("x")),
        numbers,
        st.booleans(),
    ),
    st.builds(lambda a, b, c, d: Matrix(((a, b), (c, d))), constants, constants, constants, constants),
    st.builds(Named, st.just(Symbol("x")), constants.map(Scalar)),
    st.builds(
        lambda a, b: Ratio((Number(Fraction(a)), Number(Fraction(b)))), st.integers(1, 40), st.integers(1, 40)
    ),
    st.sampled_from(["monday", "right triangle", "yes"]).map(Words),
)
dresses = st.lists(
    st.sampled_from(
        [
            lambda text: f"${text}$",
            lambda text: f" {text} .",
            lambda text: text.replace("\\frac", "\\dfrac"),
            lambda text: re.sub(r"(?<!\\)\)", r"\\right)", re.sub(r"(?<!\\)\(", r"\\left(", text)),
            lambda text: text.replace(",", ",\\,"),
            lambda text: text.replace("\\cdot ", "\\cdot{}"),
            lambda text: f"\\boxed{{{text}}}",
            lambda text: f"\\displaystyle {text}",
            lambda text: f"\\({text}\\)",
            lambda text: text.translate({ord(str(digit)): 0xFF10 + digit for digit in range(10)}),
            lambda text: text.replace("-", "\u2212"),
        ]
    ),
    min_size=1,
    max_size=3,
)


def is_accepted(gold: str, answer: str) -> bool:
    return compare_answers(gold, answer)[0] is Reason.CORRECT


def dressed(text: str, steps: list) -> str:
    for step in steps:
        text = step(text)
    return text


@settings(quick, max_examples=150)
@given(answers, dresses)
def test_every_kind_of_answer_equals_itself_in_any_style(answer, steps) -> None:
    text = render_answer(answer)
    assert is_accepted(text, text)
    assert is_accepted(text, dressed(text, steps)), dressed(text, steps)
    assert is_accepted(dressed(text, steps), text)


@settings(quick, max_examples=150)
@given(answers, answers, dresses)
def test_style_never_changes_a_verdict(first, second, steps) -> None:
    left, right = render_answer(first), render_answer(second)
    verdict = is_accepted(left, right)
    assert is_accepted(right, left) is verdict
    assert is_accepted(left, dressed(right, steps)) is verdict


@settings(quick, max_examples=60)
@given(answers)
def test_wrong_neighbors_are_rejected_both_ways(answer) -> None:
    text = render_answer(answer)
    for wrong in itertools.islice(wrong_neighbors(answer), 4):
        assert not is_accepted(text, render_answer(wrong))
        assert not is_accepted(render_answer(wrong), text)


pieces = st.sampled_from(
    [
        r"\frac",
        r"\sqrt",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "|",
        "^",
        "_",
        "1",
        "23",
        "x",
        ",",
        "=",
        "<",
        r"\le",
        r"\pm",
        "!",
        "%",
    ]
    + [
        r"\text{",
        r"\left",
        r"\cup",
        r"\in",
        r"\infty",
        r"\begin{pmatrix}",
        r"\end{pmatrix}",
        "&",
        r"\\",
        "$",
        ":",
        "-",
        "/",
    ]
    + [
        "sin",
        "or",
        " and ",
        "f(",
        r"\circ",
        r"\{",
        r"\}",
        "°",
        "½",
        "²",
        "元",
        "0.",
        r"\overline{3}",
        "e9",
        r"\pmod",
        "\x00",
    ]
)


@settings(quick, max_examples=300)
@given(
    st.lists(pieces, max_size=14).map("".join),
    st.sampled_from(["5", "x>1", "(1,2)", r"\{1\}", "no", "1,2", "y=2x+1"]),
)
def test_no_answer_raises(answer: str, gold: str) -> None:
    verify(gold, rf"</think><answer>\boxed{{{answer}}}</answer>")
    verify(answer, rf"</think><answer>\boxed{{{gold}}}</answer>")


@settings(quick, max_examples=100)
@given(st.binary(max_size=60))
def test_no_bytes_raise(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for mode in ("orz", "lenient", "orz_compat"):
        verify(text, f"</think><answer>\\boxed{{{text}}}</answer>", mode)
        verify("5", text, mode)


@settings(quick, max_examples=100)
@given(st.text(max_size=60))
def test_no_text_raises(text: str) -> None:
    grade(text, "5")
    grade(rf"\boxed{{{text}}}", "x+1")
