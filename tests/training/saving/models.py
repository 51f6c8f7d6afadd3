"""A tiny actor and critic without DeepSpeed, for the tests of this folder."""

from dataclasses import dataclass

import torch

from training.base.tokenizer import build_tokenizer
from training.model import load_critic, load_policy
from training.ranks import Ranks
from training.sections.model import ScratchConfig

ALONE = Ranks(0, 1, torch.device("cpu"))
SHAPE = ScratchConfig(hidden=32, n_layers=1, n_heads=1, intermediate=32, max_tokens=32)
TOKENIZER = build_tokenizer(["0123456789+=?"])
INPUTS = torch.tensor([[8, 9, 10, 11, 12]]), torch.ones(1, 5), torch.tensor([[0, 0, 1, 1, 1]])


@dataclass
class Unsharded:
    """A plain module and optimizer, as DeepSpeed without ZeRO leaves them in fp32."""

    module: torch.nn.Module
    optimizer: torch.optim.Optimizer

    def zero_optimization_stage(self) -> int:
        return 0


def unsharded(module: torch.nn.Module) -> Unsharded:
    return Unsharded(module, torch.optim.AdamW(module.parameters(), lr=0.01, fused=True))


def engines(base, seed=1):
    """Actor and critic whose weights differ from the base and from each other."""
    actor, critic = load_policy(base, "fp32", 1.0, 8), load_critic(base, "fp32")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in [*actor.parameters(), *critic.parameters()]:
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return unsharded(actor), unsharded(critic)


def named(actor, critic):
    return {"actor": actor, "critic": critic}


def scores(actor, critic):
    with torch.no_grad():
        return torch.cat([actor(*INPUTS)[0], critic(*INPUTS)])
