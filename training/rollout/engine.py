"""The interface between PPO and the rollout engine: one protocol, two engines, one chosen by the config."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from rewards.contracts.engine import Completion, Engine, Sampling
from training.config import TrainingConfig


class RolloutEngine(Engine, Protocol):
    """A text generator in this process whose weights follow the trainer's."""

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[int],
        sampling: Sampling,
        *,
        n_logprobs: int = 0,
        on_progress: Callable[[int], None] | None = None,
        on_completion: Callable[[int, Completion], None] | None = None,
        expected_tokens: Sequence[float] | None = None,
    ) -> list[Completion]:
        """As in `rewards.contracts.engine.Engine`; `on_completion` is called with each response's index and
        the response when it ends. If not all fit together, those with the most `expected_tokens` go first:
        the tail gets shorter, the tokens stay the same."""
        ...

    def load_weights(self, named_weights: Iterable[tuple[str, Tensor]]) -> None:
        """Replace the weights (Hugging Face names) and drop everything cached with the old ones."""
        ...

    def sleep(self) -> None:
        """Free accelerator memory for the trainer until `wake`."""
        ...

    def wake(self) -> None:
        """Allocate memory for the weights again; `load_weights` has to follow before anything is sampled."""
        ...


def open_engine(
    config: TrainingConfig, model: Path, max_model_tokens: int, *, sleeps: bool = False
) -> RolloutEngine:
    """Load the model in `model` (Hugging Face format) into the engine that `config.rollout.engine` names."""
    rollout, precision = config.rollout, config.deepspeed.precision
    if rollout.engine == "torch":
        from training.rollout.torch_sampler import TorchSampler

        return TorchSampler(
            model,
            precision=precision,
            max_model_tokens=max_model_tokens,
            kv_cache_gib=rollout.kv_cache_gib,
            bos=rollout.bos,
            device=torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else None,
        )
    from training.rollout.vllm import VllmEngine

    return VllmEngine(
        model,
        precision=precision,
        max_model_tokens=max_model_tokens,
        kv_cache_gib=rollout.kv_cache_gib,
        gpu_memory_utilization=rollout.gpu_memory_utilization,
        tensor_parallel=rollout.tensor_parallel,
        bos=rollout.bos,
        sleeps=sleeps,
    )
