"""Pass rates from a real, tiny model; kept, hard and rejected problems; a killed run that resumes."""

from pathlib import Path

import polars as pl
import pytest

from curation.difficulty import COUNTS, DifficultyConfig, counts_of_rollouts, measure, sort_by_difficulty
from curation.generators import generate
from curation.generators.family import GeneratorConfig
from rewards.contracts.engine import Sampling
from rewards.contracts.prompts import PromptConfig
from rewards.contracts.records import ROLLOUT
from training.config import TrainingConfig
from training.rollout.engine import open_engine

CONFIG = DifficultyConfig(n_samples=4, chunk=5)
CONDITIONS = (PromptConfig(template="bare"), Sampling(24, stop=("</answer>",)), CONFIG)
PROMPTS = pl.DataFrame(
    [
        (f"p{number}", task.problem, task.answer, "sums", str(number))
        for number, task in enumerate(
            generate(GeneratorConfig(family="addition", digits=1, n_problems=12, seed=5))
        )
    ],
    schema=["problem_id", "problem", "answer", "source", "source_id"],
    orient="row",
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    import torch

    from training.base.base_model import make_base_model

    torch.set_num_threads(1)
    config = TrainingConfig.model_validate(
        {
            "model": {
                "scratch": {"hidden": 64, "n_layers": 2, "n_heads": 2, "intermediate": 128, "max_tokens": 64},
                "warmup": {"phases": [{"n_steps": 150, "careful": 0.0, "quick": 1.0}], "batch_size": 64},
            },
            "prompt": {"template": "bare"},
            "n_steps": 1,
            "rollout": {"max_prompt_tokens": 16, "max_new_tokens": 24, "engine": "torch"},
            "deepspeed": {"precision": "fp32"},
        }
    )
    rows = PROMPTS.with_columns(split=pl.lit("train"), solution=pl.lit(""), subject=pl.lit(None, pl.String))
    folder = make_base_model(config, rows, tmp_path_factory.mktemp("base"))
    opened = open_engine(config, folder, 64)
    yield opened
    opened.close()


class Interrupted:
    """The same engine, interrupted after some calls."""

    def __init__(self, engine, n_calls: int) -> None:
        self.engine, self.n_calls = engine, n_calls
        self.fingerprint, self.max_model_tokens = engine.fingerprint, engine.max_model_tokens

    def encode(self, text, *, bos=True):
        return self.engine.encode(text)

    def generate(self, *arguments, **named):
        if not self.n_calls:
            raise KeyboardInterrupt
        self.n_calls -= 1
        return self.engine.generate(*arguments, **named)


def test_counts_are_the_same_after_a_kill(engine, tmp_path: Path):
    whole = measure(engine, PROMPTS, *CONDITIONS, tmp_path / "whole")
    assert whole.schema == COUNTS and whole["problem_id"].to_list() == PROMPTS["problem_id"].to_list()
    assert (whole["n_samples"] == 4).all() and whole["n_solved"].sum() > 0
    with pytest.raises(KeyboardInterrupt):
        measure(Interrupted(engine, 1), PROMPTS, *CONDITIONS, tmp_path / "killed")
    (shard,) = (tmp_path / "killed").iterdir()
    with shard.open("ab") as file:
        file.write(b'[{"problem_id": "p5", "n_sam')
    seen: list[int] = []
    resumed = measure(Interrupted(engine, 2), PROMPTS, *CONDITIONS, tmp_path / "killed", seen.append)
    assert resumed.equals(whole) and seen == [5, 5, 2]
    (other,) = (tmp_path / "whole").iterdir()
    assert shard.name == other.name and shard.read_bytes() == other.read_bytes()


def test_a_prompt_without_room_is_not_measured(engine, tmp_path: Path):
    long = PROMPTS.head(2).with_columns(
        problem=pl.when(pl.col("problem_id") == "p0").then(pl.lit("1+" * 40 + "1=?")).otherwise("problem")
    )
    counts = measure(engine, long, *CONDITIONS, tmp_path)
    assert counts["problem_id"].to_list() == ["p1"]
    rejects = sort_by_difficulty(long, counts, CONFIG).rejects
    assert ("not_measured", "0") in rejects.select("reason", "source_id").rows()


@pytest.mark.parametrize(
    ("changes", "kept", "hard"),
    [
        pytest.param({}, ["rare", "often"], ["never", "rare"], id="paper"),
        pytest.param({"hard_unsolved": False}, ["rare", "often"], ["rare"], id="hard but solvable"),
        pytest.param(
            {"drop_none_solved": False}, ["never", "rare", "often"], ["never", "rare"], id="keep none"
        ),
        pytest.param(
            {"drop_all_solved": False}, ["rare", "often", "always"], ["never", "rare"], id="keep all"
        ),
        pytest.param({"hard_below": 5}, ["rare", "often"], ["never", "rare", "often"], id="wider"),
    ],
)
def test_problems_are_sorted_by_pass_rate(changes, kept, hard):
    solved = {"never": 0, "rare": 3, "often": 4, "always": 64}
    prompts = pl.DataFrame(
        [(name, "1+1=?", "2", "s", name) for name in solved],
        schema=["problem_id", "problem", "answer", "source", "source_id"],
        orient="row",
    )
    counts = pl.DataFrame([(name, 64, n, 0) for name, n in solved.items()], schema=COUNTS, orient="row")
    result = sort_by_difficulty(prompts, counts, DifficultyConfig(**changes))
    assert result.kept["problem_id"].to_list() == kept
    assert result.hard["problem_id"].to_list() == hard
    assert result.kept.filter(pl.col("problem_id") == "rare")["pass_rate"].to_list() == [3 / 64]
    assert result.kept.height + result.rejects.height == prompts.height


def test_rollouts_of_the_trainer_count_too():
    row = dict.fromkeys(ROLLOUT.names)
    row |= {"problem_id": "a", "reward": 1.0, "reason": "correct", "finish_reason": "stop"}
    rows = [
        row,
        # A shaped reward: wrong, but not nothing.
        row | {"reward": 0.1, "reason": "wrong"},
        row | {"reward": 0.0, "reason": "truncated", "finish_reason": "length"},
        row | {"problem_id": "b"},
    ]
    counts = counts_of_rollouts(pl.LazyFrame(rows, schema=ROLLOUT.polars))
    assert counts.rows() == [("a", 3, 1, 1), ("b", 1, 1, 0)]


def test_nothing_sampled_is_an_error_that_says_why():
    with pytest.raises(ValueError, match="none of 12 problems was sampled.*max_prompt_tokens"):
        sort_by_difficulty(PROMPTS, pl.DataFrame(schema=COUNTS), CONFIG)
