"""The commands that run stages: run, curate, rewards, difficulty, train, report."""

import argparse
import errno
import os
import re
import shutil
import sys
import textwrap
import time
from pathlib import Path

from pipelines.cli.arguments import Commands, add_configured, number, open_run
from pipelines.cli.output import say, say_made, show, show_rows

FULL_BYTES = 2**20
"""A disk with fewer free bytes counts as full."""


def add_commands(commands: Commands) -> None:
    text = "run all stages: curate, rewards, train, eval, report (a Prefect flow; needs no server)"
    add_configured(commands, "run", run, text, "all")
    text = "collect, clean, deduplicate and decontaminate the corpus"
    parser = add_configured(commands, "curate", curate, text, "curation")
    parser.add_argument(
        "--list-datasets",
        action=_ListDatasets,
        nargs=0,
        help='show the data sets known by name (dataset = "...") and exit',
    )
    text = "compile and self-check the rewards of the corpus"
    add_configured(commands, "rewards", rewards, text, "curation")
    text = "find wrong reference answers: by other sources, and with --rollouts by what training sampled"
    parser = add_configured(commands, "audit-golds", audit_golds, text, "curation")
    parser.add_argument("--rollouts", action="store_true", help="also read the training run's own rollouts")
    _add_difficulty(commands)
    _add_train(commands)
    _add_report(commands)


class _ListDatasets(argparse.Action):
    """Show the known data sets; needs no --config."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from curation.sources.known import known_datasets

        width = shutil.get_terminal_size().columns
        for known in known_datasets().values():
            license_ = known.source.get("license", "no license stated")
            sys.stdout.write(f"{known.name:<24}{known.hub}, {license_}\n")
            indent = " " * 24
            about = textwrap.fill(known.about, width, initial_indent=indent, subsequent_indent=indent)
            sys.stdout.write(f"{about}\n")
        sys.stdout.write('\nUse one with dataset = "NAME" in [[curation.sources]].\n')
        parser.exit()


def run(arguments: argparse.Namespace) -> int:
    workspace = open_run(arguments)
    from pipelines.stages.readiness import check_benchmarks, check_context, check_solutions

    check_benchmarks(workspace.config)
    check_solutions(workspace.config)
    check_context(workspace.config)
    started = time.monotonic()
    from httpx import HTTPError

    from pipelines.jobs.progress import waiting

    say(f"run      {workspace.folder}: starting Prefect, with a temporary server unless you have one")
    with waiting("starting Prefect"):
        import flows
        from pipelines.orchestration import own_server
        from pipelines.stages.summary import summary_table

        own_server.start_server()
    if not arguments.verbose:
        own_server.leave_failures_to_caller()
    config = str(workspace.folder / "config.json")
    try:
        with own_server.watched_server():
            summary = flows.reasoner_zero(config=config, runs=str(workspace.root))
    except HTTPError as error:
        if shutil.disk_usage(workspace.root).free < FULL_BYTES:  # Its database lies there as well.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(workspace.root)) from error
        raise RuntimeError(
            f"the Prefect server is gone ({error}); run the same command again to continue"
        ) from error
    say(summary_table(summary))
    say(f"took     {time.monotonic() - started:.0f} s")
    say(f"report   {workspace.folder / 'report.html'}")
    say(f"summary  {workspace.folder / 'summary.json'}")
    return 0


def curate(arguments: argparse.Namespace) -> int:
    from pipelines.stages.curate import curate_stage

    artifact = curate_stage(open_run(arguments, needs_model=False))
    show(artifact.read("funnel.parquet"), "Curation funnel")
    return say_made(artifact)


def rewards(arguments: argparse.Namespace) -> int:
    from pipelines.stages.curate import curate_stage
    from pipelines.stages.rewards import rewards_stage

    workspace = open_run(arguments, needs_model=False)
    artifact = rewards_stage(workspace, curate_stage(workspace))
    show(artifact.read("answer_types.parquet"), "Compiled rewards by answer type")
    return say_made(artifact)


def audit_golds(arguments: argparse.Namespace) -> int:
    import polars as pl

    from pipelines.stages.audit_golds import audit_golds_stage
    from pipelines.stages.chain import Chain
    from pipelines.stages.curate import curate_stage

    workspace = open_run(arguments, needs_model=arguments.rollouts)
    trained = Chain(workspace).trained if arguments.rollouts else None
    artifact = audit_golds_stage(workspace, curate_stage(workspace), trained)
    suspects = artifact.read("suspects.parquet")
    counts = suspects.group_by("source", "verdict").agg(rows=pl.len()).sort("rows", descending=True)
    show(counts.head(20), "Golds that something speaks against")
    say(f"page     {artifact.folder / 'README.md'}")
    return say_made(artifact)


def _add_difficulty(commands: Commands) -> None:
    text = "measure pass rates of the training prompts, and find the hard ones for annealing"
    parser = add_configured(commands, "difficulty", difficulty, text, "training")
    parser.add_argument(
        "--model", metavar="DIR", help="Hugging Face model folder to sample from (default: the base model)"
    )
    parser.add_argument(
        "--rollouts", action="store_true", help="reuse the training run's own rollouts instead of sampling"
    )


def difficulty(arguments: argparse.Namespace) -> int:
    import polars as pl

    from pipelines.stages.chain import Chain
    from pipelines.stages.difficulty import difficulty_of_rollouts, difficulty_stage
    from pipelines.stages.models import Model

    workspace = open_run(arguments)
    chain = Chain(workspace)
    if arguments.rollouts:
        artifact = difficulty_of_rollouts(workspace, chain.prompts, chain.trained)
    else:
        model = Model.of_folder(Path(arguments.model)) if arguments.model else Model.of_stage(chain.base)
        artifact = difficulty_stage(workspace, chain.prompts, model)
    counts = artifact.read("counts.parquet").group_by("n_solved", "n_samples").agg(problems=pl.len())
    show(counts.sort("n_samples", "n_solved"), "Problems by how often they were solved")
    kept, hard = (artifact.read(f"{name}.parquet").height for name in ("prompts", "hard"))
    say(f"kept {kept}, hard {hard} (hard.parquet), rejected {artifact.manifest['counts']['rejected']}")
    return say_made(artifact)


def _add_train(commands: Commands) -> None:
    parser = add_configured(commands, "train", train, "make the base model and train it with PPO", "training")
    parser.add_argument(
        "--preflight",
        action="store_true",
        help="first run one step of the largest possible size, and show the time and memory it took",
    )
    parser.add_argument(
        "--anneal",
        type=number(0, is_whole=True),
        default=0,
        metavar="STEPS",
        help="then find the prompts that are hard for the trained model and train this many steps on them",
    )


def train(arguments: argparse.Namespace) -> int:
    from pipelines.stages.chain import Chain
    from pipelines.stages.readiness import check_context, check_solutions
    from rewards.contracts.records import EVALUATION, METRIC
    from training.recorder import read_records

    chain = Chain(open_run(arguments))
    check_solutions(chain.workspace.config)
    if chain.workspace.config.training.eval_every:
        check_context(chain.workspace.config)
    if arguments.preflight:
        from pipelines.stages.preflight import run_preflight

        found = run_preflight(chain.workspace, chain.base)
        rows = [(name.removesuffix("_bytes"), _amount(name, value)) for name, value in found.items()]
        show_rows(rows, "part", "amount", title="The largest possible step")
    artifact = chain.anneal(arguments.anneal) if arguments.anneal else chain.trained
    metrics = read_records(artifact.folder / "metrics.jsonl", METRIC)
    every = max(1, metrics.height // 10)
    columns = ["step", "reward", "pass_at_n", "response_tokens", "truncated", "entropy", "mismatch_mean"]
    show(metrics.select(columns).gather_every(every), f"Training, every {every} steps")
    evaluations = read_records(artifact.folder / "evaluations.jsonl", EVALUATION)
    if evaluations.height:
        show(evaluations.pivot("name", index="step", values="value"), "Evaluations during training")
    return say_made(artifact)


def _amount(name: str, value: float) -> str:
    return f"{value / 2**30:.2f} GiB" if name.endswith("_bytes") else f"{value:,.4g}"


def _add_report(commands: Commands) -> None:
    text = "write report.html and summary.json of a run, from its stored results"
    parser = add_configured(commands, "report", report, text, "evals")
    parser.add_argument(
        "--figures", action="store_true", help="also write every figure as PNG and PDF to runs/<name>/figures"
    )
    parser.add_argument(
        "--budgets",
        action="store_true",
        help="also show accuracy by token budget: responses are cut and judged again, a CPU minute or so",
    )
    parser.add_argument(
        "--cutoff",
        type=_month,
        metavar="YYYY-MM",
        help="month of the base model's last data: shows which benchmarks became public after it",
    )
    parser.add_argument(
        "--price", type=number(0), metavar="P", help="of a million response tokens: costs are shown in it"
    )


def _month(text: str) -> str:
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no month; write it as 2024-09")
    return text


def report(arguments: argparse.Namespace) -> int:
    from pipelines.stages.report import report_stage
    from pipelines.stages.summary import summary_table

    workspace = open_run(arguments)
    summary = report_stage(
        workspace,
        with_figures=arguments.figures,
        with_budgets=arguments.budgets,
        price=arguments.price,
        cutoff=arguments.cutoff or "",
    )
    say(summary_table(summary))
    say(f"report   {workspace.folder / 'report.html'}")
    if arguments.figures:
        say(f"figures  {workspace.folder / 'figures'}")
    return 0
