"""Sampling of plans from OpenAI-compatible servers; resumable by the completion.

    sample_remote(endpoint, plans, config=evals_config, folder=Path("completions"))

Every response is appended to a journal when it ends, whichever server gave it. A run that was killed keeps
what is in the journal, but for a torn last line. When nothing is missing, each benchmark's responses are
written in the order of its plan, as `evals.sampling` writes them, and the journal is removed.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import polars as pl

from evals.config import EvalsConfig
from evals.endpoint.pool import EndpointError, Pool, Server
from evals.endpoint_config import EndpointConfig
from evals.plan import Plan
from evals.sampling import RESPONSE, Generated, set_aside
from rewards.contracts import records
from rewards.contracts.engine import derive_seed
from rewards.contracts.files import atomic_open, canonical_json, hash_text

logger = logging.getLogger(__name__)
JOURNAL = "journal.jsonl"
SYNC_S = 1.0
"""Longest time that a response is only in the system's memory, which a power cut would lose."""


@dataclass(frozen=True, slots=True)
class Request:
    key: str
    plan: Plan
    question_id: str
    sample: int
    seed: int
    prompt: str


def model_identity(endpoint: EndpointConfig) -> str:
    """Hash of what is known of a served model: its name, and the version that its user gave it."""
    return hash_text(canonical_json(["endpoint", endpoint.model, endpoint.version]))


def sample_remote(
    endpoint: EndpointConfig,
    plans: Sequence[Plan],
    *,
    config: EvalsConfig,
    folder: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Generated]:
    """Sample every response of the plans, in their order; `on_progress` gets how many are done, and of how
    many. A question that a server finds too long is set aside with all its samples."""
    folder.mkdir(parents=True, exist_ok=True)
    requests = [request for plan in plans for request in _requests(plan, endpoint, config)]
    # What is finished is read as well: a kill may come after the journal's end and before the artifact's.
    answered = {
        key: row for path in sorted(folder.glob("*.jsonl")) for key, row in _read_journal(path).items()
    }
    stored = [request for request in requests if request.key in answered]
    todo = [request for request in requests if request.key not in answered]
    if stored:
        logger.info("resumed completions=%d of %d", len(stored), len(requests))
    pool = Pool(endpoint)
    with (folder / JOURNAL).open("ab") as file:
        journal = _Journal(file)

        def keep(request: Request, answer: dict) -> None:
            row = _row(request, answer)
            answered[request.key] = row
            journal.write(row)
            if on_progress:
                on_progress(len(stored) + journal.n_lines, len(requests))

        async def ask(server: Server, request: Request) -> dict:
            return await _ask(server, request, endpoint.model, config)

        pool.run(todo, ask, keep)
        journal.sync()
    for server in pool.servers:
        logger.info("endpoint=%s responses=%d retries=%d", server.url, server.n_answers, server.n_retries)
    generated = [_collect(plan, requests, answered, folder) for plan in plans]
    (folder / JOURNAL).unlink()
    return generated


def _requests(plan: Plan, endpoint: EndpointConfig, config: EvalsConfig) -> list[Request]:
    if plan.conditions.method == "letters":
        raise ValueError(
            f"benchmark {plan.benchmark!r}: profile letters compares log-probabilities, which an endpoint "
            "does not give; use profile chat or plain"
        )
    requests, model = [], model_identity(endpoint)
    for question_id, prompt in plan.prompts.select("question_id", "prompt").iter_rows():
        for index in range(plan.n_samples):
            own = derive_seed(config.seed, plan.benchmark, question_id, index)
            identity = [model, prompt, config.template_args, asdict(plan.conditions.sampling)]
            key = hash_text(canonical_json([*identity, plan.benchmark, question_id, index, own]), 32)
            requests.append(Request(key, plan, question_id, index, own, prompt))
    return requests


async def _ask(server: Server, request: Request, model: str, config: EvalsConfig) -> dict[str, Any]:
    """One response of a server: its text, how it ended, and its tokens; text None: the prompt is too long."""
    import openai

    is_chat = request.plan.conditions.method == "chat"
    client = server.client.chat.completions if is_chat else server.client.completions
    fields = _fields(request, config)
    fields |= {"messages": json.loads(request.prompt)} if is_chat else {"prompt": request.prompt}
    sampling = request.plan.conditions.sampling
    limit = {server.limit_field: sampling.max_new_tokens}
    try:
        raw = await client.with_raw_response.create(
            model=model, **fields, extra_body=limit | _extra(request, config)
        )
    except openai.BadRequestError as error:
        said = str(error)
        if "max_completion_tokens" in said and "max_tokens" in limit:
            server.limit_field = "max_completion_tokens"
            return await _ask(server, request, model, config)
        if error.code == "context_length_exceeded" or "maximum context length" in said:
            return {"response": None, "detail": " ".join(said.split())[:400]}
        sent = ", ".join(_extra(request, config))
        hint = (
            f"; beyond the API's own fields it was sent {sent}: unset what it does not know" if sent else ""
        )
        raise EndpointError(
            f"{server.url} refuses the request: {' '.join(said.split())[:400]}{hint}"
        ) from error
    server.n_retries += raw.retries_taken
    answer = _read(raw.parse(), sampling.stop)
    n_tokens = answer["n_response_tokens"]
    if answer["finish_reason"] == "length" and n_tokens is not None and n_tokens < sampling.max_new_tokens:
        full = f"the server stopped after {n_tokens} of {sampling.max_new_tokens} tokens: its context is full"
        return {"response": None, "detail": full}
    return answer


def _fields(request: Request, config: EvalsConfig) -> dict[str, Any]:
    """The API's own fields of a request; those at their defaults are left out."""
    sampling = request.plan.conditions.sampling
    fields: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": request.seed,
    }
    if sampling.stop:
        fields["stop"] = list(sampling.stop)
    for name in ("presence_penalty", "frequency_penalty"):
        if value := getattr(sampling, name):
            fields[name] = value
    return fields


def _extra(request: Request, config: EvalsConfig) -> dict[str, Any]:
    """Fields that vLLM, SGLang and others know beyond the API."""
    sampling = request.plan.conditions.sampling
    known = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
    extra = {name: value for name in known if (value := getattr(sampling, name)) != known[name]}
    if config.template_args and request.plan.conditions.method == "chat":
        extra["chat_template_kwargs"] = dict(config.template_args)
    return extra


def _read(answer: Any, stop: tuple[str, ...]) -> dict[str, Any]:
    """Read an answer of either API; reasoning that the server has cut off is put back before the answer."""
    if not answer.choices:
        raise EndpointError("an endpoint sent an answer without choices")
    choice = answer.choices[0]
    message = getattr(choice, "message", None)
    text = (choice.text if message is None else message.content) or ""
    thought = getattr(message, "reasoning", None) or getattr(message, "reasoning_content", None)
    if thought:
        text = f"<think>{thought}</think>{text}" if text else f"<think>{thought}"
    # Servers cut off the string that ended a response; vLLM and SGLang say which it was.
    matched = getattr(choice, "stop_reason", None) or getattr(choice, "matched_stop", None)
    if isinstance(matched, str) and matched in stop and not text.endswith(matched):
        text += matched
    elif matched is None and choice.finish_reason == "stop" and "</answer>" in stop:
        text += "</answer>" * (text.count("<answer>") > text.count("</answer>"))
    usage = answer.usage
    return {
        "response": text,
        "n_prompt_tokens": usage.prompt_tokens if usage else None,
        "n_response_tokens": usage.completion_tokens if usage else None,
        "finish_reason": "length" if choice.finish_reason == "length" else "stop",
    }


def _row(request: Request, answer: dict[str, Any]) -> dict[str, Any]:
    row = {
        "key": request.key,
        "benchmark": request.plan.benchmark,
        "question_id": request.question_id,
        "sample": request.sample,
        "seed": request.seed,
        "prompt": request.prompt,
    }
    return row | answer


class _Journal:
    """A file that grows by a line a response; synced to the disk about once a second."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.n_lines, self.last_sync = file, 0, time.monotonic()

    def write(self, row: dict[str, Any]) -> None:
        self.file.write(json.dumps(row, separators=(",", ":")).encode() + b"\n")
        self.file.flush()
        self.n_lines += 1
        if time.monotonic() - self.last_sync > SYNC_S:
            self.sync()

    def sync(self) -> None:
        os.fsync(self.file.fileno())
        self.last_sync = time.monotonic()


def _read_journal(path: Path) -> dict[str, dict[str, Any]]:
    """The stored responses by key; what a kill has torn off at the end is cut."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        logger.warning("journal: the last line was torn and is sampled again")
        with path.open("r+b") as file:
            file.truncate(len(whole))
    rows = {}
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            row = json.loads(line)
            rows[row["key"]] = row
        except (ValueError, TypeError, KeyError):
            raise ValueError(
                f"{path}, row {number}: not a stored response; the file was changed. Delete it to "
                "sample again"
            ) from None
    return rows


def _collect(plan: Plan, requests: list[Request], answered: dict[str, dict], folder: Path) -> Generated:
    """Write a benchmark's responses in the order of its plan; too long questions are rejected."""
    rows = [answered[request.key] for request in requests if request.plan is plan]
    too_long = {row["question_id"]: row["detail"] for row in rows if row["response"] is None}
    kept = [row for row in rows if row["question_id"] not in too_long]
    shard = folder / f"{plan.benchmark}.jsonl"
    with atomic_open(shard) as file:
        file.writelines(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in kept)
    rejects = [
        set_aside(plan.benchmark, question, "prompt_too_long", too_long[question["question_id"]])
        for question in plan.prompts.iter_rows(named=True)
        if question["question_id"] in too_long
    ]
    frame = pl.DataFrame(kept, schema=RESPONSE, infer_schema_length=None)
    return Generated(frame, records.REJECT.frame(rejects), 0, shard)
