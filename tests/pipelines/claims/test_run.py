"""A whole claim with real training, tiny: its gate, its runs, its page, and the same again from the cache."""

import json
import re
from xml.etree import ElementTree

import polars as pl
import pytest

from pipelines.claims.cells import judge
from pipelines.claims.config import Gate
from pipelines.claims.page import write_index
from pipelines.claims.run import run_claim
from pipelines.cli.main import main
from rewards.contracts.files import write_json

TASK = """\
[gate]
longer_than = 1
right = 0.0
n_prompts = 4
most = 2

[run]
name = "tiny"

[run.curation.mix]
validation_share = 0.0

[[run.curation.sources]]
name = "addition"
license = "Apache-2.0"
generator = { family = "addition", digits = 2, n_problems = 60, seed = 0 }

[run.training]
n_steps = 2
prompt = { template = "bare" }

[run.training.model.scratch]
hidden = 32
n_layers = 1
n_heads = 1
intermediate = 32
max_tokens = 96

[run.training.model.warmup]
batch_size = 4
slips = 0.5
phases = [{ n_steps = 2, hasty = 0.5, rechecked = 0.5 }]

[run.training.rollout]
engine = "torch"
prompts_per_step = 2
samples_per_prompt = 2
max_prompt_tokens = 16
max_new_tokens = 8
kv_cache_gib = 0.1

[run.training.ppo]
critic_minibatches = 1

[run.training.deepspeed]
zero_stage = 0
precision = "fp32"
gradient_checkpointing = false

[run.evals]
benchmarks = []
"""
CLAIM = """\
statement = "A <tiny> model's reward is 0 & stays 0."
refuted_by = "a right answer"
cannot_show = "anything"
source = "none"
tasks = ["TASK"]
n_bases = 1
variants = [
    { name = "plain" },
    { name = "dealt", expect = "same", margin = 0.1, set = { "training.reward_terms.is_shuffled" = true } },
]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims")
    (folder / "task.toml").write_text(TASK)
    (folder / "tiny.toml").write_text(CLAIM.replace("TASK", str(folder / "task.toml")))
    said = []
    run_claim(str(folder / "tiny.toml"), folder / "runs", said.append)
    return folder, said


def test_every_run_is_made_once_and_said(made):
    folder, said = made
    lines = [line for line in said if isinstance(line, str)]
    assert lines[0].startswith(f"{folder}/tiny.toml: A <tiny> model's") and "have no interval" in lines[1]
    assert "base 0 passes" in lines[2]
    assert "plain: accuracy" in lines[3] and "dealt: accuracy" in lines[4]
    assert lines[-2] == "tiny: the measure is 0.000 in every run, which tells no variant from another"
    assert n_trained(folder) == 3  # The gate's sample and two variants.


def n_trained(folder):
    return len(list((folder / "runs" / "artifacts" / "train").glob("*/metrics.jsonl")))


def test_a_second_call_reuses_the_runs_and_writes_the_same_bytes(made):
    folder, _ = made
    pages = folder / "runs" / "claims" / "tiny"
    before = {path.name: path.read_bytes() for path in pages.iterdir()}
    run_claim(str(folder / "tiny.toml"), folder / "runs", lambda line: None)
    assert {path.name: path.read_bytes() for path in pages.iterdir()} == before
    assert n_trained(folder) == 3
    facts = json.loads(before["verdict.json"])
    assert facts["verdict"]["n_bases"] == 1 and facts["cpu_s"] > 0
    # One base and one seed have no interval, so nothing is shown.
    assert facts["verdict"]["outcome"] == "not shown"


def test_the_index_has_every_claim_and_no_markup_of_theirs(made):
    folder, _ = made
    markdown, page = write_index(folder / "runs" / "claims")
    text = page.read_text()
    assert "A &lt;tiny&gt; model" in text and "<tiny>" not in text and "<svg" in text
    assert "| plain | .000 |" in markdown.read_text() and "tiny/curves.svg" in markdown.read_text()
    # A claim run before the column was there keeps its page.
    facts = json.loads((folder / "runs" / "claims" / "tiny" / "verdict.json").read_text())
    for row in facts["verdict"]["rows"]:
        del row["first"]
    write_json(folder / "older" / "tiny" / "verdict.json", facts)
    (folder / "older" / "tiny" / "curves.svg.html").write_text("<svg>")
    assert write_index(folder / "older")[0].read_text() == markdown.read_text()


def drawn(n_chosen, n_right, n_others, text="1+1=2"):
    rows = [(100, "correct" if i < n_right else "wrong", f"{text} wait, no") for i in range(n_chosen)]
    rows += [(6, "correct", text)] * n_others
    return pl.DataFrame(rows, schema=["n_response_tokens", "reason", "response"], orient="row")


@pytest.mark.parametrize("longer_than", [40, None])
@pytest.mark.parametrize(
    ("sample", "passes"),
    [
        ((20, 15, 80), True),
        ((20, 13, 80), False),
        ((4, 4, 96), False),
        ((60, 60, 40), False),
        ((0, 0, 9), False),
    ],
)
def test_the_gate_asks_for_rare_and_skilled_work(longer_than, sample, passes):
    base = judge(Gate(longer_than=longer_than, right=0.7, share=(0.1, 0.5)), "t", 3, drawn(*sample), 1.0)
    assert base.passes is passes and base.share == pytest.approx(sample[0] / (sample[0] + sample[2]))


HOSTILE = 'a|b <script>x</script> [c](javascript:d) [/red] $e_ "f" `g'


@pytest.fixture(scope="module")
def hostile(made):
    """The claim's runs again, in words that mean something to a terminal, a browser or a plot."""
    folder, _ = made
    words = {"A <tiny> model's reward is 0 & stays 0.": HOSTILE, "plain": "_p $ [/red]|", "dealt": HOSTILE}
    text = CLAIM.replace("TASK", str(folder / "task.toml"))
    for old, new in words.items():
        text = text.replace(json.dumps(old), json.dumps(new))
    own = folder / "else" / 'my "<claim>".toml'
    own.parent.mkdir()
    own.write_text(text)
    runs = own.parent / "runs"
    runs.mkdir()
    (runs / "artifacts").symlink_to(folder / "runs" / "artifacts")
    return own, runs


def test_words_of_a_claim_are_text_wherever_they_are_shown(hostile, capsys):
    own, runs = hostile
    assert main(["claims", "--list", str(own)]) == 0
    assert main(["claims", str(own), "--runs", str(runs)]) == 0
    assert capsys.readouterr().out.count("[/red]") >= 3
    page, text = (runs / "claims" / "claims.html").read_text(), (runs / "claims" / "claims.md").read_text()
    for markup in ("<script", "<claim", "](javascript"):
        assert markup not in page.replace("[c](javascript:d)", "") and markup not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {8, 11}
    ElementTree.parse(runs / "claims" / own.stem / "curves.svg")


def test_what_is_not_a_verdict_is_left_out_of_the_page_and_said(hostile, caplog):
    _, runs = hostile
    for name, text in (("half", '{"name": "ha'), ("other", "[]"), ("older", "{}")):
        (runs / "claims" / name).mkdir(parents=True)
        (runs / "claims" / name / "verdict.json").write_text(text)
    markdown, _ = write_index(runs / "claims")
    assert caplog.text.count("left out of the page") == 3 and "half" not in markdown.read_text()


def test_a_claim_that_cannot_go_on_does_not_stop_the_next(made, tmp_path, capsys):
    folder, _ = made
    (tmp_path / "task.toml").write_text(
        TASK.replace("right = 0.0", "right = 1.0").replace("most = 2", "most = 1")
    )
    for name, task in (("strict", "task.toml"), ("mild", str(folder / "task.toml"))):
        (tmp_path / f"{name}.toml").write_text(CLAIM.replace("TASK", task))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "artifacts").symlink_to(folder / "runs" / "artifacts")
    names = [str(tmp_path / f"{name}.toml") for name in ("strict", "mild")]
    assert main(["claims", *names, "--runs", str(tmp_path / "runs")]) == 1
    said = capsys.readouterr()
    assert "mild: not shown" in said.out and "0 of 1 bases of task task.toml pass the gate" in said.err
    assert (tmp_path / "runs" / "claims" / "mild" / "verdict.json").exists()
