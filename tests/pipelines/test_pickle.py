"""Pickle runs what it reads: no code here loads it, and a model that comes as one cannot run anything."""

import ast
import pickle
from pathlib import Path

import pytest

from tests.pipelines.conftest import ROOT, tiny_model

PACKAGES = ("curation", "rewards", "training", "evals", "pipelines")
LOADERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def unsafe(source: str) -> list[int]:
    """Lines that load pickles: an import of a pickle library, torch.load or numpy.load that allows them."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Call):
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            called = ast.unparse(node.func)
            if called == "torch.load" and given.get("weights_only") != "True":
                found.append(node.lineno)
            if given.get("allow_pickle", "False") != "False" or called.endswith("read_pickle"):
                found.append(node.lineno)
        found += [node.lineno for name in names if name.partition(".")[0] in LOADERS]
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_loads_a_pickle(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    assert {str(file): lines for file in files if (lines := unsafe(file.read_text()))} == {}


@pytest.mark.parametrize(
    ("source", "is_unsafe"),
    [
        ("import pickle", True),
        ("from dill import load", True),
        ("import torch\ntorch.load(f)", True),
        ("torch.load(f, weights_only=False)", True),
        ("torch.load(f, weights_only=True)", False),
        ("numpy.load(f, allow_pickle=True)", True),
        ("numpy.load(f)", False),
        ("import json\njson.load(f)", False),
        ("pandas.read_pickle(f)", True),
        ("from safetensors.torch import load_file", False),
    ],
)
def test_the_search_finds_loaders(source: str, is_unsafe: bool) -> None:
    assert bool(unsafe(source)) is is_unsafe


class Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_a_model_that_is_a_pickle_runs_nothing(tmp_path: Path) -> None:
    import torch

    from training.model import load_policy

    model, mark = tmp_path / "model", tmp_path / "ran"
    tiny_model(model, seed=0)
    load_policy(model, "fp32", 1.0, 64)
    (model / "model.safetensors").unlink()
    torch.save({"weight": Bomb(mark)}, model / "pytorch_model.bin")
    with pytest.raises((pickle.UnpicklingError, ValueError, OSError)):
        load_policy(model, "fp32", 1.0, 64)
    assert not mark.exists()
    torch.load(model / "pytorch_model.bin", weights_only=False)
    assert mark.exists(), "the bomb works"
