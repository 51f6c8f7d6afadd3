"""Models that stages make and benchmark: their folders and the hashes that identify them."""

from dataclasses import dataclass
from pathlib import Path

from evals.replay import Replay
from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.workspace import Workspace
from training.fingerprint import hash_model
from training.saving.steps import saved_steps, step_folder


def final_model(trained: Artifact) -> Path:
    """The policy after the last training step; FileNotFoundError when there is no complete export."""
    exports = trained.folder / "exports"
    steps = saved_steps(exports)
    if not steps:
        raise FileNotFoundError(f"{exports}: no complete export of a model; train the run again")
    return step_folder(exports, steps[-1]) / "actor"


@dataclass(frozen=True, slots=True)
class Model:
    """A model to benchmark: its folder in Hugging Face format, and a hash of its content."""

    folder: Path
    content: str
    is_stored: bool = False
    """True when the folder contains stored responses in place of a model."""

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
        return cls(folder.resolve(), Replay(folder).fingerprint, is_stored=True)
