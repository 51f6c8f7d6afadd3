"""The chain without Prefect: each method makes its artefact and whatever comes before it, or finds them
made."""

from dataclasses import dataclass

from pipelines.artifact import Artifact
from pipelines.compile_rewards import rewards_stage
from pipelines.curate import curate_stage
from pipelines.evaluate import evaluate_stage
from pipelines.make_base import base_stage
from pipelines.train import train_stage
from pipelines.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Chain:
    workspace: Workspace

    def curated(self) -> Artifact:
        return curate_stage(self.workspace)

    def prompts(self) -> Artifact:
        return rewards_stage(self.workspace, self.curated())

    def base(self) -> Artifact:
        return base_stage(self.workspace, self.prompts())

    def trained(self) -> Artifact:
        return train_stage(self.workspace, self.prompts(), self.base())

    def evaluated_base(self) -> Artifact:
        return evaluate_stage(self.workspace, self.prompts(), self.base(), "evaluate-base")

    def evaluated_final(self) -> Artifact:
        return evaluate_stage(self.workspace, self.prompts(), self.trained(), "evaluate-final")
