"""Statistics of scored completions: one row per benchmark, curves over k, and breakdowns.

    summary = summarize(completions)       # completions: rewards.contracts.records.COMPLETION
    curve = curves(completions)            # pass@k and maj@k for k = 1 ... n
    levels = breakdown(completions, "level")

Every frame here has a documented schema (SUMMARY, CURVE, GROUP); shares are in [0, 1], lengths in tokens.
"""

import numpy as np
import polars as pl

from evals.statistics.intervals import mean_over_questions
from evals.statistics.voting import maj_at_k, pass_at_k
from rewards.contracts import records

TEXT, INT, FLOAT = pl.String(), pl.Int64(), pl.Float64()

SUMMARY = pl.Schema(
    {
        "benchmark": TEXT,
        "n_questions": INT,
        "n_samples": INT,  # k of avg@k: samples per question
        "accuracy": FLOAT,  # avg@k: mean over questions of the share of correct samples
        "stderr": FLOAT,  # of accuracy, clustered by question
        "ci95_low": FLOAT,
        "ci95_high": FLOAT,
        "pass_at_k": FLOAT,  # at k = n_samples
        "pass_at_k_low": FLOAT,  # 95 %, clustered by question like all intervals here
        "pass_at_k_high": FLOAT,
        "maj_at_k": FLOAT,  # at k = n_samples
        "maj_at_k_low": FLOAT,
        "maj_at_k_high": FLOAT,
        "truncated": FLOAT,
        "formatted": FLOAT,
        "response_tokens": FLOAT,
        "response_tokens_std": FLOAT,
        "response_tokens_correct": FLOAT,  # null when nothing is correct
        "response_tokens_correct_std": FLOAT,
        "response_tokens_wrong": FLOAT,  # null when nothing is wrong
        "response_tokens_wrong_std": FLOAT,
    }
)

CURVE = pl.Schema(
    {
        "benchmark": TEXT,
        "k": INT,
        **{
            f"{name}_at_k{end}": FLOAT for name in ("pass", "maj") for end in ("", "_low", "_high")
        },  # with 95 % intervals
    }
)

GROUP = pl.Schema(
    {
        "benchmark": TEXT,
        "group": TEXT,  # the level, subject or length quartile
        "n_questions": INT,
        "accuracy": FLOAT,
        "stderr": FLOAT,
        "ci95_low": FLOAT,
        "ci95_high": FLOAT,
        "response_tokens": FLOAT,
    }
)


def check_samples(completions: pl.DataFrame) -> None:
    """Reject completions in which a question has fewer samples than others in its benchmark, or repeats."""
    repeats = completions.filter(pl.struct("benchmark", "question_id", "sample").is_duplicated())
    if repeats.height:
        row = repeats.row(0, named=True)
        raise ValueError(
            f"{row['benchmark']}: question {row['question_id']!r} has sample {row['sample']} twice"
        )
    counts = completions.group_by("benchmark", "question_id").len()
    uneven = counts.filter(pl.col("len") != pl.col("len").max().over("benchmark")).sort("question_id")
    if uneven.height:
        row = uneven.row(0, named=True)
        raise ValueError(
            f"{row['benchmark']}: question {row['question_id']!r} has {row['len']} samples, others have "
            "more; finish sampling before statistics"
        )


def question_means(completions: pl.DataFrame) -> pl.DataFrame:
    """Share of correct samples per question: [benchmark, question_id, accuracy], in order of appearance."""
    return completions.group_by("benchmark", "question_id", maintain_order=True).agg(
        pl.col("is_correct").mean().alias("accuracy")
    )


def summarize(completions: pl.DataFrame) -> pl.DataFrame:
    """Summarize each benchmark in one SUMMARY row, in order of appearance."""
    records.COMPLETION.check(completions)
    check_samples(completions)
    rows = []
    for (name,), part in completions.group_by("benchmark", maintain_order=True):
        estimate = mean_over_questions(question_means(part)["accuracy"].to_numpy())
        n_samples = int(part["sample"].n_unique())
        last = _curve(part, [n_samples])[0]
        lengths = {
            "response_tokens": part["n_response_tokens"],
            "response_tokens_correct": part.filter("is_correct")["n_response_tokens"],
            "response_tokens_wrong": part.filter(~pl.col("is_correct"))["n_response_tokens"],
        }
        rows.append(
            {
                "benchmark": name,
                "n_questions": part["question_id"].n_unique(),
                "n_samples": n_samples,
                "accuracy": estimate.value,
                "stderr": estimate.stderr,
                "ci95_low": estimate.ci95[0],
                "ci95_high": estimate.ci95[1],
                **{column: value for column, value in last.items() if column != "k"},
                "truncated": part["is_truncated"].mean(),
                "formatted": part["is_formatted"].mean(),
                **{column: values.mean() for column, values in lengths.items()},
                **{f"{column}_std": values.std(ddof=0) for column, values in lengths.items()},
            }
        )
    return pl.DataFrame(rows, schema=SUMMARY)


def by_checkpoint(checkpoints: pl.DataFrame) -> pl.DataFrame:
    """Accuracy over a training run, from COMPLETION rows with a column `step`: [step, *SUMMARY]."""
    parts = [
        summarize(part.drop("step")).select(pl.lit(step).alias("step"), pl.all())
        for (step,), part in checkpoints.group_by("step", maintain_order=True)
    ]
    return pl.concat(parts).sort("step")


def curves(completions: pl.DataFrame, ks: list[int] | None = None) -> pl.DataFrame:
    """pass@k and maj@k per benchmark at k = 1 ... 8, powers of two and the number of samples, or at `ks`."""
    check_samples(completions)
    rows = []
    for (name,), part in completions.group_by("benchmark", maintain_order=True):
        n_samples = int(part["sample"].n_unique())
        usual = {*range(1, 9), *(2**power for power in range(3, n_samples.bit_length())), n_samples}
        wanted = [k for k in ks or sorted(usual) if k <= n_samples]
        rows += [{"benchmark": name, **point} for point in _curve(part, wanted)]
    return pl.DataFrame(rows, schema=CURVE)


def _curve(part: pl.DataFrame, ks: list[int]) -> list[dict[str, float]]:
    """Average pass@k and maj@k over the questions of one benchmark, with their intervals: rows of CURVE."""
    votes = _votes(part)
    rows = []
    for k in ks:
        passed = [pass_at_k(n_right + sum(wrong) + silent, n_right, k) for n_right, wrong, silent in votes]
        majority = [maj_at_k(n_right, wrong, silent, k) for n_right, wrong, silent in votes]
        rows.append({"k": k, **_measured("pass_at_k", passed), **_measured("maj_at_k", majority)})
    return rows


def _measured(name: str, values: list[float]) -> dict[str, float]:
    estimate = mean_over_questions(np.clip(np.asarray(values, dtype=np.float64), 0.0, 1.0))
    return {name: estimate.value, f"{name}_low": estimate.ci95[0], f"{name}_high": estimate.ci95[1]}


def _votes(part: pl.DataFrame) -> list[tuple[int, tuple[int, ...], int]]:
    """Per question: correct samples, sizes of the wrong answer classes, samples without an answer."""
    counts = part.group_by("question_id", "is_correct", "answer_class").len().sort("question_id")
    votes: dict[str, tuple[int, list[int], int]] = {}
    for question_id, is_correct, answer_class, n in counts.iter_rows():
        right, wrong, silent = votes.get(question_id, (0, [], 0))
        if is_correct:
            right += n
        elif answer_class is None:
            silent += n
        else:
            wrong.append(n)
        votes[question_id] = (right, wrong, silent)
    return [(right, tuple(sorted(wrong)), silent) for right, wrong, silent in votes.values()]


def breakdown(completions: pl.DataFrame, by: str) -> pl.DataFrame:
    """Accuracy by level, subject or length quartile (`by="length"`: Q1 is a benchmark's shortest quarter)."""
    if by == "length":
        completions = completions.drop_nulls("n_response_tokens")
        rank = pl.col("n_response_tokens").rank("ordinal").over("benchmark") - 1
        quartile = rank * 4 // pl.len().over("benchmark") + 1
        completions = completions.with_columns(pl.format("Q{}", quartile).alias("length"))
    kept = completions.filter(pl.col(by).is_not_null())
    rows = []
    for (name, group), part in kept.group_by("benchmark", by):
        estimate = mean_over_questions(question_means(part)["accuracy"].to_numpy())
        rows.append(
            (
                name,
                group,
                part["question_id"].n_unique(),
                estimate.value,
                estimate.stderr,
                *estimate.ci95,
                part["n_response_tokens"].mean(),
            )
        )
    return pl.DataFrame(rows, schema=GROUP, orient="row").sort("benchmark", "group")
