"""Train the tiny model one step off-policy, whole and interrupted; started by test_lag.py."""

import sys
from pathlib import Path

import polars as pl
import torch

from tests.training.conftest import STOP, tiny_config
from training.train import train


class Interrupted(Exception):
    """The run is interrupted here."""


def main(base: Path, rows: Path, out: Path) -> None:
    torch.set_num_threads(1)
    rollout = {"engine": "torch", "prompts_per_step": 4, "samples_per_prompt": 4, "max_prompt_tokens": 16}
    rollout |= {"max_new_tokens": 32, "stop": STOP, "kv_cache_gib": 0.25, "lag": 1, "max_mismatch": 1.0}
    config = tiny_config(
        rollout=rollout,
        ppo={"critic_minibatches": 2, "micro_batch_tokens": 2048, "max_importance_weight": 2.0},
    )
    prompts = pl.read_parquet(rows)
    train(config, prompts, base, out / "whole")

    def interrupt(step: int, metrics: dict) -> None:
        if step == 5:
            raise Interrupted

    try:
        train(config, prompts, base, out / "resumed", on_step=interrupt)
    except Interrupted:
        train(config, prompts, base, out / "resumed")
    on_policy = config.model_copy(update={"rollout": config.rollout.model_copy(update={"lag": 0})})
    train(on_policy, prompts, base, out / "on-policy")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
