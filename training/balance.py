"""Even out the ranks: responses move between them so that all train on about as many tokens.

Ranks wait for the slowest one, and responses differ in length by a factor of ten. Whole groups (the responses
to one prompt) move, every rank keeps as many of them, and since losses are divided by the tokens of all ranks
(`training.losses`), what is learnt does not change.
"""

from collections.abc import Sequence
from itertools import islice

import torch
import torch.distributed as dist
from torch import Tensor

from training.batching import Responses
from training.ranks import Ranks

Logprobs = list[list[float] | None]


def assign(n_tokens: Sequence[int], n_ranks: int) -> list[int]:
    """Choose a rank for each group of so many tokens: the largest first, to the rank that has the least.

    Every rank gets as many groups; ValueError when that cannot be.

    >>> assign([9, 1, 8, 2], 2)
    [0, 0, 1, 1]
    """
    room, rest = divmod(len(n_tokens), n_ranks)
    if rest:
        raise ValueError(f"{len(n_tokens)} groups cannot be shared out evenly among {n_ranks} ranks")
    loads, counts, owners = [0] * n_ranks, [0] * n_ranks, [0] * len(n_tokens)
    for group in sorted(range(len(n_tokens)), key=lambda group: (-n_tokens[group], group)):
        owner = min((r for r in range(n_ranks) if counts[r] < room), key=lambda r: (loads[r], r))
        owners[group] = owner
        loads[owner] += n_tokens[group]
        counts[owner] += 1
    return owners


def balance(
    responses: Responses, rewards: list[float], logprobs: Logprobs, n_samples: int, ranks: Ranks
) -> tuple[Responses, list[float], Logprobs]:
    """Exchange groups of `n_samples` adjacent rows between ranks, which hold equally many rows.

    `rewards` and `logprobs` (the rollout engine's, where there are any) travel with their rows.
    """
    if ranks.world == 1:
        return responses, rewards, logprobs
    device = ranks.device
    sizes = torch.tensor(
        [
            (len(p), len(t), scored is not None)
            for p, t, scored in zip(responses.prompts, responses.tokens, logprobs, strict=True)
        ],
        device=device,
    )
    everywhere = torch.stack(gather(sizes, ranks))  # [ranks, rows, 3]
    groups = everywhere.view(-1, n_samples, 3)
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
    scores = [[x for row in rows for x in (rewards[row], *(logprobs[row] or []))] for rows in leaving]
    n_scores = [int(len(sizes) + (sizes[:, 1] * sizes[:, 2]).sum()) for sizes in arriving]
    new_ids = iter(exchange(ids, n_ids, torch.long, device))
    new_scores = iter(exchange(scores, n_scores, torch.float64, device))

    prompts, tokens, paid, scored = [], [], [], []
    for n_prompt, n_response, has_scores in torch.cat(arriving).tolist():
        prompts.append([*islice(new_ids, n_prompt)])
        tokens.append([*islice(new_ids, n_response)])
        paid.append(next(new_scores))
        scored.append([*islice(new_scores, n_response)] if has_scores else None)
    return Responses.build(prompts, tokens, device), paid, scored


def gather(x: Tensor, ranks: Ranks) -> list[Tensor]:
    """The tensors of all ranks, equal in shape, in their order."""
    found = [torch.empty_like(x) for _ in range(ranks.world)]
    dist.all_gather(found, x)
    return found


def exchange(parts: list[list], n_arriving: list[int], dtype: torch.dtype, device: torch.device) -> list:
    """Send each rank its part; returns what arrived, in the order of the ranks."""
    leaving = torch.tensor([x for part in parts for x in part], dtype=dtype, device=device)
    arrived = leaving.new_empty(sum(n_arriving))
    dist.all_to_all_single(arrived, leaving, n_arriving, [len(part) for part in parts])
    return arrived.tolist()
