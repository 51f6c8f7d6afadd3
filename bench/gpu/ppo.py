"""Train SmolLM2-135M on word problems with PPO: colocated vLLM in sleep mode, probe at every step.

Held-out problems are evaluated before and after. If it is killed at its time limit, it continues when started
again.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

import polars as pl

from bench.gpu.setting import Job, make_config, read_job, timed
from curation.generators import generate
from curation.generators.family import GeneratorConfig
from rewards.contracts.prompts import render_prompt
from rewards.grader import score_batch
from training.base.base_model import make_base_model
from training.config import TrainingConfig
from training.rollout.engine import open_engine
from training.train import train

ROOT = Path(__file__).resolve().parents[2]
N_HELD_OUT = 200


def main() -> None:
    job = read_job()
    # One process per phase: an engine frees all GPU memory only when its process ends.
    for phase in ("before", "train", "after") if len(sys.argv) == 3 else ():
        subprocess.run([sys.executable, "-m", "bench.gpu.ppo", *sys.argv[1:], phase], check=True)
    if len(sys.argv) == 3:
        return compare(job)
    phase = sys.argv[3]
    rows, held_out = problems(job)
    config = settings(job)
    base = job.folder / "base" / "model"
    if not (base / "config.json").exists():
        make_base_model(config, rows, job.folder / "base")
    n_steps = config.total_steps

    def on_step(step: int, metrics: dict) -> None:
        job.note(step=step, of=n_steps, reward=metrics["reward"], mismatch=metrics["mismatch_mean"])

    exported = job.folder / "run" / "exports" / f"step-{n_steps:06d}" / "actor"
    if phase != "train":
        answer(job, config, base if phase == "before" else exported, held_out, phase)
    elif not exported.exists():
        train(config, rows, base, job.folder / "run", on_step=on_step)


def settings(job: Job) -> TrainingConfig:
    """The prompts of configs/smollm2.toml, with a batch size that suits a GPU."""
    table = tomllib.loads((ROOT / "configs" / "smollm2.toml").read_text())["training"]
    if job.small:
        demo = tomllib.loads((ROOT / "configs" / "demo.toml").read_text())["training"]
        model = {"scratch": demo["model"]["scratch"] | {"max_tokens": 160}}
        phases = [{"n_steps": 60, "careful": 0.6, "quick": 0.3}]
        model |= {"warmup": {"phases": phases, "batch_size": 16, "lr": 5e-3}}
        rollout = {"prompts_per_step": 4, "samples_per_prompt": 4, "max_new_tokens": 48, "kv_cache_gib": 0.25}
        return make_config(
            job,
            model,
            prompt={"template": "bare"},
            rollout=rollout | {"max_prompt_tokens": 96, "stop": ["</answer>"]},
            ppo={"critic_minibatches": 2, "micro_batch_tokens": 4096},
            actor={"lr": 3e-4, "warmup_steps": 1},
            critic={"lr": 1e-3, "warmup_steps": 1},
            n_steps=6,
            save_every=2,
        )
    if job.model is None:
        raise ValueError("--model: give the folder or the GGUF file of SmolLM2-135M")
    return make_config(
        job,
        {"gguf" if job.model.endswith(".gguf") else "path": job.model},
        prompt=table["prompt"],
        rollout={
            "prompts_per_step": 32,
            "samples_per_prompt": 16,
            "max_prompt_tokens": 512,
            "max_new_tokens": 256,
            "gpu_memory_utilization": 0.3,
        },
        actor={"lr": 2e-6, "warmup_steps": 10},
        critic={"lr": 1e-5, "warmup_steps": 10},
        n_steps=job.ppo_steps,
        save_every=20,
    )


def problems(job: Job) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Training prompts and held-out ones: from the given file, or generated."""
    if job.prompts is not None:
        frame = pl.read_parquet(job.prompts).sample(fraction=1, shuffle=True, seed=0)
    else:
        tasks = generate(GeneratorConfig(family="word_problem", digits=1, n_problems=1200, seed=3))
        made = [(f"p{i}", t.problem, t.answer, t.solution, "made", f"{i}") for i, t in enumerate(tasks)]
        columns = ["problem_id", "problem", "answer", "solution", "source", "source_id"]
        frame = pl.DataFrame(made, schema=columns, orient="row").with_columns(
            subject=pl.lit(None, dtype=pl.String)
        )
    n = 12 if job.small else N_HELD_OUT
    return frame.slice(n).with_columns(split=pl.lit("train")), frame.head(n)


def answer(job: Job, config: TrainingConfig, model: Path, held_out: pl.DataFrame, when: str) -> None:
    """Sample held-out problems four times each and store every verdict; does nothing if that is done."""
    file = job.folder / f"answers-{when}.parquet"
    if file.exists():
        return
    context = config.rollout.max_prompt_tokens + config.rollout.max_new_tokens
    engine = open_engine(config, model, context)
    texts = [render_prompt(problem, config.prompt) for problem in held_out["problem"]]
    n_samples = 4
    rows = [
        (question, sample, tokens, gold)
        for question, text, gold in zip(held_out["problem_id"], texts, held_out["answer"], strict=True)
        if len(tokens := engine.encode(text)) <= config.rollout.max_prompt_tokens
        for sample in range(n_samples)
    ]
    found, seconds = timed(
        lambda: engine.generate([row[2] for row in rows], list(range(len(rows))), config.rollout.sampling)
    )
    engine.close()
    asked = [(row[3], c.text, c.finish_reason) for row, c in zip(rows, found, strict=True)]
    verdicts = score_batch(asked)
    frame = pl.DataFrame(
        {
            "benchmark": ["held_out"] * len(rows),
            "question_id": [row[0] for row in rows],
            "sample": [row[1] for row in rows],
            "is_correct": [v.is_correct for v in verdicts],
            "n_response_tokens": [len(c.tokens) for c in found],
            "response": [c.text for c in found],
        }
    )
    frame.write_parquet(file)
    job.note(**{f"accuracy {when}": frame["is_correct"].mean(), f"evaluation {when}, s": seconds})


def compare(job: Job) -> None:
    """The paired change by question, if the statistics can be imported."""
    before, after = (pl.read_parquet(job.folder / f"answers-{when}.parquet") for when in ("before", "after"))
    try:
        from evals.statistics.compare import compare as paired
    except ImportError:  # scipy may be missing; the answers are stored, so this can be done later.
        return
    job.note(paired=paired(before, after).to_dicts()[0])


if __name__ == "__main__":
    main()
