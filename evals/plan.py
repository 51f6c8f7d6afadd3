"""Sampling plans: one prompt per question of a benchmark, written as its profile says.

    plan = make_plan(benchmark, entry, evals_config)
    plan = make_plan(benchmark, entry, evals_config, chat=chat_renderer(model_folder))

A plan needs no model, except for the chat template in the model's folder. It decides every sample: prompt,
sampling, number of samples.
"""

from collections.abc import Callable, Mapping, Sequence
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

Message = dict[str, str]
"""One turn of a conversation: role (system, user, assistant) and content."""
Chat = Callable[[list[Message]], str]
"""Turns a conversation that ends with the user into the prompt that the model continues as the assistant."""


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
    shows_shots = conditions.method in ("letters", "chat") or conditions.prompt.template == "few_shot"
    if entry.n_shots and not shows_shots:
        raise ValueError(
            f"benchmark {benchmark.name!r}: n_shots = {entry.n_shots}, but the prompt of its profile shows "
            'no worked examples; set profile = "few_shot", "chat" or "letters" for it, or n_shots = 0'
        )
    rows = [
        {
            "question_id": question["question_id"],
            "problem": question["problem"],
            "answer": question["answer"],
            "prompt": _render(
                question, _shots(benchmark, question, entry.n_shots), conditions, chat, config.system_prompt
            ),
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


def _render(
    question: dict, shots: list[dict], conditions: Conditions, chat: Chat | None, system: str = ""
) -> str:
    if conditions.method == "letters":
        return letters_prompt(question, shots)
    if conditions.method == "chat":
        assert chat is not None  # checked by make_plan
        return chat(conversation(question, shots, system))
    prompt = conditions.prompt
    if shots:
        worked = tuple(
            Shot(problem=shot["problem"], thought=shot["thought"] or "", answer=shot["answer"])
            for shot in shots
        )
        prompt = PromptConfig(template="few_shot", shots=prompt.shots + worked)
    return render_prompt(question["problem"], prompt)


def conversation(question: dict, shots: list[dict], system: str = "") -> list[Message]:
    """A question as a conversation: the system's message, worked examples as earlier turns, the question.

    >>> shot = {"problem": "1+1?", "choices": None, "thought": "Easy.", "answer": "2"}
    >>> for turn in conversation({"problem": "2+3?", "choices": None}, [shot], "Be brief."):
    ...     print(turn["role"], turn["content"].splitlines())
    system ['Be brief.']
    user ['1+1?', '', 'Reason step by step and put the final answer inside \\\\boxed{}.']
    assistant ['Easy.', '', '\\\\boxed{2}']
    user ['2+3?', '', 'Reason step by step and put the final answer inside \\\\boxed{}.']
    """
    turns = [{"role": "system", "content": system}] if system else []
    for shot in shots:
        answer = f"\\boxed{{{shot['answer']}}}"
        turns.append({"role": "user", "content": _asked(shot)})
        turns.append({"role": "assistant", "content": "\n\n".join(filter(None, (shot["thought"], answer)))})
    return [*turns, {"role": "user", "content": _asked(question)}]


def _asked(question: dict) -> str:
    instruction = CHAT_INSTRUCTION if question["choices"] is None else CHAT_CHOICE_INSTRUCTION
    return f"{question['problem']}\n\n{instruction}"


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


def chat_renderer(model: Path, arguments: Mapping[str, Any] | None = None) -> Chat:
    """Read the chat template of a model folder; ValueError when it has none, or refuses a conversation."""
    from jinja2 import TemplateError
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    if not tokenizer.chat_template:
        raise ValueError(f"{model}: the tokenizer has no chat template; use a profile other than chat")

    def render(messages: list[Message]) -> str:
        try:
            text = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, **(arguments or {})
            )
        except TemplateError as error:
            roles = ", ".join(dict.fromkeys(message["role"] for message in messages))
            raise ValueError(
                f"{model}: its chat template refuses turns of {roles} ({error}); if it knows no system "
                "message, set system_prompt = '' and put the text into the question"
            ) from None
        return str(text)

    return render


def last_message(messages: list[Message]) -> str:
    """What a chat asks, for stored samples, whose template is unknown."""
    return messages[-1]["content"]


def sampling_conditions(conditions: Conditions) -> dict[str, Any]:
    """Everything in the conditions except the verifier, which only judges what was sampled."""
    prompt = conditions.prompt.model_dump(mode="json")
    return {"prompt": prompt, "sampling": asdict(conditions.sampling), "method": conditions.method}


def make_plans(config: EvalsConfig, benchmarks: Sequence[Benchmark], chat: Chat | None) -> list[Plan]:
    """The prompts of every benchmark in the run, in order; `chat` as `chat_of` gives it."""
    return [
        make_plan(benchmark, entry, config, chat)
        for entry, benchmark in zip(config.benchmarks, benchmarks, strict=True)
    ]


def chat_of(config: EvalsConfig, model: Path | None) -> Chat | None:
    """How the conversations of profile chat become prompts, if a benchmark has it: by the template in the
    model's folder. Without one (stored samples), a prompt is only the user's last message."""
    if all(config.conditions(entry).method != "chat" for entry in config.benchmarks):
        return None
    return chat_renderer(model, config.template_args) if model else last_message


def hash_plan(plan: Plan) -> str:
    """Hash what decides the responses: questions and prompts, not the reference answers."""
    return hash_text(canonical_json(plan.prompts.select("question_id", "prompt", "n_choices").rows()))
