"""`train --preflight`: run the largest possible step of a configuration in a child process."""

from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.workspace import Workspace
from pipelines.jobs.job import Job, run_job
from pipelines.jobs.process import ChildFailed
from pipelines.jobs.progress import Progress
from pipelines.stages.train import trained_critic
from rewards.contracts.files import read_json


def run_preflight(workspace: Workspace, base: Artifact) -> dict[str, float]:
    """Run `training.planning.preflight.preflight` and return its measures; RuntimeError says what to lower if
    the step fails."""
    config, path = workspace.config, workspace.config.training.critic_path
    critic = "" if path is None else str(trained_critic(Path(path), base.folder / "model"))
    place = workspace.root / ".preflight" / workspace.config.name
    place.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place) as folder:
        model = str(base.folder / "model")
        job = Job("preflight", config.model_dump(mode="json"), folder, model=model, critic=critic)
        try:
            with Progress("preflight", "steps") as progress:
                run_job(job, workspace.log("preflight"), progress.line, config.training.deepspeed.n_ranks)
        except ChildFailed as error:
            raise RuntimeError(
                f"the largest possible step failed: {error}\nLower training.ppo.micro_batch_tokens, "
                "training.rollout.max_new_tokens or gpu_memory_utilization, raise "
                "training.deepspeed.zero_stage, or add GPUs; reasoner-zero plan shows what fits"
            ) from error
        return read_json(Path(folder) / "preflight.json")
