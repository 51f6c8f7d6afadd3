"""Sampling of a plan with an engine; a killed run resumes and ends with the same bytes.

    generated = sample(engine, plan, config=evals_config, folder=Path("completions"))

Every completion has a key: the hash of weights, prompt, sampling, question, sample index and seed. The key
does not cover the reference answer: a corrected one only needs scoring again. Each benchmark has one shard
with a JSON line per completion in the order of the plan; a chunk is appended and fsynced as a whole. On
resume, whole chunks are kept and a torn tail is cut off. Lines in the folder's other shards whose keys are
wanted (the same benchmark with fewer samples, say) are reused, not sampled again.
"""

import json
import logging
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from evals.config import EvalsConfig
from evals.plan import Plan, letters_of
from rewards.contracts import records
from rewards.contracts.engine import Engine, derive_seed
from rewards.contracts.files import canonical_json, hash_text, sync_folder, write_parquet

logger = logging.getLogger(__name__)

RESPONSE = pl.Schema(
    {
        column.name: column.dtype
        for column in records.COMPLETION.columns[: records.COMPLETION.names.index("finish_reason") + 1]
    }
)
"""The columns of COMPLETION that are known before scoring."""


@dataclass(frozen=True, slots=True)
class Generated:
    responses: pl.DataFrame
    """One row per completion, columns of `RESPONSE`, in plan order."""
    rejects: pl.DataFrame
    """REJECT rows: questions whose prompt leaves no room for a full response, or without
    log-probabilities."""
    n_resumed: int
    """Completions that were already on disk."""
    shard: Path


@dataclass(frozen=True, slots=True)
class _Request:
    key: str
    question_id: str
    sample: int
    seed: int
    prompt: str
    tokens: tuple[int, ...]
    n_choices: int | None


def sample(
    engine: Engine,
    plan: Plan,
    *,
    config: EvalsConfig,
    folder: Path,
    part: tuple[int, int] = (0, 1),
    on_progress: Callable[[int], None] | None = None,
    on_tokens: Callable[[int], None] | None = None,
) -> Generated:
    """Sample every response of a plan, resuming from what `folder` already contains.

    `part` (i, n) takes every n-th request from the i-th on: n engines share a plan. `on_progress` gets the
    number of newly finished responses, resumed ones included; `on_tokens` gets the tokens sampled with each
    chunk. A question whose prompt plus `max_new_tokens` exceeds the engine's context is skipped with all its
    samples, so that every scored response had the same budget.
    """
    requests, rejects = _requests(engine, plan, config.seed)
    requests = requests[part[0] :: part[1]]
    name = hash_text(canonical_json([request.key for request in requests]), 12)
    shard = folder / f"{plan.benchmark}-{name}.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    n_resumed = _keep_whole_chunks(shard, requests, config.chunk)
    stored = _stored_lines(folder, shard, {request.key for request in requests[n_resumed:]})
    if on_progress and n_resumed:
        on_progress(n_resumed)
    with shard.open("ab") as file:
        sync_folder(folder)
        for start in range(n_resumed, len(requests), config.chunk):
            chunk = requests[start : start + config.chunk]
            missing = [request for request in chunk if request.key not in stored]
            if on_progress and len(missing) < len(chunk):
                on_progress(len(chunk) - len(missing))
            sampled, n_tokens = _generate(engine, plan, missing, on_progress)
            if on_tokens:
                on_tokens(n_tokens)
            file.write(b"".join(sampled.get(request.key) or stored[request.key] for request in chunk))
            file.flush()
            os.fsync(file.fileno())
    n_reused = n_resumed + len(stored)
    logger.info(
        "benchmark=%s completions=%d resumed=%d set_aside_questions=%d shard=%s",
        plan.benchmark,
        len(requests),
        n_reused,
        rejects.height,
        shard.name,
    )
    lines = [json.loads(line) for line in shard.read_bytes().splitlines()]
    whole = [line for line in lines if line["response"] is not None]
    broken = {line["question_id"] for line in lines if line["response"] is None}
    return Generated(
        pl.DataFrame(whole, schema=RESPONSE), pl.concat([rejects, _broken(plan, broken)]), n_reused, shard
    )


def _requests(engine: Engine, plan: Plan, seed: int) -> tuple[list[_Request], pl.DataFrame]:
    sampling = plan.conditions.sampling
    budget = engine.max_model_tokens - sampling.max_new_tokens
    requests: list[_Request] = []
    too_long: list[dict] = []
    for question in plan.prompts.iter_rows(named=True):
        prompt, question_id = question["prompt"], question["question_id"]
        n_choices = question["n_choices"] if plan.conditions.method == "letters" else None
        tokens = tuple(engine.encode(prompt, bos=plan.conditions.method != "chat"))
        if len(tokens) > budget:
            detail = (
                f"prompt of {len(tokens)} tokens + max_new_tokens {sampling.max_new_tokens} exceeds the "
                f"engine's {engine.max_model_tokens}"
            )
            too_long.append(set_aside(plan.benchmark, question, "prompt_too_long", detail))
            continue
        for index in range(plan.n_samples):
            own = derive_seed(seed, plan.benchmark, question_id, index)
            identity = [engine.fingerprint, prompt, asdict(sampling), n_choices, question_id, index, own]
            key = hash_text(canonical_json(identity), 32)
            requests.append(_Request(key, question_id, index, own, prompt, tokens, n_choices))
    return requests, records.REJECT.frame(too_long)


def _broken(plan: Plan, question_ids: set[str]) -> pl.DataFrame:
    """REJECT rows of questions whose options have no usable log-probability."""
    rows = plan.prompts.filter(pl.col("question_id").is_in(list(question_ids)))
    detail = "the engine's log-probability of an option is not a finite number"
    return records.REJECT.frame(
        [
            set_aside(plan.benchmark, question, "nan_logprobs", detail)
            for question in rows.iter_rows(named=True)
        ]
    )


def set_aside(benchmark: str, question: dict, reason: str, detail: str) -> dict:
    """The REJECT row of a question (evals.plan.PROMPT) that is not asked, or whose answers do not count."""
    return {
        "step": "generate",
        "reason": reason,
        "detail": detail,
        "source": benchmark,
        "source_id": question["question_id"],
        "problem": question["problem"],
        "answer": question["answer"],
    }


def _generate(
    engine: Engine,
    plan: Plan,
    requests: list[_Request],
    on_progress: Callable[[int], None] | None,
) -> tuple[dict[str, bytes], int]:
    """Sample `requests`; return each one's JSON line by key, and the number of tokens sampled."""
    if not requests:
        return {}, 0
    answer = _choose if plan.conditions.method == "letters" else _respond
    lines, n_tokens = {}, 0
    for request, given in zip(requests, answer(engine, plan, requests, on_progress), strict=True):
        row = {
            "key": request.key,
            "benchmark": plan.benchmark,
            "question_id": request.question_id,
            "sample": request.sample,
            "seed": request.seed,
            "prompt": request.prompt,
            "n_prompt_tokens": len(request.tokens),
            **given,
        }
        lines[request.key] = json.dumps(row, separators=(",", ":")).encode() + b"\n"
        n_tokens += given["n_response_tokens"]
    return lines, n_tokens


def _respond(
    engine: Engine, plan: Plan, requests: list[_Request], on_progress: Callable[[int], None] | None
) -> list[dict]:
    completions = engine.generate(
        [request.tokens for request in requests],
        [request.seed for request in requests],
        plan.conditions.sampling,
        on_progress=on_progress,
    )
    return [
        {
            "response": completion.text,
            "n_response_tokens": len(completion.tokens),
            "finish_reason": completion.finish_reason,
        }
        for completion in completions
    ]


def _choose(
    engine: Engine, plan: Plan, requests: list[_Request], on_progress: Callable[[int], None] | None
) -> list[dict]:
    """Take the most probable option letter of each request; the response is null when there is none."""
    letters = [letters_of(request.n_choices or 0) for request in requests]
    tokens = {letter: _only_token(engine, letter) for letter in {x for row in letters for x in row}}
    logprobs = engine.next_logprobs(
        [request.tokens for request in requests],
        [[tokens[letter] for letter in row] for row in letters],
        on_progress=on_progress,
    )
    chosen = []
    for row, values in zip(letters, logprobs, strict=True):
        is_usable = all(math.isfinite(value) for value in values)
        best = row[values.index(max(values))].strip() if is_usable else None
        finite = [value if math.isfinite(value) else None for value in values]
        chosen.append(
            {"response": best, "n_response_tokens": 1, "finish_reason": "stop", "option_logprobs": finite}
        )
    return chosen


def _only_token(engine: Engine, text: str) -> int:
    tokens = engine.encode(text, bos=False)
    if len(tokens) != 1:
        raise ValueError(
            f"the tokenizer encodes {text!r} as {len(tokens)} tokens, not as one, so options cannot be "
            "compared: use profile few_shot, which lets the model write its answer"
        )
    return tokens[0]


def _keep_whole_chunks(shard: Path, requests: list[_Request], chunk: int) -> int:
    """Cut a shard back to the whole chunks that follow the plan; return how many completions remain.

    A chunk is kept whole or not at all, so that the rest is sampled in the same batches as without the kill.
    """
    if not shard.exists():
        return 0
    content = shard.read_bytes()
    lines = content.splitlines(keepends=True)
    n_whole = min(content.count(b"\n"), len(requests))
    for number, (line, request) in enumerate(zip(lines[:n_whole], requests, strict=False), start=1):
        if _key(line) != request.key:
            raise ValueError(
                f"{shard}, row {number}: not the completion that belongs there; the file was changed. "
                "Delete it to sample again"
            )
    n_kept = n_whole if n_whole == len(requests) else n_whole - n_whole % chunk
    if n_kept < len(lines):
        logger.warning(
            "shard=%s cut_lines=%d torn=%s", shard.name, len(lines) - n_kept, content[-1:] != b"\n"
        )
        with shard.open("r+b") as file:
            file.truncate(sum(len(line) for line in lines[:n_kept]))
            os.fsync(file.fileno())
    return n_kept


def _stored_lines(folder: Path, own: Path, wanted: set[str]) -> dict[str, bytes]:
    """Find wanted completions in the folder's other shards; half-written lines are skipped."""
    found: dict[str, bytes] = {}
    for shard in sorted(folder.glob("*.jsonl")):
        if shard != own and wanted:
            for line in shard.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n") and (key := _key(line)) in wanted:
                    found[str(key)] = line
    return found


def _key(line: bytes) -> str | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row.get("key") if isinstance(row, dict) else None


def write_part(generated: Generated, folder: Path, benchmark: str, part: int) -> None:
    """Write one engine's share of a benchmark for `collect`."""
    write_parquet(folder / f"{benchmark}.{part}.responses.parquet", generated.responses)
    write_parquet(folder / f"{benchmark}.{part}.rejects.parquet", generated.rejects)
