"""Models that stages make and benchmark: their folders and the hashes that identify them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evals.endpoint.sampling import model_identity
from evals.endpoint_config import EndpointConfig
from evals.replay import Replay
from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.workspace import Workspace
from training.fingerprint import hash_model
from training.saving.steps import saved_steps, step_folder

MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")


def final_model(trained: Artifact) -> Path:
    """The policy after the last training step; FileNotFoundError when there is no complete export."""
    exports = trained.folder / "exports"
    steps = saved_steps(exports)
    if not steps:
        raise FileNotFoundError(f"{exports}: no complete export of a model; train the run again")
    return step_folder(exports, steps[-1]) / "actor"


@dataclass(frozen=True, slots=True)
class Model:
    """A model to benchmark, and a hash of its content."""

    folder: Path
    """Its folder in Hugging Face format, or of its stored responses; for an endpoint, the model's name."""
    content: str
    kind: Literal["folder", "stored", "endpoint"] = "folder"

    @property
    def is_stored(self) -> bool:
        """True when the folder contains stored responses in place of a model."""
        return self.kind == "stored"

    @classmethod
    def of_stage(cls, artifact: Artifact) -> "Model":
        """The policy of an artifact of stage base or train."""
        folder = artifact.folder / "model" if artifact.stage == "base" else final_model(artifact)
        return cls(folder, artifact.content)

    @classmethod
    def of_folder(cls, folder: Path) -> "Model":
        """Any model folder; FileNotFoundError when it contains no model."""
        if not (folder / "config.json").exists():
            raise FileNotFoundError(f"{folder}: no config.json; give the folder of a Hugging Face model")
        return cls(folder.resolve(), hash_model(folder))

    @classmethod
    def of_checkpoints(cls, workspace: Workspace) -> dict[str, "Model"]:
        """Every checkpoint that the run's training has exported so far, by name (step-000050)."""
        exports = workspace.folder / "train" / "exports"
        folders = [step_folder(exports, step) / "actor" for step in saved_steps(exports)]
        return {folder.parent.name: cls.of_folder(folder) for folder in folders}

    @classmethod
    def of_samples(cls, folder: Path) -> "Model":
        """Stored responses: the folder `completions` of a sample artifact, or one with files like its."""
        return cls(folder.resolve(), Replay(folder).fingerprint, "stored")

    @classmethod
    def of_endpoint(cls, endpoint: EndpointConfig) -> "Model":
        """A model that servers offer, known by its name and the version that the user gives it."""
        return cls(Path(endpoint.model), model_identity(endpoint), "endpoint")

    @classmethod
    def of_name(cls, name: str) -> "Model":
        """A folder, or a model of the hub, which is downloaded unless it is there; FileNotFoundError says
        when it is neither."""
        if Path(name).is_dir():
            return cls.of_folder(Path(name))
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith((".", "-")):
            raise FileNotFoundError(f"{name}: no such folder; give a Hugging Face model's folder or hub id")
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError

        try:
            folder = snapshot_download(name, allow_patterns=list(MODEL_FILES))
        except (OSError, ValueError, HfHubHTTPError) as error:
            reason = " ".join(str(error).split())[:200]
            raise FileNotFoundError(
                f"{name}: no folder here, and the hub does not give it ({reason}); a served model needs "
                "--endpoint URL"
            ) from None
        return cls.of_folder(Path(folder))
