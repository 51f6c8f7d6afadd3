"""Stage 1, curate: sources and protected benchmarks in, clean problems and rejects out.

Artifact: data/<split>-*.parquet (rewards.contracts.records.PROBLEM), rejects.parquet (REJECT), funnel.parquet
[step, read, kept, dropped], conflicts.parquet (rows of problems that have several answers), timings.json. The
folder is a complete data set, described by README.md, croissant.json, statistics.json and plots/.
"""

from pathlib import Path

import polars as pl

from curation.curate import curate
from curation.decontaminate.benchmarks import read_benchmarks
from curation.sources.config import SourceConfig
from evals.benchmarks.loading import protected
from pipelines.artifacts.artifact import Artifact, Draft, Stage
from pipelines.artifacts.workspace import Workspace, section
from pipelines.benchmarks import protected_benchmarks, protected_files
from pipelines.cards.corpus import describe
from pipelines.config import ConfigError
from pipelines.jobs.progress import Progress
from rewards.contracts.files import hash_file, write_json

CODE = (
    *("curation", "rewards/contracts", "rewards/extraction.py", "rewards/orz/extraction.py"),
    *("evals/benchmarks/loading.py", "pipelines/cards", "pipelines/stages/curate.py"),
)
STAGE = Stage("curate", CODE)


def curate_stage(workspace: Workspace) -> Artifact:
    """Curate the run's corpus, or reuse its artifact."""
    config = workspace.config
    data_root = Path(config.data_root) if config.data_root else None
    benchmarks = protected_benchmarks(config)
    files = protected_files(config.protect_files, data_root)
    inputs = {f"source:{s.name}": source_hash(s, data_root) for s in config.curation.sources}
    inputs |= {f"benchmark:{b.name}": b.fingerprint for b in benchmarks}
    inputs |= {f"benchmark:{file.name.partition('.')[0]}": hash_file(file) for file in files}

    def build(draft: Draft) -> None:
        problems = pl.concat([protected(benchmarks), *(read_benchmarks(file) for file in files)])
        with Progress("curate", "steps") as progress:
            done = 0

            def on_progress(step: str, n_rows: int) -> None:
                nonlocal done
                done += 1
                progress.advance(done, None, step=step, rows=n_rows)

            curated = curate(
                config.curation,
                data_root=data_root,
                protected=problems,
                folder=draft.folder,
                on_progress=on_progress,
            )
        write_json(draft.folder / "timings.json", curated.timings)
        draft.volatile.add("timings.json")
        first, last = curated.funnel.row(0, named=True), curated.funnel.row(-1, named=True)
        draft.count(first["read"], last["kept"], int(curated.funnel["dropped"].sum()))
        draft.facts |= curated.facts
        checked = {name: value for name, value in inputs.items() if name.startswith("benchmark:")}
        table = pl.DataFrame(
            [(name.partition(":")[2], value[:16]) for name, value in sorted(checked.items())],
            schema={"benchmark": pl.String(), "fingerprint": pl.String()},
            orient="row",
        )
        describe(draft.folder, curated.facts, table)
        draft.seeds = {"curation": config.curation.seed}

    return workspace.produce(STAGE, section(config.curation, "execution"), inputs, build)


def source_hash(source: SourceConfig, data_root: Path | None) -> str:
    """Content hash of a source before it is read: a file's SHA-256 or a hub commit.

    Generators are determined by the config.
    """
    if source.generator is not None:
        return "generator"
    if source.file and (data_root or Path(source.file).is_absolute() or not source.hub):
        path = (data_root or Path()) / source.file
        if not path.is_file():
            raise ConfigError(
                f"curation.sources: {source.name!r}: {path}: no such file; give --data-root or fix `file`"
            )
        return hash_file(path)
    assert source.hub is not None
    if Path(source.hub.id).is_dir():
        return ",".join(hash_file(p) for p in sorted(Path(source.hub.id).rglob("*")) if p.is_file())
    from huggingface_hub import HfApi

    revision = HfApi().dataset_info(source.hub.id, revision=source.hub.revision).sha
    return f"hub:{revision}"
