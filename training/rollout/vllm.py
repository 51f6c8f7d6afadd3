"""The vLLM rollout engine, inside this process, with weights kept in sync with the trainer's.

`VllmEngine` is a `training.rollout.engine.RolloutEngine`. On a CPU it needs fp32: in bf16 its kernels differ
from torch's by 0.2 to 0.3 nats per token, which is no longer the policy being trained.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rewards.contracts.engine import Completion, FinishReason, Sampling
from training.config import Bos
from training.vocabulary import Vocabulary

# Read by vLLM at import. In one process the weights can be replaced, and it starts ten times faster.
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
if shutil.which(os.environ.get("CXX", "g++")) is None:
    # vLLM compiles its samplers at first use; without a C++ compiler they run uncompiled.
    os.environ.setdefault("TORCH_COMPILE_DISABLE", "1")

import torch

from training.rollout.limits import MAX_SEQUENCES
from training.rollout.order import longest_first
from training.rollout.vllm_model import (
    check_cpu_experts,
    forget_cpu_experts,
    is_recurrent,
    repack_cpu_linears,
    sample_below,
    start_vllm,
)

# The driver's own count of devices would start CUDA here, and a process that has started it cannot fork.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
if torch.cuda.is_available():
    # The older model runner, which vLLM 0.24 still uses for Qwen2, launches a separate sampling kernel for
    # each seeded request: hundreds per decoding step. FlashInfer's sampler does not support seeds.
    os.environ.setdefault("VLLM_USE_V2_MODEL_RUNNER", "1")
    os.environ.setdefault("VLLM_USE_FLASHINFER_SAMPLER", "0")


class VllmEngine:
    """Sample responses with vLLM; the text of a response keeps its tags and stop strings."""

    def __init__(
        self,
        model: Path,
        *,
        precision: str,
        max_model_tokens: int,
        kv_cache_gib: float,
        gpu_memory_utilization: float,
        tensor_parallel: int = 1,
        bos: Bos = "tokenizer",
        sleeps: bool = False,
    ) -> None:
        """Load the model in `model` (Hugging Face format); ValueError says why vLLM does not run it.

        `sleeps` lets `sleep` free the GPU memory between rollouts; it has no effect on a CPU.
        """
        self.vocabulary = Vocabulary.read(model, bos)
        rng_state, n_threads = torch.get_rng_state(), torch.get_num_threads()
        set_num_threads = torch.set_num_threads
        from vllm.platforms import current_platform

        self.is_cpu = current_platform.is_cpu()
        self.sleeps, self.lacks_cache = sleeps and not self.is_cpu, False
        memory: dict[str, Any] = {"gpu_memory_utilization": gpu_memory_utilization}
        if self.is_cpu:
            # A prompt split over two prefills would rewind its seeded generator, which CPU generators cannot.
            memory = {
                "max_num_seqs": MAX_SEQUENCES,
                "kv_cache_memory_bytes": int(kv_cache_gib * 2**30),
                "enable_chunked_prefill": False,
                "max_num_batched_tokens": max(8192, max_model_tokens),
            }
        self.llm = start_vllm(
            model,
            dtype="float32" if precision == "fp32" else "bfloat16",
            max_model_len=max_model_tokens,
            tensor_parallel_size=tensor_parallel,
            distributed_executor_backend="external_launcher" if "RANK" in os.environ else None,
            enforce_eager=self.is_cpu,
            # The state of recurrent layers is cached only between prefills in parts.
            enable_prefix_caching=not (self.is_cpu and is_recurrent(model)),
            enable_sleep_mode=self.sleeps,
            # Its sampling settings are for chats; the ends named there are in the vocabulary.
            generation_config="vllm",
            # PPO compares log-probabilities of the distribution that was sampled from.
            logprobs_mode="processed_logprobs",
            seed=0,
            disable_log_stats=True,
            **memory,
        )
        # vLLM reseeds the global generator and replaces torch.set_num_threads; restore both for the trainer.
        torch.set_num_threads = set_num_threads
        torch.set_num_threads(n_threads)
        torch.set_rng_state(rng_state)
        self.pool_bytes = torch.cuda.memory_allocated() if self.sleeps else 0
        """Bytes of the weights and the cache, which torch counts as allocated also while they sleep."""
        if self.vocabulary.n_ids < self.vocabulary.n_rows:
            self.llm.apply_model(partial(sample_below, n_ids=self.vocabulary.n_ids))
        self.max_model_tokens = max_model_tokens
        self.fingerprint = self.vocabulary.fingerprint(model, precision, "vllm")

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        return self.vocabulary.encode(text, bos=bos)

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
        """See `training.rollout.engine.RolloutEngine`. A prompt and its seed give the same tokens in any
        batch (fp32, CPU)."""
        stop_ids = self._stop_token_ids(sampling.stop)
        order = longest_first(len(prompts), expected_tokens)
        params = [self._params(sampling, stop_ids, seeds[index], index < n_logprobs) for index in order]
        inputs: list[Any] = [{"prompt_token_ids": list(prompts[index])} for index in order]
        found: dict[int, Completion] = {}
        for place, output in self._run(inputs, params):
            index, completion = order[place], self._completion(output.outputs[0], sampling.stop)
            found[index] = completion
            if on_completion:
                on_completion(index, completion)
            if on_progress:
                on_progress(1)
        return [found[index] for index in range(len(prompts))]

    def _run(self, inputs: list[Any], params: list[Any]) -> Iterator[tuple[int, Any]]:
        """Run requests and yield each one's place and output when it ends; like LLM.generate, but without
        waiting for the last."""
        ids = self.llm.enqueue(inputs, params, use_tqdm=False)
        # Outputs have the id without the suffix that makes it unique inside the engine.
        places = {request_id.partition("-")[0]: place for place, request_id in enumerate(ids)}
        while self.llm.llm_engine.has_unfinished_requests():
            for output in self.llm.llm_engine.step():
                if output.finished:
                    yield places[output.request_id], output

    def next_logprobs(
        self,
        prompts: Sequence[Sequence[int]],
        candidates: Sequence[Sequence[int]],
        *,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[list[float]]:
        """See `rewards.contracts.engine.Engine`."""
        from vllm import SamplingParams

        params = [
            SamplingParams(max_tokens=1, detokenize=False, logprob_token_ids=list(tokens))
            for tokens in candidates
        ]
        inputs: list[Any] = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
        first: list[Any] = [None] * len(inputs)
        for place, output in self._run(inputs, params):
            first[place] = output.outputs[0]
            if on_progress:
                on_progress(1)
        return [
            [completion.logprobs[0][token].logprob for token in tokens]
            for completion, tokens in zip(first, candidates, strict=True)
        ]

    def load_weights(self, named_weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Replace the weights (names of a checkpoint) and drop everything cached with the old ones."""
        if self.is_cpu:
            self.llm.apply_model(forget_cpu_experts)
            self.llm.collective_rpc("reload_weights", kwargs={"weights_iterator": iter(named_weights)})
            self.llm.apply_model(check_cpu_experts)
            self.llm.apply_model(repack_cpu_linears)
        else:
            # One by one as they come: sharded weights are gathered in turn and never all in memory here.
            def load(model: Any) -> None:
                model.load_weights(iter(named_weights))

            self.llm.apply_model(load)
        if self.lacks_cache:  # Now that no gathered weights of the trainer are in memory any more.
            torch.cuda.empty_cache()
            self.llm.wake_up(tags=["kv_cache"])
            self.lacks_cache = False
        self.llm.reset_prefix_cache()

    def sleep(self) -> None:
        """Free GPU memory for the trainer until `wake`; the weights are dropped, since others follow."""
        if self.sleeps:
            self.llm.sleep(level=2)
            self.lacks_cache = True

    def wake(self) -> None:
        """Allocate memory for the weights only; the cache follows when `load_weights` has filled them."""
        if self.sleeps and self.lacks_cache:
            torch.cuda.empty_cache()  # vLLM allocates beside torch, which keeps what the update has freed.
            self.llm.wake_up(tags=["weights"])

    def close(self) -> None:
        self.llm.llm_engine.engine_core.shutdown()

    def _completion(self, output: Any, stop: tuple[str, ...]) -> Completion:
        tokens = list(output.token_ids)
        logprobs = None
        if output.logprobs is not None:
            logprobs = [
                position[token].logprob for token, position in zip(tokens, output.logprobs, strict=True)
            ]
        finish: FinishReason = "length" if output.finish_reason == "length" else "stop"
        return Completion(tokens, self.vocabulary.texts([tokens], stop)[0], finish, logprobs)

    def _stop_token_ids(self, stop: tuple[str, ...]) -> list[int] | None:
        """Ids of the stop strings if each is one added token: vLLM then need not detokenize at all."""
        added = self.vocabulary.tokenizer.get_added_vocab()
        return [added[text] for text in stop] if all(text in added for text in stop) else None

    def _params(self, sampling: Sampling, stop_ids: list[int] | None, seed: int, wants_logprobs: bool) -> Any:
        from vllm import SamplingParams

        return SamplingParams(
            max_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            repetition_penalty=sampling.repetition_penalty,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            seed=seed,
            stop=list(sampling.stop) if stop_ids is None else None,
            # All ends are named here; the model's own would be those of its settings alone.
            ignore_eos=True,
            stop_token_ids=sorted({*self.vocabulary.end_ids, *(stop_ids or ())}),
            include_stop_str_in_output=True,
            detokenize=stop_ids is None,
            skip_special_tokens=False,
            spaces_between_special_tokens=False,
            logprobs=0 if wants_logprobs else None,
        )
