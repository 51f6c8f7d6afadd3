"""What can be known before anything starts: is there what the stages will need?"""

from pathlib import Path

from curation.sources.read import read_source
from pipelines.config import RunConfig
from pipelines.stages.base import WAYS_OUT

LOOKED_AT = 1000
"""Rows of each file that are looked at."""


def check_solutions(config: RunConfig) -> None:
    """Raise ValueError when a worked solution is needed and no source seems to have one."""
    if config.training.model.scratch is None:
        return
    root = Path(config.data_root) if config.data_root else None
    looked_at = []
    for source in config.curation.sources:
        if source.generator is not None or not source.file:
            return
        if not ((root or Path()) / source.file).is_file():
            return  # The stage curate says what is wrong with it.
        part = source.model_copy(update={"n_rows": LOOKED_AT})
        if read_source(part, root).rows["solution"].is_not_null().any():
            return
        looked_at.append(source.file)
    raise ValueError(f"{', '.join(looked_at)}: no row has a worked solution, and {WAYS_OUT}")


def check_benchmarks(config: RunConfig) -> None:
    """Raise ValueError when there is nothing to evaluate on."""
    if not config.evals.benchmarks:
        raise ValueError(
            "evals.benchmarks is empty, so nothing can be evaluated: name some ([[evals.benchmarks]] with "
            'name = "math500", or name = "validation" and kind = "frame"), or use reasoner-zero train alone'
        )


def check_context(config: RunConfig) -> None:
    """Raise ValueError when vLLM would refuse the benchmarks' length for a model made from scratch.

    A pretrained model's length depends on its kind of positions: there vLLM itself says it, when it starts.
    """
    scratch, evals = config.training.model.scratch, config.evals
    if scratch is None or not evals.benchmarks or config.training.rollout.engine != "vllm":
        return
    if (context := config.eval_context_tokens) > scratch.max_tokens:
        room = scratch.max_tokens - config.eval_prompt_tokens
        lower = f"lower evals.max_new_tokens to {room} or " if room > 0 else ""
        raise ValueError(
            f"a benchmark's prompt and response may take {context:,} tokens ({config.eval_prompt_tokens:,} + "
            f"evals.max_new_tokens {evals.max_new_tokens:,}), the model takes {scratch.max_tokens:,}: {lower}"
            f"raise training.model.scratch.max_tokens to {context}"
        )
