"""Exports are complete or absent, load as what was trained, and are never whole in memory."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

import training.saving.exports
from tests.training.saving.models import ALONE, TOKENIZER, engines, named, scores, unsharded
from training.fingerprint import hash_model
from training.model import DTYPES, Critic, Policy, build_scratch, load_critic, load_policy
from training.ranks import Ranks
from training.saving.exports import export_models, flush_tree
from training.saving.steps import missing_file, saved_steps
from training.sections.model import ScratchConfig


def test_flush_tree_reaches_every_file_and_folder(tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("top", "a/middle", "a/b/bottom"):
        (tmp_path / name).write_text(name)
    flushed, fsync = set(), os.fsync

    def record(descriptor):
        flushed.add(Path(f"/proc/self/fd/{descriptor}").resolve())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    flush_tree(tmp_path)
    assert flushed == {tmp_path.resolve(), *(path.resolve() for path in tmp_path.rglob("*"))}
    assert len(flushed) == 6


def test_flush_tree_closes_what_it_opens(tmp_path):
    (tmp_path / "file").write_text("x")
    before = len(os.listdir("/proc/self/fd"))
    flush_tree(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_exports_load_as_the_trained_models(base, tmp_path):
    actor, critic = engines(base)
    folder = tmp_path / "exports" / "step-000002"
    export_models(folder, base, named(actor, critic), ALONE)
    expected = scores(actor.module, critic.module)

    ours = scores(load_policy(folder / "actor", "fp32", 1.0, 8), load_critic(folder / "critic", "fp32"))
    assert torch.equal(ours, expected)
    plain = AutoModelForCausalLM.from_pretrained(folder / "actor", dtype=torch.float32)
    assert torch.equal(scores(Policy(plain, 1.0, 8), critic.module), expected)
    assert plain.get_output_embeddings().weight is plain.get_input_embeddings().weight
    for name in ("actor", "critic"):
        assert AutoTokenizer.from_pretrained(folder / name).get_vocab() == TOKENIZER.get_vocab()
    assert isinstance(load_critic(folder / "actor", "fp32"), Critic)
    assert not load_critic(folder / "actor", "fp32").head.weight.any()


@pytest.mark.parametrize("of_base, trained", [("bf16", "fp32"), ("fp32", "bf16")])
def test_an_exports_config_names_the_precision_of_its_weights(base, tmp_path, of_base, trained):
    AutoModelForCausalLM.from_pretrained(base, dtype=DTYPES[of_base]).save_pretrained(base)
    actor = unsharded(load_policy(base, trained, 1.0, 8))
    export_models(tmp_path / "step-000001", base, named(actor, unsharded(load_critic(base, trained))), ALONE)
    for name in ("actor", "critic"):
        folder = tmp_path / "step-000001" / name
        assert {w.dtype for w in load_file(folder / "model.safetensors").values()} == {DTYPES[trained]}
        assert AutoConfig.from_pretrained(folder).dtype == DTYPES[trained]


def test_a_critic_of_another_size_than_the_policy_is_exported_with_its_own_config(base, tmp_path):
    wide = ScratchConfig(hidden=64, n_layers=2, n_heads=2, intermediate=32, max_tokens=48)
    build_scratch(wide, len(TOKENIZER), 0, 1, seed=3).save_pretrained(tmp_path / "critic")
    (actor, _), critic = engines(base), unsharded(load_critic(tmp_path / "critic", "fp32"))
    folder = tmp_path / "step-000001"
    export_models(folder, base, named(actor, critic), ALONE, tmp_path / "critic")
    loaded = load_policy(folder / "actor", "fp32", 1.0, 8), load_critic(folder / "critic", "fp32")
    assert torch.equal(scores(*loaded), scores(actor.module, critic.module))


def test_an_export_is_the_same_bytes_every_time(base, tmp_path):
    for name in ("a", "b"):
        export_models(tmp_path / name, base, named(*engines(base)), ALONE)
    for name in ("actor", "critic"):
        assert hash_model(tmp_path / "a" / name) == hash_model(tmp_path / "b" / name)
    assert hash_model(tmp_path / "a" / "actor") != hash_model(base)


def test_an_export_replaces_an_older_one_and_what_a_killed_one_left(base, tmp_path):
    folder = tmp_path / "step-000002"
    export_models(folder, base, named(*engines(base, seed=1)), ALONE)
    (folder / "stale").write_text("x")
    partial = tmp_path / "step-000002.partial"
    (partial / "actor").mkdir(parents=True)
    (partial / "actor" / "model.safetensors").write_text("half")

    actor, critic = engines(base, seed=2)
    export_models(folder, base, named(actor, critic), ALONE)
    assert not partial.exists() and not (folder / "stale").exists()
    loaded = load_policy(folder / "actor", "fp32", 1.0, 8), load_critic(folder / "critic", "fp32")
    assert torch.equal(scores(*loaded), scores(actor.module, critic.module))


def test_a_failing_disk_leaves_the_older_export_whole(base, tmp_path, monkeypatch):
    folder = tmp_path / "step-000002"
    export_models(folder, base, named(*engines(base, seed=1)), ALONE)
    before = hash_model(folder / "actor"), hash_model(folder / "critic")

    def fail(folder):
        raise OSError("no space left on device")

    monkeypatch.setattr(training.saving.exports, "flush_tree", fail)
    with pytest.raises(OSError, match="no space left"):
        export_models(folder, base, named(*engines(base, seed=2)), ALONE)
    assert (hash_model(folder / "actor"), hash_model(folder / "critic")) == before
    assert saved_steps(tmp_path) == [2]


def test_another_rank_writes_no_export(base, tmp_path, monkeypatch):
    monkeypatch.setattr(Ranks, "barrier", lambda self: None)
    export_models(tmp_path / "step-000001", base, named(*engines(base)), Ranks(1, 2, torch.device("cpu")))
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_a_large_model_is_cut_into_files_with_an_index(base, tmp_path, monkeypatch):
    actor, critic = engines(base)
    most = []
    save_file = training.saving.exports.save_file

    def record(weights, *arguments, **options):
        most.append(sum(tensor.nbytes for tensor in weights.values()))
        save_file(weights, *arguments, **options)

    monkeypatch.setattr(training.saving.exports, "save_file", record)
    whole = tmp_path / "step-000001"
    export_models(whole, base, named(actor, critic), ALONE)
    total, _ = most
    most.clear()
    plan = training.saving.exports.plan_files
    monkeypatch.setattr(training.saving.exports, "plan_files", lambda weights: plan(weights, total // 3))
    folder = tmp_path / "step-000002"
    export_models(folder, base, named(actor, critic), ALONE)
    assert len(most) > 4 and max(most) <= total // 3
    assert not (folder / "actor" / "model.safetensors").exists()
    ours = scores(load_policy(folder / "actor", "fp32", 1.0, 8), load_critic(folder / "critic", "fp32"))
    assert torch.equal(ours, scores(actor.module, critic.module))
    index = json.loads((folder / "actor" / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == total
    assert missing_file(folder / "actor") is None
    (folder / "actor" / "model-00002-of-00004.safetensors").unlink()
    assert missing_file(folder / "actor") == "model-00002-of-00004.safetensors"
