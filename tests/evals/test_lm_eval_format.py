import json

import polars as pl
import pytest

from evals.config import BenchmarkConfig, EvalsConfig
from evals.lm_eval_format import write_lm_eval
from rewards.contracts.files import hash_text


@pytest.fixture
def written(make_completions, tmp_path):
    config = EvalsConfig(benchmarks=tuple(BenchmarkConfig(name=name) for name in ("toy", "other")))
    frame = pl.concat(
        [make_completions({"a": "10", "b": "00"}), make_completions({"c": "1"}, benchmark="other")]
    )
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=3)
    options = {"model": "runs/x/train", "n_all": {"toy": 1319}}
    paths = write_lm_eval(tmp_path / "out", frame, config, **options)
    again = write_lm_eval(tmp_path / "again", shuffled.sort("key"), config, **options)
    assert {path.name: path.read_bytes() for path in paths} == {
        path.name: path.read_bytes() for path in again
    }
    # As lm_eval.utils finds results, and the task in a file's name.
    assert [path.name for path in paths if "/results_" in str(path)] == [paths[0].name]
    return {path.name.split("_")[1 if "samples" in path.name else 0]: path.read_text() for path in paths}


def test_results_have_the_harness_keys(written):
    results = json.loads(written["results"])
    toy = results["results"]["toy"]
    assert (toy["alias"], toy["sample_len"]) == ("toy", 2)
    assert toy["exact_match,none"] == 0.25
    assert toy["exact_match_stderr,none"] == pytest.approx(0.25)  # half of |0.5 - 0|
    assert toy["pass_at_k,none"] == 0.5
    assert set(results) >= {"configs", "versions", "n-shot", "higher_is_better", "n-samples", "config"}
    for part in ("results", "versions", "n-shot", "configs", "task_hashes", "n-samples"):
        assert set(results[part]) == {"toy", "other"}
    assert results["n-samples"] == {
        "toy": {"original": 1319, "effective": 2},
        "other": {"original": 1, "effective": 1},
    }


def test_sample_rows_hold_all_responses_of_a_question(written):
    rows = [json.loads(line) for line in written["toy"].splitlines()]
    assert [row["doc_id"] for row in rows] == [0, 1]
    assert [row["doc"]["question_id"] for row in rows] == ["a", "b"]
    assert [len(row["resps"][0]) for row in rows] == [2, 2]
    assert rows[0]["filtered_resps"] == ["4", "5"]
    assert [row["exact_match"] for row in rows] == [0.5, 0.0]
    # scripts/zeno_visualize.py of lm-eval reads every metric that the task's configuration lists.
    listed = json.loads(written["results"])["configs"]["toy"]["metric_list"]
    assert listed and all(each["metric"] in row for each in listed for row in rows)
    assert rows[0]["prompt_hash"] == hash_text("What is a?")
