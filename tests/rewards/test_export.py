import json

import polars as pl
import pytest
from datasets import load_dataset

from rewards.compiling.compile import compile_rewards
from rewards.config import RewardsConfig
from rewards.contracts.records import PROBLEM
from rewards.export import LAYOUTS, export_prompts


@pytest.fixture
def compiled() -> pl.DataFrame:
    optional = {column.name: None for column in PROBLEM.columns if column.is_optional}
    texts = {column.name: f"{column.name} é" for column in PROBLEM.columns} | optional
    rows = [texts | {"problem": f"What is {n}?", "answer": str(n), "problem_id": str(n)} for n in (1, 2)]
    return compile_rewards(PROBLEM.frame(rows), RewardsConfig()).compiled


def test_orz_layout(compiled: pl.DataFrame, tmp_path) -> None:
    """What the original's orz/ppo/dataset.py reads: two messages, a value and a ground truth."""
    dialogues = json.loads(export_prompts(compiled, tmp_path, "orz").read_text(encoding="utf-8"))
    assert all(len(dialogue) == 2 for dialogue in dialogues)
    assert [dialogue[0]["value"] for dialogue in dialogues] == ["What is 1?", "What is 2?"]
    assert [dialogue[1]["ground_truth"]["value"] for dialogue in dialogues] == ["1", "2"]
    assert [message["from"] for message in dialogues[0]] == ["human", "assistant"]


@pytest.mark.parametrize(
    ("layout", "kind", "expected"),
    [
        pytest.param(
            "trl",
            "json",
            {
                "prompt": [{"role": "user", "content": "What is 2?"}],
                "answer": "2",
                "problem_id": "2",
                "source": "source é",
            },
            id="trl",
        ),
        pytest.param(
            "openrlhf",
            "json",
            {"input": "What is 2?", "label": "2", "datasource": "source é"},
            id="openrlhf",
        ),
        pytest.param(
            "verl",
            "parquet",
            {
                "data_source": "source é",
                "prompt": [{"role": "user", "content": "What is 2?"}],
                "ability": "math",
                "reward_model": {"style": "rule", "ground_truth": "2"},
                "extra_info": {"split": "split é", "index": 1, "problem_id": "2"},
            },
            id="verl",
        ),
    ],
)
def test_layouts_load_as_data_sets(
    compiled: pl.DataFrame, tmp_path, layout: str, kind: str, expected: dict
) -> None:
    path = export_prompts(compiled, tmp_path, layout)
    rows = load_dataset(kind, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == 2
    assert rows[1] == expected


def test_an_unknown_layout_is_named(compiled: pl.DataFrame, tmp_path) -> None:
    with pytest.raises(ValueError, match="openrlhf, orz, trl, verl, got 'axolotl'"):
        export_prompts(compiled, tmp_path, "axolotl")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_no_rows(compiled: pl.DataFrame, tmp_path, layout: str) -> None:
    assert export_prompts(compiled.clear(), tmp_path, layout).exists()
