"""Every family of base models, each as a tiny random one: exact, or refused by name before the first token?

python bench/models.py                              all families (about 20 s each, most of it vLLM's start)
python bench/models.py mixtral falcon --cells packed,export
python bench/models.py --no-vllm                    seconds in all

The measure is the mean |log-prob difference| in nats from transformers' own logits of single rows, fp32.
Cells: packed, the trainer's padding-free batch, if its check of the model allows it; padded, its other path;
torch, the torch sampler; vllm, as loaded; synced, after new weights were handed over; export, what comes back
from an export (0: equal bit for bit). A cell is exact up to 1e-5, a refusal if a ValueError says what to set
instead, and otherwise wrong.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

EXACT = 1e-5
CELLS = ("packed", "padded", "torch", "vllm", "synced", "export")
VLLM = ("vllm", "synced")
N_CONTEXT = 96
"""Longest prompt plus response, in tokens."""
ROOT = Path(__file__).resolve().parent.parent


@dataclass(slots=True)
class Cell:
    """What one cell found: a difference in nats, a refusal, or a failure."""

    nats: float | None = None
    refusal: str | None = None
    failure: str | None = None

    @property
    def is_right(self) -> bool:
        return self.refusal is not None or (self.nats is not None and self.nats <= EXACT)

    def shown(self) -> str:
        if self.nats is not None:
            return f"{self.nats:.0e}" if self.is_right else f"[red]{self.nats:.2g}[/]"
        return "refused" if self.refusal else "[red]FAILED[/]"


def measure(family: str, cells: tuple[str, ...], folder: Path) -> dict[str, Cell]:
    """Make one family's model in `folder` and fill its cells, in this process."""
    from bench.parts.families import make_family

    base = make_family(family, folder / "base")
    found: dict[str, Cell] = {}
    if set(cells) & set(VLLM):
        # First, as in training: vLLM must not have changed the classes that the trainer then uses.
        found |= _vllm_cells(base)
    for name, check in (("packed", _packed), ("padded", _padded), ("torch", _torch)):
        if name in cells:
            found[name] = _try(check, base)
    if "export" in cells:
        found["export"] = _try(_export, base, folder)
    return {name: found[name] for name in CELLS if name in found and name in cells}


def _try(check: Callable[..., float], *arguments: Any) -> Cell:
    try:
        return Cell(nats=check(*arguments))
    except ValueError as error:
        # A refusal names a setting of ours; other ValueErrors are accidents.
        kind = "refusal" if "training." in str(error) else "failure"
        return Cell(**{kind: f"{error}"})
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the cell found
        return Cell(failure=f"{type(error).__name__}: {error}")


def prompts() -> list[list[int]]:
    """Prompts of several lengths; adjacent ones that are equal share their activations when packed."""
    import random

    draw = random.Random(7)
    distinct = [[draw.randrange(8, 40) for _ in range(n)] for n in (3, 9, 20, 27)]
    return [prompt for prompt in distinct for _ in range(2)]


def responses() -> list[list[int]]:
    import random

    draw = random.Random(8)
    return [[draw.randrange(8, 40) for _ in range(n)] for n in (30, 4, 1, 22, 13, 40, 2, 36)]


def reference(model: Any, asked: list[list[int]], answered: list[list[int]]) -> list[Any]:
    """Log-probabilities of each response by transformers' own model, one row at a time."""
    import torch

    from bench.parts.families import N_TOKENS

    rows = []
    for prompt, response in zip(asked, answered, strict=True):
        ids = torch.tensor([prompt + response])
        with torch.no_grad():
            logits = model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
        # Rows beyond the tokenizer are no tokens: nothing may sample them.
        logprobs = torch.log_softmax(logits[:, :N_TOKENS], -1)
        rows.append(logprobs.gather(-1, torch.tensor(response).unsqueeze(-1)).squeeze(-1))
    return rows


def plain(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    # Eager: torch's kernels leave out caps and sinks without a word.
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


def gap(ours: list[Any], theirs: list[Any]) -> float:
    import torch

    return (torch.cat(ours).double() - torch.cat(theirs).double()).abs().mean().item()


def _trainer(base: Path, packing: str) -> float:
    """What a run with this `training.ppo.packing` computes, after its check of the model has passed."""
    import torch

    from training.batching import Responses
    from training.config import TrainingConfig
    from training.model import load_policy
    from training.selfcheck.check import check_model

    config = TrainingConfig.model_validate(
        {"model": {"path": str(base)}, "ppo": {"packing": packing}, "deepspeed": {"precision": "fp32"}}
    )
    checked = check_model(base, config, N_CONTEXT, stored=False)
    checked.say(aloud=False)
    policy = load_policy(base, "fp32", 1.0, 16, checked.layout, N_CONTEXT)
    batch = Responses.build(prompts(), responses(), torch.device("cpu"))
    with torch.no_grad():
        ours, _ = policy(*batch.inputs(list(range(len(prompts()))), pad=0))
    return gap([ours], reference(plain(base), prompts(), responses()))


def _packed(base: Path) -> float:
    return _trainer(base, "packed")


def _padded(base: Path) -> float:
    return _trainer(base, "padded")


def _sampled(engine: Any, model: Any) -> float:
    """Sample, past every window, and compare with what `model` says of the same tokens."""
    import torch

    from rewards.contracts.engine import Sampling

    found = engine.generate(
        prompts(), list(range(len(prompts()))), Sampling(max_new_tokens=40), n_logprobs=len(prompts())
    )
    theirs = reference(model, prompts(), [c.tokens for c in found])
    return gap([torch.tensor(c.logprobs) for c in found], theirs)


def _torch(base: Path) -> float:
    from training.rollout.torch_sampler import TorchSampler

    sampler = TorchSampler(base, precision="fp32", max_model_tokens=N_CONTEXT, kv_cache_gib=0.05)
    return _sampled(sampler, plain(base))


@dataclass
class _Unsharded:
    """A model as DeepSpeed without ZeRO has it."""

    module: Any

    def zero_optimization_stage(self) -> int:
        return 0


def _trained(base: Path) -> tuple[Any, Any]:
    """A policy that has moved away from `base`, and transformers' own model with the same weights."""
    from bench.parts.families import perturb
    from training.model import load_policy

    policy, model = load_policy(base, "fp32", 1.0, 16), plain(base)
    perturb(policy.model, 1, 0.05)
    perturb(model, 1, 0.05)
    return policy, model


def _vllm_cells(base: Path) -> dict[str, Cell]:
    engine: Any = None

    def loaded() -> float:
        nonlocal engine
        from training.rollout.vllm import VllmEngine

        engine = VllmEngine(
            base, precision="fp32", max_model_tokens=N_CONTEXT, kv_cache_gib=0.1, gpu_memory_utilization=0.5
        )
        from training.rollout.proof import prove_alone

        prove_alone(engine, base, "fp32")
        return _sampled(engine, plain(base))

    def synced() -> float:
        from training.saving.names import checkpoint_weights

        policy, model = _trained(base)
        engine.load_weights(checkpoint_weights(_Unsharded(policy), "model."))
        return _sampled(engine, model)

    first = _try(loaded)
    second = first if first.refusal or engine is None else _try(synced)
    return {"vllm": first, "synced": second}


def _export(base: Path, folder: Path) -> float:
    """The largest difference of any weight or buffer between a trained policy and its export, read back."""
    import torch

    from bench.parts.families import perturb
    from training.model import load_critic
    from training.ranks import Ranks
    from training.saving.exports import export_models

    policy, model = _trained(base)
    critic = load_critic(base, "fp32")
    perturb(critic, 2, 0.05)
    engines = {"actor": _Unsharded(policy), "critic": _Unsharded(critic)}
    export_models(folder / "step-000001", base, engines, Ranks(0, 1, torch.device("cpu")))
    back = plain(folder / "step-000001" / "actor").state_dict()
    again = load_critic(folder / "step-000001" / "critic", "fp32").state_dict()
    pairs = [(model.state_dict(), back), (critic.state_dict(), again)]
    return max(
        (ours[k].double() - theirs[k].double()).abs().max().item() for ours, theirs in pairs for k in ours
    )


def _in_child(family: str, cells: tuple[str, ...]) -> dict[str, Cell]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "cells.json"
        command = [sys.executable, __file__, family, "--cells", ",".join(cells), "--into", str(out)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
        if not out.exists():
            return {cell: Cell(failure=done.stderr.strip()[-1500:]) for cell in cells}
        return {name: Cell(**cell) for name, cell in json.loads(out.read_text()).items()}


def verdict(cells: dict[str, Cell]) -> str:
    if not all(cell.is_right for cell in cells.values()):
        return "[red]WRONG[/]"
    if all(cell.refusal is None for cell in cells.values()):
        return "exact"
    return "refused" if all(cell.refusal for cell in cells.values()) else "exact or refused"


def main() -> int:
    from bench.parts.families import FAMILIES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"of {', '.join(FAMILIES)}")
    parser.add_argument("--cells", default=",".join(CELLS), help="which of " + ",".join(CELLS))
    parser.add_argument("--no-vllm", action="store_true", help="leave out the cells that start vLLM")
    parser.add_argument("--json", type=Path, help="also write every cell, with its whole text, to this file")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    chosen = options.families or list(FAMILIES)
    cells = tuple(name for name in options.cells.split(",") if not (options.no_vllm and name in VLLM))
    if unknown := [*(set(chosen) - set(FAMILIES)), *(set(cells) - set(CELLS))]:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if options.into:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(chosen[0], cells, Path(folder))
        options.into.write_text(json.dumps({name: _plain(cell) for name, cell in found.items()}))
        os._exit(0)  # vLLM's threads would keep the process for seconds.
    return show(chosen, cells, options.json)


def _plain(cell: Cell) -> dict[str, Any]:
    return {"nats": cell.nats, "refusal": cell.refusal, "failure": cell.failure}


def show(chosen: list[str], cells: tuple[str, ...], json_file: Path | None) -> int:
    """Fill the table family by family; returns 1 when a cell is neither exact nor a refusal."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("family", *cells, "verdict", title="mean |log-prob difference| in nats, fp32")
    found: dict[str, dict[str, Cell]] = {}
    for family in chosen:
        found[family] = _in_child(family, cells)
        row = [found[family][name].shown() if name in found[family] else "-" for name in cells]
        console.print(f"{family}: " + "  ".join(row), highlight=False)
        table.add_row(family, *row, verdict(found[family]))
    console.print(table)
    for family, row in found.items():
        said: dict[str, list[str]] = {}
        for name, cell in row.items():
            if text := cell.refusal or cell.failure:
                said.setdefault(text.strip()[-600:], []).append(name)
        for text, names in said.items():
            console.print(f"{family} ({', '.join(names)}): {text}", highlight=False, markup=False)
    if json_file:
        rows = {f: {name: _plain(c) for name, c in row.items()} for f, row in found.items()}
        json_file.write_text(json.dumps(rows, indent=1))
    return 0 if all(cell.is_right for row in found.values() for cell in row.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
