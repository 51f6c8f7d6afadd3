import pytest

from evals.plan import make_plan
from evals.replay import Replay
from evals.sampling import sample


def test_stored_samples_answer_for_the_model(sums, config, toy_engine, tmp_path):
    plan = make_plan(sums, config.benchmarks[0], config)
    first = sample(toy_engine(), plan, config=config, folder=tmp_path / "first")
    again = sample(Replay(tmp_path / "first"), plan, config=config, folder=tmp_path / "again")
    assert again.responses.drop("key", "n_prompt_tokens").equals(
        first.responses.drop("key", "n_prompt_tokens")
    )


def test_a_response_that_is_not_stored_says_what_to_match(sums, config, toy_engine, tmp_path):
    plan = make_plan(sums, config.benchmarks[0], config)
    sample(toy_engine(), plan, config=config, folder=tmp_path)
    other = config.model_copy(update={"seed": 7})
    with pytest.raises(ValueError, match="not stored there; use the seed"):
        sample(Replay(tmp_path), plan, config=other, folder=tmp_path / "again")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param(b'{"seed": 1, "resp', "row 1: not JSON", id="torn"),
        pytest.param(b'{"seed": 1, "response": "x"}', "row 1: field 'n_response_tokens'", id="field"),
        pytest.param(b"", "no stored samples", id="empty"),
    ],
)
def test_bad_files_are_named(line, message, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(line)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        Replay(tmp_path)


def test_two_runs_in_one_folder_are_refused_and_a_row_written_twice_is_not(tmp_path):
    row = '{"seed": 1, "response": "%s", "n_response_tokens": 3, "finish_reason": "stop"}\n'
    (tmp_path / "a.jsonl").write_text(row % "4" + row % "4")
    assert len(Replay(tmp_path).rows) == 1
    (tmp_path / "b.jsonl").write_text(row % "5")
    with pytest.raises(ValueError, match="b.jsonl, row 1: seed 1 has another response"):
        Replay(tmp_path)
