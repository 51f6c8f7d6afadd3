"""Names of files are published, folders of this machine are not."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.publishing.manifests import without_folders, without_folders_in_rows


@pytest.mark.parametrize(
    ("given", "published"),
    [
        ({"file": "/home/me/mine.jsonl"}, {"file": "mine.jsonl"}),
        ({"file": "../own/mine.jsonl"}, {"file": "mine.jsonl"}),
        ({"file": "own/mine.jsonl"}, {"file": "mine.jsonl"}),
        ({"file": "~/x/mine.jsonl"}, {"file": "mine.jsonl"}),
        ({"file": "file:///home/u/mine.jsonl"}, {"file": "mine.jsonl"}),
        ({"/home/u/key": "~/x"}, {"key": "x"}),
        ({"protect_files": ["a/b.jsonl", "c.csv"]}, {"protect_files": ["b.jsonl", "c.csv"]}),
        ({"id": "openai/gsm8k"}, {"id": "openai/gsm8k"}),
        ({"path": "Qwen/Qwen2.5-1.5B"}, {"path": "Qwen/Qwen2.5-1.5B"}),
        ({"stop": ["</answer>"]}, {"stop": ["</answer>"]}),
        ({"license": "CC-BY 4.0 and/or MIT"}, {"license": "CC-BY 4.0 and/or MIT"}),
        ({"n": 3, "x": None}, {"n": 3, "x": None}),
        ({"alarm": f"see {Path.cwd()}/a/b.jsonl, row 3"}, {"alarm": "see b.jsonl, row 3"}),
    ],
)
def test_paths_become_names_and_other_text_stays(given: dict, published: dict) -> None:
    assert without_folders(given) == published


def test_the_column_provenance_keeps_names_only() -> None:
    given = [
        '{"file":"/a/b c/mine.jsonl","row":1}',
        '{"file":"mine.jsonl","row":1}',
        '{"file":"~/é/mi\\"ne.jsonl","row":2}',
        '{"config":null,"hub":"openai/gsm8k","row":1}',
        '{"config":null,"hub":"/data/set","row":1}',
    ]
    rows = pl.DataFrame({"provenance": given}).select(without_folders_in_rows(pl.col("provenance")))
    assert rows["provenance"].to_list() == [
        '{"file":"mine.jsonl","row":1}',
        '{"file":"mine.jsonl","row":1}',
        '{"file":"mi\\"ne.jsonl","row":2}',
        '{"config":null,"hub":"openai/gsm8k","row":1}',
        '{"config":null,"hub":"set","row":1}',
    ]
