"""A checkpoint is complete or absent, written beside training, and loads as what was saved."""

import io
import os
import threading

import pytest
import torch
import torch.distributed.checkpoint as dcp

import training.saving.checkpoints
from tests.training.saving.models import ALONE, INPUTS, engines, named, scores
from training.saving.checkpoints import PacedFile, Saver, load_state
from training.saving.steps import saved_steps


def train(engine, n=2):
    """A few optimizer steps on the engine's own outputs."""
    for _ in range(n):
        found = engine.module(*INPUTS)
        (found[0] if isinstance(found, tuple) else found).square().sum().backward()
        engine.optimizer.step()
        engine.optimizer.zero_grad()


def save(root, step, models, keep=2):
    saver = Saver(root, keep, ALONE)
    saver.save(step, named(*models))
    saver.close()


def test_the_newest_checkpoints_are_kept_and_the_newest_is_loaded(base, tmp_path):
    root = tmp_path / "state"
    saved = {}
    saver = Saver(root, 2, ALONE)
    for step in (2, 4, 6):
        actor, critic = engines(base, seed=step)
        saver.save(step, named(actor, critic))
        saved[step] = scores(actor.module, critic.module)
    saver.close()
    assert [path.name for path in sorted(root.iterdir())] == ["step-000004", "step-000006"]
    actor, critic = engines(base, seed=99)
    assert load_state(root, named(actor, critic), ALONE) == 6
    assert torch.equal(scores(actor.module, critic.module), saved[6])


def test_training_goes_on_as_if_it_had_not_stopped(base, tmp_path):
    first, second = engines(base, seed=1), engines(base, seed=2)
    for engine in first:
        train(engine)
    save(tmp_path, 2, first)
    assert load_state(tmp_path, named(*second), ALONE) == 2
    for engine in (*first, *second):
        train(engine)
    assert torch.equal(*(scores(actor.module, critic.module) for actor, critic in (first, second)))
    for a, b in zip(first, second, strict=True):
        states = zip(a.optimizer.state.values(), b.optimizer.state.values(), strict=True)
        assert all(torch.equal(x[kind], y[kind]) for x, y in states for kind in x)


def test_what_is_saved_is_what_was_at_the_call_while_training_goes_on(base, tmp_path, monkeypatch):
    """The disk is stuck, training continues, and the checkpoint holds the weights of its own step."""
    actor, critic = engines(base, seed=1)
    go, begun, write = threading.Event(), threading.Event(), dcp.save

    def slow(*arguments, **options):
        begun.set()
        assert go.wait(60)
        return write(*arguments, **options)

    monkeypatch.setattr(training.saving.checkpoints.dcp, "save", slow)
    saver = Saver(tmp_path, 2, ALONE)
    saver.save(2, named(actor, critic))
    expected = scores(actor.module, critic.module)
    assert begun.wait(60)
    train(actor)
    assert saved_steps(tmp_path) == []
    go.set()
    saver.close()
    other = engines(base, seed=5)
    load_state(tmp_path, named(*other), ALONE)
    assert torch.equal(scores(other[0].module, other[1].module), expected)


def test_a_failed_save_is_told_at_the_next_one_and_leaves_no_checkpoint(base, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training.saving.checkpoints, "sync_folder", fail)
    saver = Saver(tmp_path / "state", 2, ALONE)
    saver.save(2, named(*engines(base)))
    with pytest.raises(OSError, match="No space left"):
        saver.save(4, named(*engines(base)))
    assert saved_steps(tmp_path / "state") == []


def test_a_full_disk_is_told_as_such(base, tmp_path, monkeypatch):
    def fail(self, *arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dcp.FileSystemWriter, "write_data", fail)
    saver = Saver(tmp_path / "state", 2, ALONE)
    saver.save(2, named(*engines(base)))
    with pytest.raises(OSError, match="No space left") as error:
        saver.close()
    assert error.value.errno == 28


def test_without_a_checkpoint_nothing_is_loaded(base, tmp_path):
    actor, critic = engines(base)
    before = scores(actor.module, critic.module)
    assert load_state(tmp_path / "state", named(actor, critic), ALONE) == 0
    assert torch.equal(scores(actor.module, critic.module), before)


def test_a_checkpoint_killed_halfway_is_never_loaded(base, tmp_path):
    root = tmp_path / "state"
    actor, critic = engines(base, seed=1)
    save(root, 2, (actor, critic))
    (root / "step-000004.partial").mkdir()
    second = engines(base, seed=2)
    assert load_state(root, named(*second), ALONE) == 2
    assert torch.equal(scores(second[0].module, second[1].module), scores(actor.module, critic.module))
    save(root, 4, second)
    assert saved_steps(root) == [2, 4] and not (root / "step-000004.partial").exists()


@pytest.mark.parametrize("lost", [".metadata", "__0_0.distcp"])
def test_a_checkpoint_that_does_not_load_says_which_folder_to_delete(base, tmp_path, lost):
    root = tmp_path / "state"
    save(root, 2, engines(base))
    (root / "step-000002" / lost).unlink()
    with pytest.raises(ValueError, match=rf"delete {root / 'step-000002'} to resume from"):
        load_state(root, named(*engines(base)), ALONE)


def test_a_checkpoint_of_another_model_names_what_it_lacks(base, tmp_path):
    actor, critic = engines(base)
    saver = Saver(tmp_path, 1, ALONE)
    saver.save(2, {"actor": actor})
    saver.close()
    with pytest.raises(ValueError, match="critic: .*delete"):
        load_state(tmp_path, named(actor, critic), ALONE)


def test_a_large_write_goes_to_the_disk_in_parts(tmp_path, monkeypatch):
    """Small files that others flush meanwhile then wait for a part only."""
    monkeypatch.setattr(training.saving.checkpoints, "PACE_BYTES", 1000)
    flushed, flush = [], os.fdatasync

    def record(descriptor):
        flushed.append(os.fstat(descriptor).st_size)
        flush(descriptor)

    monkeypatch.setattr(os, "fdatasync", record)
    content = bytes(range(256)) * 20
    with PacedFile(io.FileIO(tmp_path / "file", "w")) as file:
        assert file.write(content[:100]) == 100
        assert file.write(torch.frombuffer(bytearray(content[100:]), dtype=torch.uint8).numpy()) == 5020
        assert file.tell() == len(content)
    assert (tmp_path / "file").read_bytes() == content
    steps = [b - a for a, b in zip([0, *flushed], flushed, strict=False)]
    assert len(flushed) == 5 and max(steps) <= 1100
