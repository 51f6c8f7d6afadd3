"""The fingerprint of a model folder: it depends on what the model generates with, not on the name."""

import shutil

import pytest

from training.fingerprint import hash_model


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model.safetensors", "config.json", "generation_config.json", "tokenizer.json"):
        (folder / name).write_text(name)
    return folder


def test_a_copy_under_another_name_is_the_same_model(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    assert hash_model(folder) == hash_model(tmp_path / "copy") == hash_model(tmp_path / "link")


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "model-00002-of-00002.safetensors",
        "value_head.safetensors",
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    ],
)
def test_a_change_in_what_decides_the_output_is_seen(folder, name):
    before = hash_model(folder)
    (folder / name).write_text("changed")
    assert hash_model(folder) != before


@pytest.mark.parametrize("name", ["README.md", "optimizer.pt", "events.out.tfevents"])
def test_other_files_do_not_matter(folder, name):
    before = hash_model(folder)
    (folder / name).write_text("new")
    assert hash_model(folder) == before


def test_swapping_the_contents_of_two_files_is_a_change(folder):
    before = hash_model(folder)
    (folder / "config.json").write_text("tokenizer.json")
    (folder / "tokenizer.json").write_text("config.json")
    assert hash_model(folder) != before


@pytest.mark.parametrize("is_empty", [True, False], ids=["empty folder", "weights missing"])
def test_a_folder_without_weights_is_refused_by_name(folder, is_empty):
    (folder / "model.safetensors").unlink()
    if is_empty:
        shutil.rmtree(folder)
        folder.mkdir()
    with pytest.raises(FileNotFoundError, match=rf"{folder}: no \*\.safetensors file"):
        hash_model(folder)
