"""The simulator compared with slow loops, numbers computed by hand, and properties of any machine."""

import numpy as np
import pytest

from pipelines.config import load_config
from tests.test_arrows import ROOT
from training.config import TrainingConfig
from training.planning.plan import train_flops
from training.planning.shape import KNOWN
from training.planning.simulator.decoding import decode, decode_wave
from training.planning.simulator.lengths import PAPER, Lengths, measured
from training.planning.simulator.machine import OPTIMIZER_STEP_S, Cluster, Machine, Rates, fit_rates
from training.planning.simulator.sensitivity import sensitivity
from training.planning.simulator.steps import simulate_run, simulate_step
from training.planning.simulator.update import offload_seconds, update_work
from training.rollout.limits import COMPACT_BELOW

GPU = Machine.of_gpu(320, 2.4, 100)


def config(path="Qwen/Qwen2.5-7B", **changes) -> TrainingConfig:
    return TrainingConfig.model_validate({"model": {"path": path}} | changes)


def decode_slowly(prompts, lengths, fresh, rows, kv_tokens, step, prefill_token_s):
    """One engine, token by token."""
    waiting, growing, clock = list(range(len(lengths))), {}, 0.0
    ends = np.zeros(len(lengths))
    while waiting or growing:
        while waiting and len(growing) < rows:
            first = waiting[0]
            held = sum(prompts[i] + lengths[i] for i in growing)
            if growing and held + prompts[first] + lengths[first] > kv_tokens:
                break
            waiting.pop(0)
            clock += prompts[first] * prefill_token_s * fresh[first]
            growing[first] = 0
        clock += step[0] + step[1] * len(growing) + step[2] * sum(prompts[i] + n for i, n in growing.items())
        for index in list(growing):
            growing[index] += 1
            if growing[index] == lengths[index]:
                ends[index] = clock
                del growing[index]
    return ends


@pytest.mark.parametrize(
    "rows, kv_tokens",
    [
        pytest.param(64, 1e9, id="all at once"),
        pytest.param(3, 1e9, id="few rows"),
        pytest.param(64, 60, id="little cache"),
        pytest.param(64, 1, id="one at a time"),
    ],
)
def test_decoding_in_closed_form_is_decoding_token_by_token(rows, kv_tokens):
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 30, (3, 17))
    prompts = generator.integers(1, 9, (3, 17))
    fresh = generator.random((3, 17)) < 0.5
    costs = {"step": (0.01, 0.002, 0.0005), "prefill_token_s": 0.003}
    for engine in range(3):
        own = prompts[engine], lengths[engine], fresh[engine]
        found = decode(*own, rows=rows, kv_tokens=kv_tokens, **costs)
        slow = decode_slowly(
            *own,
            rows,
            kv_tokens,
            costs["step"],
            costs["prefill_token_s"],
        )
        np.testing.assert_allclose(found, slow, rtol=1e-12)


def test_a_wave_does_what_the_torch_sampler_does():
    """Compared with a record of the sampler's own calls."""
    torch = pytest.importorskip("torch")
    from training.rollout.torch_sampler import _Wave

    generator = np.random.default_rng(1)
    lengths = generator.integers(1, 20, 12)
    calls = []

    class Decoder:
        device = torch.device("cpu")

        def step(self, tokens, positions, cache, used):
            calls.append((len(tokens), used))

    class Cache:
        width = 48

        def take(self, rows, used, width):
            return self

    wave = _Wave.__new__(_Wave)
    wave.decoder, wave.lengths = Decoder(), torch.full((12,), 5)
    wave.sampling = type("Sampling", (), {"max_new_tokens": 16})
    wave.on_end, wave.has_stopped = lambda rows, wave: None, torch.zeros(12, dtype=torch.bool)
    wave._read_prompts = lambda: (None, Cache(), torch.arange(12))

    def draw(hidden, rows, place):
        wave.has_stopped |= torch.tensor(lengths == place + 1)
        return torch.zeros(len(rows))

    wave._draw = draw
    wave.run()
    n_steps, n_rows, n_context = decode_wave(np.full(12, 5), np.minimum(lengths, 16), 16)
    assert n_steps == len(calls)
    assert n_rows == sum(rows for rows, _ in calls) < 12 * n_steps
    assert n_context == sum(rows * -(-used // 16) * 16 for rows, used in calls)
    assert 0 < COMPACT_BELOW < 1


def test_lengths_have_the_mean_the_spread_and_the_kinship_asked_for():
    asked = Lengths(((0, 500), (100, 1500)), variation=0.7, kinship=0.6)
    assert asked.mean(50) == 1000
    lengths = asked.sample(50, 400, 200, 10**9, seed=1)
    found = measured(lengths)
    assert found.mean(1) == pytest.approx(1000, rel=0.05)
    assert found.variation == pytest.approx(0.7, rel=0.1)
    assert found.kinship == pytest.approx(0.6, abs=0.05)
    cut = asked.sample(50, 400, 200, 800, seed=1)
    assert cut.max() == 800 and cut.min() >= 1
    np.testing.assert_array_equal(cut, np.minimum(lengths, 800))


def test_rates_are_found_again_from_what_they_cost():
    generator = np.random.default_rng(2)
    work = generator.random((40, 3)) * np.array([1e12, 1e9, 1e3])
    rates = np.array([2e-12, 3e-10, 0.0])
    np.testing.assert_allclose(fit_rates(work, work @ rates), rates, rtol=1e-6, atol=1e-18)


@pytest.mark.parametrize("recomputes", [True, False])
def test_the_arithmetic_of_an_update_is_that_of_the_plan(recomputes):
    settings = config(deepspeed={"gradient_checkpointing": recomputes})
    prompts, lengths = np.full(128, 500), np.full((128, 64), 3500)
    work = update_work(settings, 1, KNOWN["Qwen/Qwen2.5-7B"], 2, prompts, lengths)
    flops = sum(phase.passes[0] for phase in work.values())
    assert flops == pytest.approx(train_flops(settings, KNOWN["Qwen/Qwen2.5-7B"], 500, 3500), rel=1e-9)


def test_a_step_by_hand_on_a_machine_that_only_counts_rows():
    machine = Machine(decode=Rates(0, 0, 0, 1.0), train=Rates(0, 0, 0, 10.0), update=Rates(0, 0, 0, 100.0))
    settings = config(
        rollout={"prompts_per_step": 4, "samples_per_prompt": 2, "max_new_tokens": 50},
        ppo={"critic_minibatches": 2, "micro_batch_tokens": 10**6},
        deepspeed={"zero_stage": 0, "gradient_checkpointing": False},
    )
    lengths = np.array([[10, 20], [5, 5], [30, 7], [1, 1]])
    step = simulate_step(settings, Cluster(2, machine), lengths, np.full(4, 3))
    # Engines have prompts 0 and 2, 1 and 3: 30 and 5 decoding steps, and a call that reads the prompts.
    assert step.rollout_s == pytest.approx(31)
    assert step.forward_s == pytest.approx(10)
    assert step.critic_s == pytest.approx(3 * 2 * 10 + 2 * 100)
    assert step.policy_s == pytest.approx(3 * 10 + 100)
    assert step.waiting == pytest.approx((31 - 6) / 2 / step.step_s)
    assert step.response_tokens == lengths.mean()


def test_early_values_by_hand_on_a_machine_that_only_counts_calls():
    machine = Machine(decode=Rates(0, 0, 0, 1.0), train=Rates(0, 0, 0, 4.0), update=Rates(0, 0, 0, 0.0))
    settings = config(
        rollout={"prompts_per_step": 2, "samples_per_prompt": 4, "max_new_tokens": 50},
        ppo={"critic_minibatches": 1, "micro_batch_tokens": 10**6, "early_values": 2},
        deepspeed={"zero_stage": 2, "gradient_checkpointing": False},
    )
    # One rank: parts end at 11, 9 and 13, 31 (a call reads the prompts first); each takes 4 seconds.
    lengths = np.array([[10, 2, 8, 1], [12, 5, 30, 7]])
    step = simulate_step(settings, Cluster(1, machine), lengths, np.full(2, 3))
    assert step.rollout_s == pytest.approx(31)
    assert step.forward_s == pytest.approx(4)
    # All end together at last: 9 to 13, 13 to 17, and then two parts that were ready at 11 and 12.
    near = np.array([[10, 2, 8, 1], [12, 5, 11, 7]])
    step = simulate_step(settings, Cluster(1, machine), near, np.full(2, 3))
    assert step.forward_s == pytest.approx(9 + 4 * 4 - 13)


@pytest.mark.parametrize("recomputes", [True, False])
def test_the_vocabulary_is_scored_by_the_policy_alone_and_once_more_for_its_gradient(recomputes):
    machine = Machine(Rates(0, 0, 0, 0, 1.0), Rates(0, 0, 0, 0, 1.0), Rates(0, 0, 0, 0, 1.0))
    settings = config(
        rollout={"prompts_per_step": 2, "samples_per_prompt": 2, "max_new_tokens": 50},
        ppo={"critic_minibatches": 1},
        deepspeed={"zero_stage": 0, "gradient_checkpointing": recomputes},
    )
    lengths, n_vocab = np.array([[10, 20], [5, 5]]), KNOWN["Qwen/Qwen2.5-7B"].n_vocab
    step = simulate_step(settings, Cluster(1, machine), lengths, np.full(2, 3))
    # Forward, forward again, backward twice; sampled once, after one call for each prompt.
    assert step.policy_s == pytest.approx(4 * 40 * n_vocab)
    assert step.rollout_s == pytest.approx((40 + 2) * n_vocab)
    assert step.forward_s == step.critic_s == 0


def test_offload_by_hand():
    shape, machine = KNOWN["Qwen/Qwen2.5-0.5B"], Machine.of_gpu(320, 2.4, 100)
    share = shape.n_parameters / 2
    settings = config(
        "Qwen/Qwen2.5-0.5B",
        rollout={"prompts_per_step": 2, "samples_per_prompt": 8},
        ppo={"critic_minibatches": 4, "micro_batch_tokens": 10**6},
        deepspeed={"offload_optimizer": True, "zero_stage": 2},
    )
    phases = update_work(settings, 2, shape, 2, np.full(1, 100), np.full((1, 8), 900))
    hidden_s, visible_s = offload_seconds(settings, Cluster(2, machine), shape, phases["critic_s"])
    assert hidden_s == pytest.approx(4 * 4 * share / 25e9)  # Four micro-batches.
    assert visible_s == pytest.approx(4 * (30 * share * 2 / 200e9 + 2 * share / 25e9 + OPTIMIZER_STEP_S))
    assert offload_seconds(settings, Cluster(2, machine), shape, phases["forward_s"]) == (0, 0)
    on_gpu = settings.deepspeed.model_copy(update={"offload_optimizer": False})
    kept = settings.model_copy(update={"deepspeed": on_gpu})
    lengths, prompts = np.full((2, 8), 900), np.full(2, 100)
    slower, faster = (simulate_step(one, Cluster(2, machine), lengths, prompts) for one in (settings, kept))
    assert slower.critic_s > faster.critic_s and slower.rollout_s == faster.rollout_s


def test_one_gpu_never_waits_and_sharing_out_never_hurts():
    settings = config(rollout={"prompts_per_step": 8, "samples_per_prompt": 8})
    lengths = PAPER["Qwen/Qwen2.5-7B"]
    alone = simulate_run(settings, Cluster(1, GPU), lengths, n_knots=2)
    assert alone.mean("waiting") == pytest.approx(0, abs=1e-12)
    many = simulate_run(settings, Cluster(8, GPU), lengths, n_knots=2, gpu_hour_cost=2.0)
    even = simulate_run(settings, Cluster(8, GPU), lengths, n_knots=2, sharing="responses")
    assert alone.days / 8 < even.days < many.days < alone.days
    assert 0 < even.mean("waiting") < many.mean("waiting") < 1
    assert many.cost == pytest.approx(many.days * 24 * 8 * 2.0)


def test_dynamic_sampling_costs_its_further_rounds():
    """Half of 8 prompts, then a quarter: on one engine, the time of 4 and of 2 prompts comes on top."""
    rollout = {"prompts_per_step": 8, "samples_per_prompt": 8}
    plain, again = config(rollout=rollout), config(rollout=rollout | {"resample_rounds": 2})
    lengths, prompts = np.full((8, 8), 500), np.full(8, 100)
    seconds = {n: simulate_step(plain, Cluster(1, GPU), lengths[:n], prompts[:n]) for n in (8, 4, 2)}
    found = simulate_step(again, Cluster(1, GPU), lengths, prompts, agreeing=0.5)
    assert found.rollout_s == pytest.approx(sum(step.rollout_s for step in seconds.values()))
    assert found.reward_s == pytest.approx(sum(step.reward_s for step in seconds.values()))
    assert (found.critic_s, found.policy_s) == (seconds[8].critic_s, seconds[8].policy_s)
    assert simulate_step(again, Cluster(1, GPU), lengths, prompts, agreeing=0.0) == seconds[8]
    assert simulate_step(plain, Cluster(1, GPU), lengths, prompts, agreeing=0.5) == seconds[8]


def test_the_critics_warmup_updates_no_policy():
    lengths, rollout = PAPER["Qwen/Qwen2.5-7B"], {"prompts_per_step": 8, "samples_per_prompt": 8}
    plain, warm = config(rollout=rollout), config(rollout=rollout, ppo={"critic_warmup_steps": 1})
    runs = [simulate_run(each, Cluster(1, GPU), lengths, n_knots=2) for each in (plain, warm)]
    assert (runs[0].days - runs[1].days) * 86400 == pytest.approx(runs[0].steps[0].policy_s)


def test_a_layout_that_cannot_be_is_refused():
    settings = config(rollout={"prompts_per_step": 10, "tensor_parallel": 1})
    with pytest.raises(ValueError, match="10 prompts per step cannot be split evenly among 4 GPUs"):
        simulate_run(settings, Cluster(4, GPU), PAPER["Qwen/Qwen2.5-7B"], n_knots=1)
    with pytest.raises(ValueError, match="no room for a KV cache in 16 GiB"):
        simulate_run(config(), Cluster(8, GPU, gpu_gib=16), PAPER["Qwen/Qwen2.5-7B"], n_knots=1)


def test_what_changes_moves_days_as_it_must():
    settings = load_config(ROOT / "configs" / "orz_7b.toml").training
    rollout = settings.rollout.model_copy(update={"prompts_per_step": 32, "samples_per_prompt": 16})
    settings = settings.model_copy(update={"rollout": rollout})
    found = sensitivity(
        settings, Cluster(8, GPU), PAPER["Qwen/Qwen2.5-7B"], n_prompt_tokens=256, gpu_hour_cost=2
    )
    days = dict(found.select("variant", "days").iter_rows())
    base = days["as configured"]
    assert days["response limit 4,000"] < base < days["response limit 16,000"]
    assert days["4 samples per prompt"] < base < days["32 samples per prompt"]
    assert days["16 GPUs"] < base < days["4 GPUs"]
    assert days["single responses exchanged"] < base < days["ranks train on what they sampled"]
    assert {"4 engines per node", "2 engines per node", "1 engine per node"} < set(days)
