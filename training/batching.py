"""One step's responses as tensors, cut into minibatches and into micro-batches of limited token count."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(slots=True)
class Responses:
    """One rank's responses of a step. `mask` is 1 on response tokens; rows of `mask` start at position 0."""

    prompts: list[list[int]]
    tokens: list[list[int]]
    mask: Tensor
    """[n, longest response], bool."""
    places: list[int]
    """A number per row, equal for rows with the same prompt."""

    @classmethod
    def build(cls, prompts: list[list[int]], tokens: list[list[int]], device: torch.device) -> "Responses":
        lengths = torch.tensor([len(row) for row in tokens], device=device)
        positions = torch.arange(int(lengths.max()), device=device)
        numbers: dict[tuple[int, ...], int] = {}
        places = [numbers.setdefault(tuple(prompt), len(numbers)) for prompt in prompts]
        return cls(prompts, tokens, positions < lengths.unsqueeze(1), places)

    def __len__(self) -> int:
        return len(self.tokens)

    def length(self, index: int) -> int:
        """Prompt plus response, in tokens."""
        return len(self.prompts[index]) + len(self.tokens[index])

    def inputs(self, rows: list[int], pad: int) -> tuple[Tensor, Tensor, Tensor]:
        """input_ids, attention_mask and response_mask of `rows`, right-padded: [len(rows), longest] each.

        The masks are bool.
        """
        lengths = [self.length(row) for row in rows]
        ids = np.full((len(rows), max(lengths)), pad)
        for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            ids[place, :length] = self.prompts[row] + self.tokens[row]
        positions = np.arange(ids.shape[1])
        attention = positions < np.array(lengths)[:, None]
        response = attention & (positions >= np.array([len(self.prompts[row]) for row in rows])[:, None])
        device = self.mask.device
        found = [torch.from_numpy(x).to(device) for x in (ids, attention, response)]
        return found[0], found[1], found[2]


def micro_batches(
    responses: Responses, rows: list[int], max_tokens: int, is_packed: bool = True
) -> list[list[int]]:
    """Group `rows` so that each group has at most `max_tokens` tokens (a longer row is a group by itself).

    Responses to one prompt stay together. Their prompt counts once in a group, because it is computed once
    (`training.packed.packing`). In padded rows, each is as long as the longest of its group.
    """
    if not is_packed:
        return _padded_batches(responses, rows, max_tokens)
    longest: dict[int, int] = {}
    for row in rows:
        prompt = responses.places[row]
        longest[prompt] = max(longest.get(prompt, 0), responses.length(row))

    def order(row: int) -> tuple[int, int, int, int]:
        # Similar lengths together; ties by place keep the order reproducible.
        prompt = responses.places[row]
        return -longest[prompt], prompt, -responses.length(row), row

    groups: list[list[int]] = []
    room = 0
    for row in sorted(rows, key=order):
        length = len(responses.tokens[row])
        shares = bool(groups) and responses.places[groups[-1][-1]] == responses.places[row]
        needed = length if shares else responses.length(row)
        if groups and needed <= room:
            groups[-1].append(row)
            room -= needed
        else:
            groups.append([row])
            room = max_tokens - responses.length(row)
    return groups


def _padded_batches(responses: Responses, rows: list[int], max_tokens: int) -> list[list[int]]:
    groups: list[list[int]] = []
    for row in sorted(rows, key=lambda row: (-responses.length(row), row)):
        if groups and (len(groups[-1]) + 1) * responses.length(groups[-1][0]) <= max_tokens:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def padding_factor(responses: Responses, max_tokens: int) -> float:
    """Tokens computed in padded rows, as a multiple of those in packed rows."""
    rows = list(range(len(responses)))
    padded = sum(
        len(group) * responses.length(group[0]) for group in _padded_batches(responses, rows, max_tokens)
    )
    packed = 0
    for group in micro_batches(responses, rows, max_tokens):
        prompts = {responses.places[row]: len(responses.prompts[row]) for row in group}
        packed += sum(len(responses.tokens[row]) for row in group) + sum(prompts.values())
    return padded / packed


def minibatches(n_rows: int, n_parts: int, seed: int) -> list[list[int]]:
    """Shuffle the rows and cut them into `n_parts` nearly equal parts; no row is dropped or repeated."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(n_rows, generator=generator)
    return [part.tolist() for part in order.tensor_split(n_parts)]


def take(x: Tensor, mask: Tensor, rows: list[int]) -> Tensor:
    """Entries of `rows` where `mask` is 1, flat and in row order: the order the networks return them in."""
    return x[rows][mask[rows]]


def put(x: Tensor, mask: Tensor, rows: list[int], flat: Tensor) -> None:
    """Write flat entries back to `rows`; the inverse of `take`."""
    block = torch.zeros_like(x[rows])
    block[mask[rows]] = flat
    x[rows] = block
