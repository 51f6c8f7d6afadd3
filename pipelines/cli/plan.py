"""The commands that estimate a run: plan, simulate."""

import argparse
from pathlib import Path

from pipelines.cli.arguments import Commands, add_command, add_config, number
from pipelines.cli.output import say, show

GPUS = "total number of GPUs (default: training.deepspeed.n_ranks)"


def add_commands(commands: Commands) -> None:
    _add_plan(commands)
    _add_simulate(commands)


def _add_plan(commands: Commands) -> None:
    text = "estimate the memory, tokens, FLOPs and time that a run needs, without running it"
    parser = add_command(commands, "plan", plan, text, "training")
    add_config(parser, "configs/orz_7b.toml")
    parser.add_argument("--gpus", type=number(1, is_whole=True), metavar="N", help=GPUS)
    parser.add_argument(
        "--against", metavar="RUN", help="compare the plan with a finished run, such as runs/demo"
    )
    _add_machine(parser)


def plan(arguments: argparse.Namespace) -> int:
    from pipelines.config import load_config
    from training.planning.plan import make_plan

    config = load_config(Path(arguments.config))
    training = config.training
    limit, n_gpus = arguments.gpu_memory_gib, arguments.gpus or training.deepspeed.n_ranks
    made = make_plan(training, n_gpus=n_gpus, gpu_gib=limit)
    show(made.table(), f"{arguments.config}: {made.n_parameters / 1e9:.2f} billion parameters")
    verdict = "fits" if made.peak_gib <= limit else "does NOT fit"
    say(f"peak {made.peak_gib:.1f} GiB per GPU: {verdict} in {limit:g} GiB")
    try:
        run, _ = _simulated(arguments, training, n_gpus)
    except ValueError as error:
        say(f"how long it takes is unknown: {error}")
    else:
        say(f"the run takes {_length(run, training, n_gpus)} (as reasoner-zero simulate says)")
        _say_published(training)
    refused = _examine(training)
    if arguments.against:
        show(_against(training, Path(arguments.against)), f"The plan compared with {arguments.against}")
    return 0 if made.peak_gib <= limit and not refused else 1


def _examine(training) -> int:
    """Check a model that lies here; 1 when training would refuse it."""
    if training.model.path is None:
        return 0
    if not (Path(training.model.path) / "config.json").is_file():
        say("whether the model is trained exactly is checked when it lies here (doctor --model)")
        return 0
    from pipelines.cli.models import examine_model

    return examine_model(training, Path("runs"))


def _against(training, run: Path):
    import polars as pl

    from rewards.contracts.records import METRIC, TIMING
    from training.planning.plan import compare_with_run
    from training.recorder import read_records

    trained = run / "train"
    if not (trained / "metrics.jsonl").exists():
        raise FileNotFoundError(
            f"--against {run}: no training is there; name a run's folder, such as runs/demo"
        )
    prompts = pl.scan_parquet(trained / "rollouts" / "*.parquet").select(pl.col("n_prompt_tokens").mean())
    return compare_with_run(
        training,
        read_records(trained / "metrics.jsonl", METRIC),
        read_records(trained / "timings.jsonl", TIMING),
        prompts.collect().item(),
    )


def _add_simulate(commands: Commands) -> None:
    text = "estimate step time, GPU idle time, days and cost of a run on a cluster"
    parser = add_command(commands, "simulate", simulate, text, "training")
    add_config(parser, "configs/orz_7b.toml")
    parser.add_argument("--gpus", type=number(1, is_whole=True), metavar="N", help=GPUS)
    parser.add_argument("--plots", metavar="DIR", help="also write phases.png and sensitivity.png there")
    _add_machine(parser)


def _add_machine(parser: argparse.ArgumentParser) -> None:
    """What `plan` and `simulate` assume about the machine, the same for both."""
    above_0, share = number(0, is_open=True), number(0, 1)
    for name, default, kind, meaning in (
        ("gpu-memory-gib", 80.0, above_0, "memory of one GPU"),
        ("gpu-tflops", 320.0, above_0, "sustained bf16 TFLOP/s of training; measured on an H200"),
        ("gpu-memory-tbs", 2.4, above_0, "sustained memory bandwidth, TB/s"),
        ("link-gbs", 100.0, above_0, "bandwidth at which one GPU receives from the others, GB/s"),
        ("gpu-hour-cost", 2.0, number(0), "price of one GPU for an hour"),
        ("prompt-tokens", 256.0, number(1), "mean prompt length, tokens"),
        ("agreeing", 0.4, share, "share of prompts that dynamic sampling replaces in each of its rounds"),
    ):
        help_text = f"{meaning} (default: {default:g})"
        parser.add_argument(f"--{name}", type=kind, default=default, metavar="X", help=help_text)
    for name, when in (("first-tokens", "first"), ("last-tokens", "last")):
        help_text = f"mean response length in the {when} step, tokens (default: from the paper's figure 2)"
        parser.add_argument(f"--{name}", type=number(1), metavar="N", help=help_text)


def simulate(arguments: argparse.Namespace) -> int:
    from pipelines.cli.simulate import draw, shortened
    from pipelines.config import load_config
    from training.planning.simulator.sensitivity import sensitivity

    config = load_config(Path(arguments.config))
    training, n_gpus = config.training, arguments.gpus or config.training.deepspeed.n_ranks
    run, steps = _simulated(arguments, training, n_gpus)
    show(steps, f"{config.name} on {n_gpus} GPUs, seconds")
    say(
        f"{training.total_steps:,} steps: {_length(run, training, n_gpus)}; "
        f"GPUs wait {run.mean('waiting'):.0%} of the time; "
        f"the plan says {run.memory_gib:.1f} GiB per GPU at most"
    )
    _say_published(training)
    cluster, lengths, prices = _assumed(arguments, training, n_gpus)
    changed = sensitivity(training, cluster, lengths, **prices)
    show(shortened(changed), "With one setting changed")
    for name, why in changed.select("variant", "why_not").drop_nulls().iter_rows():
        say(f"{name}: {why}")
    if arguments.plots:
        for path in draw(run, changed, config.name, Path(arguments.plots)):
            say(f"wrote {path}")
    return 0


PUBLISHED_GPU_HOURS = {"Qwen/Qwen2.5-7B": 8448}
"""What the authors of Open-Reasoner-Zero say their run took."""


def _assumed(arguments: argparse.Namespace, training, n_gpus: int):
    """The cluster, the growth of lengths and the prices that the arguments describe."""
    from pipelines.cli.simulate import lengths_of
    from training.planning.simulator.machine import Machine
    from training.planning.simulator.steps import Cluster

    machine = Machine.of_gpu(arguments.gpu_tflops, arguments.gpu_memory_tbs, arguments.link_gbs)
    cluster = Cluster(n_gpus, machine, arguments.gpu_memory_gib)
    lengths = lengths_of(training, arguments.first_tokens, arguments.last_tokens)
    prices = {
        "n_prompt_tokens": arguments.prompt_tokens,
        "gpu_hour_cost": arguments.gpu_hour_cost,
        "agreeing": arguments.agreeing,
    }
    return cluster, lengths, prices


def _simulated(arguments: argparse.Namespace, training, n_gpus: int):
    from pipelines.cli.simulate import simulate as simulate_config

    cluster, lengths, prices = _assumed(arguments, training, n_gpus)
    return simulate_config(training, cluster, lengths, **prices)


def _length(run, training, n_gpus: int) -> str:
    return f"{run.days:.1f} days, {run.days * 24 * n_gpus:,.0f} GPU hours, cost {run.cost:,.0f}"


def _say_published(training) -> None:
    known = PUBLISHED_GPU_HOURS.get(training.model.path or "")
    if known:
        say(
            f"for comparison: the authors of Open-Reasoner-Zero needed {known:,} GPU hours by their own word "
            "for this model (64 GPUs); what they spent on failures, evaluations and waiting is not simulated"
        )
