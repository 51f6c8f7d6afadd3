"""The warm-up: proportions and labels of its demonstrations, and that a model learns from them."""

import math
import random
import re
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rewards.contracts.prompts import PromptConfig, render_prompt
from training.base.column_sums import Slips
from training.base.tokenizer import build_tokenizer
from training.base.warmup import WorkedProblem, batches, perturb, warm_up, write_response
from training.model import build_scratch
from training.sections.model import CorpusPhase, ScratchConfig, WarmupConfig

ITEMS = [WorkedProblem(f"{a}+{b}=?", str(a + b), f"{a} and {b} is {a + b}") for a in range(9) for b in (3, 7)]
PROMPT = PromptConfig(template="bare")
TOKENIZER = build_tokenizer([text for i in ITEMS for text in (i.problem, i.answer, i.solution, "0123456789")])
NO_SLIPS = Slips(0.0, "sound", "0")
EOS, PAD = TOKENIZER.eos_token_id, TOKENIZER.pad_token_id


def kind(item: WorkedProblem, response: str) -> str:
    """Classify a demonstration by its format alone."""
    if response == f"{item.solution}</think><answer>\\boxed{{{item.answer}}}</answer>":
        return "careful"
    match = re.fullmatch(r"</think><answer>\\boxed\{(.*)\}</answer>", response)
    if match is None:
        return "junk"
    return "quick, right" if match[1] == item.answer else "quick, wrong"


@pytest.mark.parametrize(
    "careful, quick, quick_correct",
    [(0.3, 0.5, 0.15), (0.08, 0.8, 0.5), (0.0, 1.0, 0.0), (1.0, 0.0, 0.5), (0.0, 0.0, 0.5)],
)
def test_shares_follow_the_phase(careful, quick, quick_correct):
    phase = CorpusPhase(n_steps=1, careful=careful, quick=quick, quick_correct=quick_correct)
    rng, n = random.Random(11), 4000
    counts = Counter(kind(ITEMS[5], write_response(ITEMS[5], phase, rng, NO_SLIPS)) for _ in range(n))
    expected = {
        "careful": careful,
        "quick, right": quick * quick_correct,
        "quick, wrong": quick * (1 - quick_correct),
        "junk": 1 - careful - quick,
    }
    assert sum(counts.values()) == n
    for name, share in expected.items():
        # Five standard errors of a share; a share of 0 or 1 must be met exactly.
        assert abs(counts[name] / n - share) <= 5 * (share * (1 - share) / n) ** 0.5 + 1e-9, name


def test_junk_is_never_in_the_asked_format():
    phase = CorpusPhase(n_steps=1, careful=0, quick=0)
    drawn = {write_response(ITEMS[0], phase, random.Random(seed), NO_SLIPS) for seed in range(500)}
    assert len(drawn) > 20
    assert not any("\\boxed" in response for response in drawn)


@given(st.from_regex(r"[0-9a-z.\-]{1,8}", fullmatch=True), st.integers(0, 10_000))
def test_perturbed_answers_differ_in_one_digit(answer, seed):
    wrong = perturb(answer, random.Random(seed))
    assert wrong != answer
    if any(c.isdigit() for c in answer):
        assert len(wrong) == len(answer)
        assert sum(a != b for a, b in zip(answer, wrong, strict=True)) == 1
        assert [c.isdigit() for c in wrong] == [c.isdigit() for c in answer]
    else:
        assert wrong[:-1] == answer


PHASE = CorpusPhase(n_steps=4, careful=0.5, quick=0.3)


def corpus(seed="0:0", phase=PHASE, batch_size=16):
    return list(batches(ITEMS, phase, batch_size, PROMPT, TOKENIZER, seed, NO_SLIPS))


def test_labels_are_the_response_and_its_end_token_and_nothing_else():
    problems = {render_prompt(item.problem, PROMPT) for item in ITEMS}
    drawn = corpus()
    assert len(drawn) == PHASE.n_steps
    for input_ids, labels in drawn:
        assert input_ids.shape == labels.shape and len(input_ids) == 16
        for row, label in zip(input_ids.tolist(), labels.tolist(), strict=True):
            marked = [i for i, value in enumerate(label) if value != -100]
            start, end = marked[0], marked[-1] + 1
            assert marked == list(range(start, end))
            assert label[start:end] == row[start:end]
            assert TOKENIZER.decode(row[:start]) in problems
            assert row[end - 1] == EOS and EOS not in row[: end - 1]
            assert row[end:] == [PAD] * (len(row) - end)
        assert any(row[-1] != PAD for row in input_ids)


def test_the_seed_decides_the_corpus():
    same = zip(corpus("1:0"), corpus("1:0"), strict=True)
    assert all(torch.equal(a, b) for pair in same for a, b in zip(*pair, strict=True))
    assert any(
        a[0].shape != b[0].shape or not torch.equal(a[0], b[0])
        for a, b in zip(corpus("1:0"), corpus("1:1"), strict=True)
    )


def model():
    shape = ScratchConfig(hidden=32, n_layers=1, n_heads=1, intermediate=32, max_tokens=64)
    return build_scratch(shape, len(TOKENIZER), PAD, EOS, seed=0)


CONFIG = WarmupConfig(
    phases=(CorpusPhase(n_steps=25, careful=1, quick=0), CorpusPhase(n_steps=5, careful=0, quick=1)),
    batch_size=16,
)


def test_the_loss_falls_and_progress_counts_all_phases():
    seen = []
    last = warm_up(model(), TOKENIZER, ITEMS, CONFIG, PROMPT, 0, lambda done, loss: seen.append((done, loss)))
    assert [done for done, _ in seen] == list(range(1, 31))
    assert last == seen[-1][1]
    losses = [loss for _, loss in seen]
    # An untrained model spreads its probability over the vocabulary.
    assert losses[0] == pytest.approx(torch.tensor(len(TOKENIZER)).log().item(), abs=0.2)
    assert losses[24] < losses[0] - 0.5


def test_the_same_seed_trains_the_same_weights():
    trained = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(trained))
        trained.append(model())
        warm_up(trained[-1], TOKENIZER, ITEMS, CONFIG, PROMPT, seed)
    first, second, other = (dict(m.named_parameters()) for m in trained)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_no_phase_means_no_training():
    trained, untouched = model(), model()
    loss = warm_up(trained, TOKENIZER, ITEMS, WarmupConfig(), PROMPT, 0)
    assert math.isnan(loss)
    assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), untouched.parameters(), strict=True))
