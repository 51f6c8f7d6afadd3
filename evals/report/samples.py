"""Rows for the sample browser: a fair draw of responses, as JSON that is safe inside a page."""

import json
import os

import polars as pl

from rewards.contracts.files import hash_text

MAX_BYTES = 1_200_000
MAX_RESPONSE_CHARS = 6_000
MAX_SAMPLES_PER_QUESTION = 2


def draw_samples(models: dict[str, pl.DataFrame], *, max_bytes: int = MAX_BYTES) -> list[dict]:
    """Pick questions by the hash of their ids until the page is full, each with every model's samples.

    `change` says whether a question gained or lost correct samples between the two models.
    """
    joined = pl.concat([frame.with_columns(model=pl.lit(label)) for label, frame in models.items()])
    shares = {
        (row["model"], row["benchmark"], row["question_id"]): row["share"]
        for row in joined.group_by("model", "benchmark", "question_id")
        .agg(pl.col("is_correct").mean().alias("share"))
        .iter_rows(named=True)
    }
    problems = _problems(joined["prompt"])
    questions: dict[tuple[str, str], list[dict]] = {}
    for row in joined.filter(pl.col("sample") < MAX_SAMPLES_PER_QUESTION).iter_rows(named=True):
        key = (row["benchmark"], row["question_id"])
        change = _change(shares.get(("base", *key)), shares.get(("final", *key)))
        questions.setdefault(key, []).append(_entry(row, problems[row["prompt"]], change))
    drawn: list[dict] = []
    n_bytes = 0
    for key in sorted(questions, key=lambda key: hash_text("/".join(key))):
        n_bytes += len(json.dumps(questions[key]))
        if n_bytes > max_bytes and drawn:
            break
        drawn += questions[key]
    return drawn


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
