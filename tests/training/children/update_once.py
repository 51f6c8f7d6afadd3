"""Run PPO updates on fixed responses and save the change of the weights; run by test_ppo.py on each rank.

One process makes all updates, each with new engines from the same base: `NAME ZERO-STAGE TOKENS [SWITCH ...]`
an argument. Plain SGD with rate 1 and no clipping replaces AdamW, so that the change is the gradient itself.
"""

import gc
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

import training.engines
import training.train
from tests.training.conftest import tiny_config
from training.batching import Responses
from training.engines import full_state, named_weights
from training.model import Critic, load_critic
from training.ranks import Ranks, end_rank, join_ranks
from training.train import build_ppo

N_RESPONSES = 12


def shard_everything() -> None:
    """ZeRO-3 does not shard small parameters; this model has no others, so nothing would be sharded."""
    import deepspeed

    initialize = deepspeed.initialize

    def without_threshold(*, config, **options):
        config["zero_optimization"]["stage3_param_persistence_threshold"] = 0
        return initialize(config=config, **options)

    deepspeed.initialize = without_threshold


def load_fitted(folder: Path, *options) -> Critic:
    """A critic with nonzero values: its head does not start at zero."""
    critic = load_critic(folder, *options)
    with torch.no_grad():
        critic.head.weight.copy_(torch.linspace(-0.5, 0.5, critic.head.weight.shape[1]))
    return critic


def update(
    ranks: Ranks, base: Path, out: Path, zero_stage: int, micro_batch_tokens: int, *switches: str
) -> None:
    config = tiny_config(
        ppo={"critic_minibatches": 1, "micro_batch_tokens": micro_batch_tokens},
        actor={"lr": 1.0, "warmup_steps": 0, "max_grad_norm": 1e9},
        critic={"lr": 1.0, "warmup_steps": 0, "max_grad_norm": 1e9},
        deepspeed={
            "zero_stage": zero_stage,
            "precision": "fp32",
            "gradient_checkpointing": "recompute" in switches,
            "offload_optimizer": "offload" in switches,
        },
    )
    # Rows that the ranks exchange one by one, and a probe that only measures.
    rollout = config.rollout.model_copy(update={"samples_per_prompt": 1, "max_mismatch": 1e9})
    config = config.model_copy(update={"rollout": rollout})
    ppo = build_ppo(config, base, ranks)
    before = full_state([*named_weights(ppo.actor), *named_weights(ppo.critic)])
    generator = torch.Generator().manual_seed(0)
    rows = []
    for _ in range(N_RESPONSES):
        n_prompt, n_response = torch.randint(2, 9, (2,), generator=generator).tolist()
        tokens = torch.randint(8, 19, (n_prompt + 3 * n_response,), generator=generator).tolist()
        reward = float(torch.rand((), generator=generator) < 0.5)
        probed = torch.randn(3 * n_response, generator=generator).tolist() if reward else None
        rows.append((tokens[:n_prompt], tokens[n_prompt:], reward, probed))
    # The first rank gets the long ones.
    rows.sort(key=lambda row: -len(row[1]))
    n_mine = N_RESPONSES // ranks.world
    prompts, tokens, rewards, probed = zip(*rows[ranks.rank * n_mine :][:n_mine], strict=True)
    responses = Responses.build([*prompts], [*tokens], ranks.device)
    early = None
    if "early" in switches:
        early = [ppo.values(*row)[0] for row in zip(prompts, ([one] for one in tokens), strict=True)]
    metrics, _ = ppo.update(1, responses, [*rewards], [*probed], early)
    after = full_state([*named_weights(ppo.actor), *named_weights(ppo.critic)])
    if ranks.is_first:
        save_file({name: after[name] - before[name] for name in after}, out)
        out.with_suffix(".json").write_text(json.dumps(metrics))


def main(base: Path, folder: Path, *updates: str) -> None:
    torch.set_num_threads(1)
    ranks = join_ranks()
    shard_everything()
    training.train.load_critic = load_fitted
    training.engines.torch.optim.AdamW = lambda parameters, lr, **_: torch.optim.SGD(parameters, lr=lr)
    gc.freeze()  # DeepSpeed collects for each engine; there is little but what it has imported.
    for words in updates:
        name, zero_stage, tokens, *switches = words.split()
        update(ranks, base, folder / f"{name}.safetensors", int(zero_stage), int(tokens), *switches)
    end_rank()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
