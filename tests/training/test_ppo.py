"""The update with real DeepSpeed engines: how tokens are divided among batches and ranks does not matter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
# Name, ZeRO stage, tokens of a micro-batch, switches; the first one has everything in one micro-batch.
ONE_RANK = ("whole 0 100000", "micro-batches 0 40", "zero-2-offload 2 60 offload", "zero-3 3 100000")
TWO_RANKS = ("two-ranks 0 50", "two-ranks-zero-2-early 2 50 early", "two-ranks-zero-3 3 50 recompute")
NAMES = [words.split()[0] for words in ONE_RANK + TWO_RANKS]


def update(base: Path, folder: Path, n_ranks: int, *updates: str) -> None:
    """Run update_once.py on so many ranks."""
    command = [sys.executable, "-m"]
    if n_ranks > 1:
        command += ["torch.distributed.run", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
        command += [f"--nproc-per-node={n_ranks}", "-m"]
    command += ["tests.training.children.update_once", str(base), str(folder), *updates]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.fixture(scope="module")
def updates(tiny_base, tmp_path_factory) -> dict[str, tuple[torch.Tensor, dict[str, float]]]:
    """By name: the movement of all weights as one vector, and the metrics."""
    folder = tmp_path_factory.mktemp("updates")
    update(tiny_base, folder, 1, *ONE_RANK)
    update(tiny_base, folder, 2, *TWO_RANKS)
    found = {}
    for name in NAMES:
        moved = load_file(folder / f"{name}.safetensors")
        flat = torch.cat([moved[key].flatten().double() for key in sorted(moved)])
        found[name] = flat, json.loads((folder / f"{name}.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES[1:])
def test_gradients_do_not_depend_on_the_cutting(updates, name):
    (expected, expected_metrics), (moved, metrics) = updates["whole"], updates[name]
    assert expected.norm() > 1e-3
    assert (moved - expected).norm() / expected.norm() < 1e-5
    early = ("advantage_reach", "first_advantage")
    for metric in ("policy_loss", "value_loss", "entropy", "actor_grad_norm", "critic_grad_norm", *early):
        assert metrics[metric] == pytest.approx(expected_metrics[metric], rel=1e-4, abs=1e-7), metric
