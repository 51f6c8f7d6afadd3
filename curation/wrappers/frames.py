r"""Frames: an instruction to the model around most of one source's problems, such as a prompt template.

    frames = learn_frames(texts)                   # texts of one source
    strip_frames(texts, frames)

A frame is what many distinct texts of a source have in common at their beginning or end, up to the end of a
sentence or line, and that speaks of the response and not of mathematics: "Put your answer inside \boxed{}."
is one; "Solve the equation." and "Express your answer as a common fraction." are part of the problem.
"""

import re
from dataclasses import dataclass

import polars as pl

from curation.text.normalize import tidy

SAMPLE = 1000
"""Frames are learned from about this many distinct texts of a source."""
_SHARES = (0.9, 0.5, 0.25, 0.1)
_FEWEST = 5
_ROUNDS = 6
_SHORTEST = 12
_ABOUT_THE_RESPONSE = re.compile(
    r"(?i)\\?boxed|\bstep[- ]by[- ]step\b|\blet'?s think\b"
    r"|\bthink\b.{0,40}\b(?:before|carefully|first|aloud)\b"
    r"|\breason(?:ing)?\b.{0,30}\b(?:step|process|answer|within|inside)|\bchain[- ]of[- ]thought\b|</?\w+>"
    r"|\b(?:your|the|a) (?:final |full |complete )?(?:response|reply|output)\b|\boutput (?:the|your|only)\b"
    r"|\b(?:final answer|answer|result)s?\b.{0,40}\b(?:in|inside|within|between|using|after|on|with)\b.{0,40}"
    r"(?:box|tags?|latex|\bformat\b|own line|\banswer:|####|brackets?)"
    r"|\b(?:following|given|this|below|math(?:ematics|ematical)?|next) (?:\w+ ){0,2}"
    r"(?:problem|question|task)s?\b"
    r"|\byou are an?\b|\bassistant\b|\bshow (?:all )?your (?:work|reasoning|steps)\b|\bexplain your\b"
    r"|\bsolve the (?:math )?problem\b|请|\banswer the question\b"
    r"|^\s*(?:question|problem|q|input|instruction)\s*:"
    r"|\b(?:last|final) line\b|\bpresent the answer\b|\bwithout quotes\b"
)
_ABOUT_MATHEMATICS = re.compile(
    r"(?i)\b(?:fractions?|decimals?|nearest|rounded|round|simplest|lowest|terms of|relatively prime|coprime"
    r"|scientific notation|significant|degrees|radians|percent(?:age)?|interval|remainder|modulo|units?)\b"
    r"|m\s*\+\s*n"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands before (is_prefix) or after the problems of a source, and around what share of them."""

    text: str
    is_prefix: bool
    share: float

    def __str__(self) -> str:
        place = "begin with" if self.is_prefix else "end with"
        return f"{self.share:.0%} of its problems {place} {self.text!r}"


def learn_frames(texts: pl.Series) -> list[Frame]:
    """Find the frames of one source's texts, outermost first."""
    frames: list[Frame] = []
    rest = tidy(texts.drop_nulls()).unique(maintain_order=True)
    for _ in range(_ROUNDS):
        found = [frame for is_prefix in (True, False) if (frame := find_frame(rest.to_list(), is_prefix))]
        if not found:
            break
        frames += found
        rest = strip_frames(rest, found)
    return frames


def strip_frames(texts: pl.Series, frames: list[Frame]) -> pl.Series:
    """Take frames off, in their order; a text that is nothing but a frame stays."""
    for frame in frames:
        if frame.is_prefix:
            bare = texts.str.strip_prefix(frame.text).str.strip_chars_start()
        else:
            bare = texts.str.strip_suffix(frame.text).str.strip_chars_end()
        texts = bare.zip_with(bare != "", texts)
    return texts


def find_frame(texts: list[str], is_prefix: bool) -> Frame | None:
    """The instruction that most of the texts share on one side, None when there is none."""
    if len(texts) < _FEWEST:
        return None
    ordered = sorted(text if is_prefix else text[::-1] for text in texts)
    for share in _SHARES:
        size = max(_FEWEST, round(share * len(ordered)))
        common = max(
            (_common(ordered[at], ordered[at + size - 1]) for at in range(len(ordered) - size + 1)), key=len
        )
        text = _whole_prefix(common) if is_prefix else _whole_suffix(common[::-1])
        if len(text) >= _SHORTEST and is_instruction(text):
            n = sum(one.startswith(text) if is_prefix else one.endswith(text) for one in texts)
            return Frame(text, is_prefix, n / len(texts))
    return None


def is_instruction(text: str) -> bool:
    r"""True for a text about the response and not about the mathematics.

    >>> is_instruction(r"Put your final answer inside \boxed{}."), is_instruction("Solve the equation.")
    (True, False)
    >>> is_instruction("Express your answer as a common fraction.")
    False
    """
    return bool(_ABOUT_THE_RESPONSE.search(text)) and not (
        _ABOUT_MATHEMATICS.search(text) and "boxed" not in text
    )


def _common(one: str, other: str) -> str:
    """The common beginning of two texts."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return one[:low]


def _whole_prefix(text: str) -> str:
    """The text up to its last end of a line or sentence."""
    ends = [match.end() for match in re.finditer(r"\n+|[.!?:。！？：]\s+|>\s*", text)]
    return text[: ends[-1]].rstrip() if ends else ""


def _whole_suffix(text: str) -> str:
    """The text from its first beginning of a line or sentence on."""
    # Problems that end in different signs leave the space between them and the frame; a line or sentence that
    # begins later is the safer place.
    begin = re.search(r"(?<=\S)\n+|(?<=[.!?:。！？：$)\]])\s+(?=\S)", text) or re.search(r"^\s+", text)
    return text[begin.end() :] if begin else ""
