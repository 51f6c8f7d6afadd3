"""Tables and plots of a simulated run: reasoner-zero simulate --config ... --gpus 32."""

from pathlib import Path

import polars as pl

from training.config import TrainingConfig
from training.planning.simulator.lengths import PAPER, VARIATION, Lengths
from training.planning.simulator.steps import Cluster, Run, simulate_run

PHASES = ("rollout_s", "reward_s", "forward_s", "critic_s", "policy_s", "sync_s")
HALF = 0.5


def lengths_of(config: TrainingConfig, start: float | None, end: float | None) -> Lengths:
    """Growth of response lengths: as given, else from the paper's figure, else constant at half the limit."""
    known = PAPER.get(config.model.path or "")
    half = config.rollout.max_new_tokens * HALF
    first = start or (known.mean(0) if known else half)
    last = end or (known.mean(1000) if known else first)
    return Lengths(((0, first), (config.n_steps, last)), VARIATION)


def simulate(
    config: TrainingConfig,
    cluster: Cluster,
    lengths: Lengths,
    n_prompt_tokens: float,
    gpu_hour_cost: float,
    agreeing: float,
) -> tuple[Run, pl.DataFrame]:
    """The run, and a readable table of it: one row per simulated step, whole seconds."""
    run = simulate_run(
        config,
        cluster,
        lengths,
        n_prompt_tokens=n_prompt_tokens,
        gpu_hour_cost=gpu_hour_cost,
        agreeing=agreeing,
    )
    other = pl.col("reward_s") + pl.col("sync_s")
    seconds = {"rollout": "rollout_s", "values": "forward_s", "critic": "critic_s", "policy": "policy_s"}
    shown = run.table().select(
        "step",
        tokens=pl.col("response_tokens"),
        **{name: pl.col(column) for name, column in seconds.items()},
        other=other,
        total=pl.col("step_s"),
        **percentages(),
    )
    return run, shown.with_columns(pl.all().round().cast(pl.Int64))


def percentages() -> dict[str, pl.Expr]:
    """Shares as percentages, under short names."""
    names = {"cut %": "truncated", "waits %": "waiting", "tail %": "tail"}
    return {name: pl.col(column) * 100 for name, column in names.items()}


def shortened(changed: pl.DataFrame) -> pl.DataFrame:
    """A readable table of `training.planning.simulator.sensitivity`."""
    return changed.select(
        "variant",
        pl.col("days").round(1),
        pl.col("cost").round().cast(pl.Int64),
        *(value.round().cast(pl.Int64).alias(name) for name, value in percentages().items()),
    )


def draw(run: Run, changed: pl.DataFrame, title: str, folder: Path) -> list[Path]:
    """Write phases.png and sensitivity.png to `folder`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = run.table()
    folder.mkdir(parents=True, exist_ok=True)

    def save(figure: Figure, name: str) -> Path:
        FigureCanvasAgg(figure)
        figure.savefig(folder / name, dpi=90)
        return folder / name

    figure = Figure(figsize=(9, 3.9), layout="constrained")
    times, shares = figure.subplots(1, 2)
    longest = steps["step_s"].to_numpy().max()
    shown = [name for name in PHASES if steps[name].to_numpy().max() > 0.005 * longest]
    times.stackplot(
        steps["step"], [steps[name] for name in shown], labels=[name.removesuffix("_s") for name in shown]
    )
    times.set(title=f"{title}: seconds per step", xlabel="step", xlim=(1, steps["step"].max()))
    lengths = times.twinx()
    lengths.plot(steps["step"], steps["response_tokens"], color="black", linestyle="--")
    lengths.set(ylabel="mean response length, tokens (dashed)", ylim=(0, None))
    for name, label in (
        ("waiting", "GPUs wait, share of the step"),
        ("tail", "last 10% of responses, share of the rollout"),
        ("truncated", "responses cut off at the limit"),
    ):
        shares.plot(steps["step"], steps[name] * 100, label=label)
    shares.set(title="Percent", xlabel="step", xlim=(1, steps["step"].max()), ylim=(0, 100))
    # Below the axes: a legend inside would cover a line somewhere.
    for axes, n_columns in ((times, 3), (shares, 1)):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=n_columns, frameon=False)
    written = [save(figure, "phases.png")]

    # Leave out extremely slow layouts; they would make all others look alike.
    known = changed.filter(pl.col("days") < 4 * pl.col("days").first())
    figure = Figure(figsize=(9, 0.34 * known.height + 0.9), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(known["variant"], known["days"], color=["C1", *["C0"] * (known.height - 1)])
    axes.bar_label(bars, [f"{days:.1f}" for days in known["days"]], padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set(title=f"{title}: days for the run, with one setting changed (up to four times)", xlabel="days")
    return [*written, save(figure, "sensitivity.png")]
