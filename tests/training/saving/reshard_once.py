"""Train, save and load tiny engines on this group's ranks: torchrun ... reshard_once FOLDER OUT[=SOURCE] ...

For each OUT, in fp32 and in bf16. Without SOURCE: for each ZeRO stage, three optimizer steps, a checkpoint,
and the whole state as one file. With it: each of SOURCE's checkpoints is loaded in each stage and compared
with that file, one more step is made, and the result goes to OUT.
"""

import gc
import sys
from pathlib import Path

import torch

from training.config import DeepSpeedConfig, OptimConfig
from training.engines import build_engine, sharded_loading
from training.ranks import Ranks, end_rank, join_ranks
from training.saving.checkpoints import Saver, load_state
from training.saving.fragments import adam_step, fragments, tensors

STAGES = (0, 1, 2, 3)


def build(stage: int, precision: str):
    config = DeepSpeedConfig(zero_stage=stage, precision=precision)
    torch.manual_seed(0)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    with sharded_loading(config):
        # 7 x 5 and 3 elements: no stage can cut them into equal halves.
        module = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Linear(7, 3)).to(dtype)
    return build_engine(module, OptimConfig(lr=0.1, warmup_steps=0, max_grad_norm=1e9), config)


def step(engine, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(4, 5, generator=generator).to(next(engine.module.parameters()).dtype)
    engine.backward(engine(x).float().square().sum())  # The same on all ranks.
    if isinstance(engine.optimizer, torch.optim.Optimizer):
        engine.optimizer.step()
        engine.optimizer.zero_grad()
    else:
        engine.step()


def whole(engine, ranks: Ranks) -> dict[str, torch.Tensor]:
    """The full fp32 weights and moments, from the fragments of all ranks."""
    found: dict[str, torch.Tensor] = {"step": torch.tensor(adam_step(engine))}
    for name, parameter in engine.module.named_parameters():
        for kind in ("weight", "exp_avg", "exp_avg_sq"):
            found[f"{kind}|{name}"] = torch.zeros(getattr(parameter, "ds_numel", parameter.numel()))
    for fragment in fragments(engine, ranks.rank, ranks.world):
        if fragment.owner == ranks.rank:
            for kind, tensor in tensors(engine, fragment).items():
                place = found[f"{kind}|{fragment.name}"]
                place[fragment.start : fragment.start + fragment.numel] = tensor.float()
    return {
        name: tensor if name == "step" else ranks.sum(tensor.double()).float()
        for name, tensor in found.items()
    }


def differing(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], tolerance: float = 0.0) -> list[str]:
    return [name for name in a if not torch.allclose(a[name], b[name], rtol=tolerance, atol=tolerance)]


def train_or_load(ranks: Ranks, out: Path, precision: str, source: Path | None) -> None:
    for stage in STAGES:
        for origin in [None] if source is None else STAGES:
            engine = build(stage, precision)
            if origin is None:
                for seed in range(3):
                    step(engine, seed)
                place = out / f"stage-{stage}"
            else:
                made = source / f"stage-{origin}"
                assert load_state(made / "state", {"net": engine}, ranks) == 3
                wrong = differing(whole(engine, ranks), torch.load(made / "whole.pt"))
                assert not wrong, f"{origin} -> {stage}, {ranks.world} ranks: {wrong} differ"
                step(engine, 3)
                place = out / f"stage-{origin}-{stage}"
                first = out / f"stage-{origin}-0"
                if stage:  # The model computes with the loaded weights, not with those it was made with.
                    wrong = differing(
                        whole(engine, ranks),
                        torch.load(first / "next.pt"),
                        1e-2 if precision == "bf16" else 1e-5,
                    )
                    assert not wrong, f"{origin} -> {stage}, {ranks.world} ranks: {wrong} differ after a step"
            found = whole(engine, ranks)
            if origin is None:
                saver = Saver(place / "state", 1, ranks)
                ranks.barrier()
                saver.save(3, {"net": engine})
                saver.close()
            if ranks.is_first:
                place.mkdir(parents=True, exist_ok=True)
                torch.save(found, place / ("whole.pt" if origin is None else "next.pt"))
            ranks.barrier()


def main(folder: Path, *parts: str) -> None:
    ranks = join_ranks()
    gc.freeze()  # DeepSpeed collects for each engine; there is little but what it has imported.
    for part in parts:
        out, _, source = part.partition("=")
        for precision in ("fp32", "bf16"):
            own = folder / precision
            train_or_load(ranks, own / out, precision, own / source if source else None)
    end_rank()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
