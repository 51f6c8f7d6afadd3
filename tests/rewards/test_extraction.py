import time

import pytest

from rewards.extraction import extract_answer, is_formatted, last_box
from rewards.verdict import Reason


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(r"so 8</think><answer>\boxed{8}</answer>", "8", id="plain"),
        pytest.param(r"<think>so</think> <answer>It is \boxed{8}.</answer>", "8", id="opened-thought"),
        pytest.param(r"<answer>\boxed{8}</answer>", "8", id="no-thought"),
        pytest.param(r"</think><answer>\boxed{1} no: \boxed{2}</answer>", "2", id="last-box"),
        pytest.param(r"</think><answer>\boxed{\boxed{3}}</answer>", "3", id="box-in-box"),
        pytest.param(r"</think><answer>\boxed{\{1,\{2\}\}}</answer>", r"\{1,\{2\}\}", id="escaped-braces"),
        pytest.param(r"</think><answer>\boxed{\frac{1}{2}}</answer>", r"\frac{1}{2}", id="inner-braces"),
        pytest.param(
            r"the tag <answer>\boxed{1}</answer></think><answer>\boxed{2}</answer>", "2", id="quoted-tag"
        ),
        pytest.param(r"</think><answer>\boxed{4}</answer></answer> \boxed{5}", "4", id="text-behind"),
        pytest.param(r"</think><answer>\boxed{1}</answer><answer>\boxed{2}</answer>", "2", id="two-blocks"),
        pytest.param(r"</think><answer>\boxed{2} and \boxed{3}</answer>", "2, 3", id="joined-boxes"),
        pytest.param(r"</think><answer>\boxed{2} gives \boxed{3}</answer>", "3", id="unjoined-boxes"),
        pytest.param(r"</think><answer>\boxed{8}", None, id="never-closed"),
        pytest.param(r"</think><answer>8</answer>", None, id="no-box"),
        pytest.param(r"</think><answer>\boxed{8</answer>", None, id="box-never-closed"),
        pytest.param(r"<think>\boxed{8} <answer>\boxed{8}</answer>", None, id="thought-never-closed"),
        pytest.param(r"</think>\boxed{8}", None, id="no-tags"),
        pytest.param(r"</think><answer>\boxed{ }</answer>", None, id="empty-box"),
        pytest.param("", None, id="empty"),
    ],
)
def test_orz_answer(response: str, expected: str | None) -> None:
    found = extract_answer(response)
    assert found.text == expected
    assert found.reason is (None if expected else Reason.NO_ANSWER)
    assert is_formatted(response) is (expected is not None)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(r"Hence \boxed{8}.", "8", id="box"),
        pytest.param("The answer is 3.5. Done.", "3.5", id="statement"),
        pytest.param(
            "First: the answer is 2.\nNo, the answer is $-\\frac{1}{3}$.",
            r"$-\frac{1}{3}$",
            id="last-statement",
        ),
        pytest.param("**Answer:** 17", "17", id="bold"),
        pytest.param("Thus\n#### 1,234", "1,234", id="hashes"),
        pytest.param("所以答案是 9。", "9", id="chinese"),
        pytest.param("</think><answer>42</answer>", "42", id="block-without-box"),
        pytest.param(r"</think>So \boxed{6}", "6", id="after-thought"),
        pytest.param(r"<think>\boxed{6}", None, id="inside-thought"),
        pytest.param(r"\boxed{6}</think> hm", None, id="box-before-end-of-thought"),
        pytest.param("There are 6 rows.", None, id="no-statement"),
        pytest.param(r"The answer is 5 <answer>\boxed{5}", None, id="block-never-closed"),
    ],
)
def test_lenient_answer(response: str, expected: str | None) -> None:
    assert extract_answer(response, "lenient").text == expected


def test_last_box_skips_what_is_not_balanced() -> None:
    assert last_box(r"\boxed{1} \boxed{2") == "1"
    assert last_box(r"\boxed{a\}b}") == r"a\}b"
    assert last_box("} } {") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"thus \boxed \pi.", r"\pi"),
        (r"\boxed -3", "-3"),
        (r"\fbox 6", "6"),
        (r"\boxed{3} then \boxed 4", "4"),
        (r"\boxed 4 then \boxed{3}", "3"),
        (r"\boxed{\frac12} and \boxed", r"\frac12"),
        (r"\boxed\frac{1}{2}", None),
        (r"\boxed 1{,}000", None),
        (r"\boxed $7$", None),
        (r"\boxed{", None),
    ],
)
def test_lenient_boxes_need_no_braces(text: str, expected: str | None) -> None:
    """A bare box is one run of characters; where braces follow, what belongs to it cannot be known."""
    assert last_box(text, is_lenient=True) == expected


def test_long_answers_are_named_too_large() -> None:
    assert extract_answer(rf"</think><answer>\boxed{{{'7' * 3000}}}</answer>").reason is Reason.TOO_LARGE
    padded = rf"</think><answer>\boxed{{5{chr(92)},{' ' * 5000}}}</answer>"
    assert extract_answer(padded).text.startswith("5")


@pytest.mark.parametrize(
    "piece", ["<answer>", r"\boxed{", "</answer>", "{", "}", "\\", "$", "answer is ", "<answer>\\boxed{5}"]
)
def test_a_megabyte_is_read_in_linear_time(piece: str) -> None:
    started = time.process_time()
    for mode in ("orz", "lenient"):
        extract_answer(piece * (1_000_000 // len(piece)), mode)
    assert time.process_time() - started < 3
