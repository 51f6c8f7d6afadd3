"""Matching keys and wrappers: what must be equal, what must not, and what is learned from a corpus."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.text.normalize import readable
from curation.text.tokens import tokens_joined
from curation.wrappers.wrappers import Wrappers, learn_wrappers, unwrap


def key(text: str) -> str:
    return tokens_joined(pl.Series([text])).item()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(r"Find $\dfrac{1}{2}x$", r"find \(\frac12 x\)", id="fractions and delimiters"),
        pytest.param(r"$x \leq 3 \times 4$", "x ≤ 3 × 4", id="relation and product"),
        pytest.param("There are 12,500 seats", r"There are 12{,}500 seats", id="thousands"),
        pytest.param(r"angle of $30^\circ$", "angle of 30°", id="degrees"),
        pytest.param("Tom’s 3 – 2", "tom's 3 - 2", id="quotes and dashes"),
        pytest.param("求（1）的值，是多少？", "求(1)的值,是多少?", id="full width"),
        pytest.param(r"\left( x^{2} \right)", "(x^2)", id="left and right"),
        pytest.param("x² + 1", "x^2+1", id="superscript"),
        pytest.param("Mia has three dogs", "mia has 3 dogs", id="number words"),
        pytest.param("Determine the sum", "Compute the sum", id="verbs of the task"),
        pytest.param(r"$\log_82$", r"$\log_{8}2$", id="base of a logarithm"),
        pytest.param("costs $10.00", "costs $10", id="trailing zeros"),
    ],
)
def test_notation_does_not_count(one, other):
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("2 + 3", "2 - 3", id="sign"),
        pytest.param("8-(3-2)", "(8-3)-2", id="brackets"),
        pytest.param("12 3", "1 23", id="word limits"),
        pytest.param("f(1,200)", "f(1,2)", id="digits"),
        pytest.param("9!", "9", id="factorial"),
        pytest.param("x^2", "x2", id="power"),
    ],
)
def test_mathematics_counts(one, other):
    assert key(one) != key(other)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_tidying_is_idempotent_and_key_survives_it(text):
    frame = pl.DataFrame({"t": [text]}, schema={"t": pl.String})
    once = frame.select(readable(pl.col("t")))
    assert once.select(readable(pl.col("t"))).item() == once.item()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.text(alphabet=st.sampled_from(r"\^{}_-,.!$()<>= 0123456789abcfrdlogmax²½≤求é𝑥\n"), max_size=60)
    )
)
def test_any_text_is_cut_and_unwrapped(texts):
    rows = pl.Series(texts, dtype=pl.String)
    joined = tokens_joined(rows)
    assert len(joined) == len(rows) and not joined.str.contains("  ").any()
    bare = Wrappers().strip(rows)
    assert len(bare) == len(rows)
    assert all(one.strip() in other for one, other in zip(bare, texts, strict=True))


PROBLEMS = [
    "How many apples does Mia have if she buys 4 bags of 7 apples?",
    "A train travels 240 km in 3 hours. What is its mean speed?",
    "Find the remainder when 2^{100} is divided by 7.",
    "What is the area of a circle of radius 5?",
    "Solve 3x + 5 = 26 for x.",
]


def test_wrappers_are_learned_from_rows_that_also_stand_alone():
    wrapped = [f"Dear tutor, help me now! {text} Thank you kindly for all your effort." for text in PROBLEMS]
    started = [f"Dear tutor, help me now! {text}" for text in PROBLEMS[:3]]
    ended = [f"{text} Thank you kindly for all your effort." for text in PROBLEMS[2:]]
    texts = pl.Series(PROBLEMS + started + ended + wrapped)
    wrappers = learn_wrappers(texts, min_evidence=3)
    assert wrappers.strip(texts).to_list()[-5:] == PROBLEMS
    assert not set(wrappers.prefixes.values()) & set(PROBLEMS)


def test_frequent_sentences_that_never_stand_alone_are_part_of_the_problem():
    texts = pl.Series([f"{body} Find m + n." for body in PROBLEMS])
    assert learn_wrappers(texts, min_evidence=3).strip(texts).to_list() == texts.to_list()


@pytest.mark.parametrize(
    "wrapped",
    [
        "12. {}", "Problem 12. {}", "Example 7. {}", "(5 points) {}", "[Exercise 4.2] {}", "### Problem\n{}",
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant",
        "<problem>\n{}\n</problem>", "## Task 3\n\n{}\n\n## Hints\n\nNone.", "{}\n\nAnswer:",
        "5. (5 points) {}", "{}\n\n*Proposed by Jane Q. Doe*", "{} [i]Proposed by Jane Doe[/i]",
        "{}\n\n*Author: Jane Doe*", "{}\n*Jane Doe, Mary-Ann Roe*",
    ],
)  # fmt: skip
def test_shapes_are_stripped_without_learning(wrapped):
    text = PROBLEMS[0]
    assert Wrappers().strip(pl.Series([wrapped.format(text)])).to_list() == [text]


@pytest.mark.parametrize(
    "text",
    [
        "27+58=?",
        "3.5 + 4 = ?",
        "(x+1)(x+2) = 0",
        "(1, 2) and (3, 4) lie on a line.",
        "2, 4, 6, ?",
        "# 5",
        "Let x = 3. *Give the exact value of x.*",
        "A fair was proposed by 12 people. How many more than 7 are they?",
        "Solve the equation.\n*Give x as a fraction.*",
        "Answer:",
    ],
)
def test_problems_that_look_like_wrappers_stay(text):
    assert Wrappers().strip(pl.Series([text])).to_list() == [text]


def test_signs_before_an_ending_stay():
    endings = ("think about it step by step", "mind the gap and think about it step by step")
    asked = [f"What is {n} and {n} and {n} again?" for n in ("one", "two", "six", "ten")]
    learned = learn_wrappers(pl.Series(asked + [f"{one} {end}" for one in asked for end in endings]), 3)
    text = "Compute (2 + (3 + (4 + 5)))"
    assert learned.strip(pl.Series([f"{text} {end}" for end in endings])).to_list() == [text, text]


def test_no_formula_is_cut_in_two_and_no_bracket_left_open():
    names = ("ants", "bees", "cows", "dogs", "eels")
    bare = [f"How many legs do seven {name} have in all?" for name in names]
    options = r"$\textbf{one} 14 \qquad \textbf{two} 28 \qquad \textbf{three} 42$"
    wrapped = [f"{one}\n{options}" for one in bare]
    asked = [f"{one} (Write the answer in a box at the end.)" for one in bare]
    found = unwrap(pl.Series(bare + wrapped + asked), 3)[1].to_list()
    assert found[:5] == bare and found[10:] == bare
    assert all(one.count("$") % 2 == 0 for one in found)


def test_a_learned_ending_goes_even_where_no_sentence_ends():
    ending = "Kindly write the result within the gray box."
    texts = pl.Series([*PROBLEMS, *(f"{text} {ending}" for text in PROBLEMS), f"Find $x + 3 $ {ending}"])
    assert learn_wrappers(texts, min_evidence=3).strip(texts)[-1] == "Find $x + 3 $"
