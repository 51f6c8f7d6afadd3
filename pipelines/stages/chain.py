"""The chain of stages without Prefect: each property makes its artifact and those it needs, or reuses them.

Each artifact is looked up, and its files hashed, only once.
"""

from functools import cached_property

from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.workspace import Workspace
from pipelines.stages.base import base_stage
from pipelines.stages.curate import curate_stage
from pipelines.stages.difficulty import difficulty_stage
from pipelines.stages.evaluate import evaluate_stage
from pipelines.stages.models import Model
from pipelines.stages.rewards import rewards_stage
from pipelines.stages.train import anneal_stage, train_stage


class Chain:
    """The stages of one run, in order."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @cached_property
    def curated(self) -> Artifact:
        return curate_stage(self.workspace)

    @cached_property
    def prompts(self) -> Artifact:
        return rewards_stage(self.workspace, self.curated)

    @cached_property
    def base(self) -> Artifact:
        return base_stage(self.workspace, self.prompts)

    @cached_property
    def trained(self) -> Artifact:
        return train_stage(self.workspace, self.prompts, self.base)

    def anneal(self, n_steps: int) -> Artifact:
        """Train `n_steps` more steps on the prompts that are hard for the trained model."""
        hard = difficulty_stage(self.workspace, self.prompts, Model.of_stage(self.trained))
        return anneal_stage(self.workspace, hard, self.trained, n_steps)

    @cached_property
    def evaluated_base(self) -> Artifact:
        return evaluate_stage(self.workspace, self.prompts, Model.of_stage(self.base), "base")

    def evaluate(self, model: Model, which: str = "") -> Artifact:
        """Benchmark any model; the result is linked as evaluate-<which> (default: its folder's name)."""
        return evaluate_stage(self.workspace, self.prompts, model, which or model.folder.name)

    @cached_property
    def evaluated_final(self) -> Artifact:
        return evaluate_stage(self.workspace, self.prompts, Model.of_stage(self.trained), "final")
