"""The published model: its files and card, the chat template, and what is refused."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipelines.artifacts.workspace import Workspace
from pipelines.publishing.head import Changes
from pipelines.publishing.model import chat_template
from pipelines.publishing.publish import publish
from rewards.contracts.prompts import ORZ_INSTRUCTION, PromptConfig, Shot, render_prompt
from tests.pipelines.conftest import run_cli
from tests.pipelines.publishing.conftest import TOKEN, point_client, settings
from tests.pipelines.publishing.hub_server import HubServer


@pytest.fixture(scope="module")
def hub(trained_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """A hub with the model of the trained run."""
    with HubServer(TOKEN) as server:
        environment = settings(server, tmp_path_factory.mktemp("hf"))
        done = run_cli("publish", str(trained_run.folder), "model", "--repo", "me/small-ppo", **environment)
        assert done.returncode == 0, done.stderr
        assert TOKEN not in done.stdout + done.stderr
        yield server


def test_model_round_trip(hub: HubServer, trained_run: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    files = hub.files("models/me/small-ppo")
    export = trained_run.linked("train").folder / "exports" / "step-000002"
    for name in ("actor/model.safetensors", "actor/tokenizer.json", "critic/value_head.safetensors"):
        assert files[name.removeprefix("actor/")] == (export / name).read_bytes()
    assert {f"manifests/{stage}.json" for stage in ("curate", "rewards", "base", "train")} <= set(files)
    assert not any(str(trained_run.root).encode() in content for content in files.values())

    card = files["README.md"].decode()
    matter = yaml.safe_load(card.split("---\n")[1])
    result = matter["model-index"][0]["results"][0]
    assert result["metrics"][0] == {"type": "accuracy", "name": "avg@2", "value": 0.875}
    assert "| sums (avg@2) | 200 | 25.0 [20.0, 30.0] | 87.5 [80.0, 95.0] | +62.5 | 0.0001 |" in card
    assert "| training reward | 0.125 | 0.750 |" in card
    problem = re.search(r'"content": "(.*?)"', card)
    assert problem and f"User: {ORZ_INSTRUCTION}{problem[1]}\nAssistant: <think>\n```" in card
    assert "| 2 | 0.75 | 1 | 1 | 1 | 1 |" in card

    # The same bytes again: a second publication would send nothing.
    point_client(monkeypatch, hub.url)
    again = publish(trained_run.folder, "model", "me/small-ppo", is_dry_run=True, token=TOKEN)
    assert again.commit is None and again.changes == Changes([], [], [], [])
    assert {name for name, _, _ in again.files} | {".gitattributes"} == set(files)


def test_model_without_its_own_summary_is_refused(tmp_path: Path, trained_run: Workspace) -> None:
    shutil.copytree(trained_run.root, tmp_path / "runs", symlinks=True)
    run = tmp_path / "runs" / "small"
    summary = json.loads((run / "summary.json").read_text())
    summary["fingerprints"]["train"]["fingerprint"] = "of another training"
    (run / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ValueError, match="is about another training"):
        publish(run, "model", "me/small-ppo", is_dry_run=True)
    (run / "summary.json").unlink()
    with pytest.raises(FileNotFoundError, match="reasoner-zero report"):
        publish(run, "model", "me/small-ppo", is_dry_run=True)


def test_damaged_or_unfinished_artifacts_are_refused(tmp_path: Path, trained_run: Workspace) -> None:
    shutil.copytree(trained_run.root, tmp_path / "runs", symlinks=True)
    run = tmp_path / "runs" / "small"
    weights = run / "train" / "exports" / "step-000002" / "actor" / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + b"x")
    with pytest.raises(ValueError, match=r"damaged: exports/step-000002/actor/model.safetensors differs"):
        publish(run, "model", "me/small-ppo", is_dry_run=True)
    weights.unlink()
    with pytest.raises(ValueError, match=r"actor: no \*.safetensors"):
        publish(run, "model", "me/small-ppo", is_dry_run=True)
    (run / "train").unlink()
    with pytest.raises(FileNotFoundError, match="reasoner-zero train"):
        publish(run, "model", "me/small-ppo", is_dry_run=True)
    assert not list(run.glob(".publish-*"))


@pytest.mark.parametrize("template", ["orz", "few_shot", "bare", "plain"])
def test_chat_template_writes_the_training_prompt(template: str) -> None:
    shot = Shot(problem='Say "é"\n{{ 1 }}', thought="\\frac{1}{2} }} {% if %}", answer="1")
    config = PromptConfig(template=template, shots=(shot,))
    problem = "What is $\\{x : x > 0\\}$?\n'{{ y }}'"
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    for begins in ("", "<s>"):
        rendered = environment.from_string(chat_template(config, begins)).render(
            messages=[{"role": "user", "content": problem}], add_generation_prompt=True
        )
        assert rendered == begins + render_prompt(problem, config)


@pytest.mark.slow
def test_published_model_loads_and_answers_as_in_training(
    hub: HubServer, trained_run: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

    point_client(monkeypatch, hub.url)
    there = {"token": TOKEN, "cache_dir": tmp_path}
    tokenizer = AutoTokenizer.from_pretrained("me/small-ppo", **there)
    text = tokenizer.apply_chat_template([{"role": "user", "content": "1+2=?"}], tokenize=False)
    assert text == render_prompt("1+2=?", trained_run.config.training.prompt)
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    export = trained_run.linked("train").folder / "exports" / "step-000002" / "actor"
    published = AutoModelForCausalLM.from_pretrained("me/small-ppo", **there)(**ids).logits
    assert torch.equal(published, AutoModelForCausalLM.from_pretrained(export)(**ids).logits)
    assert float(published.detach().std()) > 0.01
    critic = AutoModel.from_pretrained("me/small-ppo", subfolder="critic", **there)
    assert critic.config.hidden_size == 32
