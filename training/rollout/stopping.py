"""Detection of a response's end: an end token, or a stop string, which is kept as the end of its text."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer decodes a token to that contains only part of a character."""


class Stopper:
    """Watches growing responses for end tokens and stop strings.

    Text is decoded only if the newest token could complete a stop string: if it contains a character that a
    stop string ends with.
    """

    def __init__(
        self, tokenizer: Any, stop: tuple[str, ...], end_ids: Sequence[int], device: torch.device
    ) -> None:
        self.tokenizer, self.stop, self.end_ids = tokenizer, stop, set(end_ids)
        self.reach = max((len(text) for text in stop), default=0)
        pieces = tokenizer.batch_decode([[index] for index in range(len(tokenizer))])
        last = {text[-1] for text in stop} | {UNFINISHED}
        self.ends = torch.zeros(len(pieces), dtype=torch.bool, device=device)
        self.ends[list(self.end_ids)] = True
        self.may_stop = torch.tensor([bool(stop) and not last.isdisjoint(p) for p in pieces], device=device)

    def stops(self, latest: Tensor, rows: Tensor, tokens: Tensor, length: int) -> Tensor:
        """Tell which rows end with their newest token.

        Shapes: latest and rows [active]; tokens [responses, longest], of which the first `length` are filled.
        """
        result = self.ends[latest]
        candidates = (self.may_stop[latest] & ~result).nonzero().squeeze(-1)
        if len(candidates):
            # A token is one or more characters, or part of one: at most four tokens per character.
            tails = tokens[rows[candidates], max(0, length - 4 * self.reach - 1) : length].tolist()
            texts = self.tokenizer.batch_decode(tails)
            hits = [any(stop in text for stop in self.stop) for text in texts]
            result[candidates] = torch.tensor(hits, device=result.device)
        return result

    def texts(self, tokens: Sequence[Sequence[int]]) -> list[str]:
        """Decode whole responses: with special tokens, without end tokens, nothing after a stop string."""
        shown = [[token for token in row if token not in self.end_ids] for row in tokens]
        return [self._cut(text) for text in self.tokenizer.batch_decode(shown)]

    def _cut(self, text: str) -> str:
        ends = [text.find(stop) + len(stop) for stop in self.stop if stop in text]
        return text[: min(ends)] if ends else text
