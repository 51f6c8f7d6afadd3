"""Stage 2, rewards: curated problems in, prompts with compiled and self-checked rewards out.

Artifact: prompts.parquet (rewards.contracts.records.COMPILED_REWARD), rejects.parquet (REJECT),
answer_types.parquet [answer_type, kept, refused, confirmed (rows whose value sympy confirmed), reasons (why
rows were refused)].
"""

from pipelines.artifacts.artifact import Artifact, Draft, Stage
from pipelines.artifacts.workspace import Workspace, section
from pipelines.jobs.progress import Progress
from rewards.compiling.compile import compile_rewards
from rewards.contracts.records import COMPILED_REWARD

STAGE = Stage("rewards", ("rewards", "pipelines/stages/rewards.py"))


def rewards_stage(workspace: Workspace, curated: Artifact) -> Artifact:
    """Compile the rewards of a curated corpus, or reuse their artifact."""

    def build(draft: Draft) -> None:
        problems = curated.read("data")
        with Progress("rewards", "answers") as progress:
            config = workspace.config.rewards
            result = compile_rewards(problems, config, lambda n: progress.advance(n, problems.height))
        draft.write("prompts.parquet", COMPILED_REWARD.check(result.compiled))
        draft.write_rejects(result.rejects)
        draft.write("answer_types.parquet", result.answer_types)
        draft.count(problems.height, result.compiled.height, result.rejects.height)

    return workspace.produce(STAGE, section(workspace.config.rewards), {"curate": curated.content}, build)
