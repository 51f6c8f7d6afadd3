"""Check a base model before a run: what the trainer computes is what transformers computes, or a refusal.

    report = check_model(folder, config, context_tokens)
    report.say()  # logs what is slower; raises Refused with the cause and the setting to change

Measured on a toy of the architecture (`training.selfcheck.toys`), in seconds on one CPU core, and on the
model itself where it is small.
"""

import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedConfig
from transformers.modeling_layers import GradientCheckpointingLayer

from rewards.contracts.files import ROOT, canonical_json, hash_file, hash_text
from training.config import TrainingConfig
from training.fingerprint import FILES, hash_model, weight_bytes
from training.head import is_bare
from training.packed.packing import PACKED, PADDED, Layout
from training.selfcheck.compare import Gap, Reference, rows
from training.selfcheck.exporting import check_export
from training.selfcheck.report import Line, Report, keep_report, read_report
from training.selfcheck.sampling import check_sampling
from training.selfcheck.toys import NoToy, make_toys
from training.vocabulary import refuse_own_code

SMALL_BYTES = 60_000_000
"""Weights up to which the model itself is checked as well, in seconds."""
CODE = ("head.py", "model.py", "packed", "rope.py", "selfcheck")
LAYOUTS = {"auto": (PACKED, *PADDED), "packed": (PACKED,), "padded": PADDED}
SETTING = "training.ppo.packing"


def check_model(folder: Path, config: TrainingConfig, context_tokens: int, stored: bool = True) -> Report:
    """Check the model in `folder` for sequences of up to `context_tokens`; `stored`: use a kept report."""
    refuse_own_code(folder)
    key = report_key(folder, config, context_tokens)
    if stored and (kept := read_report(key)) is not None:
        return kept
    clock = time.perf_counter()
    with torch.random.fork_rng(devices=[]):  # Toys are random; the run's own numbers must not move.
        lines, layout = _check(folder, config, context_tokens)
    report = Report(tuple(lines), layout, round(time.perf_counter() - clock, 1))
    keep_report(key, report)
    return report


def report_key(folder: Path, config: TrainingConfig, context_tokens: int) -> str:
    """Equal for equal checks: the model's files, the settings that are read, our code and the versions."""
    files = sorted({path for pattern in FILES for path in folder.glob(pattern)})
    is_small = weight_bytes(folder) <= SMALL_BYTES
    described = {
        "model": hash_model(folder)
        if is_small
        else {path.name: hash_file(path) for path in files if path.suffix != ".safetensors"},
        "settings": [
            config.ppo.packing,
            config.deepspeed.gradient_checkpointing,
            config.rollout.engine,
            config.rollout.bos,
            context_tokens,
        ],
        "versions": {name: metadata.version(name) for name in ("torch", "transformers")},
        "code": [
            hash_file(path)
            for name in CODE
            for place in [ROOT / "training" / name]
            for path in (sorted(place.glob("*.py")) if place.is_dir() else [place])
        ],
    }
    return hash_text(canonical_json(described), 24)


def _check(folder: Path, config: TrainingConfig, context_tokens: int) -> tuple[list[Line], Layout]:
    lines = [*check_sampling(folder, context_tokens, config.rollout.bos).lines]
    known = AutoConfig.from_pretrained(folder)
    allowed, recomputes = config.ppo.packing, config.deepspeed.gradient_checkpointing
    try:
        model, backbone = make_toys(known)
    except NoToy as error:
        return [*lines, _unproven(error, allowed)], LAYOUTS[allowed][0]
    batch = rows(model.config.get_text_config().vocab_size)
    try:
        reference = Reference(model, backbone, batch)
    except Exception as error:  # noqa: BLE001 - whatever a class raises when it is used as one.
        cause = f"{type(model).__name__} cannot be used as policy and critic: {_said(error)}"
        return [*lines, Line("refused", "architecture", cause, "choose another model")], PACKED
    lines += [_head(model), *_windows(known)]
    layout, found = find_layout(reference, allowed, recomputes)
    lines += found
    if not any(line.level == "refused" for line in found):
        lines += [_repeated(reference, layout), *_recomputation(model, recomputes), _exported(model)]
        if weight_bytes(folder) <= SMALL_BYTES:
            lines.append(_itself(folder, layout))
    return lines, layout


def find_layout(reference: Reference, allowed: str, recomputes: bool) -> tuple[Layout, list[Line]]:
    """The fastest exact layout among those `allowed` (training.ppo.packing), and what was found."""
    why_not: list[str] = []
    for layout in LAYOUTS[allowed]:
        name = _name(layout)
        try:
            gap = reference.gap(layout, recomputes)
        except Exception as error:  # noqa: BLE001 - whatever a class raises that cannot compute it.
            why_not.append(f"{name}: {_said(error)}")
            continue
        if gap.is_exact:
            if layout.is_packed or allowed == "padded":
                return layout, [Line("ok", "rows", f"{name}, exact ({gap})")]
            cause = f"{name}, exact ({gap}); not {'; not '.join(why_not)}"
            return layout, [Line("slower", "rows", cause)]
        if recomputes and reference.gap(layout).is_exact:
            cause = f"{name}, exact only without recomputation of activations ({gap})"
            setting = "set training.deepspeed.gradient_checkpointing = false"
            return layout, [Line("refused", "recomputation", cause, setting)]
        why_not.append(f"{name}: {_off(layout, gap)}")
    others = "choose another model" if allowed == "auto" else f'set {SETTING} = "auto"'
    name = type(reference.model).__name__
    return LAYOUTS[allowed][0], [Line("refused", f"{name} is not exact", "; ".join(why_not), others)]


def _name(layout: Layout) -> str:
    return (
        "packed rows"
        if layout.is_packed
        else f"padded rows with the model's own attention ({layout.attention})"
    )


def _off(layout: Layout, gap: Gap) -> str:
    cause = "sequences in a row would see each other, " if layout.is_packed else ""
    return f"{cause}{gap}"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _unproven(error: NoToy, allowed: str) -> Line:
    if allowed == "auto":
        setting = (
            f'set {SETTING} = "padded" to train it unproven (the probe then compares it with the engine at '
            "every step), or choose another model"
        )
        return Line("refused", "architecture", str(error), setting)
    return Line("slower", "architecture", f"{error}: {allowed} rows are used unproven")


def _head(model: Any) -> Line:
    if is_bare(model):
        return Line("ok", "head", "its output is the model's logits")
    return Line(
        "ok", "head", f"logits as {type(model).__name__} makes them of it (scaled, capped or shifted)"
    )


def _windows(config: PreTrainedConfig) -> Iterator[Line]:
    window = getattr(config.get_text_config(), "sliding_window", None)
    if window and getattr(config.get_text_config(), "use_sliding_window", True):
        yield Line("ok", "window", f"{window:,} tokens, counted inside each sequence")


def _repeated(reference: Reference, layout: Layout) -> Line:
    """The same call twice: dropout, or state that a call leaves behind."""
    policy, critic = reference.networks(layout)
    inputs = reference.batch.inputs(list(range(len(reference.batch))), pad=0)
    with torch.no_grad():
        pairs = [(policy(*inputs)[0], policy(*inputs)[0]), (critic(*inputs), critic(*inputs))]
    if all(torch.equal(first, second) for first, second in pairs):
        return Line("ok", "the same call twice", "equal to the bit")
    far = max((first - second).abs().max().item() for first, second in pairs)
    return Line("refused", "the same call twice", f"differs by {far:.0e}: it keeps a state or draws numbers")


def _recomputation(model: Any, recomputes: bool) -> Iterator[Line]:
    if not recomputes:
        return
    n = sum(isinstance(layer, GradientCheckpointingLayer) for layer in model.modules())
    if n:
        yield Line("ok", "recomputation", "gradients as without it")
    else:
        cause = f"{type(model).__name__} has no layers that can be recomputed: all activations are kept"
        yield Line(
            "slower", "recomputation", cause, "lower training.ppo.micro_batch_tokens if memory is short"
        )


def _exported(model: Any) -> Line:
    try:
        return check_export(model)
    except Exception as error:  # noqa: BLE001 - whatever a conversion of names or shapes raises.
        cause = f"{type(model).__name__} cannot be written or read back: {_said(error)}"
        return Line("refused", "export", cause, "choose another model")


def _itself(folder: Path, layout: Layout) -> Line:
    """The model's own weights, forward and backward."""
    options = {"dtype": torch.float32, "attn_implementation": "eager"}
    model = AutoModelForCausalLM.from_pretrained(folder, **options)
    backbone = AutoModel.from_pretrained(folder, **options)
    gap = Reference(model, backbone, rows(model.config.get_text_config().vocab_size)).gap(layout)
    if gap.is_exact:
        return Line("ok", "the model itself", f"exact ({gap})")
    return Line("refused", "the model itself", f"{_name(layout)} are not exact ({gap})", f"set {SETTING}")
