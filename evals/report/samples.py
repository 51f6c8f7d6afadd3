"""Rows for the sample browser: a fair draw of responses, as JSON that is safe inside a page."""

import json
import os

import polars as pl

from rewards.contracts.files import hash_text

MAX_BYTES = 1_600_000
MAX_RESPONSE_CHARS = 6_000
MAX_QUESTION_BYTES = 300_000
"""Of one question's responses; the rest is counted, and shown by the viewer."""


def draw_samples(models: dict[str, pl.DataFrame], *, max_bytes: int = MAX_BYTES) -> list[dict]:
    """Pick questions by the hash of their ids until the page is full, each with all samples of every model.

    `change` says whether a question gained or lost correct samples between the two models; `more` how many of
    its responses are left out since they are too many.
    """
    joined = pl.concat([frame.with_columns(model=pl.lit(label)) for label, frame in models.items()])
    by = ("benchmark", "question_id")
    shares = {
        (row["model"], row["benchmark"], row["question_id"]): row["share"]
        for row in joined.group_by("model", *by)
        .agg(pl.col("is_correct").mean().alias("share"))
        .iter_rows(named=True)
    }
    problems = _problems(joined["prompt"])
    parts = joined.partition_by(*by, as_dict=True, maintain_order=True)
    drawn: list[dict] = []
    n_bytes = 0
    for key in sorted(parts, key=lambda key: hash_text("/".join(key))):
        change = _change(shares.get(("base", *key)), shares.get(("final", *key)))
        rows = parts[key].sort("sample", maintain_order=True).iter_rows(named=True)
        entries = [_entry(row, problems[row["prompt"]], change) for row in rows]
        kept = _within(entries)
        n_bytes += sum(len(json.dumps(entry)) for entry in kept)
        if n_bytes > max_bytes and drawn:
            break
        drawn += [entry | {"more": len(entries) - len(kept)} for entry in kept]
    return drawn


def _within(entries: list[dict]) -> list[dict]:
    """The first responses of a question that fit, at least one of each model."""
    n_bytes = 0
    for number, entry in enumerate(entries):
        n_bytes += len(json.dumps(entry))
        if n_bytes > MAX_QUESTION_BYTES and number >= 2:
            return entries[:number]
    return entries


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None or before == after:
        return ""
    return "gained" if after > before else "lost"


def _entry(row: dict, problem: str, change: str) -> dict:
    response = row["response"]
    n_hidden = len(response) - MAX_RESPONSE_CHARS
    return {
        "model": row["model"],
        "benchmark": row["benchmark"],
        "question": row["question_id"],
        "sample": row["sample"],
        "problem": problem[:MAX_RESPONSE_CHARS],
        "response": response[:MAX_RESPONSE_CHARS]
        + (f" … [{n_hidden:,} more characters]" if n_hidden > 0 else ""),
        "tokens": row["n_response_tokens"],
        "gold": row["gold"],
        "extracted": row["extracted"],
        "reason": row["reason"],
        "correct": row["is_correct"],
        "formatted": row["is_formatted"],
        "truncated": row["is_truncated"],
        "level": row["level"],
        "change": change,
    }


def _problems(prompts: pl.Series) -> dict[str, str]:
    """Strip what all prompts share (instructions, worked examples) from each prompt, whole lines only."""
    distinct = prompts.unique().to_list()
    prefix = os.path.commonprefix(distinct)
    suffix = os.path.commonprefix([text[::-1] for text in distinct])[::-1]
    start = prefix.rfind("\n") + 1
    end = len(suffix) - suffix.find("\n") if "\n" in suffix else 0
    if len(distinct) < 2:
        start = end = 0
    return {text: text[start : len(text) - end].removesuffix("<think>").strip() or text for text in distinct}


def to_script_json(value: object) -> str:
    r"""Write JSON that cannot end the script element around it, whatever a model wrote.

    >>> to_script_json("</script><!--")
    '"\\u003c/script\\u003e\\u003c!--"'
    """
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
