"""Detection of a response's end: an end token, or a stop string, which is kept as the end of its text."""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.vocabulary import Vocabulary

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer decodes a token to that contains only part of a character."""


class Stopper:
    """Watches growing responses for end tokens and stop strings.

    Text is decoded only if the newest token could complete a stop string: if it contains a character that a
    stop string ends with.
    """

    def __init__(self, vocabulary: Vocabulary, stop: tuple[str, ...], device: torch.device) -> None:
        self.vocabulary, self.tokenizer, self.stop = vocabulary, vocabulary.tokenizer, stop
        self.reach = max((len(text) for text in stop), default=0)
        pieces = self.tokenizer.batch_decode([[index] for index in range(vocabulary.n_ids)])
        last = {text[-1] for text in stop} | {UNFINISHED}
        self.ends = torch.zeros(len(pieces), dtype=torch.bool, device=device)
        self.ends[list(vocabulary.end_ids)] = True
        self.may_stop = torch.tensor([bool(stop) and not last.isdisjoint(p) for p in pieces], device=device)

    def stops(self, latest: Tensor, rows: Tensor, tokens: Tensor, length: int) -> Tensor:
        """Tell which rows end with their newest token.

        Shapes: latest and rows [active]; tokens [responses, longest], of which the first `length` are filled.
        """
        result = self.ends[latest]
        candidates = (self.may_stop[latest] & ~result).nonzero().squeeze(-1)
        if len(candidates):
            # A token is one or more characters, or part of one: at most four tokens per character.
            # A tensor, since transformers looks at every element of a list.
            tails = tokens[rows[candidates], max(0, length - 4 * self.reach - 1) : length]
            texts = self.tokenizer.batch_decode(tails)
            hits = [any(stop in text for stop in self.stop) for text in texts]
            result[candidates] = torch.tensor(hits, device=result.device)
        return result

    def texts(self, tokens: Sequence[Sequence[int]]) -> list[str]:
        """Texts of whole responses, as `training.vocabulary.Vocabulary.texts` writes them."""
        return self.vocabulary.texts(tokens, self.stop)
