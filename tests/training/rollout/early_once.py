"""Train the tiny model with early values, whole and interrupted, and without; run by test_early_values.py."""

import sys
import time
from pathlib import Path

import polars as pl
import torch

from tests.training.children.lag_once import Interrupted
from tests.training.conftest import STOP, tiny_config
from training.ppo import PPO
from training.train import train


def main(base: Path, rows: Path, out: Path) -> None:
    torch.set_num_threads(1)
    rollout = {"engine": "torch", "prompts_per_step": 4, "samples_per_prompt": 5, "max_prompt_tokens": 16}
    rollout |= {"max_new_tokens": 32, "stop": STOP, "kv_cache_gib": 0.25}
    ppo = {"critic_minibatches": 2, "micro_batch_tokens": 64}
    config = tiny_config(rollout=rollout, ppo=ppo | {"early_values": 2}, n_steps=4)
    prompts = pl.read_parquet(rows)
    train(config, prompts, base, out / "whole")
    values = PPO.values

    def slowly(*arguments) -> list[list[float]]:
        time.sleep(0.02)
        return values(*arguments)

    def interrupt(step: int, metrics: dict) -> None:
        if step == 3:
            raise Interrupted

    PPO.values = slowly  # type: ignore[method-assign]
    try:
        train(config, prompts, base, out / "resumed", on_step=interrupt)
    except Interrupted:
        train(config, prompts, base, out / "resumed")
    train(tiny_config(rollout=rollout, ppo=ppo, n_steps=4), prompts, base, out / "after")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
