"""Evaluation profiles: how a question is prompted, sampled and judged, under one name.

orz         the paper's prompt and stop strings; the last box inside <answer> counts
orz_compat  the same responses, judged by ORZ's own comparer: to match published numbers, not the truth
few_shot    worked examples in the same tags, for base models that do not know them
plain       the problem alone; any clearly stated answer counts
chat        the model's own chat template; any clearly stated answer counts
letters     multiple choice without sampling: the most probable option letter after "Answer:"
"""

from dataclasses import dataclass
from typing import Literal

from rewards.contracts.engine import Sampling
from rewards.contracts.prompts import ORZ_STOP, PromptConfig, Template
from rewards.verdict import Mode

ProfileName = Literal["orz", "orz_compat", "few_shot", "plain", "chat", "letters"]
Method = Literal["sample", "chat", "letters"]


@dataclass(frozen=True, slots=True)
class Profile:
    template: Template
    stop: tuple[str, ...]
    mode: Mode
    method: Method = "sample"
    """sample: continue the prompt; chat: first apply the model's chat template; letters: no sampling."""


PROFILES: dict[ProfileName, Profile] = {
    "orz": Profile("orz", ORZ_STOP, "orz"),
    "orz_compat": Profile("orz", ORZ_STOP, "orz_compat"),
    "few_shot": Profile("few_shot", ORZ_STOP, "orz"),
    "plain": Profile("plain", (), "lenient"),
    "chat": Profile("plain", (), "lenient", "chat"),
    "letters": Profile("plain", (), "lenient", "letters"),
}


@dataclass(frozen=True, slots=True)
class Conditions:
    """A benchmark's profile with the run's settings applied; decides its prompts and samples."""

    prompt: PromptConfig
    sampling: Sampling
    mode: Mode
    method: Method
