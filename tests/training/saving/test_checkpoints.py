"""Checkpoints and exports are complete or absent, and load as what was trained."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

import training.saving.checkpoints
from training.base.tokenizer import build_tokenizer
from training.config import ScratchConfig
from training.fingerprint import hash_model
from training.model import DTYPES, Critic, Policy, build_scratch, load_critic, load_policy
from training.ranks import Ranks
from training.saving.checkpoints import (
    export_models,
    flush_tree,
    load_state,
    save_state,
)
from training.saving.steps import keep_exports, saved_steps, step_folder

ALONE = Ranks(0, 1, torch.device("cpu"))
SHAPE = ScratchConfig(hidden=32, n_layers=1, n_heads=1, intermediate=32, max_tokens=32)
TOKENIZER = build_tokenizer(["0123456789+=?"])
INPUTS = torch.tensor([[8, 9, 10, 11, 12]]), torch.ones(1, 5), torch.tensor([[0, 0, 1, 1, 1]])


@dataclass
class Unsharded:
    """A plain module with the few calls that checkpoints make on an engine; state goes through torch.save."""

    module: torch.nn.Module

    def zero_optimization_stage(self) -> int:
        return 0

    def save_checkpoint(self, folder: str, tag: str, save_latest: bool) -> None:
        assert not save_latest
        path = Path(folder, tag)
        path.mkdir(parents=True)
        torch.save(self.module.state_dict(), path / "weights.pt")

    def load_checkpoint(self, folder: str, tag: str):
        path = Path(folder, tag, "weights.pt")
        if not path.exists():
            return None, {}
        self.module.load_state_dict(torch.load(path))
        return str(path), {}


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "base"
    build_scratch(SHAPE, len(TOKENIZER), 0, 1, seed=0).save_pretrained(folder)
    TOKENIZER.save_pretrained(folder)
    return folder


def engines(base, seed=1):
    """Actor and critic whose weights differ from the base and from each other."""
    actor, critic = load_policy(base, "fp32", 1.0, 8), load_critic(base, "fp32")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in [*actor.parameters(), *critic.parameters()]:
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return Unsharded(actor), Unsharded(critic)


def named(actor, critic):
    return {"actor": actor, "critic": critic}


def scores(actor, critic):
    with torch.no_grad():
        return torch.cat([actor(*INPUTS)[0], critic(*INPUTS)])


@pytest.mark.parametrize(
    "names, expected",
    [
        pytest.param([], [], id="empty"),
        pytest.param(["step-000020", "step-000003", "step-000100"], [3, 20, 100], id="ascending"),
        pytest.param(["step-000001.partial", "step-000002"], [2], id="partial"),
        pytest.param(["step-7", "step-000008-old", "xstep-000009", ".step-000010"], [], id="foreign"),
    ],
)
def test_saved_steps_are_the_whole_folders(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).mkdir()
    assert saved_steps(tmp_path) == expected


def test_a_folder_that_does_not_exist_has_no_steps(tmp_path):
    assert saved_steps(tmp_path / "none") == []


def test_step_folders_sort_by_name_as_by_number(tmp_path):
    folders = [step_folder(tmp_path, step) for step in (1, 9, 10, 99, 100, 999_999)]
    assert sorted(folders) == folders
    for folder in folders:
        folder.mkdir()
    assert saved_steps(tmp_path) == [1, 9, 10, 99, 100, 999_999]


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
    actor = Unsharded(load_policy(base, trained, 1.0, 8))
    export_models(tmp_path / "step-000001", base, named(actor, Unsharded(load_critic(base, trained))), ALONE)
    for name in ("actor", "critic"):
        folder = tmp_path / "step-000001" / name
        assert {w.dtype for w in load_file(folder / "model.safetensors").values()} == {DTYPES[trained]}
        assert AutoConfig.from_pretrained(folder).dtype == DTYPES[trained]


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

    monkeypatch.setattr(training.saving.checkpoints, "flush_tree", fail)
    with pytest.raises(OSError, match="no space left"):
        export_models(folder, base, named(*engines(base, seed=2)), ALONE)
    assert (hash_model(folder / "actor"), hash_model(folder / "critic")) == before
    assert saved_steps(tmp_path) == [2]


def test_another_rank_writes_no_export(base, tmp_path, monkeypatch):
    monkeypatch.setattr(Ranks, "barrier", lambda self: None)
    export_models(tmp_path / "step-000001", base, named(*engines(base)), Ranks(1, 2, torch.device("cpu")))
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_the_newest_checkpoints_are_kept_and_the_newest_is_loaded(base, tmp_path):
    root = tmp_path / "state"
    saved = {}
    for step in (2, 4, 6):
        actor, critic = engines(base, seed=step)
        save_state(root, step, named(actor, critic), 2, ALONE)
        saved[step] = scores(actor.module, critic.module)
    assert [path.name for path in sorted(root.iterdir())] == ["step-000004", "step-000006"]
    actor, critic = engines(base, seed=99)
    assert load_state(root, named(actor, critic)) == 6
    assert torch.equal(scores(actor.module, critic.module), saved[6])


def test_a_checkpoint_is_on_the_disk_before_it_gets_its_name(base, tmp_path, monkeypatch):
    def fail(folder):
        raise OSError("no space left on device")

    monkeypatch.setattr(training.saving.checkpoints, "flush_tree", fail)
    with pytest.raises(OSError, match="no space left"):
        save_state(tmp_path / "state", 2, named(*engines(base)), 2, ALONE)
    assert saved_steps(tmp_path / "state") == []


def test_without_a_checkpoint_nothing_is_loaded(base, tmp_path):
    actor, critic = engines(base)
    before = scores(actor.module, critic.module)
    assert load_state(tmp_path / "state", named(actor, critic)) == 0
    assert torch.equal(scores(actor.module, critic.module), before)


def test_a_checkpoint_killed_halfway_is_never_loaded(base, tmp_path, monkeypatch):
    root = tmp_path / "state"
    actor, critic = engines(base, seed=1)
    save_state(root, 2, named(actor, critic), 2, ALONE)
    second = engines(base, seed=2)

    def die(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Unsharded, "save_checkpoint", die)
    with pytest.raises(KeyboardInterrupt):
        save_state(root, 4, named(*second), 2, ALONE)
    monkeypatch.undo()
    assert (root / "step-000004.partial").exists()
    assert load_state(root, named(*second)) == 2
    assert torch.equal(scores(second[0].module, second[1].module), scores(actor.module, critic.module))
    save_state(root, 4, named(*second), 2, ALONE)
    assert saved_steps(root) == [2, 4] and not (root / "step-000004.partial").exists()


def test_a_checkpoint_that_does_not_load_says_which_folder_to_delete(base, tmp_path):
    root = tmp_path / "state"
    save_state(root, 2, named(*engines(base)), 2, ALONE)
    (root / "step-000002" / "critic" / "state" / "weights.pt").unlink()
    with pytest.raises(RuntimeError, match=rf"critic: .*delete {root / 'step-000002'} to resume from"):
        load_state(root, named(*engines(base)))


def test_the_best_exports_and_the_last_are_kept(tmp_path):
    for step in (2, 4, 6, 8):
        step_folder(tmp_path, step).mkdir()
    rewards = [0.1, 0.1, 0.9, 0.5, 0.6, 0.6, 0.2, 0.2]  # Means by export: 0.1, 0.7, 0.6, 0.2.
    history = [{"step": step, "reward": reward} for step, reward in enumerate(rewards, 1)]
    keep_exports(tmp_path, history, 2)
    assert saved_steps(tmp_path) == [4, 6, 8]
    keep_exports(tmp_path, history, 0)
    assert saved_steps(tmp_path) == [8]
