"""Load balancing: responses move between ranks so that each trains on about the same number of tokens.

Ranks wait for the slowest one, and responses differ in length by a factor of ten. Whole groups (the responses
to one prompt) move, and every rank ends up with equally many of them. Losses are divided by the tokens of all
ranks (`training.losses`), so the result of the update does not change.
"""

from collections.abc import Sequence
from itertools import islice

import torch
import torch.distributed as dist
from torch import Tensor

from training.batching import Responses
from training.ranks import Ranks

TokenScores = list[list[float] | None]
"""One number per token for some responses, None for the others."""


def assign(n_tokens: Sequence[int], n_ranks: int) -> list[int]:
    """Choose a rank for each group, given its tokens: the largest first, to the rank with the fewest tokens.

    Every rank gets the same number of groups; ValueError when they do not divide evenly.

    >>> assign([9, 1, 8, 2], 2)
    [0, 0, 1, 1]
    """
    room, rest = divmod(len(n_tokens), n_ranks)
    if rest:
        raise ValueError(f"{len(n_tokens)} groups cannot be split evenly among {n_ranks} ranks")
    loads, counts, owners = [0] * n_ranks, [0] * n_ranks, [0] * len(n_tokens)
    for group in sorted(range(len(n_tokens)), key=lambda group: (-n_tokens[group], group)):
        owner = min((r for r in range(n_ranks) if counts[r] < room), key=lambda r: (loads[r], r))
        owners[group] = owner
        loads[owner] += n_tokens[group]
        counts[owner] += 1
    return owners


def balance(
    responses: Responses,
    facts: Sequence[Sequence[float]],
    scores: Sequence[TokenScores],
    n_samples: int,
    ranks: Ranks,
) -> tuple[Responses, list[list[float]], list[TokenScores]]:
    """Exchange groups of `n_samples` adjacent rows between ranks, which all have the same number of rows.

    `facts` (lists with a number per row, such as rewards) and `scores` (the rollout engine's
    log-probabilities, values) travel with their rows.
    """
    if ranks.world == 1:
        return responses, [[*column] for column in facts], [*scores]
    device = ranks.device
    of_rows = list(zip(*scores, strict=True))
    sizes = torch.tensor(
        [
            (len(prompt), len(tokens), *(one is not None for one in found))
            for prompt, tokens, found in zip(responses.prompts, responses.tokens, of_rows, strict=True)
        ],
        device=device,
    )
    everywhere = torch.stack(gather(sizes, ranks))  # [ranks, rows, 2 + len(scores)]
    groups = everywhere.view(-1, n_samples, 2 + len(scores))
    owners = assign((groups[:, 0, 0] + groups[:, :, 1].sum(1)).tolist(), ranks.world)
    n_groups = len(responses) // n_samples
    row_owners = [owner for owner in owners for _ in range(n_samples)]
    mine = row_owners[ranks.rank * len(responses) :][: len(responses)]
    leaving = [[row for row, owner in enumerate(mine) if owner == r] for r in range(ranks.world)]
    arriving = [
        everywhere[r][[row_owners[r * len(responses) + row] == ranks.rank for row in range(len(responses))]]
        for r in range(ranks.world)
    ]
    assert sum(map(len, arriving)) == n_groups * n_samples

    ids = [[t for row in rows for t in responses.prompts[row] + responses.tokens[row]] for rows in leaving]
    n_ids = [int(sizes[:, :2].sum()) for sizes in arriving]
    own = list(zip(*facts, strict=True))
    numbers = [
        [x for row in rows for one in (own[row], *of_rows[row]) for x in one or []] for rows in leaving
    ]
    n_numbers = [int(len(facts) * len(sizes) + (sizes[:, 1:2] * sizes[:, 2:]).sum()) for sizes in arriving]
    new_ids = iter(exchange(ids, n_ids, torch.long, device))
    new_numbers = iter(exchange(numbers, n_numbers, torch.float64, device))

    prompts, tokens = [], []
    known: list[list[float]] = [[] for _ in facts]
    kept: list[TokenScores] = [[] for _ in scores]
    for n_prompt, n_response, *has_scores in torch.cat(arriving).tolist():
        prompts.append([*islice(new_ids, n_prompt)])
        tokens.append([*islice(new_ids, n_response)])
        for fact in known:
            fact.append(next(new_numbers))
        for column, has_score in zip(kept, has_scores, strict=True):
            column.append([*islice(new_numbers, n_response)] if has_score else None)
    return Responses.build(prompts, tokens, device), known, kept


def gather(x: Tensor, ranks: Ranks) -> list[Tensor]:
    """The tensors of all ranks, which have the same shape, in rank order."""
    found = [torch.empty_like(x) for _ in range(ranks.world)]
    dist.all_gather(found, x)
    return found


def exchange(parts: list[list], n_arriving: list[int], dtype: torch.dtype, device: torch.device) -> list:
    """Send each rank its part; returns what arrived, in rank order."""
    leaving = torch.tensor([x for part in parts for x in part], dtype=dtype, device=device)
    arrived = leaving.new_empty(sum(n_arriving))
    dist.all_to_all_single(arrived, leaving, n_arriving, [len(part) for part in parts])
    return arrived.tolist()
