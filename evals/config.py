"""Configuration of evaluations: the `[evals]` section of a run's TOML file.

[evals]
max_new_tokens = 2048
[[evals.benchmarks]]
name = "math500"
n_samples = 4
"""

import re
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from evals.endpoint_config import EndpointConfig
from evals.profiles import PROFILES, Conditions, ProfileName
from rewards.contracts.engine import Sampling
from rewards.contracts.prompts import PromptConfig
from rewards.contracts.settings import Settings
from rewards.verdict import Mode


class BenchmarkConfig(Settings):
    """One benchmark of an evaluation."""

    name: str
    """Name in tables and file names; for kind = registered, one of `evals.benchmarks.registered()`."""
    kind: Literal["registered", "custom", "frame"] = "registered"
    """registered: one of ours, with known fields and row count; custom: your own file or hub data set;
    frame: supplied by the pipeline, such as held-out problems from a generator."""
    file: str = ""
    """Path relative to the data root, or absolute: .jsonl, .jsonl.gz, .json or .parquet. Empty: a registered
    benchmark's usual path under the data root, or the hub when there is no data root. The file at the usual
    path must contain all rows; a file named here may contain some of them."""
    hub: str = ""
    """Data set on the hub, used when there is no file; empty: the registered benchmark's own."""
    hub_subset: str = ""
    """Subset ("config") of the hub data set; empty: the registered benchmark's own, or none."""
    hub_split: str = ""
    """Split of the hub data set; empty: the registered benchmark's own, or test."""
    problem_field: str = "problem"
    """Field of a custom file with the question; `a.b` reaches into objects, `a.0.b` into lists."""
    answer_field: str = "answer"
    """Field of a custom file with the reference answer. In a row with a list `choices`, the right option: its
    letter in any dress, its text, or its index from 0; options that the problem does not show are added."""
    id_field: str = "id"
    """Field of a custom file with the question's id; rows are numbered when it is absent."""
    level_field: str = "level"
    """Field of a custom file with the difficulty; may be absent."""
    subject_field: str = "subject"
    """Field of a custom file with the subject; may be absent."""
    limit: int = 0
    """Use only this many questions, drawn by the run's seed from every subject in its share; 0: all."""
    n_samples: int = 1
    """Responses per question, k of avg@k and pass@k. The paper's AIME numbers are avg@16 (section 3.1)."""
    profile: ProfileName | None = None
    """This benchmark's own profile, unchanged; unset: the run's, with the run's prompt, stop and mode."""
    n_shots: int = 0
    """Number of worked examples on the question's subject, from the benchmark's development rows, for the
    profiles few_shot, letters and chat (as earlier turns). MMLU and MMLU-Pro are usually reported with 5."""
    shots_file: str = ""
    """File of development rows for a benchmark that has none, in the format of its questions; a field
    `thought` contains the reasoning."""
    shuffle_options: bool = False
    """Put multiple-choice options into an order drawn from the seed and the question's id."""

    @field_validator("name")
    @classmethod
    def _name_is_a_file_name(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
            raise ValueError(f"name must be lowercase letters, digits, - and _, got {name!r}")
        return name

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.limit < 0:
            raise ValueError(f"limit must be at least 0 (0: all), got {self.limit}")
        if self.n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, got {self.n_samples}")
        if self.n_shots < 0:
            raise ValueError(f"n_shots must be at least 0, got {self.n_shots}")
        if self.profile == "letters" and self.n_samples != 1:
            raise ValueError(
                f"benchmark {self.name!r}: profile letters does not sample, so n_samples must be 1"
            )
        if self.kind == "custom" and not (self.file or self.hub):
            raise ValueError(f"benchmark {self.name!r} is custom: give file = '...' or hub = '...'")
        return self


class EvalsConfig(Settings):
    """How checkpoints are benchmarked."""

    benchmarks: tuple[BenchmarkConfig, ...] = (BenchmarkConfig(name="math500", n_samples=4),)
    """Benchmarks to score on; each has its own number of samples."""
    profile: ProfileName = "orz"
    """Prompt, stop strings and verifier under one name; see `evals.profiles`. The paper evaluates with the
    conditions of its training: orz."""
    prompt: PromptConfig | None = None
    """How a question is shown to the model; unset: the profile's."""
    temperature: float = 1.0
    """Sampling temperature; 0: greedy. Paper, section 3.1: 1.0."""
    top_p: float = 1.0
    """Nucleus sampling mass. Paper, section 3.1: 1.0."""
    top_k: int = 0
    """Sample only from this many most likely tokens; 0: all. It and the next four as in vLLM."""
    min_p: float = 0.0
    """Sample only tokens at least this many times as likely as the most likely one; 0: all."""
    repetition_penalty: float = 1.0
    """Divide the logits of tokens that are in prompt or response already; 1: no penalty."""
    presence_penalty: float = 0.0
    """Subtract this from the logits of tokens that are in the response already; 0: no penalty."""
    frequency_penalty: float = 0.0
    """Subtract this for each time that a token is in the response already; 0: no penalty."""
    system_prompt: str = ""
    """What profile chat says before the question, in the system's name; empty: nothing."""
    template_args: dict[str, bool | int | float | str] = {}
    """Arguments of the chat template, such as { enable_thinking = false } for Qwen3; for profile chat."""
    max_prompt_tokens: int = 0
    """Longest prompt, in tokens; raise it for many worked examples. 0: as in training. A question with a
    longer prompt is skipped."""
    max_new_tokens: int = 8000
    """Longest response, in tokens; a longer one is cut and counts as truncated. Reference script: 8000."""
    stop: tuple[str, ...] | None = None
    """Strings that end a response; they stay in its text. Unset: the profile's."""
    mode: Mode | None = None
    """Verifier. orz: uses the last box inside <answer>; lenient: also reads answers without the tags;
    flexible: where nothing is boxed or stated, the last formula, number or letter; orz_compat: judges like
    ORZ's
    own comparer; math_verify: judges with the Math-Verify library. Unset: the profile's."""
    thought_tags: tuple[tuple[str, str], ...] = ()
    """What opens and closes a thought of this model, such as [["<reflect>", "</reflect>"]], beside the
    tags that
    are known (<think>, [THINK], gpt-oss channels, ...). No answer in a thought counts."""
    second_opinion: bool = True
    """Also ask the Math-Verify library about every response, and list where it disagrees with the verifier;
    it decides nothing. Multiple-choice questions are left out."""
    endpoint: EndpointConfig | None = None
    """Servers with the OpenAI API that sample in place of a model's folder; unset: none."""
    seed: int = 42
    """Each response's seed is derived from this, the benchmark, the question and the sample index."""
    chunk: int = 256
    """Requests sent to the engine and written to disk together; a killed run loses at most this many."""
    n_engines: int = 1
    """Engines that share the requests, each in its own process and on its own GPUs (data parallel)."""

    @field_validator("template_args", mode="before")
    @classmethod
    def _words_are_truth_values(cls, arguments: Any) -> Any:
        """The text "false" of a command line would be true in a template."""
        if not isinstance(arguments, dict):
            return arguments
        words = {"true": True, "false": False}
        return {
            name: words.get(value.lower(), value) if isinstance(value, str) else value
            for name, value in arguments.items()
        }

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [benchmark.name for benchmark in self.benchmarks]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"benchmarks named twice: {', '.join(repeated)}; give each its own name")
        if self.temperature < 0:
            raise ValueError(f"temperature must be at least 0, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {self.top_p}")
        if self.top_k < 0 or not 0 <= self.min_p <= 1:
            raise ValueError(f"top_k must be at least 0 and min_p in [0, 1], got {self.top_k}, {self.min_p}")
        if not 0 < self.repetition_penalty <= 10:
            raise ValueError(f"repetition_penalty must be in (0, 10], got {self.repetition_penalty}")
        if max(abs(self.presence_penalty), abs(self.frequency_penalty)) > 2:
            raise ValueError(
                "presence_penalty and frequency_penalty must be in [-2, 2], got "
                f"{self.presence_penalty}, {self.frequency_penalty}"
            )
        if self.max_prompt_tokens < 0:
            raise ValueError(f"max_prompt_tokens must be at least 0, got {self.max_prompt_tokens}")
        if self.max_new_tokens < 1 or self.chunk < 1:
            raise ValueError("max_new_tokens and chunk must be at least 1")
        if self.n_engines < 1:
            raise ValueError(f"n_engines must be at least 1, got {self.n_engines}")
        asks_chat = any((entry.profile or self.profile) == "chat" for entry in self.benchmarks)
        if (self.system_prompt or self.template_args) and not asks_chat:
            raise ValueError(
                'system_prompt and template_args belong to a chat template: set profile = "chat", or '
                "remove them"
            )
        if self.profile == "letters" and any(benchmark.n_samples > 1 for benchmark in self.benchmarks):
            raise ValueError("profile letters does not sample: set n_samples = 1")
        if self.temperature == 0 and any(benchmark.n_samples > 1 for benchmark in self.benchmarks):
            raise ValueError(
                "temperature 0 gives the same response every time: set n_samples = 1 or raise temperature"
            )
        return self

    def conditions(self, benchmark: BenchmarkConfig) -> Conditions:
        """Apply the run's settings to the benchmark's profile."""
        profile = PROFILES[benchmark.profile or self.profile]
        own = {} if benchmark.profile else self.model_dump(include={"prompt", "stop", "mode"})
        prompt = PromptConfig(**(own.get("prompt") or {"template": profile.template}))
        stop = profile.stop if own.get("stop") is None else own["stop"]
        if profile.method == "letters":
            sampling = Sampling(max_new_tokens=1, temperature=0.0)
        else:
            sampling = Sampling(
                self.max_new_tokens,
                self.temperature,
                self.top_p,
                stop,
                self.top_k,
                self.min_p,
                self.repetition_penalty,
                self.presence_penalty,
                self.frequency_penalty,
            )
        return Conditions(prompt, sampling, own.get("mode") or profile.mode, profile.method)
