"""The GPU script: it imports only what a bare machine has, kills parts at their limit, keeps measurements."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

import bench.gpu.run as script

ROOT = Path(__file__).resolve().parents[1]
ABSENT = ("prefect", "tyro", "math_verify")
"""What a machine with torch, transformers, vLLM and DeepSpeed alone may lack."""


def test_its_parts_import_without_what_a_bare_machine_lacks():
    modules = sorted({f"bench.gpu.{module}" for module, _ in script.PARTS.values()})
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")
sys.meta_path.insert(0, Absent())
import {", ".join(modules)}
import training.train, training.rollout.engine, training.rollout.torch_sampler, training.saving.checkpoints
from rewards.grader import score_batch
print(score_batch([("1/2", r"</think><answer>\\boxed{{0.5}}</answer>", "stop")])[0].reward)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().endswith("1.0")


@pytest.fixture
def arguments(tmp_path):
    return argparse.Namespace(state=tmp_path, ppo_steps=2, small=True, model=None, prompts=None)


def test_a_part_that_overruns_is_ended_and_not_done(arguments, capsys):
    script.run_part("speed-0.5b", "speed", 0.01, arguments)
    assert not script.is_done(arguments.state, "speed-0.5b")
    assert "status -9" in capsys.readouterr().out


def test_a_part_that_fails_shows_the_end_of_its_log(arguments, capsys):
    script.run_part("smoke", "no_such_part", 60, arguments)
    assert not script.is_done(arguments.state, "smoke")
    assert "No module named bench.gpu.no_such_part" in capsys.readouterr().out


def test_small_files_of_a_part_are_copied_and_weights_are_not(tmp_path):
    part = tmp_path / "state" / "ppo"
    (part / "run").mkdir(parents=True)
    for name in ("figures.json", "log.txt", "model.safetensors", "run/metrics.jsonl"):
        (part / name).write_text(name)
    (tmp_path / "out").mkdir()
    script.copy_figures(tmp_path / "state", "ppo", tmp_path / "out")
    copied = {path.name for path in (tmp_path / "out" / "ppo").iterdir()}
    assert copied == {"figures.json", "log.txt", "metrics.jsonl"}


def test_our_calls_fit_the_installed_libraries():
    from bench.gpu.signatures import main

    assert main(None) == 0


def test_a_call_that_a_version_does_not_know_is_found(tmp_path, capsys):
    """torch 2.11's varlen_attn has no enable_gqa, 2.13's has; sleep took no level once; a method may go."""
    from bench.gpu.signatures import main

    folder = tmp_path / "torch" / "nn" / "attention"
    folder.mkdir(parents=True)
    text = (
        "def varlen_attn(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, "
        "window_size=(-1, -1){}):\n    pass\n"
    )
    (folder / "varlen.py").write_text(text.format(", enable_gqa=False"))
    place = tmp_path / "vllm" / "entrypoints"
    place.mkdir(parents=True)
    (place / "llm.py").write_text("class LLM:\n    def sleep(self):\n        pass\n")
    assert main(str(tmp_path)) == 1
    shown = capsys.readouterr().out
    assert "LLM.sleep: no argument level" in shown
    assert "LLM has no wake_up" in shown and "varlen_attn:" not in shown
    (folder / "varlen.py").write_text(text.format("").replace("scale=None, ", ""))
    main(str(tmp_path))
    assert "varlen_attn: no argument scale" in capsys.readouterr().out
