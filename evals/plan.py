"""Sampling plans: one prompt per question of a benchmark, written as its profile says.

    plan = make_plan(benchmark, entry, evals_config)
    plan = make_plan(benchmark, entry, evals_config, chat=chat_renderer(model_folder))

A plan needs no model, except for the chat template in the model's folder. It decides every sample: prompt,
sampling, number of samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from evals.benchmarks.registry import LETTERS, Benchmark, list_options, split_options
from evals.config import BenchmarkConfig, EvalsConfig
from evals.profiles import Conditions
from rewards.contracts.files import canonical_json, hash_text
from rewards.contracts.prompts import PromptConfig, Shot, render_prompt

PROMPT = pl.Schema(
    {
        "question_id": pl.String(),
        "problem": pl.String(),
        "answer": pl.String(),
        "prompt": pl.String(),
        "n_choices": pl.Int64(),  # null: not multiple choice
    }
)

CHAT_INSTRUCTION = "Reason step by step and put the final answer inside \\boxed{}."
CHAT_CHOICE_INSTRUCTION = "Reason step by step and put the letter of the right option inside \\boxed{}."

Chat = Callable[[str], str]
"""Turns a user's message into the prompt that the model continues as the assistant."""


@dataclass(frozen=True, slots=True)
class Plan:
    benchmark: str
    conditions: Conditions
    n_samples: int
    prompts: pl.DataFrame
    """PROMPT rows, one per question, in the benchmark's order."""


def make_plan(
    benchmark: Benchmark, entry: BenchmarkConfig, config: EvalsConfig, chat: Chat | None = None
) -> Plan:
    """Write the prompt of every question; profile chat needs `chat`."""
    conditions = config.conditions(entry)
    if conditions.method == "chat" and chat is None:
        raise ValueError(f"benchmark {benchmark.name!r}: profile chat needs a model with a chat template")
    if entry.n_shots and conditions.method != "letters" and conditions.prompt.template != "few_shot":
        raise ValueError(
            f"benchmark {benchmark.name!r}: n_shots = {entry.n_shots}, but the prompt of its profile shows "
            'no worked examples; set profile = "few_shot" or "letters" for it, or n_shots = 0'
        )
    rows = [
        {
            "question_id": question["question_id"],
            "problem": question["problem"],
            "answer": question["answer"],
            "prompt": _render(question, _shots(benchmark, question, entry.n_shots), conditions, chat),
            "n_choices": None if question["choices"] is None else len(question["choices"]),
        }
        for question in benchmark.questions.iter_rows(named=True)
    ]
    return Plan(benchmark.name, conditions, entry.n_samples, pl.DataFrame(rows, schema=PROMPT))


def _shots(benchmark: Benchmark, question: dict, n_shots: int) -> list[dict]:
    """The first `n_shots` development rows on the question's subject, or of all rows when subjects are
    unknown."""
    if not n_shots or benchmark.shots is None:
        return []
    shots = benchmark.shots
    same = shots.filter(pl.col("subject") == question["subject"]) if question["subject"] else shots
    if same.height < n_shots:
        raise ValueError(
            f"benchmark {benchmark.name!r} has {same.height} development rows on subject "
            f"{question['subject']!r}, fewer than n_shots = {n_shots}"
        )
    return same.head(n_shots).to_dicts()


def _render(question: dict, shots: list[dict], conditions: Conditions, chat: Chat | None) -> str:
    if conditions.method == "letters":
        return letters_prompt(question, shots)
    if conditions.method == "chat":
        instruction = CHAT_INSTRUCTION if question["choices"] is None else CHAT_CHOICE_INSTRUCTION
        assert chat is not None  # checked by make_plan
        return chat(f"{question['problem']}\n\n{instruction}")
    prompt = conditions.prompt
    if shots:
        worked = tuple(
            Shot(problem=shot["problem"], thought=shot["thought"] or "", answer=shot["answer"])
            for shot in shots
        )
        prompt = PromptConfig(template="few_shot", shots=prompt.shots + worked)
    return render_prompt(question["problem"], prompt)


def letters_prompt(question: dict, shots: list[dict]) -> str:
    """Write a multiple-choice question as MMLU's authors do (arXiv 2009.03300): the letter comes next.

    >>> row = {"problem": "Which?\\n\\nA. 1\\nB. 2", "choices": ["1", "2"], "subject": "math", "answer": "B"}
    >>> print(letters_prompt(row, []))
    The following are multiple choice questions (with answers) about math.
    <BLANKLINE>
    Which?
    A. 1
    B. 2
    Answer:
    """
    if question["choices"] is None:
        raise ValueError(f"question {question['question_id']!r} has no options: profile letters needs them")
    subject = f" about {question['subject'].replace('_', ' ')}" if question["subject"] else ""
    head = f"The following are multiple choice questions (with answers){subject}.\n\n"
    worked = "".join(f"{_lettered(shot)} {shot['answer']}\n\n" for shot in shots)
    return f"{head}{worked}{_lettered(question)}"


def _lettered(question: dict) -> str:
    stem = split_options(question["problem"], question["choices"])
    text = question["problem"] if stem is None else f"{stem}\n{list_options(question['choices'])}"
    return f"{text}\nAnswer:"


def letters_of(n_choices: int) -> list[str]:
    """What may follow a letters prompt: the letters of the options, each after a space."""
    return [f" {letter}" for letter in LETTERS[:n_choices]]


def chat_renderer(model: Path) -> Chat:
    """Read the chat template of a model folder; ValueError when it has none."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    if not tokenizer.chat_template:
        raise ValueError(f"{model}: the tokenizer has no chat template; use a profile other than chat")

    def render(message: str) -> str:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": message}], tokenize=False, add_generation_prompt=True
        )
        return str(text)

    return render


def sampling_conditions(conditions: Conditions) -> dict[str, Any]:
    """Everything in the conditions except the verifier, which only judges what was sampled."""
    prompt = conditions.prompt.model_dump(mode="json")
    return {"prompt": prompt, "sampling": asdict(conditions.sampling), "method": conditions.method}


def make_plans(config: EvalsConfig, benchmarks: Sequence[Benchmark], model: Path | None) -> list[Plan]:
    """The prompts of every benchmark in the run, in order; reads the chat template when a profile needs it.

    Without a model (stored samples), a chat prompt is only the user's message.
    """
    needs_chat = any(config.conditions(entry).method == "chat" for entry in config.benchmarks)
    chat: Chat = chat_renderer(model) if needs_chat and model else str
    return [
        make_plan(benchmark, entry, config, chat)
        for entry, benchmark in zip(config.benchmarks, benchmarks, strict=True)
    ]


def hash_plan(plan: Plan) -> str:
    """Hash what decides the responses: questions and prompts, not the reference answers."""
    return hash_text(canonical_json(plan.prompts.select("question_id", "prompt", "n_choices").rows()))
