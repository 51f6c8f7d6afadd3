"""What each command of the command line does, once its arguments are read."""

import argparse
import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

out = Console()
DISK_REMEDY = "Finished stages are kept: free some space and run the same command again"


def _open(arguments: argparse.Namespace):
    from pipelines.artifacts.workspace import Workspace
    from pipelines.config import load_config, override_from_command_line

    path = Path(arguments.config)
    given = {"name": arguments.name, "data_root": arguments.data_root}
    config = load_config(path, {key: value for key, value in given.items() if value is not None})
    rest = ["--help"] if arguments.help_config else arguments.overrides
    if rest:
        config = override_from_command_line(config, path, rest)
    return Workspace.open(config, Path(arguments.runs))


def run(arguments: argparse.Namespace) -> int:
    workspace = _open(arguments)
    started = time.monotonic()
    from httpx import HTTPError

    import flows
    from pipelines.stages.summary import summary_table

    try:
        summary = flows.reasoner_zero(config=str(workspace.folder / "config.json"), runs=str(workspace.root))
    except HTTPError as error:
        raise RuntimeError(
            f"the Prefect server is gone ({error}); the same command continues where this one stopped"
        ) from error
    out.print(summary_table(summary))
    out.print(f"took     {time.monotonic() - started:.0f} s")
    out.print(f"report   {workspace.folder / 'report.html'}", soft_wrap=True)
    out.print(f"summary  {workspace.folder / 'summary.json'}", soft_wrap=True)
    return 0


def curate(arguments: argparse.Namespace) -> int:
    from pipelines.stages.chain import Chain

    artifact = Chain(_open(arguments)).curated
    show(artifact.read("funnel.parquet"), "Curation funnel")
    return _done(artifact)


def rewards(arguments: argparse.Namespace) -> int:
    from pipelines.stages.chain import Chain

    artifact = Chain(_open(arguments)).prompts
    show(artifact.read("answer_types.parquet"), "Compiled rewards by answer type")
    return _done(artifact)


def difficulty(arguments: argparse.Namespace) -> int:
    import polars as pl

    from pipelines.stages.chain import Chain
    from pipelines.stages.difficulty import difficulty_of_rollouts, difficulty_stage
    from pipelines.stages.models import Model

    workspace = _open(arguments)
    chain = Chain(workspace)
    if arguments.rollouts:
        artifact = difficulty_of_rollouts(workspace, chain.prompts, chain.trained)
    else:
        model = Model.of_folder(Path(arguments.model)) if arguments.model else Model.of_stage(chain.base)
        artifact = difficulty_stage(workspace, chain.prompts, model)
    counts = artifact.read("counts.parquet").group_by("n_solved", "n_samples").agg(problems=pl.len())
    show(counts.sort("n_samples", "n_solved"), "Problems by how often they were solved")
    kept, hard = (artifact.read(f"{name}.parquet").height for name in ("prompts", "hard"))
    out.print(f"kept {kept}, hard {hard} (hard.parquet), set aside {artifact.manifest['counts']['rejected']}")
    return _done(artifact)


def train(arguments: argparse.Namespace) -> int:
    from pipelines.stages.chain import Chain
    from rewards.contracts.records import EVALUATION, METRIC
    from training.recorder import read_records

    chain = Chain(_open(arguments))
    if arguments.preflight:
        from pipelines.stages.preflight import run_preflight

        found = run_preflight(chain.workspace, chain.base)
        table = Table("part", "amount", title="The longest possible step", title_justify="left")
        for name, value in found.items():
            is_bytes = name.endswith("_bytes")
            shown = f"{value / 2**30:.2f} GiB" if is_bytes else f"{value:,.4g}"
            table.add_row(name.removesuffix("_bytes"), shown)
        out.print(table)
    artifact = chain.anneal(arguments.anneal) if arguments.anneal else chain.trained
    metrics = read_records(artifact.folder / "metrics.jsonl", METRIC)
    every = max(1, metrics.height // 10)
    columns = ["step", "reward", "pass_at_n", "response_tokens", "truncated", "entropy", "mismatch_mean"]
    show(metrics.select(columns).gather_every(every), f"Training, every {every} steps")
    evaluations = read_records(artifact.folder / "evaluations.jsonl", EVALUATION)
    if evaluations.height:
        show(evaluations.pivot("name", index="step", values="value"), "Evaluations during training")
    return _done(artifact)


def evaluate(arguments: argparse.Namespace) -> int:
    from pipelines.stages.chain import Chain
    from pipelines.stages.models import Model

    chain = Chain(_open(arguments))
    evaluated = {}
    if arguments.model:
        evaluated[arguments.model] = chain.evaluate(Model.of_folder(Path(arguments.model)))
    elif arguments.checkpoints:
        for name, model in Model.of_checkpoints(chain.workspace).items():
            evaluated[name] = chain.evaluate(model, name)
        if not evaluated:
            raise FileNotFoundError(f"{chain.workspace.folder / 'train'}: no exported checkpoint yet")
    elif arguments.samples:
        evaluated[arguments.samples] = chain.evaluate(Model.of_samples(Path(arguments.samples)))
    else:
        evaluated["base model"] = chain.evaluated_base
        if (chain.workspace.folder / "train" / "manifest.json").exists():
            evaluated["trained model"] = chain.evaluated_final
    columns = ["benchmark", "n_questions", "n_samples", "accuracy", "ci95_low", "ci95_high", "truncated"]
    for name, artifact in evaluated.items():
        show(artifact.read("summary.parquet").select(columns), f"Benchmarks, {name}")
    return _done(artifact)


def report(arguments: argparse.Namespace) -> int:
    from pipelines.stages.report import report_stage
    from pipelines.stages.summary import summary_table

    workspace = _open(arguments)
    out.print(summary_table(report_stage(workspace, with_figures=arguments.figures)))
    out.print(f"report   {workspace.folder / 'report.html'}", soft_wrap=True)
    if arguments.figures:
        out.print(f"figures  {workspace.folder / 'figures'}", soft_wrap=True)
    return 0


def compare(arguments: argparse.Namespace) -> int:
    import polars as pl

    from evals.statistics.compare import compare as compare_completions
    from evals.statistics.compare import gate

    frames = []
    for name in (arguments.before, arguments.after):
        path = Path(name) / "completions.parquet"
        if not path.exists():
            raise FileNotFoundError(
                f"{path}: no such file; give an evaluate artefact, such as RUN/evaluate-base"
            )
        frames.append(pl.read_parquet(path))
    comparison = compare_completions(*frames)
    show(comparison, "After against before, paired by question")
    decision = gate(comparison, alpha=arguments.alpha)
    out.print(decision.reason)
    return 0 if decision.is_ok or not arguments.gate else 1


def publish(arguments: argparse.Namespace) -> int:
    from pipelines.publishing.publish import publish as send

    shown = send(
        Path(arguments.run),
        arguments.what,
        arguments.repo,
        is_dry_run=arguments.dry_run,
        forced_licences=set(arguments.force_licence),
        keep=Path(arguments.out) if arguments.out else None,
    )
    table = Table("file", "bytes", "sha256", title=f"{arguments.what} {arguments.repo}", title_justify="left")
    for name, size, sha256 in shown.files:
        table.add_row(name, f"{size:,}", sha256[:16])
    out.print(table)
    out.print(
        "dry run: nothing was sent" if arguments.dry_run else f"published and read back: {shown.commit}"
    )
    return 0


def verify(arguments: argparse.Namespace) -> int:
    from pipelines.cli.verify import verify_file, verify_one

    if arguments.file:
        return verify_file(Path(arguments.file), arguments.mode, sys.stdout)
    if arguments.gold is None or arguments.response is None:
        raise ValueError("give a response and --gold, or --file JSONL; see reasoner-zero verify --help")
    return verify_one(arguments.gold, arguments.response, arguments.mode, sys.stdout)


def audit(arguments: argparse.Namespace) -> int:
    from pipelines.artifacts.audit import check_run, trace_row

    folder = Path(arguments.run)
    if arguments.query is None:
        problems = check_run(folder)
        for line in problems:
            out.print(line)
        out.print("every file matches its manifest" if not problems else f"{len(problems)} problems")
        return 1 if problems else 0
    rows = trace_row(folder, arguments.query)
    if rows.is_empty():
        out.print(f"no row of {folder} matches {arguments.query!r}")
        return 1
    for row in rows.iter_rows(named=True):
        table = Table(show_header=False)
        for name, value in row.items():
            if value is not None:
                table.add_row(name, _cell(value))
        out.print(table)
    out.print(f"{rows.height} rows match {arguments.query!r}")
    return 0


def plan(arguments: argparse.Namespace) -> int:
    from pipelines.config import load_config
    from training.planning.plan import make_plan

    training = load_config(Path(arguments.config)).training
    limit = arguments.gpu_memory_gib
    n_gpus = arguments.gpus or training.deepspeed.n_ranks
    made = make_plan(
        training,
        n_gpus=n_gpus,
        gpu_gib=limit,
        gpu_tflops=arguments.gpu_tflops,
        gpu_hour_cost=arguments.gpu_hour_cost,
    )
    show(made.table(), f"{arguments.config}: {made.n_parameters / 1e9:.2f} billion parameters")
    verdict = "fits" if made.peak_gib <= limit else "does NOT fit"
    out.print(f"peak {made.peak_gib:.1f} GiB per GPU: {verdict} in {limit:g} GiB")
    if arguments.against:
        show(_against(training, Path(arguments.against)), f"The plan beside {arguments.against}")
    return 0 if made.peak_gib <= limit else 1


def _against(training, run: Path):
    import polars as pl

    from rewards.contracts.records import METRIC, TIMING
    from training.planning.plan import compare_with_run
    from training.recorder import read_records

    trained = run / "train"
    prompts = pl.scan_parquet(trained / "rollouts" / "*.parquet").select(pl.col("n_prompt_tokens").mean())
    return compare_with_run(
        training,
        read_records(trained / "metrics.jsonl", METRIC),
        read_records(trained / "timings.jsonl", TIMING),
        prompts.collect().item(),
    )


def simulate(arguments: argparse.Namespace) -> int:
    from pipelines.cli.simulate import draw, lengths_of, shortened
    from pipelines.cli.simulate import simulate as simulate_config
    from pipelines.config import load_config
    from training.planning.simulator.machine import Machine
    from training.planning.simulator.sensitivity import sensitivity
    from training.planning.simulator.steps import Cluster

    config = load_config(Path(arguments.config))
    training, n_gpus = config.training, arguments.gpus or config.training.deepspeed.n_ranks
    machine = Machine.of_gpu(arguments.gpu_tflops, arguments.gpu_memory_tbs, arguments.link_gbs)
    cluster = Cluster(n_gpus, machine, arguments.gpu_memory_gib)
    lengths = lengths_of(training, arguments.first_tokens, arguments.last_tokens)
    prices = {"n_prompt_tokens": arguments.prompt_tokens, "gpu_hour_cost": arguments.gpu_hour_cost}
    run, steps = simulate_config(training, cluster, lengths, **prices)
    show(steps, f"{config.name} on {n_gpus} GPUs, seconds")
    out.print(
        f"{training.total_steps:,} steps: {run.days:.1f} days, {run.days * 24 * n_gpus:,.0f} GPU hours, "
        f"cost {run.cost:,.0f}; GPUs wait {run.mean('waiting'):.0%} of the time; "
        f"training needs {run.memory_gib:.1f} GiB a GPU"
    )
    changed = sensitivity(training, cluster, lengths, **prices)
    show(shortened(changed), "One thing changed")
    for name, why in changed.select("variant", "why_not").drop_nulls().iter_rows():
        out.print(f"{name}: {why}")
    if arguments.plots:
        for path in draw(run, changed, config.name, Path(arguments.plots)):
            out.print(f"drew {path}", soft_wrap=True)
    return 0


def lineage(arguments: argparse.Namespace) -> int:
    from pipelines.artifacts.lineage import as_tree
    from pipelines.artifacts.lineage import lineage as follow

    root = follow(Path(arguments.artefact), Path(arguments.runs))
    out.print(as_tree(root))
    problems = list(root.all_problems())
    out.print("\n".join(problems) or "every file is what its manifest says")
    return 1 if problems else 0


def up(arguments: argparse.Namespace) -> int:
    from pipelines.jobs.gpus import visible_gpus
    from pipelines.orchestration import services

    n_gpus = arguments.gpu_slots or max(1, len(visible_gpus()))
    started = services.up(
        Path(arguments.runs), port=arguments.port, n_gpus=n_gpus, say=out.print, notify=arguments.notify
    )
    out.print(f"\nPrefect is up: {started.url}   logs: {Path(arguments.runs) / '.prefect' / 'logs'}")
    out.print(f"  export PREFECT_API_URL={started.url}/api", soft_wrap=True)
    out.print("  prefect deployment run reasoner-zero/demo --watch")
    out.print(f"  reasoner-zero down --runs {arguments.runs}")
    return 0


def down(arguments: argparse.Namespace) -> int:
    from pipelines.orchestration import services

    ended = services.down(Path(arguments.runs))
    out.print(f"ended the worker and the server at {ended.url}")
    return 0


def doctor(arguments: argparse.Namespace) -> int:
    from pipelines.cli.doctor import examine

    findings = examine(Path(arguments.runs))
    table = Table("", "what", "found", "what it means", title="This machine", title_justify="left")
    marks = {"ok": "[green]ok", "note": "[yellow]note", "problem": "[red]problem"}
    for finding in findings:
        table.add_row(marks[finding.level], finding.what, finding.found, finding.meaning)
    out.print(table)
    return 1 if any(finding.level == "problem" for finding in findings) else 0


def show(frame, title: str) -> None:
    """Print a frame as a table."""
    table = Table(title=title, title_justify="left")
    for name, dtype in frame.schema.items():
        table.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _done(artifact) -> int:
    usage = artifact.manifest["usage"]
    out.print(
        f"{artifact.stage} {artifact.fingerprint}: {usage['wall_s']} s, {usage['cpu_s']} CPU-s when made"
    )
    out.print(f"lies in {artifact.folder}", soft_wrap=True)
    return 0


def explain_os_error(error: OSError) -> str:
    """Say what to do about a full disk; any other system error as it is."""
    if error.errno != errno.ENOSPC:
        return f"{error.strerror or error}: {error.filename or ''}"
    where = f" (writing {error.filename})" if error.filename else ""
    return f"the disk is full{where}. {DISK_REMEDY}"


def explain_failure(error: RuntimeError) -> str:
    """The message of a failed child or flow; when its disk was full, what to do comes last."""
    full = os.strerror(errno.ENOSPC) in str(error)
    return f"{error}\nthe disk is full. {DISK_REMEDY}" if full else str(error)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run,
    "curate": curate,
    "rewards": rewards,
    "difficulty": difficulty,
    "train": train,
    "eval": evaluate,
    "lineage": lineage,
    "up": up,
    "down": down,
    "report": report,
    "compare": compare,
    "publish": publish,
    "verify": verify,
    "audit": audit,
    "plan": plan,
    "simulate": simulate,
    "doctor": doctor,
}
