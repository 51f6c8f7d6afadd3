"""The real vLLM engine, in a separate process.

At start, vLLM inspects every loaded module, and fails on some that other tests have loaded.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CHECKS = ("tests/training/rollout/vllm_checks.py", "tests/training/rollout/family_checks.py")


@pytest.mark.slow
def test_the_engine_passes_all_its_checks():
    command = [sys.executable, "-m", "pytest", *CHECKS, "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:]
    last = done.stdout.strip().splitlines()[-1]
    assert re.match(r"(=+ )?\d+ passed(, \d+ warnings?)? in", last), f"none skipped: {last}"
