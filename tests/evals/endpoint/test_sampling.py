"""Sampling from servers on loopback that fail in every way that can be survived, and in some that cannot."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evals.config import EvalsConfig
from evals.endpoint.pool import EndpointError
from evals.endpoint.sampling import JOURNAL, sample_remote
from evals.endpoint_config import EndpointConfig
from evals.plan import Plan, make_plan
from evals.sampling import Generated
from evals.scoring import score
from rewards.contracts.files import canonical_json

ROOT = Path(__file__).resolve().parents[3]
SOON = {"retry-after-ms": "5"}


def ask(servers, sums, folder, profile="plain", retries=3, **fields) -> Generated:
    config, plan = planned(sums, profile, **fields)
    urls = [one if isinstance(one, str) else one.url for one in servers]
    endpoint = EndpointConfig(model="m", urls=urls, retries=retries, concurrency=4)
    (generated,) = sample_remote(endpoint, [plan], config=config, folder=folder)
    return generated


def planned(sums, profile="plain", **fields) -> tuple[EvalsConfig, Plan]:
    entry = {"name": "sums", "kind": "frame", "n_samples": 3}
    config = EvalsConfig(benchmarks=[entry], profile=profile, max_new_tokens=64, **fields)
    return config, make_plan(sums, config.benchmarks[0], config, canonical_json)


def test_both_apis_get_the_conditions_and_give_responses_in_the_order_of_the_plan(serve, sums, tmp_path):
    server = serve()
    cuts = {"top_k": 7, "min_p": 0.1, "repetition_penalty": 1.1, "presence_penalty": 0.5}
    plain = ask([server], sums, tmp_path / "plain", temperature=0.5, **cuts)
    expected = [(question, index) for question in sums.questions["question_id"] for index in range(3)]
    assert list(plain.responses.select("question_id", "sample").iter_rows()) == expected
    path, body, key = server.asked[0]
    assert (
        path == "/v1/completions" and body.items() >= {**cuts, "temperature": 0.5, "max_tokens": 64}.items()
    )
    assert "frequency_penalty" not in body and key == "Bearer none"
    right = score(plain.responses, sums, mode="lenient").completions
    assert 0 < right["is_correct"].sum() < 30
    assert right["n_response_tokens"].to_list() == [len(text) for text in right["response"]]
    ask([server], sums, tmp_path / "chat", "chat", system_prompt="Be brief.", template_args={"think": False})
    path, body, _ = server.asked[-1]
    assert path == "/v1/chat/completions" and [turn["role"] for turn in body["messages"]] == [
        "system",
        "user",
    ]
    assert body["chat_template_kwargs"] == {"think": False} and "top_k" not in body


def test_lost_answers_change_nothing(serve, sums, tmp_path):
    """Rate limits, errors and cut connections are survived, and a second server shares the work."""
    whole = ask([serve()], sums, tmp_path / "whole").responses
    first, second = serve(), serve()
    first.fault = lambda n, path, body: [None, (429, SOON, {}), (500, SOON, {}), None][n % 4]
    second.fault = lambda n, path, body: "cut" if n in (2, 5) else None
    generated = ask([first, second], sums, tmp_path / "faults")
    assert generated.responses.equals(whole)
    assert first.asked and second.asked and len(first.asked) + len(second.asked) > 30
    assert not (tmp_path / "faults" / JOURNAL).exists()


def test_a_server_that_dies_is_named_and_the_others_do_its_work(serve, sums, tmp_path, caplog):
    whole = ask([serve()], sums, tmp_path / "whole").responses
    dying, living = serve(), serve()

    def die(n, path, body):
        if n == 4:
            dying.server.socket.close()
        return "cut" if n >= 4 else None

    dying.fault = die
    generated = ask([dying, living], sums, tmp_path / "one", retries=0)
    assert generated.responses.equals(whole)
    assert f"endpoint {dying.url} is gone" in caplog.text and f"its work goes to {living.url}" in caplog.text


def test_without_any_server_the_run_stops_and_continues_later(serve, sums, tmp_path):
    dying, living = serve(), serve()

    def die(n, path, body):
        if n == 9:
            dying.server.socket.close()
        return "cut" if n >= 9 else None

    dying.fault = die
    with pytest.raises(EndpointError, match="no endpoint answers .*the same command continues"):
        ask([dying], sums, tmp_path / "kept", retries=0)
    stored = (tmp_path / "kept" / JOURNAL).read_bytes().count(b"\n")
    assert 4 <= stored <= 8
    with (tmp_path / "kept" / JOURNAL).open("ab") as file:
        file.write(b'{"key": "to')  # torn by a kill
    generated = ask([dying, living], sums, tmp_path / "kept", retries=0)
    assert len(living.asked) == 30 - stored
    assert generated.responses.equals(ask([serve()], sums, tmp_path / "whole").responses)


@pytest.mark.parametrize(
    "status, body, fields, message",
    [
        (
            400,
            "Unrecognized request argument supplied: top_k",
            {"top_k": 5},
            "supplied: top_k; beyond the API's own fields it was sent top_k",
        ),
        (401, "wrong key", {}, r"refuses the request: .*wrong key.*\$OPENAI_API_KEY"),
        (429, "insufficient_quota", {}, "insufficient_quota"),
        (500, "broken", {}, "lives but has failed one request 4 times"),
    ],
)
def test_what_cannot_be_survived_is_named(serve, sums, tmp_path, status, body, fields, message):
    server = serve()
    error = {"error": {"message": body, "code": body, "type": body}}
    server.fault = lambda n, path, sent: (status, SOON, error)
    with pytest.raises(EndpointError, match=message):
        ask([server], sums, tmp_path, retries=0, **fields)


def test_a_model_that_is_not_served_is_named(serve, sums, tmp_path):
    config, plan = planned(sums)
    endpoint = EndpointConfig(model="other", urls=[serve().url])
    with pytest.raises(EndpointError, match="has no model 'other'; it has m"):
        sample_remote(endpoint, [plan], config=config, folder=tmp_path)


def test_a_question_that_is_too_long_is_set_aside_with_all_its_samples(serve, sums, tmp_path):
    server = serve()
    said = {"error": {"message": "This model's maximum context length is 9 tokens", "code": 400}}
    server.fault = lambda n, path, body: (400, {}, said) if body["prompt"] == "3+1" else None
    generated = ask([server], sums, tmp_path)
    assert generated.responses.height == 27 and generated.rejects["problem"].to_list() == ["3+1"]
    assert "maximum context length is 9" in generated.rejects["detail"][0]
    server.fault = lambda n, path, body: None
    server.choice = {"finish_reason": "length"}  # some servers shorten the response without a word
    generated = ask([server], sums, tmp_path / "short")
    assert (
        generated.responses.is_empty()
        and "of 64 tokens: its context is full" in generated.rejects["detail"][0]
    )


def test_reasoning_and_stop_strings_that_the_server_cut_off_are_put_back(serve, sums, tmp_path):
    server = serve()
    server.choice = {"message": {"role": "assistant", "content": None, "reasoning_content": "hm"}}
    assert set(ask([server], sums, tmp_path / "a", "chat").responses["response"]) == {"<think>hm"}
    server.choice = {"message": {"role": "assistant", "content": "4", "reasoning": "hm"}}
    assert set(ask([server], sums, tmp_path / "b", "chat").responses["response"]) == {"<think>hm</think>4"}
    server.choice = {"text": "x</think><answer>4", "stop_reason": "</answer>"}
    ended = ask([server], sums, tmp_path / "c", "orz").responses["response"]
    server.choice = {"text": "x</think><answer>4"}  # a server that does not say
    assert set(ended) == set(ask([server], sums, tmp_path / "d", "orz").responses["response"])
    assert set(ended) == {"x</think><answer>4</answer>"}


def test_a_server_with_another_name_for_the_limit_is_understood(serve, sums, tmp_path):
    server = serve()
    said = {"error": {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}}
    server.fault = lambda n, path, body: (400, {}, said) if "max_tokens" in body else None
    assert ask([server], sums, tmp_path, "chat").responses.height == 30
    assert server.asked[-1][1]["max_completion_tokens"] == 64


def test_the_key_is_sent_and_written_nowhere(serve, sums, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    caplog.set_level(logging.DEBUG)
    server = serve()
    ask([server], sums, tmp_path)
    assert {key for _, _, key in server.asked} == {"Bearer sk-planted"}
    assert "sk-planted" not in caplog.text
    assert not any(b"sk-planted" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not EndpointConfig(model="m", urls=["http://gpu.example:8000/v1"]).sends_key(
        "http://gpu.example/v1"
    )
    assert EndpointConfig(model="m", urls=["https://api.example/v1"]).sends_key("https://api.example/v1")
    for bad in ("http://me:secret@h/v1", "http://h/v1?key=secret", "h:8000"):
        with pytest.raises(ValueError) as refused:
            EndpointConfig(model="m", urls=[bad])
        assert "secret" not in str(refused.value.errors()[0]["msg"])


CHILD = """
import sys
import polars as pl
from pathlib import Path
from evals.benchmarks import from_frame
from tests.evals.endpoint.test_sampling import ask
rows = pl.DataFrame({"problem": [f"{a}+{b}" for a in range(5) for b in range(2)],
                     "answer": [str(a + b) for a in range(5) for b in range(2)]})
ask(sys.argv[2:], from_frame("sums", rows), Path(sys.argv[1]))
"""


def test_a_killed_run_keeps_every_response_that_it_had(serve, sums, tmp_path):
    server, journal = serve(), tmp_path / "killed" / JOURNAL
    held = []

    def hold(n, path, body):
        if n > 12:
            held.append(n)
            server.lock.release()
            time.sleep(600)
        return None

    server.fault = hold
    with (tmp_path / "output").open("w") as output:
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(journal.parent), server.url],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        while len(held) < 4:
            assert child.poll() is None, (tmp_path / "output").read_text()
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
        child.wait()
    stored = [json.loads(line) for line in journal.read_bytes().splitlines()]
    assert len(stored) == 12
    other = serve()
    generated = ask([other], sums, journal.parent)
    assert len(other.asked) == 18
    assert generated.responses.equals(ask([serve()], sums, tmp_path / "whole").responses)
