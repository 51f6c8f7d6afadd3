"""Prompt templates: how a problem is shown to the model, and how the answer is requested.

They are shared because prompts and answer extraction must agree on the tags. Every template except `plain`
ends inside an opened `<think>`, so a response begins inside the thought.
"""

from typing import Literal

from rewards.contracts.settings import Settings

Template = Literal["orz", "few_shot", "bare", "plain"]

# The exact wording is the experimental condition of Open-Reasoner-Zero (arXiv 2503.24290, table 1 and
# playground/zero_setting_base.py of the authors' repository); another wording is another experiment.
ORZ_SYSTEM = (
    "A conversation between User and Assistant. The User asks a question, and the Assistant solves it. "
    "The Assistant first thinks about the reasoning process in the mind and then provides the User with the "
    "answer. The reasoning process is enclosed within <think> </think> and answer is enclosed within "
    "<answer> </answer> tags, respectively, i.e., <think> reasoning process here </think> "
    "<answer> answer here </answer>. "
)
ORZ_INSTRUCTION = (
    "You must put your answer inside <answer> </answer> tags, i.e., <answer> answer here </answer>. And your "
    "final answer will be extracted automatically by the \\boxed{} tag.\nThis is the problem:\n"
)


class Shot(Settings):
    """One worked example of the few-shot template."""

    problem: str
    """The question."""
    thought: str
    """The reasoning, written inside <think> </think>."""
    answer: str
    """The final answer, written inside the box."""


class PromptConfig(Settings):
    """How problems are turned into prompts."""

    template: Template = "orz"
    """orz: the paper's prompt; few_shot: worked examples in the same tags; bare: the problem and <think>;
    plain: the problem alone (paper, table 1, for orz)."""
    shots: tuple[Shot, ...] = ()
    """Worked examples for few_shot, in order."""


def render_prompt(problem: str, config: PromptConfig) -> str:
    r"""Write the text that the model continues.

    >>> render_prompt("What is 2 + 3?", PromptConfig(template="bare"))
    'What is 2 + 3?<think>'
    >>> shot = Shot(problem="What is 1 + 1?", thought="One and one.", answer="2")
    >>> print(render_prompt("What is 2 + 3?", PromptConfig(template="few_shot", shots=(shot,))))
    User: What is 1 + 1?
    Assistant: <think>One and one.</think><answer>\boxed{2}</answer>
    <BLANKLINE>
    User: What is 2 + 3?
    Assistant: <think>
    """
    if config.template == "orz":
        return f"{ORZ_SYSTEM}User: {ORZ_INSTRUCTION}{problem}\nAssistant: <think>"
    if config.template == "few_shot":
        examples = "".join(
            f"User: {shot.problem}\nAssistant: <think>{render_response(shot.thought, shot.answer)}\n\n"
            for shot in config.shots
        )
        return f"{examples}User: {problem}\nAssistant: <think>"
    return f"{problem}<think>" if config.template == "bare" else problem


def render_response(thought: str, answer: str) -> str:
    r"""Write a response in ORZ's format, after the opening <think> that ends the prompt.

    >>> render_response("2+3=5", "5")
    '2+3=5</think><answer>\\boxed{5}</answer>'
    """
    return f"{thought}</think><answer>\\boxed{{{answer}}}</answer>"


ORZ_STOP = ("User:", "Human:", "Assistant:", "</answer>")
"""Strings that end a response and stay in its text (`stop` in the reference script)."""
