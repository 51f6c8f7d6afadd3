"""Tensors of one step's responses, and their cutting into minibatches and token-budget micro-batches."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(slots=True)
class Responses:
    """One rank's responses of a step. `mask` is 1 on response tokens; rows of `mask` start at position 0."""

    prompts: list[list[int]]
    tokens: list[list[int]]
    mask: Tensor
    """[n, longest response], bool."""

    @classmethod
    def build(cls, prompts: list[list[int]], tokens: list[list[int]], device: torch.device) -> "Responses":
        lengths = torch.tensor([len(row) for row in tokens], device=device)
        positions = torch.arange(int(lengths.max()), device=device)
        return cls(prompts, tokens, positions < lengths.unsqueeze(1))

    def __len__(self) -> int:
        return len(self.tokens)

    def length(self, index: int) -> int:
        """Prompt plus response, in tokens."""
        return len(self.prompts[index]) + len(self.tokens[index])

    def inputs(self, rows: list[int], pad: int) -> tuple[Tensor, Tensor, Tensor]:
        """input_ids, attention_mask and response_mask of `rows`, right-padded: [len(rows), longest] each."""
        width = max(self.length(row) for row in rows)
        input_ids = torch.full((len(rows), width), pad)
        attention, response = torch.zeros_like(input_ids), torch.zeros_like(input_ids)
        for i, row in enumerate(rows):
            start, end = len(self.prompts[row]), self.length(row)
            input_ids[i, :end] = torch.tensor(self.prompts[row] + self.tokens[row])
            attention[i, :end] = 1
            response[i, start:end] = 1
        device = self.mask.device
        return input_ids.to(device), attention.to(device), response.to(device)


def micro_batches(responses: Responses, rows: list[int], max_tokens: int) -> list[list[int]]:
    """Group `rows` so that each group holds at most `max_tokens` tokens (one longer row stands alone)."""
    groups: list[list[int]] = []
    room = 0
    # Similar lengths together; ties by row keep the order reproducible.
    for row in sorted(rows, key=lambda r: (-responses.length(r), r)):
        length = responses.length(row)
        if length <= room:
            groups[-1].append(row)
            room -= length
        else:
            groups.append([row])
            room = max_tokens - length
    return groups


def minibatches(n_rows: int, n_parts: int, seed: int) -> list[list[int]]:
    """Shuffle rows and cut them into `n_parts` nearly equal parts; no row is dropped or repeated."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(n_rows, generator=generator)
    return [part.tolist() for part in order.tensor_split(n_parts)]


def take(x: Tensor, mask: Tensor, rows: list[int]) -> Tensor:
    """Masked entries of `rows`, flat and in row order: the order in which the networks return them."""
    return x[rows][mask[rows]]


def put(x: Tensor, mask: Tensor, rows: list[int], flat: Tensor) -> None:
    """Write flat entries back to `rows`; the inverse of `take`."""
    block = torch.zeros_like(x[rows])
    block[mask[rows]] = flat
    x[rows] = block
