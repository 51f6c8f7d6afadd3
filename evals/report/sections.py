"""The sections of the page, in order, and the figures in each, depending on the available data."""

from collections.abc import Iterator, Mapping

import polars as pl

from evals.report import benchmark_figures, data_figures, training_figures
from evals.report.canvas import drawing
from evals.report.data import ReportData
from evals.report.plates import Plate, Section, in_words, plate
from evals.statistics.forecast import Forecast
from evals.statistics.metrics import by_checkpoint
from evals.statistics.turning_point import Bend, turning_point


def build_sections(
    data: ReportData,
    models: dict[str, pl.DataFrame],
    bends: Mapping[str, Bend | None],
    forecasts: dict[str, Forecast],
) -> list[Section]:
    """Draw every figure that the data allows; sections without anything in them are omitted."""
    with drawing():
        sections = [
            Section(
                "training",
                "Training",
                _training_lead(data, bends, forecasts),
                tuple(_training(data, bends, forecasts)),
            ),
            Section("lengths", "Lengths and groups", "", tuple(_lengths(models))),
            Section("optimization", "Optimization", "", tuple(_optimization(data))),
            Section("data", "Data", "", tuple(_data(data))),
            Section("cost", "Cost", data.timing_note, tuple(_cost(data))),
        ]
    # The tables by level and subject stand beside the lengths, which samples of other tools may lack.
    return [section for section in sections if section.plates or (section.key == "lengths" and models)]


def _training_lead(data: ReportData, bends: Mapping[str, Bend | None], forecasts: dict[str, Forecast]) -> str:
    if data.metrics is None or data.metrics.height == 0:
        return ""
    n_steps = data.metrics.height
    if n_steps < 40:
        return f"{n_steps} steps."
    lines = "Faint lines are single steps, bold ones their running mean."
    said = [f"{n_steps} steps.", lines, bends_in_words(bends), forecasts_in_words(forecasts)]
    return " ".join(part for part in said if part)


def forecasts_in_words(forecasts: dict[str, Forecast]) -> str:
    """Say which level each series heads to, and when it is near."""
    parts = []
    for name, ahead in forecasts.items():
        middle, low, high = ahead.level
        part = f"{name} heads to {middle:.2f} [{low:.2f}, {high:.2f}]"
        if (near := ahead.near) is not None:
            part += f", 95% of the way by step {near.middle:,.0f} [{near.low:,.0f}, {near.high:,.0f}]"
        parts.append(part)
    sentence = "; ".join(parts)
    return f"If the run goes on as it did, {sentence} (saturating curves, 95% intervals)." if parts else ""


def bends_in_words(bends: Mapping[str, Bend | None]) -> str:
    """Say where the series bend upward: together, each at its own step, or not at all.

    >>> bends_in_words({"reward": Bend(40.0, 36.0, 44.0, 0.002, 0.0, 0.01), "response_tokens": None})
    'Upward bends (change-point test for each): reward at step 40 (p = 0.002), response length none.'
    """
    names = {"response_tokens": "response length", "reflection_rate": "reflection rate"}
    named = {names.get(name, name): bend for name, bend in bends.items()}
    if not any(named.values()):
        return ""
    if point := turning_point(named):
        first, *others = named
        what = " and ".join([", ".join([first.capitalize(), *others[:-1]]), *others[-1:]])
        return f"{what} bend upward together {point.place} (each by itself, p <= {point.p_value:.3f})."
    parts = [
        f"{name} none" if bend is None else f"{name} {bend.place} (p = {bend.p_value:.3f})"
        for name, bend in named.items()
    ]
    return f"Upward bends (change-point test for each): {', '.join(parts)}."


def _training(
    data: ReportData, bends: Mapping[str, Bend | None], forecasts: dict[str, Forecast]
) -> Iterator[Plate]:
    metrics = data.metrics
    if metrics is not None and metrics.height:
        draw = training_figures
        caption = "Binary reward, mean over the step's responses."
        if "reward" in forecasts:
            caption += " Dotted: where it is heading, with the 95% band."
        yield plate(
            "reward",
            "Reward",
            caption,
            draw.reward(metrics, bends.get("reward"), forecasts.get("reward")),
            in_words(metrics, "reward"),
        )
        figure = draw.response_length(metrics, bends.get("response_tokens"))
        values = in_words(metrics, "response_tokens")
        yield plate("length", "Response length", "Tokens per response.", figure, values)
        title = "Length of right and wrong responses"
        values = in_words(metrics, "response_tokens_correct", "response_tokens_wrong")
        yield plate("outcome", title, "Tokens, mean.", draw.length_by_outcome(metrics), values)
        title = "Format and truncation"
        values = in_words(metrics, "formatted", "truncated")
        yield plate("format", title, "Share of responses.", draw.truncation_and_format(metrics), values)
    if data.reflection is not None and data.reflection["reflection_rate"].sum() > 0:
        draw = training_figures
        title = "Length of correct reflections"
        values = in_words(data.reflection, "correct_reflection_tokens", "response_tokens")
        yield plate("reflection", title, "Tokens, mean.", draw.reflection(data.reflection), values)
        caption = "Share of responses with wait, recheck, retry, alternatively or however."
        figure = draw.reflection_rate(data.reflection, bends.get("reflection_rate"))
        values = in_words(data.reflection, "reflection_rate")
        yield plate("reflecting", "Reflection rate", caption, figure, values)
    if data.checkpoints is not None and data.checkpoints["step"].n_unique() > 2:
        yield from _checkpoints(data.checkpoints)


def _checkpoints(checkpoints: pl.DataFrame) -> Iterator[Plate]:
    """Accuracy by step, and by level when the benchmark has levels."""
    accuracy = by_checkpoint(checkpoints)
    for number, name in enumerate(accuracy["benchmark"].unique(maintain_order=True)):
        yield plate(
            f"checkpoint{number}",
            f"{name} during training",
            "Accuracy with its 95% band.",
            benchmark_figures.accuracy_by_step(name, accuracy),
            in_words(accuracy.filter(pl.col("benchmark") == name), "accuracy"),
            is_small=True,
        )
        own = checkpoints.filter(pl.col("benchmark") == name)
        if 1 < own["level"].n_unique() <= 12:
            title, caption = f"Levels of {name} during training", "Accuracy by level and step."
            figure = benchmark_figures.levels_by_step(own)
            yield plate(f"levels{number}", title, caption, figure, is_small=True)


def _lengths(models: dict[str, pl.DataFrame]) -> Iterator[Plate]:
    """Samples of other tools may have no lengths."""
    models = {label: frame.drop_nulls("n_response_tokens") for label, frame in models.items()}
    models = {label: frame for label, frame in models.items() if frame.height}
    if not models:
        return
    means = [
        f"{label}: right {_mean_tokens(frame, correct=True)}, wrong {_mean_tokens(frame, correct=False)}"
        for label, frame in models.items()
    ]
    yield plate(
        "histogram",
        "Response lengths, right and wrong",
        "Right up, wrong down; share of all responses.",
        benchmark_figures.length_histograms(models),
        f"Mean tokens, {'; '.join(means)}.",
    )


def _mean_tokens(frame: pl.DataFrame, *, correct: bool) -> str:
    mean = frame.filter(pl.col("is_correct") == correct)["n_response_tokens"].mean()
    return "none" if mean is None else f"{float(str(mean)):,.1f}"


_OPTIMIZATION = (
    ("policy_loss", "Policy loss", "Clipped surrogate, token mean.", False),
    ("value_loss", "Value loss", "Clipped, token mean.", False),
    ("explained_variance", "Explained variance", "Of the critic, before its update.", False),
    ("entropy", "Entropy", "Of the policy, nats per token.", False),
    ("clip_fraction", "Clipped tokens", "Share whose ratio left the trust region.", True),
    ("approx_kl", "Policy change", "Approximate KL between new and old.", False),
)


def _optimization(data: ReportData) -> Iterator[Plate]:
    if data.metrics is not None and data.metrics.height:
        for column, title, caption, is_percent in _OPTIMIZATION:
            figure = training_figures.single(data.metrics, column, percent=is_percent)
            key, values = column.replace("_", ""), in_words(data.metrics, column)
            yield plate(key, title, caption, figure, values, is_small=True)


def _data(data: ReportData) -> Iterator[Plate]:
    if data.funnel is not None and data.funnel.height:
        caption = "Problems kept after each step; dropped ones in gray."
        values = ", ".join(
            f"{step} {kept:,}" for step, kept in data.funnel.select("step", "kept").iter_rows()
        )
        yield plate("funnel", "Curation", caption, data_figures.funnel(data.funnel), values)
    if data.answer_types is not None and data.answer_types.height:
        caption = "Problems by type of reference answer."
        rows = data.answer_types.sort("count", descending=True).select("answer_type", "count").iter_rows()
        values = ", ".join(f"{name} {count:,}" for name, count in rows)
        yield plate("types", "Answer types", caption, data_figures.answer_types(data.answer_types), values)


def _cost(data: ReportData) -> Iterator[Plate]:
    if data.timings is not None and data.timings.height:
        caption = "Response tokens per second of sampling."
        values = in_words(data.timings, "tokens_per_s")
        yield plate("throughput", "Throughput", caption, training_figures.throughput(data.timings), values)
        phases = training_figures.time_per_phase(data.timings)
        means = data.timings.select(pl.col(training_figures.PHASES).mean()).row(0, named=True)
        values = ", ".join(f"{training_figures.PHASES[name]} {mean:.3g} s" for name, mean in means.items())
        yield plate("phases", "Where a step's time goes", "Mean over steps.", phases, values)
