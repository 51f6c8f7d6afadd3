"""An export of a toy, read back: the same weights and buffers, bit for bit."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM

from training.saving.exports import write_weights
from training.selfcheck.report import Line


@dataclass(frozen=True, slots=True)
class _Whole:
    """What an export asks of a DeepSpeed engine that shards nothing."""

    module: nn.Module

    def zero_optimization_stage(self) -> int:
        return 0


def check_export(model: Any) -> Line:
    """Export `model`, a toy, as policy and as critic, and compare what comes back with what was exported."""
    wrong: list[str] = []
    with TemporaryDirectory() as folder:
        base = Path(folder) / "base"
        model.save_pretrained(base)
        for kind, place in ((AutoModelForCausalLM, "model"), (AutoModel, "backbone")):
            # Read from a file, as the trainer's is: only then transformers knows its conversions.
            trained = kind.from_pretrained(base, dtype=torch.float32)
            _move(trained)
            target = Path(folder) / place
            target.mkdir()
            write_weights(target, _Whole(nn.ModuleDict({place: trained})), f"{place}.", True)
            trained.config.save_pretrained(target)
            ours, theirs = (
                trained.state_dict(),
                kind.from_pretrained(target, dtype=torch.float32).state_dict(),
            )
            wrong += [
                name for name in ours if name not in theirs or not torch.equal(ours[name], theirs[name])
            ]
    if not wrong:
        return Line("ok", "export", "read back, every weight and buffer is equal bit for bit")
    found = f"{len(wrong)} weights or buffers come back otherwise, such as {wrong[0]}"
    return Line("refused", "export", found, "choose another model")


@torch.no_grad()
def _move(model: nn.Module) -> None:
    """Change every weight and persistent buffer, as training does."""
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.25)
