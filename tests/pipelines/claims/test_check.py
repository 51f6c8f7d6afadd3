"""Claims beside their tasks: what no run could be is refused by name before the first run, and no more."""

import tomllib

import pytest

from pipelines.claims.cells import gate_values
from pipelines.claims.check import load_tasks
from pipelines.claims.config import Claim, load_task, with_values
from pipelines.claims.run import choose_claims
from pipelines.config import ConfigError
from tests.pipelines.claims.test_run import TASK

WORDS = dict.fromkeys(("statement", "refuted_by", "cannot_show", "source"), "x")
PLAIN = {"name": "plain"}


@pytest.fixture
def tried(tmp_path):
    """Check a claim with some fields changed, its task file beside it."""

    def check(task=TASK, **changed):
        (tmp_path / "task.toml").write_text(task)
        table = WORDS | {"tasks": ["task.toml"], "n_bases": 1, "variants": [PLAIN]} | changed
        return load_tasks(str(tmp_path / "mine.toml"), Claim.model_validate(table))

    return check


def lam(value, name="other"):
    return {"name": name, "set": {"training.ppo.gae_lambda": value}}


TESTED = {"evals.benchmarks": [{"name": "validation", "kind": "frame"}]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"variants": [PLAIN, lam(2)]},
            r"mine.toml: task task.toml, variant 'other': training.ppo.gae_lambda: .*got 2",
        ),
        (
            {"variants": [PLAIN, {"name": "b", "set": {"training.ppo.gae_lamda": 1}}]},
            r"'b': training.ppo.gae_lamda: unknown key; did you mean 'gae_lambda'",
        ),
        ({"set": {"curation.sources.7.name": "x"}}, r"curation.sources.7.name: no entry '7'"),
        ({"variants": [PLAIN, lam(1.0)]}, r"'other': has the same settings as 'plain'"),
        ({"n_bases": 3}, r"gate.most = 2 bases, but n_bases = 3 have to pass"),
        ({"set": {"training.model.seed": 4}}, r"training.model.seed is decided by the gate"),
        ({"measure": "held_out"}, r"'held_out' needs benchmarks: set evals.benchmarks"),
        ({"measure": "gain"}, r"'gain' needs benchmarks"),
        (
            {"measure": "held_out", "set": TESTED},
            r"set training.eval_every, now 0, to a divisor of the 2 steps",
        ),
        (
            {"measure": "held_out", "set": TESTED | {"training.n_steps": 5, "training.eval_every": 2}},
            r"set training.eval_every, now 2, to a divisor of the 5 steps",
        ),
        ({"measure": "turning_point", "set": {"training.n_steps": 19}}, r"20 steps or more, and .* have 19"),
        ({"tasks": ["nowhere.toml"]}, r"mine.toml: task nowhere.toml: no such file, neither in .* nor in"),
    ],
)
def test_what_no_run_could_be_is_named_before_the_first(tried, changed, message):
    with pytest.raises(ConfigError, match=message):
        tried(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"variants": [PLAIN, lam(0.9)]},
        {"n_bases": 2},
        {"measure": "gain", "set": TESTED},
        {"measure": "held_out", "set": TESTED | {"training.n_steps": 6, "training.eval_every": 2}},
        {"measure": "turning_point", "set": {"training.n_steps": 20}},
        {"set": {"training.n_steps": 9, "training.ppo.critic_warmup_steps": 5}},
        {"set": {"training.rollout.resample_rounds": 2}},
    ],
)
def test_what_can_run_is_not_refused(tried, changed):
    assert [*tried(**changed)] == ["task.toml"]


def test_a_gate_needs_bases_with_seeds_and_a_range(tried):
    with pytest.raises(ConfigError, match=r"gate.share: must be \[least, largest\]"):
        tried(TASK.replace("right = 0.0", "right = 0.0\nshare = [0.5, 0.1]"))
    table = tomllib.loads(TASK)["run"]["training"]["model"]
    assert {"scratch", "warmup"} == set(table)
    head, _, rest = TASK.partition("[run.training.model.scratch]")
    pretrained = (
        head
        + "[run.training.model]\npath = 'x'\n\n[run.training.rollout]"
        + rest.partition("[run.training.rollout]")[2]
    )
    with pytest.raises(ConfigError, match=r"not made from scratch and has no seeds .* remove its gate"):
        tried(pretrained)
    assert [*tried("[run]" + pretrained.partition("[run]")[2])] == ["task.toml"]


def test_the_gate_sees_the_base_alone_and_all_of_its_samples(tried):
    values = {
        "training.n_steps": 9,
        "training.actor.final_lr": 1e-6,
        "training.anneal.n_steps": 4,
        "training.ppo.critic_warmup_steps": 5,
        "training.ppo.critic_warmup_variance": 0.5,
        "training.rollout.resample_rounds": 3,
    }
    claim = Claim.model_validate(WORDS | {"tasks": ["x"], "variants": [PLAIN], "set": values})
    (task,) = tried(set=values).values()
    assert task.gate is not None
    training = with_values(task.run, gate_values(claim, task, task.gate, 3)).training
    assert training.total_steps == 1 and training.model.seed == 3
    assert not training.rollout.resample_rounds and not training.ppo.critic_warmup_steps


def test_a_run_is_found_from_the_folder_of_its_task(tmp_path):
    run = TASK.partition('name = "tiny"')[2].replace("[run.", "[")
    (tmp_path / "own.toml").write_text('name = "own"' + run)
    (tmp_path / "task.toml").write_text('run = "own.toml"\n')
    assert load_task("task.toml", tmp_path).run.name == "own"
    (tmp_path / "task.toml").write_text('run = "configs/demo.toml"\n')
    assert load_task("task.toml", tmp_path).run.name == "demo"


def test_all_claims_are_checked_before_the_first_and_none_shares_a_folder(tmp_path):
    text = "".join(f'{word} = "x"\n' for word in WORDS)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.toml").write_text(text + 'tasks = ["sums"]\nvariants = [{name = "v"}]\n')
    names = [str(tmp_path / folder / "mine.toml") for folder in ("a", "b")]
    assert choose_claims(names[:1]) == names[:1]
    with pytest.raises(ConfigError, match=r"a/mine.toml and .*b/mine.toml have one name"):
        choose_claims(names)
    (tmp_path / "late.toml").write_text(text + 'tasks = ["sumz"]\nvariants = [{name = "v"}]\n')
    with pytest.raises(ConfigError, match=r"late.toml: no task 'sumz'; there are: chain"):
        choose_claims(["lambda", str(tmp_path / "late.toml")])
