"""Properties of generated answers: equality is reflexive and symmetric, dress is free, and nothing raises."""

from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewards.compile import restyle
from rewards.grader import Reason, compare_answers, grade, verify
from rewards.nodes import Constant, Number, Operation, Scalar, Symbol
from rewards.rendering import render_answer

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


@quick
@given(st.integers(-(10**25), 10**25))
def test_integers_differ_from_their_neighbours(n: int) -> None:
    assert compare_answers(str(n), f"{n:,}")[0] is Reason.CORRECT
    assert compare_answers(str(n), f"\\frac{{{2 * n}}}{{2}}")[0] is Reason.CORRECT
    assert compare_answers(str(n), str(n + 1))[0] is Reason.WRONG


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
@given(st.text(max_size=60))
def test_no_text_raises(text: str) -> None:
    grade(text, "5")
    grade(rf"\boxed{{{text}}}", "x+1")
