"""Our own samples: responses.parquet, completions.parquet, and the lines of completions/*.jsonl."""

from collections.abc import Iterator

from evals.benchmarks.rows import Row
from evals.foreign.response import Response, first_text

FIELDS = {"benchmark", "question_id", "sample", "response"}


def knows(row: Row) -> bool:
    return row.values.keys() >= FIELDS


def read(row: Row, file: str) -> Iterator[Response]:
    values = row.values
    if values["response"] is None:
        raise row.error("field 'response' is empty: the question was set aside; score responses.parquet")
    yield Response(
        origin=f"{row.origin}, row {row.number}",
        file=row.origin,
        benchmark=str(values["benchmark"]),
        text=str(values["response"]),
        question_id=str(values["question_id"]),
        gold=first_text(values, ("gold",)),
        prompt=values.get("prompt") or "",
        sample=f"{values['sample']}/{values.get('seed')}",
        n_tokens=values.get("n_response_tokens"),
        finish_reason=values.get("finish_reason"),
    )
