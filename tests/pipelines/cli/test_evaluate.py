"""Any model is benchmarked without a configuration file: a folder, or a model that servers offer."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

from pipelines.cli.main import main
from rewards.contracts.files import read_json
from tests.pipelines.conftest import tiny_model

ROWS = [
    {"problem": "What is 2+3?", "answer": "5"},
    {"problem": "Which is even?", "answer": 1, "choices": ["3", "4"], "subject": "parity"},
]


class Server(BaseHTTPRequestHandler):
    """Answers 5 to everything."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send({"data": [{"id": "org/m", "object": "model"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        message = {"role": "assistant", "content": "So it is \\boxed{5}."}
        self.send({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    def send(self, body: dict) -> None:
        content = json.dumps({"id": "1", "object": "x", "created": 0, "model": "m", **body}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_a_served_model_needs_no_file_and_its_key_is_nowhere(cli, mine, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    command = ("eval", "org/m", "--endpoint", url, "--benchmarks", str(mine), "--n-samples", "2")
    done = cli(*command, "--runs", str(tmp_path / "runs"), OPENAI_API_KEY="sk-planted")
    server.shutdown()
    assert done.returncode == 0, done.stderr
    assert "profile chat" in done.stdout and "50.0 %" in done.stdout
    run = tmp_path / "runs" / "org--m"
    completions = pl.read_parquet(run / "evaluate-model" / "completions.parquet")
    assert completions["is_correct"].to_list() == [True, True, False, False]
    assert completions["n_response_tokens"].to_list() == [None] * 4  # the server does not count
    stated = read_json(run / "evaluate-model" / "conditions.json")["mine"]
    assert stated["engine"] == "endpoint" and stated["mode"] == "lenient" and stated["n_samples"] == 2
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"sk-planted" in path.read_bytes() for path in files) and "planted" not in done.stderr
    again = cli(*command, "--runs", str(tmp_path / "runs"))  # without the server: it is all there
    assert again.returncode == 0, again.stderr


def test_a_configuration_needs_nothing_but_evals(cli, mine, tmp_path):
    """Case ev1; what the model's folder says is used and said, what is asked for comes first."""
    tiny_model(tmp_path / "tiny", seed=0)
    (tmp_path / "tiny" / "generation_config.json").write_text('{"do_sample": true, "top_k": 20}')
    config = tmp_path / "some.toml"
    entry = f'name = "mine"\nkind = "custom"\nfile = "{mine}"\n'
    config.write_text(f"[evals]\nmax_new_tokens = 8\n[[evals.benchmarks]]\n{entry}")
    command = ("eval", "--config", str(config), "--model", str(tmp_path / "tiny"), "--engine", "torch")
    command += ("--name", "mine")
    done = cli(*command, "--own-sampling", "--runs", str(tmp_path / "runs"), "--evals.temperature", "0.5")
    assert done.returncode == 0, done.stderr
    assert "profile plain: the model has no chat template" in done.stdout and "top_k 20" in done.stdout
    stated = read_json(tmp_path / "runs" / "mine" / "evaluate-model" / "conditions.json")["mine"]
    wanted = {"temperature": 0.5, "top_k": 20, "max_new_tokens": 8, "engine": "torch", "precision": "fp32"}
    assert stated.items() >= wanted.items() and "torch" in stated["versions"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["eval"], "name a MODEL"),
        (["eval", "no/where/here"], "no such folder"),
        (["eval", "m", "--checkpoints"], "a MODEL goes without"),
        (
            ["eval", "--endpoint", "http://127.0.0.1:9/v1", "--config", "configs/demo.toml"],
            "MODEL's name there",
        ),
        (
            ["eval", "m", "--endpoint", "http://127.0.0.1:9/v1", "--benchmarks", "amie"],
            "unknown benchmark 'amie'",
        ),
        (["eval", "m", "--endpoint", "http://a:b@h/v1"], "must not contain a user"),
    ],
)
def test_what_is_missing_is_said_in_a_line(capsys, arguments, message, tmp_path):
    assert main([*arguments, "--runs", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert message in said and "a:b" not in said


def test_samples_of_another_tool_are_scored(cli, mine, tmp_path):
    rows = [
        {"doc_id": 0, "doc": {"question": "What is 2+3?"}, "target": "6", "resps": [["\\boxed{5}"]]},
        {"doc_id": 1, "doc": {"question": "What is [/b] 9?"}, "target": "9", "resps": [["\\boxed{9}"]]},
    ]
    samples = tmp_path / "samples_sums_2026-01-02T03-04-05.678.jsonl"
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ("score", str(samples), "--runs", str(tmp_path / "runs"), "--name", "theirs")
    done = cli(*command, "--benchmarks", str(mine))
    assert done.returncode == 0, done.stderr
    assert "lm-evaluation-harness, 2 responses" in done.stdout and "100.0 %" in done.stdout
    assert "another reference answer for 1 questions, such as 1 ('6', here '5')" in done.stdout
    assert "set aside  mine: 1 (no_question)" in done.stdout and "1 of 2 questions have no" in done.stdout
    run = tmp_path / "runs" / "theirs"
    assert pl.read_parquet(run / "sample-files" / "rejects.parquet")["problem"].to_list() == [
        "What is [/b] 9?"
    ]
    stated = read_json(run / "evaluate-files" / "conditions.json")["mine"]
    assert stated["engine"] == "lm-evaluation-harness" and stated["mode"] == "lenient"
    alone = cli(*command)
    assert alone.returncode == 0 and "50.0 %" in alone.stdout, alone.stderr
    assert cli("score", str(tmp_path / "none.jsonl")).returncode == 2
