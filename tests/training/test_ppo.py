"""The update with real DeepSpeed engines: how tokens are divided among batches and ranks does not matter."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]


def update(base: Path, out: Path, *switches: str, ranks: int = 1, zero: int = 0, tokens: int = 100_000):
    """Run update_once.py; returns the movement of all weights as one vector, and the metrics."""
    command = [sys.executable, "-m"]
    if ranks > 1:
        command += ["torch.distributed.run", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
        command += [f"--nproc-per-node={ranks}", "-m"]
    command += ["tests.training.children.update_once", str(base), str(out), str(zero), str(tokens), *switches]
    environment = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    import os

    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    moved = load_file(out)
    flat = torch.cat([moved[name].flatten().double() for name in sorted(moved)])
    return flat, json.loads(out.with_suffix(".json").read_text())


@pytest.fixture(scope="module")
def whole(tiny_base, tmp_path_factory):
    """One rank, no sharding, everything in one micro-batch."""
    return update(tiny_base, tmp_path_factory.mktemp("update") / "whole.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize(
    "switches, options",
    [
        pytest.param([], {"tokens": 40}, id="micro-batches"),
        pytest.param(["offload"], {"zero": 2, "tokens": 60}, id="zero-2, offload"),
        pytest.param([], {"zero": 3}, id="zero-3"),
        pytest.param([], {"ranks": 2, "zero": 0, "tokens": 50}, id="two ranks"),
        pytest.param(["early"], {"ranks": 2, "zero": 2, "tokens": 50}, id="two ranks, zero-2, early values"),
        pytest.param(["recompute"], {"ranks": 2, "zero": 3, "tokens": 50}, id="two ranks, zero-3"),
    ],
)
def test_gradients_do_not_depend_on_the_cutting(whole, tiny_base, tmp_path, switches, options):
    expected, expected_metrics = whole
    moved, metrics = update(tiny_base, tmp_path / "moved.safetensors", *switches, **options)
    assert expected.norm() > 1e-3
    assert (moved - expected).norm() / expected.norm() < 1e-5
    for name in ("policy_loss", "value_loss", "entropy", "actor_grad_norm", "critic_grad_norm"):
        assert metrics[name] == pytest.approx(expected_metrics[name], rel=1e-4, abs=1e-7), name
