"""A checkpoint loads on another number of ranks and another ZeRO stage, to the last bit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def run(n_ranks: int, *arguments: str) -> None:
    command = [sys.executable, "-m"]
    if n_ranks > 1:
        command += ["torch.distributed.run", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
        command += [f"--nproc-per-node={n_ranks}", "-m"]
    command += ["tests.training.saving.reshard_once", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_two_ranks_to_one_and_one_to_two_in_every_stage_and_precision(tmp_path: Path) -> None:
    folder = str(tmp_path)
    run(2, folder, "of-2", "2-to-2=of-2")
    run(1, folder, "of-1", "2-to-1=of-2")
    run(2, folder, "1-to-2=of-1")
    loaded = sorted(path.parent.parent.name for path in tmp_path.rglob("next.pt"))
    assert loaded == sorted(["2-to-2", "2-to-1", "1-to-2"] * 2 * 4 * 4)
