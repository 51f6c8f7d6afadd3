"""The torch sampler: it has the trainer's log-probabilities, and no batch changes a response."""

import random

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

from rewards.contracts.engine import Sampling
from tests.training.conftest import STOP
from training.base.tokenizer import build_tokenizer
from training.batching import Responses
from training.model import load_policy
from training.rollout.torch_sampler import TorchSampler

SAMPLING = Sampling(max_new_tokens=24, stop=STOP)
SHAPE = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "eos_token_id": 1,
}
LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


@pytest.fixture(scope="module")
def sampler(tiny_base):
    return open_sampler(tiny_base)


@pytest.fixture(scope="module")
def prompts(sampler, sums):
    """Twenty prompts of various lengths, the first one four times."""
    texts = [f"{'1+' * (i % 3)}{problem}<think>" for i, problem in enumerate(sums["problem"].head(17))]
    return [sampler.encode(text) for text in [texts[0]] * 3 + texts]


def open_sampler(folder, **changes):
    return TorchSampler(folder, precision="fp32", max_model_tokens=48, kv_cache_gib=0.25, **changes)


def trainer_logprobs(policy, prompts, completions):
    responses = Responses.build(prompts, [c.tokens for c in completions], torch.device("cpu"))
    with torch.no_grad():
        return policy(*responses.inputs(list(range(len(prompts))), pad=0))[0]


def mismatch(sampler, policy, prompts, sampling=SAMPLING):
    """Largest |log-prob difference| between sampler and trainer over newly sampled responses."""
    completions = sampler.generate(prompts, list(range(len(prompts))), sampling, n_logprobs=len(prompts))
    theirs = torch.tensor([value for c in completions for value in c.logprobs])
    return (trainer_logprobs(policy, prompts, completions) - theirs).abs().max().item()


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_sampler_and_trainer_agree(sampler, tiny_base, prompts, temperature):
    policy = load_policy(tiny_base, "fp32", temperature, 64)
    assert mismatch(sampler, policy, prompts, Sampling(24, temperature, stop=STOP)) < 1e-5


@pytest.mark.parametrize(
    "kind, options",
    [
        pytest.param(
            LlamaConfig, {"attention_bias": True, "tie_word_embeddings": True}, id="llama with bias"
        ),
        pytest.param(LlamaConfig, {"rope_parameters": LLAMA_3}, id="llama with scaled positions"),
        pytest.param(MistralConfig, {"sliding_window": None}, id="mistral"),
        pytest.param(MistralConfig, {"sliding_window": 7}, id="mistral with a window"),
        pytest.param(LlamaConfig, {"sliding_window": 7}, id="llama, which has no windows"),
        pytest.param(Qwen2Config, {}, id="qwen2"),
        pytest.param(
            Qwen2Config,
            {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1},
            id="qwen2 with a window in one layer",
        ),
        pytest.param(Qwen3Config, {"head_dim": 16}, id="qwen3"),
    ],
)
def test_each_kind_of_model_scores_as_the_library_does(kind, options, tmp_path):
    tokenizer = build_tokenizer(["0123456789+=?"])
    model = save_random(kind(**SHAPE, **options, vocab_size=len(tokenizer)), tokenizer, tmp_path)
    prompts = [[8, 9, 10], [11, 12, 13, 14, 15, 9, 8, 10, 12, 13, 14], [8, 9, 10]]
    completions = open_sampler(tmp_path).generate(prompts, [0, 1, 2], SAMPLING, n_logprobs=3)
    for prompt, completion in zip(prompts, completions, strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([prompt + completion.tokens])).logits[0, len(prompt) - 1 : -1]
        expected = torch.log_softmax(logits, -1)[range(len(completion.tokens)), completion.tokens]
        assert completion.logprobs == pytest.approx(expected.tolist(), abs=1e-5)


def save_random(config, tokenizer, folder):
    model = AutoModelForCausalLM.from_config(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def test_rows_without_a_token_are_never_sampled_and_the_trainer_knows(tmp_path):
    tokenizer = build_tokenizer(["0123456789+=?"])
    n = len(tokenizer)
    save_random(Qwen2Config(**SHAPE | {"eos_token_id": [1, n + 3]}, vocab_size=n + 60), tokenizer, tmp_path)
    sampler, prompts = open_sampler(tmp_path), [[8, 9, 10]] * 16
    completions = sampler.generate(prompts, list(range(16)), Sampling(24))
    assert all(token < n for c in completions for token in c.tokens)
    assert mismatch(sampler, load_policy(tmp_path, "fp32", 1.0, 64), prompts) < 1e-5


def test_positions_that_depend_on_the_length_are_refused_only_where_they_do(tmp_path):
    tokenizer = build_tokenizer(["0123456789+=?"])
    rope = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}
    for folder, longest in (("short", 48), ("long", 47)):
        shape = SHAPE | {"max_position_embeddings": longest}
        config = LlamaConfig(**shape, rope_parameters=rope, vocab_size=len(tokenizer))
        save_random(config, tokenizer, tmp_path / folder)
    open_sampler(tmp_path / "short")
    with pytest.raises(ValueError, match="dynamic rotary embeddings change .* beyond 47"):
        open_sampler(tmp_path / "long")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20])
def test_no_batch_changes_a_bit_of_a_response(sampler, prompts, size):
    seeds = [1000 + i for i in range(len(prompts))]
    whole = sampler.generate(prompts, seeds, SAMPLING, n_logprobs=len(prompts))
    order = random.Random(size).sample(range(len(prompts)), len(prompts))
    torch.manual_seed(size)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        found = sampler.generate(
            [prompts[i] for i in part], [seeds[i] for i in part], SAMPLING, n_logprobs=size
        )
        assert found == [whole[i] for i in part]
    assert len({tuple(c.tokens) for c in whole[:4]}) > 1  # One prompt, four seeds.


def test_a_small_cache_samples_in_turns_and_finds_the_same(sampler, tiny_base, prompts):
    seeds = list(range(len(prompts)))
    small = open_sampler(tiny_base)
    small.cache_bytes = 1
    assert small.generate(prompts, seeds, SAMPLING, n_logprobs=9) == sampler.generate(
        prompts, seeds, SAMPLING, n_logprobs=9
    )


def test_greedy_takes_the_likeliest_token_each_time(sampler, tiny_base, prompts):
    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    found = sampler.generate(prompts[:6], [0] * 6, Sampling(12, temperature=0.0, stop=STOP))
    for prompt, completion in zip(prompts, found, strict=False):
        ids = list(prompt)
        for token in completion.tokens:
            assert model(torch.tensor([ids])).logits[0, -1].argmax() == token
            ids.append(token)


def test_candidates_get_the_models_own_log_probabilities(sampler, tiny_base, prompts):
    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    candidates = [[8, 9], [10], [11, 8, 12]]
    found = sampler.next_logprobs(prompts[:3], candidates)
    for prompt, tokens, values in zip(prompts, candidates, found, strict=False):
        expected = torch.log_softmax(model(torch.tensor([prompt])).logits[0, -1], -1)[tokens]
        assert values == pytest.approx(expected.tolist(), abs=1e-5)


def test_responses_keep_their_tags_and_say_how_they_ended(sampler, prompts):
    seen = []
    completions = sampler.generate(prompts, list(range(len(prompts))), SAMPLING, on_progress=seen.append)
    assert sum(seen) == len(prompts)
    assert any(c.text.endswith("</answer>") for c in completions)
    assert all("<pad>" not in c.text and "<eos>" not in c.text for c in completions)
    for completion in completions:
        assert completion.is_truncated == (
            len(completion.tokens) == 24 and not completion.text.endswith(STOP)
        )
    cut = sampler.generate(prompts, list(range(len(prompts))), Sampling(2, stop=STOP))
    assert all(len(c.tokens) <= 2 for c in cut) and any(c.is_truncated for c in cut)


@pytest.mark.parametrize("stop", [("+",), ("boxed{1", "boxed{2"), ("</think><answer>",)])
def test_a_stop_string_of_any_tokens_is_kept_and_is_the_end(sampler, prompts, stop):
    seeds = list(range(len(prompts)))
    free = sampler.generate(prompts, seeds, SAMPLING)
    n_stopped = 0
    for before, after in zip(free, sampler.generate(prompts, seeds, Sampling(24, stop=stop)), strict=True):
        ends = [before.text.find(text) + len(text) for text in stop if text in before.text]
        if not ends:
            continue
        n_stopped += 1
        assert after.text == before.text[: min(ends)]
        assert after.finish_reason == "stop"
        assert after.tokens == before.tokens[: len(after.tokens)]
    assert n_stopped > 0


def test_new_weights_reach_every_layer_and_a_missing_one_is_named(tiny_base, prompts):
    sampler, policy = open_sampler(tiny_base), load_policy(tiny_base, "fp32", 1.0, 64)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    assert mismatch(sampler, policy, prompts) > 0.1
    sampler.load_weights(policy.model.named_parameters())
    assert mismatch(sampler, policy, prompts) < 1e-5
    weights = dict(policy.model.named_parameters())
    lost = weights.pop("model.layers.1.mlp.up_proj.weight")
    with pytest.raises(ValueError, match="1 weights were not given, such as model.layers.1.mlp.up_proj"):
        sampler.load_weights(weights.items())
    with pytest.raises(ValueError, match="unknown weight model.new"):
        sampler.load_weights([("model.new", lost)])


def test_a_prompt_without_room_for_a_response_is_refused(sampler):
    with pytest.raises(ValueError, match="prompt 1: 25 tokens; from 1 to 48 - 24"):
        sampler.generate([[8], [8] * 25], [0, 1], SAMPLING)


def test_a_model_it_does_not_cover_is_refused_by_name(tmp_path):
    from transformers import GPT2Config

    GPT2Config(n_layer=1).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="not 'gpt2'; set it to \"vllm\""):
        open_sampler(tmp_path)


@pytest.mark.parametrize("stop", [("wait:",), ("é!",), ("日本",)])
def test_pieces_of_characters_do_not_hide_a_stop_string(stop):
    """A byte-level tokenizer spreads some characters over several tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from training.rollout.stopping import Stopper
    from training.vocabulary import Vocabulary

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw)
    ids = tokenizer.encode(f"so 日 é, {stop[0]} and more")
    vocabulary = Vocabulary(tokenizer, len(tokenizer), len(tokenizer), (), ())
    stopper = Stopper(vocabulary, stop, torch.device("cpu"))
    tokens, rows = torch.tensor([ids]), torch.tensor([0])
    ends = [n for n in range(1, len(ids) + 1) if stopper.stops(tokens[:, n - 1], rows, tokens, n).item()]
    assert ends[0] == len(tokenizer.encode(f"so 日 é, {stop[0]}"))
    assert stopper.texts([ids]) == [f"so 日 é, {stop[0]}"]
