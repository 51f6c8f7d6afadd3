"""The real vLLM engine, in a separate process.

At start, vLLM inspects every loaded module, and fails on some that other tests have loaded.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CHECKS = "tests/training/rollout/vllm_checks.py"


@pytest.mark.slow
def test_the_engine_passes_all_its_checks():
    n_checks = (ROOT / CHECKS).read_text().count("\ndef test_")
    command = [sys.executable, "-m", "pytest", CHECKS, "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:]
    assert f"{n_checks} passed" in done.stdout
