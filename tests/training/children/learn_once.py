"""Train one tiny model through the whole loop, twice; started by test_learning.py.

Once as the paper does it, and for a few steps as VAPO does it: the critic warms up, lambdas by length, and so
on. Metrics and all other records go to the folders `plain` and `value-based` of the second argument.
"""

import sys
from pathlib import Path

import polars as pl
import torch

from rewards.contracts.engine import Sampling
from tests.training.conftest import STOP, tiny_config
from training.base.base_model import make_base_model
from training.config import TrainingConfig
from training.sections.model import CorpusPhase, WarmupConfig
from training.train import train

N_STEPS = 20
VALUE_BASED = {
    "critic_warmup_steps": 2,
    "adaptive_lambda": 0.3,
    "positive_lm_coef": 0.1,
    "mask_truncated": True,
    "clip_eps_high": 0.28,
}


def configure(is_value_based: bool) -> TrainingConfig:
    model = tiny_config().model
    # It learns to work out sums, and then to give mostly quick answers, most of them wrong.
    phases = (
        CorpusPhase(n_steps=250, careful=0.9, quick=0.1),
        CorpusPhase(n_steps=40, careful=0.15, quick=0.75),
    )
    warmup = WarmupConfig(phases=phases, batch_size=64, lr=5e-3)
    n_steps = 5 if is_value_based else N_STEPS
    return tiny_config(
        model=model.model_copy(update={"warmup": warmup}),
        n_steps=n_steps,
        save_every=n_steps,
        rollout={
            "engine": "torch",
            "prompts_per_step": 16,
            "samples_per_prompt": 8,
            "max_prompt_tokens": 16,
            "max_new_tokens": 32,
            "stop": STOP,
            "kv_cache_gib": 0.25,
            "resample_rounds": 2 if is_value_based else 0,
        },
        ppo={"critic_minibatches": 4, "micro_batch_tokens": 8192} | (VALUE_BASED if is_value_based else {}),
        actor={"lr": 4e-4, "warmup_steps": 5},
        critic={"lr": 1e-3, "warmup_steps": 5},
        eval_every=N_STEPS // 2,
    )


def learn(rows: pl.DataFrame, base: Path, out: Path, is_value_based: bool) -> None:
    def evaluate(engine, step, share):
        prompts = [engine.encode(f"{problem}<think>") for problem in rows["problem"].head(8)]
        found = engine.generate(prompts, [step] * 8, Sampling(32, stop=STOP))
        return {"first/finished": (float(sum(not c.is_truncated for c in found)), len(found))}

    train(
        configure(is_value_based),
        rows,
        base,
        out,
        tensorboard=out / "tensorboard",
        read_texts=lambda texts: [("+" in text, 0.0) for text in texts],
        evaluate=evaluate,
    )


def main(file: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    rows = pl.read_parquet(file)
    base = make_base_model(configure(False), rows, folder / "base")
    learn(rows, base, folder / "plain", False)
    learn(rows, base, folder / "value-based", True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
