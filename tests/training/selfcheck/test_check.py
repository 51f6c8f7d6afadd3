"""The check of a base model on real architectures: what trains exactly, how, and what is refused and why."""

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from bench.parts.families import make_family
from training.batching import Responses
from training.config import TrainingConfig
from training.model import load_policy
from training.packed.packing import PACKED, PADDED
from training.selfcheck import check
from training.selfcheck.check import check_model
from training.selfcheck.compare import Gap
from training.selfcheck.report import Refused
from training.selfcheck.sampling import check_sampling


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("REASONER_ZERO_CHECKS", str(tmp_path / "checks"))


def settings(packing: str = "auto", recomputes: bool = True) -> TrainingConfig:
    table = {"ppo": {"packing": packing}, "deepspeed": {"gradient_checkpointing": recomputes}}
    return TrainingConfig.model_validate({"model": {"path": "unused"}} | table)


def found(report, what: str):
    (line,) = [line for line in report.lines if line.what == what]
    return line


@pytest.mark.parametrize(
    "family, layout",
    [
        pytest.param("llama", PACKED, id="plain"),
        pytest.param("mistral-window", PACKED, id="window"),
        pytest.param("granite", PACKED, id="scaled logits"),
        pytest.param("opt", PACKED, id="dropout in its layers"),
        pytest.param("falcon", PADDED[0], id="attention of its own"),
        pytest.param("qwen3.5", PADDED[0], id="recurrent layers"),
        pytest.param("gemma2", PADDED[1], id="capped attention"),
        pytest.param("gpt-oss", PADDED[1], id="sinks"),
    ],
)
def test_the_layout_is_the_fastest_that_is_exact_and_the_trainer_is_exact_with_it(family, layout, tmp_path):
    folder = make_family(family, tmp_path / "model")
    report = check_model(folder, settings(), 96)
    report.say()
    assert report.layout == layout
    assert found(report, "rows").level == ("ok" if layout.is_packed else "slower")
    assert found(report, "the model itself").level == "ok"
    # And not by its own word alone: two rows together and each by itself.
    policy = load_policy(folder, "fp32", 1.0, 8, layout, 96)
    rows = Responses.build([[9, 8, 7], [5, 6]], [[7] * 30, [8, 9] * 10], torch.device("cpu"))
    with torch.no_grad():
        together, _ = policy(*rows.inputs([0, 1], pad=0))
        alone = [policy(*rows.inputs([row], pad=0))[0] for row in (0, 1)]
    assert (together - torch.cat(alone)).abs().max() < 1e-4


@pytest.mark.parametrize("family", ["falcon", "qwen3.5"])
def test_packing_on_request_is_refused_where_it_is_wrong(family, tmp_path):
    folder = make_family(family, tmp_path / "model")
    with pytest.raises(Refused, match=r'see each other.*set training\.ppo\.packing = "auto"'):
        check_model(folder, settings("packed"), 96).say()
    padded = check_model(folder, settings("padded"), 96)
    assert padded.layout == PADDED[0] and found(padded, "rows").level == "ok"


def test_a_model_that_needs_no_padding_is_padded_on_request(tmp_path):
    report = check_model(make_family("llama", tmp_path / "model"), settings("padded", False), 96)
    assert report.layout == PADDED[0] and not report.refusals


def test_a_check_is_kept_for_the_same_model_settings_and_context(tmp_path, monkeypatch):
    folder, calls = make_family("llama", tmp_path / "model"), []
    run = check._check
    monkeypatch.setattr(check, "_check", lambda *arguments: calls.append(1) or run(*arguments))
    before = torch.get_rng_state()
    first = check_model(folder, settings(), 96)
    assert torch.equal(torch.get_rng_state(), before), "the run's own random numbers do not move"
    assert check_model(folder, settings(), 96) == first and len(calls) == 1
    check_model(folder, settings("padded"), 96)
    check_model(folder, settings(), 97)
    make_family("llama", folder, seed=1)
    check_model(folder, settings(), 96)
    assert len(calls) == 4


def test_an_architecture_of_which_no_toy_can_be_made_is_unproven_and_only_used_on_request(
    tmp_path, monkeypatch
):
    folder = make_family("llama", tmp_path / "model")

    def fail(*_):
        raise check.NoToy("no toy")

    monkeypatch.setattr(check, "make_toys", fail)
    with pytest.raises(Refused, match=r'no toy.*training\.ppo\.packing = "padded"'):
        check_model(folder, settings(), 96).say()
    asked = check_model(folder, settings("padded"), 96)
    asked.say()
    assert asked.layout == PADDED[0] and "unproven" in found(asked, "architecture").found


@pytest.mark.parametrize("context, is_refused", [(128, False), (129, True)])
def test_dynamic_rotary_embeddings_are_refused_beyond_their_length(context, is_refused, tmp_path):
    folder = make_family("llama-dynamic", tmp_path / "model")
    for report in (check_sampling(folder, context), check_model(folder, settings(), context)):
        assert bool(report.refusals) == is_refused
        assert "128" in str(found(report, "rotary embeddings")) or not is_refused


@pytest.mark.parametrize(
    "family, context, is_refused", [("gpt2", 129, True), ("gpt2", 128, False), ("llama", 129, False)]
)
def test_learned_positions_end_and_rotary_ones_do_not(family, context, is_refused, tmp_path):
    report = check_sampling(make_family(family, tmp_path / "model"), context)
    assert [line.what for line in report.refusals] == ["positions"] * is_refused


def test_an_export_that_comes_back_otherwise_is_refused(tmp_path, monkeypatch):
    """Without its buffers, as exports once were, DeepSeek-V3's router would be another one."""
    folder = make_family("deepseek-v3", tmp_path / "model")
    line = found(check_model(folder, settings(), 96, stored=False), "export")
    assert line.level == "ok" and "buffer" in line.found
    monkeypatch.setattr("training.saving.names._buffers", lambda model: {})
    with pytest.raises(Refused, match="export: .*e_score_correction_bias"):
        check_model(folder, settings(), 96, stored=False).say()


def test_tokens_without_a_row_and_rows_without_a_token_are_named(tmp_path):
    folder = make_family("qwen2.5-padded", tmp_path / "model")
    assert "40 rows are no tokens" in found(check_sampling(folder, 96), "tokenizer").found
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"<extra{i}>" for i in range(41)])
    tokenizer.save_pretrained(folder)
    line = found(check_sampling(folder, 96), "tokenizer")
    assert "tokens from 95 on, such as '<extra40>', have no row" in line.found


@pytest.mark.parametrize(
    "gap, is_exact",
    [
        (Gap(9e-6, 9e-6, 9e-5), True),
        (Gap(1.1e-5, 0, 0), False),
        (Gap(0, 1.1e-5, 0), False),
        (Gap(0, 0, 2e-4), False),
        (Gap(float("nan"), 0, 0), False),
        (Gap(0, 0, float("nan")), False),
        (Gap(1e-4, 0, 0, rounding=2e-5), True),
        (Gap(3e-4, 0, 0, rounding=2e-5), False),
        (Gap(2e-3, 0, 0, rounding=1.0), False),
    ],
)
def test_exact_means_up_to_rounding(gap, is_exact):
    assert gap.is_exact == is_exact


def test_a_store_that_cannot_be_written_to_costs_a_warning_and_not_the_run(tmp_path):
    (tmp_path / "checks").write_text("in the way")
    report = check_model(make_family("llama", tmp_path / "model"), settings(), 96)
    assert not report.refusals and Path(tmp_path / "checks").is_file()
