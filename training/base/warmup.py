"""Supervised warm-up of a model made from scratch: it learns to answer in two ways, quickly and carefully.

ORZ starts from a pretrained base model, which already has many ways to answer, most of them poor. A randomly
initialized model has none, so the demo first trains it on a small corpus with the same property: careful
worked answers that are correct but rare, quick answers that are mostly wrong, and some junk. Another mix is
hasty work, mostly wrong, that is rarely rechecked. PPO then has something to find.
"""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from rewards.contracts.prompts import PromptConfig, render_prompt, render_response
from training.base.column_sums import WAIT, Slips, read_columns
from training.sections.model import CorpusPhase, WarmupConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkedProblem:
    """A curated problem with its answer and worked solution."""

    problem: str
    answer: str
    solution: str


def write_response(item: WorkedProblem, phase: CorpusPhase, rng: random.Random, slips: Slips) -> str:
    r"""Draw one demonstration in the proportions of `phase`.

    >>> item = WorkedProblem("7+8=?", "15", "7+8=15")
    >>> slips = Slips(share=1.0, recheck="sound", seed="0")
    >>> write_response(item, CorpusPhase(n_steps=1, careful=1), random.Random(0), slips)
    '7+8=15</think><answer>\\boxed{15}</answer>'
    >>> write_response(item, CorpusPhase(n_steps=1, rechecked=1), random.Random(0), slips)
    '7+8=17wait,8+7=15</think><answer>\\boxed{15}</answer>'
    """
    draw = rng.random()
    if draw < phase.careful:
        return render_response(item.solution, item.answer)
    if draw < phase.careful + phase.quick:
        answer = item.answer if rng.random() < phase.quick_correct else perturb(item.answer, rng)
        return render_response("", answer)
    if draw < phase.careful + phase.quick + phase.hasty + phase.rechecked:
        columns = read_columns(item.solution)
        work, answer = slips.work(columns)
        if draw < phase.careful + phase.quick + phase.hasty:
            return render_response(work, answer)
        again, answer = slips.rework(columns, rng)
        return render_response(f"{work}{WAIT}{again}", answer)
    # Junk: a thought that trails off, or an answer outside its box.
    noise = item.solution[: rng.randint(0, len(item.solution))]
    return noise + rng.choice(["", "</think>", f"</think><answer>{item.answer}</answer>"])


def perturb(answer: str, rng: random.Random) -> str:
    """Change one digit of `answer`; append a digit to an answer without any."""
    digits = [index for index, character in enumerate(answer) if character.isdigit()]
    if not digits:
        return answer + rng.choice("123456789")
    index = rng.choice(digits)
    other = rng.choice([digit for digit in "0123456789" if digit != answer[index]])
    return answer[:index] + other + answer[index + 1 :]


def batches(
    items: Sequence[WorkedProblem],
    phase: CorpusPhase,
    batch_size: int,
    prompt: PromptConfig,
    tokenizer: PreTrainedTokenizerFast,
    seed: str,
    slips: Slips,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield `phase.n_steps` batches (input_ids, labels), both [batch, seq]; labels are -100 off responses."""
    rng = random.Random(seed)
    eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    for _ in range(phase.n_steps):
        rows = []
        for item in rng.choices(items, k=batch_size):
            prompt_ids = tokenizer.encode(render_prompt(item.problem, prompt), add_special_tokens=False)
            text = write_response(item, phase, rng, slips)
            rows.append((prompt_ids, [*tokenizer.encode(text, add_special_tokens=False), eos]))
        width = max(len(prompt_ids) + len(response) for prompt_ids, response in rows)
        input_ids = torch.full((batch_size, width), pad)
        labels = torch.full((batch_size, width), -100)
        for index, (prompt_ids, response) in enumerate(rows):
            start, end = len(prompt_ids), len(prompt_ids) + len(response)
            input_ids[index, :end] = torch.tensor(prompt_ids + response)
            labels[index, start:end] = torch.tensor(response)
        yield input_ids, labels


def warm_up(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    items: Sequence[WorkedProblem],
    config: WarmupConfig,
    prompt: PromptConfig,
    seed: int,
    on_progress: Callable[[int, float], None] | None = None,
) -> float:
    """Train `model` in place through the phases of `config`; returns the last loss, in nats per token.

    `on_progress` is called with the number of steps done and the loss.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.lr, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    model.train()
    slips = Slips(config.slips, config.recheck, str(seed))
    done, loss = 0, float("nan")
    for number, phase in enumerate(config.phases):
        corpus = batches(items, phase, config.batch_size, prompt, tokenizer, f"{seed}:{number}", slips)
        peak = config.lr if phase.lr is None else phase.lr
        for step, (input_ids, labels) in enumerate(corpus):
            progress = step / phase.n_steps
            for group in optimizer.param_groups:
                group["lr"] = peak * min(1.0, (step + 1) / 20) * (1 - 0.9 * progress)
            # Right padding under a causal mask: no response token sees padding, so no mask is needed.
            output = model(input_ids=input_ids, labels=labels)
            output.loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            loss, done = output.loss.item(), done + 1
            if on_progress is not None:
                on_progress(done, loss)
    model.eval()
    return loss
