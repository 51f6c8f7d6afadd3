"""The commands that inspect and check: compare, audit, lineage, verify, doctor."""

import argparse
import sys
from pathlib import Path

from pipelines.cli.arguments import Commands, add_command, add_runs
from pipelines.cli.output import cell, say, say_text, show_rows

COMPARING = """\
Questions are paired by what they say, whatever their ids; the common ones are compared, the others listed.
What differs in the conditions (prompt, sampling, budget, samples, engine) is said; another judge is refused,
and so are other reference answers to the same questions.
"""


def add_commands(commands: Commands) -> None:
    _add_compare(commands)
    _add_audit(commands)
    _add_lineage(commands)
    _add_verify(commands)
    text = "check this machine, those of a hostfile, or a base model: versions, GPU, memory, disk, exactness"
    parser = add_command(commands, "doctor", doctor, text, "rewards")
    add_runs(parser, "folder of all runs")
    parser.add_argument(
        "--hostfile", metavar="FILE", help='check the machines of FILE, or those of the allocation: "slurm"'
    )
    parser.add_argument(
        "--remote-shell", metavar="COMMAND", help="as training.deepspeed.remote_shell (default: ssh)"
    )
    parser.add_argument(
        "--model",
        metavar="PATH",
        help="check instead whether this model (folder or hub id) is trained exactly, and how",
    )
    parser.add_argument("--config", metavar="FILE", help="with --model: the settings to check it for")


def _add_compare(commands: Commands) -> None:
    text = "compare the benchmark results of two models with paired tests"
    parser = add_command(commands, "compare", compare, text, "evals", COMPARING)
    for name, when in (("before", "first"), ("after", "second")):
        parser.add_argument(
            name,
            metavar=name.upper(),
            help=f"the {when} evaluate artifact, such as runs/demo/evaluate-base",
        )
    parser.add_argument(
        "--shared", action="store_true", help="with --gate: pass also where one side has more questions"
    )
    parser.add_argument("--anyway", action="store_true", help="compare although the judges differ")
    parser.add_argument("--gate", action="store_true", help="exit with 1 on a significant regression")
    parser.add_argument("--alpha", type=float, default=0.05, help="significance level (default: 0.05)")


def compare(arguments: argparse.Namespace) -> int:
    from evals.statistics.compare import gate
    from pipelines.comparison import compare_runs

    found = compare_runs(
        Path(arguments.before),
        Path(arguments.after),
        shared=arguments.shared or not arguments.gate,
        anyway=arguments.anyway,
    )
    for note in found.notes:
        say_text(f"note  {note}")
    rows = [
        (
            row["benchmark"],
            str(row["n_questions"]),
            f"{100 * row['before']:.1f} %",
            f"{100 * row['after']:.1f} %",
            f"{100 * row['delta']:+.1f} [{100 * row['ci95_low']:.1f}, {100 * row['ci95_high']:.1f}]",
            f"{row['p_holm']:.2g}",
            f"{row['n_better']} / {row['n_worse']}",
            _points(row["minimal_detectable_effect"]),
        )
        for row in found.table.iter_rows(named=True)
    ]
    columns = ("benchmark", "n", "before", "after", "change [95 %]", "p (Holm)", "+ / -", "detectable")
    show_rows(rows, *columns, title="After compared with before, paired by question")
    decision = gate(found.table, alpha=arguments.alpha)
    say(decision.reason)
    return 0 if decision.is_ok or not arguments.gate else 1


def _points(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _add_audit(commands: Commands) -> None:
    text = "explain why a row was kept or removed, and check every file against its manifest"
    parser = add_command(commands, "audit", audit, text, "curation")
    parser.add_argument("run", metavar="RUN", help="run folder, such as runs/demo")
    parser.add_argument(
        "query", nargs="?", help="problem_id, source_id or part of a problem's text (default: check files)"
    )


def audit(arguments: argparse.Namespace) -> int:
    from pipelines.artifacts.audit import check_run, trace_row

    folder = Path(arguments.run)
    if arguments.query is None:
        problems = check_run(folder)
        for line in problems:
            say(line)
        say("every file matches its manifest" if not problems else f"{len(problems)} problems")
        return 1 if problems else 0
    rows = trace_row(folder, arguments.query)
    if rows.is_empty():
        say(f"no row of {folder} matches {arguments.query!r}")
        return 1
    for row in rows.iter_rows(named=True):
        show_rows((name, cell(value)) for name, value in row.items() if value is not None)
    say(f"{rows.height} rows match {arguments.query!r}")
    return 0


def _add_lineage(commands: Commands) -> None:
    text = "trace an artifact back to its raw files and verify every hash"
    parser = add_command(commands, "lineage", lineage, text, "curation")
    parser.add_argument(
        "artifact",
        help="an artifact of a run, such as runs/demo/evaluate-final, or a folder downloaded from the hub",
    )
    add_runs(parser, "folder of all runs, in which the source of a download is found")


def lineage(arguments: argparse.Namespace) -> int:
    from pipelines.artifacts.lineage import as_tree
    from pipelines.artifacts.lineage import lineage as follow

    root = follow(Path(arguments.artifact), Path(arguments.runs))
    say(as_tree(root))
    problems = list(root.all_problems())
    say("\n".join(problems) or "every file matches its manifest")
    return 1 if problems else 0


def _add_verify(commands: Commands) -> None:
    text = "check answers against reference answers, one pair or a JSONL file"
    parser = add_command(commands, "verify", verify, text, "rewards")
    parser.add_argument("response", nargs="?", help="the model's response, or just the answer")
    parser.add_argument("--gold", help="the reference answer")
    parser.add_argument(
        "--file", metavar="JSONL", help="check every row of a file with the fields gold and response"
    )
    parser.add_argument(
        "--mode",
        choices=("lenient", "orz", "flexible", "orz_compat", "math_verify"),
        default="lenient",
        metavar="MODE",
        help="lenient (default): a box or a statement of the answer; orz: answer tags and box required; "
        "flexible: failing those, the last formula, number or letter; orz_compat: judge exactly as "
        "Open-Reasoner-Zero's own comparer does, mistakes included; math_verify: judge with the "
        "Math-Verify library",
    )
    parser.add_argument(
        "--second-opinion",
        action="store_true",
        help="also ask Math-Verify, and list every row that it judges differently, with both readings",
    )


def verify(arguments: argparse.Namespace) -> int:
    from pipelines.cli.verify import verify_file, verify_one

    if arguments.file:
        return verify_file(
            Path(arguments.file), arguments.mode, sys.stdout, second_opinion=arguments.second_opinion
        )
    if arguments.gold is None or arguments.response is None:
        raise ValueError("give a response and --gold, or --file JSONL; see reasoner-zero verify --help")
    return verify_one(
        arguments.gold,
        arguments.response,
        arguments.mode,
        sys.stdout,
        second_opinion=arguments.second_opinion,
    )


def doctor(arguments: argparse.Namespace) -> int:
    from pipelines.cli.doctor import examine

    if arguments.model:
        from pipelines.cli.models import examine_model, training_settings

        training = training_settings(Path(arguments.config) if arguments.config else None, arguments.model)
        return examine_model(training, Path(arguments.runs))
    title = "This machine"
    if arguments.hostfile:
        from pipelines.cli.hosts import examine_hosts
        from training.config import DeepSpeedConfig

        title = f"The machines of {arguments.hostfile}"
        shell = arguments.remote_shell or DeepSpeedConfig().remote_shell
        findings = examine_hosts(arguments.hostfile, shell, Path(arguments.runs))
    else:
        findings = examine(Path(arguments.runs))
    marks = {"ok": "[green]ok", "note": "[yellow]note", "problem": "[red]problem"}
    rows = [(marks[finding.level], finding.what, finding.found, finding.meaning) for finding in findings]
    show_rows(rows, "", "what", "found", "what it means", title=title)
    return 1 if any(finding.level == "problem" for finding in findings) else 0
