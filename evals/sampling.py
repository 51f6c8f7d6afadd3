"""Sample a benchmark's completions through an engine; a killed run resumes and ends with the same bytes.

    generated = sample(engine, benchmark, n_samples=16, config=evals_config, folder=Path("completions"))

Every completion has a key: the hash of weights, prompt, sampling, benchmark, question, sample index and seed.
One shard per benchmark holds a JSON line per completion in the order of the plan; a chunk is appended and
fsynced at once. On resume whole chunks are kept, a torn tail is cut off, and lines of other shards in the
folder whose keys are wanted (the same benchmark with fewer samples, say) are taken over, not sampled again.
"""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from evals.benchmarks.registry import Benchmark
from evals.config import EvalsConfig
from rewards import records
from rewards.files import canonical_json, hash_text, sync_folder
from rewards.generation import Engine, derive_seed
from rewards.prompts import render_prompt

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
    """REJECT rows: questions whose prompt leaves no room for a full response."""
    n_resumed: int
    """Completions that were already on the disk."""
    shard: Path


@dataclass(frozen=True, slots=True)
class _Request:
    key: str
    question_id: str
    sample: int
    seed: int
    prompt: str
    tokens: tuple[int, ...]


def sample(
    engine: Engine,
    benchmark: Benchmark,
    *,
    n_samples: int,
    config: EvalsConfig,
    folder: Path,
    on_progress: Callable[[int], None] | None = None,
) -> Generated:
    """Sample `n_samples` responses to every question, resuming from what `folder` already holds.

    `on_progress` is told newly finished responses, resumed ones included. A question whose prompt plus
    `max_new_tokens` exceeds the engine's context is set aside for all its samples, so that every scored
    response had the same budget.
    """
    requests, rejects = _plan(engine, benchmark, n_samples, config)
    name = hash_text(canonical_json([request.key for request in requests]), 12)
    shard = folder / f"{benchmark.name}-{name}.jsonl"
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
            sampled = _generate(engine, benchmark.name, missing, config, on_progress)
            file.write(b"".join(sampled.get(request.key) or stored[request.key] for request in chunk))
            file.flush()
            os.fsync(file.fileno())
    n_reused = n_resumed + len(stored)
    logger.info(
        "benchmark=%s completions=%d resumed=%d set_aside_questions=%d shard=%s",
        benchmark.name,
        len(requests),
        n_reused,
        rejects.height,
        shard.name,
    )
    lines = [json.loads(line) for line in shard.read_bytes().splitlines()]
    return Generated(pl.DataFrame(lines, schema=RESPONSE), rejects, n_reused, shard)


def _plan(
    engine: Engine, benchmark: Benchmark, n_samples: int, config: EvalsConfig
) -> tuple[list[_Request], pl.DataFrame]:
    sampling = config.sampling
    budget = engine.max_model_tokens - sampling.max_new_tokens
    requests: list[_Request] = []
    rejects: list[dict] = []
    for question in benchmark.questions.iter_rows(named=True):
        prompt = render_prompt(question["problem"], config.prompt)
        tokens = tuple(engine.encode(prompt))
        if len(tokens) > budget:
            rejects.append(_too_long(benchmark.name, question, len(tokens), engine, config))
            continue
        for index in range(n_samples):
            seed = derive_seed(config.seed, benchmark.name, question["question_id"], index)
            identity: list = [engine.fingerprint, prompt, asdict(sampling), benchmark.fingerprint]
            identity += [question["question_id"], index, seed]
            key = hash_text(canonical_json(identity), 32)
            requests.append(_Request(key, question["question_id"], index, seed, prompt, tokens))
    return requests, records.REJECT.frame(rejects)


def _too_long(name: str, question: dict, n_tokens: int, engine: Engine, config: EvalsConfig) -> dict:
    return {
        "step": "generate",
        "reason": "prompt_too_long",
        "detail": f"prompt of {n_tokens} tokens + max_new_tokens {config.max_new_tokens} exceeds the "
        f"engine's {engine.max_model_tokens}",
        "source": name,
        "source_id": question["question_id"],
        "problem": question["problem"],
        "answer": question["answer"],
    }


def _generate(
    engine: Engine,
    benchmark: str,
    requests: list[_Request],
    config: EvalsConfig,
    on_progress: Callable[[int], None] | None,
) -> dict[str, bytes]:
    """Sample `requests` and return each one's JSON line by key."""
    if not requests:
        return {}
    completions = engine.generate(
        [request.tokens for request in requests],
        [request.seed for request in requests],
        config.sampling,
        on_progress=on_progress,
    )
    lines = {}
    for request, completion in zip(requests, completions, strict=True):
        row = {
            "key": request.key,
            "benchmark": benchmark,
            "question_id": request.question_id,
            "sample": request.sample,
            "seed": request.seed,
            "prompt": request.prompt,
            "response": completion.text,
            "n_prompt_tokens": len(request.tokens),
            "n_response_tokens": len(completion.tokens),
            "finish_reason": completion.finish_reason,
        }
        lines[request.key] = json.dumps(row, separators=(",", ":")).encode() + b"\n"
    return lines


def _keep_whole_chunks(shard: Path, requests: list[_Request], chunk: int) -> int:
    """Cut a shard back to the whole chunks that follow the plan; return how many completions that leaves.

    A whole chunk or none is kept, so that the rest is sampled in the same batches as without the kill.
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
                "Remove it to sample again"
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
    """Find wanted completions in the folder's other shards; half-written lines there are passed over."""
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
