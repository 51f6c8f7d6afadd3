"""The command score: verdicts and statistics of samples that are stored already, of any tool."""

import argparse
from pathlib import Path
from typing import Any

from pipelines.cli.arguments import Commands, add_command, add_runs
from pipelines.cli.evaluate import show_results, write_report
from pipelines.cli.output import say, say_text

EPILOG = """\
Samples of lm-evaluation-harness, against the copy of MATH500 on this machine:
  reasoner-zero score results/*/samples_minerva_math500_*.jsonl --benchmarks math500 --data-root data
Your own, {"problem": ..., "answer": ..., "responses": [...]}; their answers are the reference:
  reasoner-zero score mine.jsonl

Layouts, found by content: ours (folders of artifacts, parquet, completions), samples_*.jsonl of
lm-evaluation-harness, details_*.parquet of lighteval, reviews of EvalScope, logs of inspect (by its package),
and rows with problem or id, answer, and response(s), completion(s), prediction(s) or output(s).
"""


def add_commands(commands: Commands) -> None:
    text = "score stored samples of any tool, without a model"
    parser = add_command(commands, "score", score, text, "evals", EPILOG)
    parser.add_argument("files", nargs="+", metavar="FILE", help="files, or folders with such files")
    parser.add_argument(
        "--benchmarks",
        metavar="NAMES",
        help="benchmarks by name, or your own files, separated by commas, whose answers are the reference; "
        "questions are found by what they say (default: the answers in the files)",
    )
    parser.add_argument("--data-root", metavar="DIR", help="folder with the benchmarks (default: the hub)")
    parser.add_argument(
        "--mode", help="judge: orz, lenient, flexible, orz_compat, math_verify (default: lenient)"
    )
    parser.add_argument("--name", help="name of the run; results go to runs/NAME (default: the first file's)")
    add_runs(parser)


def score(arguments: argparse.Namespace) -> int:
    from pipelines.any_model import benchmark_entries, slug
    from pipelines.artifacts.workspace import Workspace
    from pipelines.benchmarks import load_benchmarks
    from pipelines.config import load_config
    from pipelines.stages.evaluate import score_stage
    from pipelines.stages.foreign import foreign_stage, match_samples, read_samples

    read = read_samples([Path(name) for name in arguments.files])
    for path, layout, n in read.files:
        say_text(f"read       {path}: {layout}, {n:,} responses")
    mode = arguments.mode or read.mode or "lenient"
    entries = benchmark_entries(arguments.benchmarks, n_samples=1) if arguments.benchmarks else []
    settings: dict[str, Any] = {
        "name": arguments.name or slug(Path(arguments.files[0]).name.split(".")[0]),
        "data_root": arguments.data_root,
        "evals.profile": "plain",
        "evals.mode": mode,
        "evals.benchmarks": entries,
    }
    config = load_config(None, settings, needs_model=False, needs_corpus=False)
    matched = match_samples(read, load_benchmarks(config))
    if not entries:
        names = [{"name": found.benchmark.name, "kind": "frame"} for found in matched]
        settings["evals.benchmarks"] = names
        config = load_config(None, settings, needs_model=False, needs_corpus=False)
    workspace = Workspace.open(config, Path(arguments.runs))
    sampled = foreign_stage(workspace, read, matched)
    artifact = score_stage(workspace, [found.benchmark for found in matched], sampled, "evaluate-files")
    source = arguments.benchmarks or "the files' own answers"
    say(f"judged     by {mode}, against {source}")
    show_results(artifact, ", ".join(arguments.files))
    for note in (note for found in matched for note in found.notes):
        say_text(f"note       {note}")
    say(f"verdicts   {workspace.folder / 'evaluate-files'} (completions.parquet, rejects.parquet, lm-eval/)")
    write_report(workspace, artifact, ", ".join(Path(name).name for name in arguments.files[:3]))
    return 0
