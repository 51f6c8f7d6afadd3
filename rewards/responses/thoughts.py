r"""What follows the thought, up to the end token: the part of a response in which an answer counts.

>>> after_thought("2+3=5</think>The answer is 5.<|im_end|>"), after_thought("<think>2+3")
('The answer is 5.', '')
>>> after_thought("[THINK]4?[/THINK]5"), after_thought("2+3", is_open=True)
('5', '')
"""

import re
from collections.abc import Sequence

Tags = tuple[str, str]
"""The texts that open and close a thought."""

THOUGHTS: tuple[Tags, ...] = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ("<|channel|>commentary<|message|>", "<|channel|>final<|message|>"),
)
"""Thinking tags of published models; the last two are gpt-oss channels."""
_END = re.compile(
    r"<\|[^<>|\s]{1,40}\|>|<｜[^<>｜]{1,40}｜>|</s>|<s>|<end_of_turn>|<start_of_turn>|<eos>|<bos>|<pad>|\[/?INST\]"
)
"""Tokens that end a turn and stay in the text where special tokens are kept."""


def after_thought(response: str, thoughts: Sequence[Tags] = THOUGHTS, *, is_open: bool = False) -> str:
    """Return what follows the last closed thought; nothing while a thought is open.

    `is_open`: the prompt ended inside a thought, so that a response which never closes one is unfinished.
    """
    start = 0
    for _, closing in thoughts:  # each looks only behind the last one found
        place = response.rfind(closing, start)
        if place >= 0:
            start = place + len(closing)
    region = response[start:]
    if is_open and not start:
        return ""
    for opening, _ in thoughts:
        if opening in region:
            return ""
    return _up_to_end(region)


def _up_to_end(text: str) -> str:
    """Cut at the first end token; those in front of any other text are skipped."""
    if "<" not in text and "[" not in text:
        return text
    start = 0
    for token in _END.finditer(text):
        if text[start : token.start()].strip():
            return text[start : token.start()]
        start = token.end()
    return text[start:]
