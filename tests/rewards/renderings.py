r"""Twenty ways to write one answer, and the shapes of whole responses around it: each of them is right.

>>> [name for name, _ in renderings(r"\frac{1}{2}", "fraction")][:3]
['spaces', 'display', 'math mode']
"""

import re
from collections.abc import Iterator

_CHAT = (
    ("statement", "So the answer is ${0}$."),
    ("statement after a break", "We are done.\n\nThe final answer is:\n\n$${0}$$"),
    ("bold header", "**Answer:**\n${0}$"),
    ("heading", "### Final Answer\n\n$${0}$$"),
    ("with a reason", "The answer is ${0}$, as claimed."),
    ("therefore", "The answer is therefore ${0}$."),
    ("hashes", "... and so on.\n#### ${0}$"),
    ("box", "Hence \\[\\boxed{{{0}}}\\]"),
    ("box in words", "The requested value is $\\boxed{{{0}}}$, so we are done."),
    ("spaced box", "\\boxed{{ {0} }}"),
    ("box in a box", "\\boxed{{\\boxed{{{0}}}}}"),
    ("tags", "I think.</think><answer>\\boxed{{{0}}}</answer>"),
    ("tags without a box", "I think.</think><answer>${0}$</answer>"),
    ("end token", "\\boxed{{{0}}}<|im_end|>"),
    ("thought", "<think>\\boxed{{12345}}</think>\\boxed{{{0}}}"),
)


def renderings(gold: str, answer_type: str) -> Iterator[tuple[str, str]]:
    """Yield (name, response) for the answer in every style and shape."""
    bare = _bare(gold)
    for name, text in _styles(bare, answer_type):
        yield name, f"\\boxed{{{text}}}"
    if any(mark in bare for mark in ("$", "\n", "\\boxed", "\\begin", ". ")):
        return
    for name, shape in _CHAT:
        yield name, shape.replace("{{", "{").replace("}}", "}").replace("{0}", bare)


def _bare(gold: str) -> str:
    text = gold.strip().rstrip(".")
    for opening, closing in (("$", "$"), ("\\[", "\\]"), ("\\(", "\\)")):
        is_one = text.count(opening) == (2 if opening == closing else 1)
        if text.startswith(opening) and text.endswith(closing) and is_one:
            text = text[len(opening) : -len(closing)]
    return text.strip().rstrip(".")


def _styles(text: str, answer_type: str) -> Iterator[tuple[str, str]]:
    yield "spaces", f"  {text}\\, "
    yield "display", f"\\displaystyle {text}"
    yield "math mode", f"${text}$"
    yield "large fractions", re.sub(r"\\frac(?![A-Za-z])", r"\\dfrac", text)
    if text.count("(") == text.count(")") == 1 and not re.search(r"left|[\[\]]|\\[(]|\([A-Z]", text):
        yield "left and right", text.replace("(", "\\left(").replace(")", "\\right)")
    if "\\" not in text and "_" not in text:
        yield "full-width digits", text.translate({ord(str(digit)): 0xFF10 + digit for digit in range(10)})
    yield "minus sign", text.replace("-", "\u2212")
    is_value = not re.search(r"=|approx|≈|[A-Za-z]{3,} |\\max|\\min", text)
    if is_value and answer_type in ("integer", "fraction", "decimal", "constant"):
        yield "named", f"x={text}"
        yield "in words", f"\\text{{The value is }}{text}"
    if is_value and answer_type in ("integer", "fraction", "decimal"):
        yield "with a unit", f"{text}\\text{{ cm}}"
        yield "doubled backslashes", text.replace("\\", "\\\\")
