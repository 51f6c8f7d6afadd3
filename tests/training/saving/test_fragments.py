"""A checkpoint loads on another number of ranks and another ZeRO stage, to the last bit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def run(n_ranks: int, *arguments: str) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--rdzv-backend=c10d"]
    command += ["--rdzv-endpoint=127.0.0.1:0", f"--nproc-per-node={n_ranks}"]
    command += ["-m", "tests.training.saving.reshard_once", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_ranks_to_one_and_one_to_two_in_every_stage(tmp_path: Path, precision: str) -> None:
    for n_ranks, other in ((2, 1), (1, 2)):
        made = str(tmp_path / f"of-{n_ranks}")
        run(n_ranks, made, precision)
        run(other, str(tmp_path / f"{n_ranks}-to-{other}"), precision, made)
    run(2, str(tmp_path / "2-to-2"), precision, str(tmp_path / "of-2"))
