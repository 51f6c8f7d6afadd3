import signal
import sys
import threading
import time
from pathlib import Path

import polars as pl
import psutil
import pytest

from evals.lm_eval_format import DATE
from evals.plan import hash_plan, make_plans
from evals.sampling import RESPONSE
from pipelines.artifacts.artifact import Draft
from pipelines.artifacts.workspace import Workspace
from pipelines.benchmarks import load_benchmarks
from pipelines.jobs.process import run_child
from pipelines.jobs.progress import MARK, Progress
from pipelines.stages import sample
from pipelines.stages.evaluate import evaluate_stage, score_stage
from pipelines.stages.models import Model
from pipelines.stages.sample import STAGE, collect, run_engines
from rewards.contracts.records import REJECT


def test_parts_of_a_stage_add_up_their_progress(monkeypatch):
    shown = []
    monkeypatch.setattr(Progress, "advance", lambda self, *counts, **fields: shown.append(counts))
    progress = Progress("sample", "responses", n_parts=2)
    progress.part(0)(MARK + '{"done": 3, "total": 5}')
    progress.part(1)(MARK + '{"done": 1, "total": 4}')
    progress.part(0)(MARK + '{"done": 5, "total": 5}')
    assert shown == [(3, None), (4, 9), (6, 9)]


def test_reference_answers_do_not_decide_what_is_sampled(licensed_run):
    config = licensed_run.config
    (benchmark,) = load_benchmarks(config)
    (plan,) = make_plans(config.evals, [benchmark], None)
    changed = plan.prompts.with_columns(answer=pl.lit("0"))
    assert hash_plan(plan) == hash_plan(type(plan)(plan.benchmark, plan.conditions, plan.n_samples, changed))


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no config\.json; give the folder of a Hugging Face model"):
        Model.of_folder(tmp_path)


def small_evaluation(run: Workspace, folder: Path, **evals) -> Workspace:
    dump = run.config.model_dump()
    dump["training"]["rollout"]["engine"] = "torch"
    dump["evals"]["benchmarks"] = ({"name": "sums", "kind": "frame", "limit": 6, "n_samples": 2},)
    dump["evals"] |= {"prompt": {"template": "bare"}, "max_new_tokens": 12, **evals}
    return Workspace.open(type(run.config).model_validate(dump), folder)


def interrupt():
    """Send a real signal, which wakes a main thread that waits for a lock."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


@pytest.mark.parametrize(
    "end, error",
    [
        pytest.param(lambda: sys.exit("lost"), SystemExit, id="one fails"),
        pytest.param(interrupt, KeyboardInterrupt, id="interrupted"),
    ],
)
def test_engines_end_together(licensed_run, tmp_path, monkeypatch, end, error):
    """One engine samples for ten minutes; the stage must not wait for it."""
    workspace = small_evaluation(licensed_run, tmp_path, n_engines=2)

    def fake(job, log, on_line, stop):
        if job.part == 1:
            time.sleep(0.1)  # both have been started
            end()
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        run_child(command, log=log, on_line=on_line, stop=stop)

    monkeypatch.setattr(sample, "run_job", fake)
    before = psutil.Process().children()  # other tests' helpers
    # Shells that start the tests in the background have them ignore interrupts.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(error):
            run_engines(workspace, tmp_path, tmp_path, "sample-base")
    finally:
        signal.signal(signal.SIGINT, handler)
    assert set(psutil.Process().children()) <= set(before)


def test_a_context_too_short_for_every_question_says_what_to_raise(licensed_run, tmp_path):
    (plan,) = make_plans(licensed_run.config.evals, load_benchmarks(licensed_run.config), None)
    reject = {
        "step": "generate",
        "reason": "prompt_too_long",
        "detail": "prompt of 900 tokens",
        "source": "sums",
    }
    (tmp_path / "completions").mkdir()
    pl.DataFrame(schema=RESPONSE).write_parquet(tmp_path / "completions/sums.0.responses.parquet")
    rejects = REJECT.frame([reject | {"source_id": "1", "problem": "1+1", "answer": "2"}])
    rejects.write_parquet(tmp_path / "completions/sums.0.rejects.parquet")
    with pytest.raises(ValueError, match=r"prompt of 900 tokens.*raise evals\.max_prompt_tokens"):
        collect(Draft(tmp_path), [plan], n_engines=1)


@pytest.mark.slow
def test_two_engines_give_what_one_gives_and_scoring_needs_neither(trained_run, tmp_path):
    """Real engines in real processes; then scores and statistics are computed again without a model."""
    results = []
    for n_engines in (1, 2):
        workspace = small_evaluation(trained_run, tmp_path / str(n_engines), n_engines=n_engines)
        model = Model.of_stage(trained_run.linked("base"))
        evaluated = evaluate_stage(workspace, trained_run.linked("rewards"), model, "base")
        results.append((workspace.linked("sample-base"), evaluated))
    (one, scored), (two, _) = results
    assert one.read("responses.parquet").height == 12
    assert one.read("responses.parquet").equals(two.read("responses.parquet"))
    assert {path.name for path in (scored.folder / "lm-eval").iterdir()} == {
        f"results_{DATE}.json",
        f"samples_sums_{DATE}.jsonl",
    }
    assert "model" not in STAGE.packages and scored.manifest["inputs"]["sample"] == one.content
    again = Workspace.open(workspace.config, tmp_path / "again")
    benchmarks = load_benchmarks(again.config, trained_run.linked("rewards").read("prompts.parquet"))
    rescored = score_stage(again, benchmarks, one, "evaluate-base")
    assert rescored.content == scored.content


def test_every_exported_checkpoint_is_found_with_its_own_content(trained_run):
    checkpoints = Model.of_checkpoints(trained_run)
    assert list(checkpoints) == ["step-000001", "step-000002"]
    assert len({model.content for model in checkpoints.values()}) == 2
