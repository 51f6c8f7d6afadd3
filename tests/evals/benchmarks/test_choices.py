import pytest

from evals.benchmarks.choices import choice_letter

OPTIONS = ("12", "a dog", "A cat", "None of the above")


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        pytest.param("C", "C", id="letter"),
        pytest.param("c", "C", id="lower"),
        pytest.param("(C)", "C", id="brackets"),
        pytest.param("C.", "C", id="point"),
        pytest.param("C)", "C", id="half-bracket"),
        pytest.param("C. A cat", "C", id="letter-and-text"),
        pytest.param("C: A cat", "C", id="colon"),
        pytest.param("$C$", "C", id="dollars"),
        pytest.param(r"\text{C}", "C", id="wrapped"),
        pytest.param(r"\textbf{(C)}", "C", id="wrapped-brackets"),
        pytest.param("The answer is (C)", "C", id="sentence"),
        pytest.param("a cat", "C", id="option-text"),
        pytest.param("a dog", "B", id="option-that-starts-with-a-letter"),
        pytest.param("12", "A", id="number"),
        pytest.param("C. a dog", None, id="letter-and-other-text"),
        pytest.param("E", None, id="no-such-letter"),
        pytest.param("13", None, id="no-such-option"),
        pytest.param("a cow", None, id="text-that-starts-with-a-letter"),
        pytest.param("", None, id="empty"),
    ],
)
def test_choice_letter(answer, letter):
    assert choice_letter(answer, OPTIONS) == letter


def test_option_texts_that_are_letters_read_as_letters():
    """GPQA has options 'd', 'a', 'b', 'c': the option's letter takes precedence over its text."""
    assert choice_letter("A", ("d", "a", "b", "c")) == "A"


def test_text_of_two_options_is_no_choice():
    assert choice_letter("same", ("same", "same")) is None


EV = ("10^-11 eV", "10^-8 eV", "10^-9 eV", "10^-4 eV")


@pytest.mark.parametrize(
    "answer",
    [
        "D. 10^{-4} eV", r"\text{(D) }10^{-4}\text{ eV}", "[D]", r"\mathrm{\text{D}}", r"\textit{D}",
        r"\boldsymbol{D}", r"\Large D", "option D", "10^{-4} eV", r"$10^{-4}\,\mathrm{eV}$", r"\rm D",
        "D: the last one",
    ],
)  # fmt: skip
def test_a_letter_in_any_dress(answer: str) -> None:
    assert choice_letter(answer, EV) == "D"


@pytest.mark.parametrize("answer", ["D. 10^{-9} eV", "A or D", "E", "10^{-5} eV", "AD", r"\text{not D}"])
def test_what_names_no_option(answer: str) -> None:
    assert choice_letter(answer, EV) is None
