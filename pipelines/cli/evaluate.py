"""The command eval: benchmark a run's models, any other model, or one that servers offer."""

import argparse
from pathlib import Path
from typing import Any

from pipelines.cli.arguments import OVERRIDES, Commands, add_configured, open_run
from pipelines.cli.output import say, say_made, say_text, show_rows

EXAMPLES = """\
Any model, without a configuration file; a folder or a hub id:
  reasoner-zero eval Qwen/Qwen3-0.6B --benchmarks aime2024,gsm8k --data-root data
  reasoner-zero eval ./my-model --benchmarks mine.jsonl --profile plain --temperature 0.6 --limit 100
A model that OpenAI-compatible servers offer (vLLM, SGLang, ...); several share the work:
  reasoner-zero eval my-model --endpoint http://127.0.0.1:8000/v1 --endpoint http://127.0.0.1:8001/v1
The models of a run, its checkpoints, or its stored responses:
  reasoner-zero eval --config configs/demo.toml --checkpoints

A command that was ended in any way continues when it is given again.

"""
SETTINGS = {
    "profile": (str, "NAME", "prompt and judge: orz, orz_compat, few_shot, plain, chat, letters"),
    "temperature": (float, "T", "sampling temperature; 0: greedy"),
    "top_p": (float, "P", "nucleus sampling mass"),
    "top_k": (int, "K", "sample from the K most likely tokens; 0: all"),
    "min_p": (float, "P", "sample tokens at least P times as likely as the most likely one"),
    "max_new_tokens": (int, "N", "longest response, in tokens"),
    "system_prompt": (str, "TEXT", "system message of profile chat"),
    "seed": (int, "N", "every response's seed follows from it"),
}


def add_commands(commands: Commands) -> None:
    text = "benchmark a run's models, or any model without a configuration file"
    parser = add_configured(commands, "eval", evaluate, text, "training", needs_config=False)
    # MODEL is the first word of what argparse does not know: as an argument of its own it would also take the
    # value of an override.
    parser.usage = "reasoner-zero eval [MODEL] [--config FILE] [options] [--section.key VALUE ...]"
    parser.description = f"{text}. MODEL: a folder, a hub id, or with --endpoint a served name."
    parser.epilog = EXAMPLES + OVERRIDES
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--model", metavar="MODEL", help="the same, beside --config")
    instead.add_argument(
        "--checkpoints", action="store_true", help="benchmark every exported checkpoint of the run instead"
    )
    instead.add_argument(
        "--samples",
        metavar="FOLDER",
        help="score stored responses instead, such as runs/demo/sample-base/completions",
    )
    add_benchmarks(parser)
    parser.add_argument("--n-samples", type=int, metavar="K", help="responses per question (default: 16 for "
                        "up to 100 questions, 4 for up to 1,000, else 1)")  # fmt: skip
    for name, (kind, metavar, about) in SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar=metavar, help=about)
    parser.add_argument(
        "--own-sampling",
        action="store_true",
        help="sample as the model's generation_config.json suggests, where nothing else is given",
    )
    parser.add_argument("--engine", choices=("vllm", "torch"), help="who samples from a folder")
    _add_endpoint(parser)


def add_benchmarks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--benchmarks",
        metavar="NAMES",
        help="benchmarks by name, or your own files, separated by commas (default: aime2024,math500)",
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="only N questions of each, drawn by the seed by subject"
    )


def _add_endpoint(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("endpoints")
    group.add_argument(
        "--endpoint",
        action="append",
        metavar="URL",
        help="server with the OpenAI API; repeat to share the work",
    )
    group.add_argument(
        "--api", choices=("chat", "completions"), help="chat: profile chat; completions: profile plain"
    )
    group.add_argument(
        "--key-variable", metavar="NAME", help="environment variable with the key (default: OPENAI_API_KEY)"
    )
    group.add_argument("--concurrency", type=int, metavar="N", help="requests in flight (default: 64)")
    group.add_argument("--retries", type=int, metavar="N", help="repetitions of a request (default: 8)")
    group.add_argument(
        "--model-version", metavar="TEXT", help="your name for the served weights; another one samples anew"
    )


def evaluate(arguments: argparse.Namespace) -> int:
    asked = arguments.overrides and not arguments.overrides[0].startswith("-")
    if asked and (arguments.model or arguments.checkpoints or arguments.samples):
        raise ValueError("a MODEL goes without --model, --checkpoints and --samples")
    name = arguments.overrides.pop(0) if asked else arguments.model
    if arguments.endpoint and not name:
        raise ValueError("--endpoint needs the MODEL's name there")
    from pipelines.config import read_table

    table = read_table(Path(arguments.config)) if arguments.config else {}
    if "curation" not in table and not (arguments.checkpoints or arguments.samples):
        served = table.get("evals", {}).get("endpoint", {}).get("model")
        if not name and not served:
            raise ValueError("name a MODEL (folder, hub id or served name), or a run's --config FILE")
        return _evaluate_alone(arguments, name or served)
    return _evaluate_run(arguments, name)


def _evaluate_run(arguments: argparse.Namespace, name: str) -> int:
    """Benchmark models in a run with a corpus, which is searched for the benchmarks' questions."""
    from pipelines.stages.chain import Chain
    from pipelines.stages.models import Model
    from pipelines.stages.readiness import check_benchmarks

    chain = Chain(open_run(arguments, _given(arguments, name)))
    check_benchmarks(chain.workspace.config)
    evaluated = {}
    if name and (endpoint := chain.workspace.config.evals.endpoint):
        evaluated[name] = chain.evaluate(Model.of_endpoint(endpoint))
    elif name:
        evaluated[name] = chain.evaluate(Model.of_name(name))
    elif arguments.checkpoints:
        for step, model in Model.of_checkpoints(chain.workspace).items():
            evaluated[step] = chain.evaluate(model, step)
        if not evaluated:
            raise FileNotFoundError(f"{chain.workspace.folder / 'train'}: no exported checkpoint yet")
    elif arguments.samples:
        evaluated[arguments.samples] = chain.evaluate(Model.of_samples(Path(arguments.samples)))
    else:
        evaluated["base model"] = chain.evaluated_base
        if (chain.workspace.folder / "train" / "manifest.json").exists():
            evaluated["trained model"] = chain.evaluated_final
    for title, artifact in evaluated.items():
        show_results(artifact, title)
    return say_made(artifact)


def _evaluate_alone(arguments: argparse.Namespace, name: str) -> int:
    from pipelines.any_model import of_folder
    from pipelines.config import load_config
    from pipelines.stages.evaluate import evaluate_alone
    from pipelines.stages.models import Model

    given = _given(arguments, name)
    path = Path(arguments.config) if arguments.config else None
    first = load_config(path, given, needs_model=False, needs_corpus=False)
    notes: tuple[str, ...] = ()
    if arguments.endpoint or first.evals.endpoint:
        profile = "plain" if arguments.api == "completions" else "chat"
        if "profile" not in first.evals.model_fields_set:
            given["evals.profile"] = profile
            notes = (f"profile {profile}, through the {arguments.api or 'chat'} API (--profile changes it)",)
        elif arguments.api and (first.evals.profile == "chat") != (profile == "chat"):
            raise ValueError(
                f"profile {first.evals.profile} goes with the "
                f"{'chat' if first.evals.profile == 'chat' else 'completions'} API; leave out --api"
            )
        model = None
    else:
        model = Model.of_name(name)
        is_set = first.evals.model_fields_set | {
            word.removeprefix("--evals.").replace("-", "_") for word in arguments.overrides
        }
        defaults = of_folder(model.folder, first.evals, is_set=is_set, own_sampling=arguments.own_sampling)
        stated = {f"training.{key}" for key in _keys(first.training)}
        given = {key: value for key, value in defaults.settings.items() if key not in stated} | given
        notes = defaults.notes
    workspace = open_run(arguments, given, needs_model=False, needs_corpus=False)
    if model is None:
        model = Model.of_endpoint(workspace.config.evals.endpoint)
    _say_conditions(workspace.config, name, notes)
    artifact = evaluate_alone(workspace, model)
    show_results(artifact, name)
    say(f"verdicts   {workspace.folder / 'evaluate-model'} (completions.parquet, conditions.json, lm-eval/)")
    say(f"responses  {workspace.folder / 'sample-model'}")
    write_report(workspace, artifact, name)
    return 0


def _given(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    """The settings that the command line names, by dotted key."""
    from pipelines.any_model import BENCHMARKS, benchmark_entries, slug
    from pipelines.config import read_table

    values = {f"evals.{key}": getattr(arguments, key) for key in SETTINGS}
    given = {key: value for key, value in values.items() if value is not None}
    table = read_table(Path(arguments.config)) if arguments.config else {}
    entries = table.get("evals", {}).get("benchmarks")
    if arguments.benchmarks or not entries and (not arguments.config or arguments.limit):
        given["evals.benchmarks"] = benchmark_entries(
            arguments.benchmarks or BENCHMARKS,
            n_samples=arguments.n_samples,
            limit=arguments.limit,
            is_greedy=arguments.temperature == 0 or arguments.profile == "letters",
        )
    else:
        for index, _ in enumerate(entries or ()):
            for key in ("n_samples", "limit"):
                if (value := getattr(arguments, key)) is not None:
                    given[f"evals.benchmarks.{index}.{key}"] = value
    if arguments.engine:
        given["training.rollout.engine"] = arguments.engine
    if arguments.endpoint:
        endpoint = {
            "urls": arguments.endpoint,
            "model": name,
            "version": arguments.model_version,
            **{key: getattr(arguments, key) for key in ("key_variable", "concurrency", "retries")},
        }
        given["evals.endpoint"] = {key: value for key, value in endpoint.items() if value is not None}
    elif name and table.get("evals", {}).get("endpoint"):
        given["evals.endpoint.model"] = name
    if name and (arguments.name or "name" not in table):
        given["name"] = arguments.name or slug(name)
    return given


def _keys(settings: Any, prefix: str = "") -> set[str]:
    """Dotted keys of the settings that were given, not taken from defaults."""
    found = set()
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        inner = _keys(value, f"{prefix}{name}.") if hasattr(value, "model_fields_set") else set()
        found |= inner or {f"{prefix}{name}"}
    return found


def _say_conditions(config: Any, name: str, notes: tuple[str, ...]) -> None:
    evals, training = config.evals, config.training
    asked = ", ".join(
        f"{entry.name} x {entry.n_samples}" + (f" (limit {entry.limit})" if entry.limit else "")
        for entry in evals.benchmarks
    )
    cuts = [f"{key} {getattr(evals, key):g}" for key in ("temperature", "top_p")]
    others = {"top_k": 0, "min_p": 0, "repetition_penalty": 1, "presence_penalty": 0, "frequency_penalty": 0}
    cuts += [
        f"{key} {getattr(evals, key):g}" for key, usual in others.items() if getattr(evals, key) != usual
    ]
    if evals.endpoint:
        who = (
            f"{len(evals.endpoint.urls)} endpoints"
            if len(evals.endpoint.urls) > 1
            else evals.endpoint.urls[0]
        )
    else:
        who = f"{training.rollout.engine}, {training.deepspeed.precision}"
    say(f"model      {name}, as run {config.name}")
    say(f"asks       {asked}; profile {evals.profile}")
    say(f"samples    {', '.join(cuts)}, up to {evals.max_new_tokens:,} tokens, seed {evals.seed}; {who}")
    for note in notes:
        say(f"note       {note}")


def write_report(workspace: Any, artifact: Any, label: str) -> None:
    """Write the report of one evaluation, and say where it and the responses are to be seen."""
    from pipelines.stages.report import report_alone

    say(f"report     {report_alone(workspace, artifact, label)}")
    say(f"all        reasoner-zero view {workspace.folder}")


def show_results(artifact: Any, title: str) -> None:
    """Print the results of an evaluate artifact, and which questions they are not about."""
    rows = []
    for row in artifact.read("summary.parquet").iter_rows(named=True):
        low, high = (f"{100 * row[key]:.1f}" for key in ("ci95_low", "ci95_high"))
        k = row["n_samples"]
        rows.append(
            (
                row["benchmark"],
                f"{row['n_questions']:,}",
                str(k),
                f"{100 * row['accuracy']:.1f} % [{low}, {high}]",
                *(_percent(row[key]) if k > 1 else "-" for key in ("pass_at_k", "maj_at_k")),
                _percent(row["truncated"]),
                "-" if row["response_tokens"] is None else f"{row['response_tokens']:,.0f}",
            )
        )
    columns = ("benchmark", "questions", "k", "avg@k [95 %]", "pass@k", "maj@k", "cut", "tokens")
    show_rows(rows, *columns, title=title)
    rejects = artifact.read("rejects.parquet")
    for (source, reason), part in rejects.group_by("source", "reason", maintain_order=True):
        first = part.row(0, named=True)
        example = f"such as {first['source_id']}: {first['detail']}"
        say_text(f"set aside  {source}: {part.height} ({reason}), {example}")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
