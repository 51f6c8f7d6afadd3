"""Balancing responses among ranks: equally many groups, tokens as even as possible; and two real ranks."""

import json
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.balance import assign

ROOT = Path(__file__).resolve().parents[2]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=6), st.integers(1, 5))
def test_every_rank_gets_as_many_groups_and_none_is_lost(lengths, n_ranks):
    owners = assign(lengths * n_ranks, n_ranks)
    assert [owners.count(rank) for rank in range(n_ranks)] == [len(lengths)] * n_ranks
    assert owners == assign(lengths * n_ranks, n_ranks)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=2, max_size=8).filter(lambda x: len(x) % 2 == 0))
def test_the_fuller_of_two_ranks_is_near_the_best_there_is(lengths):
    owners = assign(lengths, 2)
    found = max(sum(n for n, o in zip(lengths, owners, strict=True) if o == rank) for rank in (0, 1))
    halves = combinations(range(len(lengths)), len(lengths) // 2)
    total = sum(lengths)
    best = min(max(part := sum(lengths[i] for i in half), total - part) for half in halves)
    assert found <= best * 4 / 3 + 1


def test_groups_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="3 groups cannot be split evenly among 2 ranks"):
        assign([1, 2, 3], 2)


SCRIPT = """
import json, sys, torch
from training.balance import balance
from training.batching import Responses
from training.ranks import end_rank, join_ranks
ranks = join_ranks()
long = ranks.rank == 0
# Rank 0 has two long groups, rank 1 two short ones; each response spells its rank, group and sample.
prompts = [[ranks.rank, g] for g in range(2) for _ in range(2)]
tokens = [[ranks.rank, g, s] + [7] * (20 * long + g) for g in range(2) for s in range(2)]
rewards = [100.0 * ranks.rank + 10 * g + s for g in range(2) for s in range(2)]
scored = [None if s else [0.1 * i for i in range(len(t))] for t, s in zip(tokens, [0, 1, 0, 1])]
values = [[10.0 * t[1] + t[2]] * len(t) for t in tokens]
right = [bool(g) for g in range(2) for _ in range(2)]
held, (paid, right), (scores, values) = balance(
    Responses.build(prompts, tokens, ranks.device), [rewards, right], [scored, values], 2, ranks
)
out = {"prompts": held.prompts, "tokens": held.tokens, "rewards": paid, "scores": scores}
out |= {"values": values, "right": right}
open(f"{sys.argv[1]}/{ranks.rank}.json", "w").write(json.dumps(out))
# A rank that is gone while the other still receives would take its last words along.
ranks.barrier()
end_rank()
"""


@pytest.mark.slow
def test_two_ranks_exchange_whole_groups_with_all_that_belongs_to_them(tmp_path):
    (tmp_path / "exchange.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--rdzv-backend=c10d"]
    command += ["--rdzv-endpoint=127.0.0.1:0", "--nproc-per-node=2", str(tmp_path / "exchange.py")]
    environment = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, str(tmp_path)], env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    # One long and one short group each; the longest goes first, to the first rank.
    assert [side["prompts"] for side in found] == [
        [[0, 1], [0, 1], [1, 0], [1, 0]],
        [[0, 0], [0, 0], [1, 1], [1, 1]],
    ]
    for side in found:
        rows = zip(side["prompts"], side["tokens"], side["rewards"], side["scores"], strict=True)
        for index, ((rank, group), tokens, reward, scores) in enumerate(rows):
            sample = index % 2
            n = 3 + 20 * (rank == 0) + group
            assert tokens == [rank, group, sample] + [7] * (n - 3)
            assert reward == 100 * rank + 10 * group + sample
            assert scores == (None if sample else [0.1 * i for i in range(n)])
            assert side["values"][index] == [10.0 * group + sample] * n
