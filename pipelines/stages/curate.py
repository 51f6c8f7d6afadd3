"""Stage 1, curate: sources and protected benchmarks in, clean problems and rejects out.

Artifact: data/<split>-*.parquet (rewards.contracts.records.PROBLEM), rejects.parquet (REJECT), funnel.parquet
[step, read, kept, dropped], conflicts.parquet (rows of problems that have several answers), timings.json. The
folder is a complete data set, described by README.md, croissant.json, statistics.json and plots/.
"""

import logging
import shutil
from pathlib import Path

import polars as pl

from curation.curate import NothingLeft, curate
from curation.sources.config import SourceConfig
from curation.sources.locations import check_link, fingerprint
from curation.sources.read import reads_file
from curation.sources.readers import SourceError
from evals.benchmarks.loading import protected
from evals.benchmarks.registry import Benchmark
from pipelines.artifacts.artifact import Artifact, Draft, Stage
from pipelines.artifacts.workspace import Workspace, section
from pipelines.benchmarks import protected_benchmarks, protected_files, read_protected
from pipelines.cards.corpus import describe
from pipelines.config import ConfigError, RunConfig
from pipelines.jobs.progress import Progress
from rewards.contracts.files import hash_file, write_json

CODE = (
    *("curation", "rewards"),
    *("evals/benchmarks/loading.py", "pipelines/cards", "pipelines/stages/curate.py"),
)
STAGE = Stage("curate", CODE)
logger = logging.getLogger(__name__)


def curate_stage(workspace: Workspace) -> Artifact:
    """Curate the run's corpus, or reuse its artifact."""
    config = workspace.config
    data_root = Path(config.data_root) if config.data_root else None
    benchmarks = _benchmarks(config)
    files = protected_files(config.protect_files, data_root)
    inputs = {f"source:{s.name}": source_hash(s, data_root) for s in config.curation.sources}
    inputs |= {f"benchmark:{b.name}": b.fingerprint for b in benchmarks}
    inputs |= {f"benchmark:{name}": hash_file(file) for name, file in files.items()}

    def build(draft: Draft) -> None:
        problems = pl.concat([protected(benchmarks), read_protected(config.protect_files, data_root)])
        with Progress("curate", "steps") as progress:
            done = 0

            def on_progress(step: str, n_rows: int) -> None:
                nonlocal done
                done += 1
                progress.advance(done, None, step=step, rows=n_rows)

            try:
                curated = curate(
                    config.curation,
                    data_root=data_root,
                    protected=problems,
                    folder=draft.folder,
                    on_progress=on_progress,
                )
            except NothingLeft as error:
                rejects = workspace.folder / "curate.rejects.parquet"
                shutil.move(error.rejects, rejects)
                raise NothingLeft(error.counts, rejects) from None
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


def _benchmarks(config: RunConfig) -> list[Benchmark]:
    """The benchmarks to keep out of the corpus; ConfigError says how to get them or do without.

    A configuration of nothing but sources asks for none by name: it runs without them, and says so.
    """
    try:
        return protected_benchmarks(config)
    except (ValueError, OSError) as error:
        why = " ".join(str(error).split())[:300]
        remedy = (
            "put its file under --data-root, name files of benchmarks with protect_files = ['eval'], or keep "
            "none out with evals.benchmarks = []"
        )
        names = ", ".join([*(b.name for b in config.evals.benchmarks), *config.protect])
        if config.is_bare:
            logger.warning("%s is NOT kept out of the corpus: %s; %s", names, why, remedy)
            return []
        raise ConfigError(f"benchmarks to keep out of the corpus ({names}): {why}; {remedy}") from None


def source_hash(source: SourceConfig, data_root: Path | None) -> str:
    """Content hash of a source before it is read: a file's SHA-256 or a hub commit.

    Generators are determined by the config.
    """
    if source.generator is not None:
        return "generator"
    if source.file and reads_file(source, data_root):
        try:
            return fingerprint(source.file, data_root)
        except SourceError as error:
            raise ConfigError(
                f"curation.sources: {source.name!r}: {error}; give --data-root or fix `file`"
            ) from None
    assert source.hub is not None
    if Path(source.hub.id).is_dir():
        files = [path for path in sorted(Path(source.hub.id).rglob("*")) if path.is_file()]
        try:
            return ",".join(hash_file(check_link(path)) for path in files)
        except SourceError as error:
            raise ConfigError(f"curation.sources: {source.name!r}: {error}") from None
    from huggingface_hub import HfApi

    revision = HfApi().dataset_info(source.hub.id, revision=source.hub.revision).sha
    return f"hub:{revision}"
