"""Grids and their table; the training of a cell is an ordinary run."""

import math
from pathlib import Path

import polars as pl
import pytest

from pipelines.ablate import COLUMNS, main, measure, plan_cells, read_grid, summary_rows

DEMO = Path(__file__).parents[2] / "configs" / "demo.toml"


def steps(rewards: list[float], tokens: list[float] | None = None) -> pl.DataFrame:
    n = len(rewards)
    frame = pl.DataFrame({"step": range(1, n + 1), "reward": rewards, "response_tokens": tokens or [9.0] * n})
    return frame.sample(fraction=1, shuffle=True, seed=3)


def test_a_run_is_measured_by_its_mean_its_end_and_its_first_good_step() -> None:
    rewards = [0.0, 0.9, 0.0, 0.8, 0.8, 0.8, 0.7, 0.9, 0.9, 1.0]
    evaluations = pl.DataFrame(
        {
            "step": [5, 10, 10, 10],
            "name": ["a/accuracy", "a/accuracy", "b/accuracy", "b/truncated"],
            "value": [0.1, 0.6, 0.8, 0.9],
        }
    )
    found = measure(steps(rewards, [1.0] * 5 + [10.0] * 4 + [20.0]), evaluations)
    assert found["held_out"] == pytest.approx(0.7)
    assert found["reward"] == pytest.approx(0.68)
    assert found["reward_last"] == pytest.approx(0.86)
    assert found["response_tokens"] == pytest.approx(12)
    assert found["steps_to_target"] == 6  # The single good second step does not count.
    without = measure(steps([0.79] * 6), evaluations.clear())
    assert without["steps_to_target"] is None
    assert math.isnan(without["held_out"] or 0)


def test_differences_are_paired_by_seed() -> None:
    """Seeds differ by 0.2, the variants by 0.1 at every seed: only the paired interval shows it."""
    rows = [
        {
            "variant": v,
            "seed": s,
            "reward": 0.2 * s + 0.1 * v,
            "reward_last": 0.9,
            "response_tokens": 12.0,
            "held_out": math.nan,
        }
        | {"steps_to_target": None if s else 7}
        for s in (2, 0, 1)
        for v in (0, 1)
    ]
    first, second = summary_rows(pl.DataFrame(rows), [{"a.b": 1}, {"a.b": 2}])
    assert len(first) == len(second) == len(COLUMNS)
    assert first == [
        "b=1",
        "0.200 [-0.297, 0.697]",
        "",
        "0.900 [0.900, 0.900]",
        "-",
        "12.0 [12.0, 12.0]",
        "7/-/-",
    ]
    assert second[2] == "0.100 [0.100, 0.100]"


@pytest.mark.parametrize(
    "vary, said",
    [
        pytest.param("training.ppo.gae_lambda", "expected KEY=VALUE,VALUE", id="no value"),
        pytest.param("training.ppo.gae_lamda=1", "did you mean 'gae_lambda'", id="unknown key"),
    ],
)
def test_a_wrong_grid_is_one_message(vary, said, config_file, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--config", str(config_file), "--vary", vary, "--runs", str(tmp_path / "runs")])
    assert said in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_every_cell_is_a_separate_run_that_is_reused() -> None:
    variants = read_grid(["training.ppo.gae_lambda=1.0,0.95", "training.actor.lr=1e-4"])
    cells = plan_cells(DEMO, variants, [0, 1], n_steps=30)
    assert len({cell.overrides["name"] for cell in cells}) == len(cells) == 4
    assert cells == plan_cells(DEMO, variants, [0, 1], n_steps=30)
    assert cells[3].overrides | {"name": ""} == {
        "training.ppo.gae_lambda": 0.95,
        "training.actor.lr": 1e-4,
        "training.seed": 1,
        "training.eval_every": 30,
        "training.n_steps": 30,
        "training.save_every": 30,
        "name": "",
    }


@pytest.mark.parametrize(
    ("vary", "seeds", "n_steps", "said"),
    [
        (["training.ppo.gae_lambda=1,0.9"], [0, 1, 0], None, "seed 0 is there twice"),
        (
            ["training.ppo.gae_lambda=1,0.9,1.0"],
            [0],
            None,
            "variant training.ppo.gae_lambda=1.0 is there twice",
        ),
        (["name=a,b"], [0], None, "--vary name: a cell decides it"),
        (["training.seed=1,2"], [0], None, "--vary training.seed: .* use --seeds"),
        (["training.n_steps=1,2"], [0], 3, "--vary training.n_steps: .* leave out --steps"),
        (["training.n_steps=1,2"], [0], None, ""),
        (["training.ppo.gae_lambda=0.9"], [-1, 7], 3, ""),
        (["training.ppo.gae_lambda=1,0.9", "training.model.seed=1,2"], [0], 3, ""),
    ],
)
def test_no_run_counts_twice_and_what_a_cell_decides_is_not_varied(vary, seeds, n_steps, said) -> None:
    if not said:
        assert len(plan_cells(DEMO, read_grid(vary), seeds, n_steps)) == len(read_grid(vary)) * len(seeds)
    else:
        with pytest.raises(ValueError, match=said):
            plan_cells(DEMO, read_grid(vary), seeds, n_steps)
