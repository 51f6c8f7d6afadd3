"""The files of a published prompt set: Parquet shards, card, manifests.

`pipelines.publishing.clearance` decides whether it may be published.
"""

from pathlib import Path

import polars as pl

from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.workspace import Workspace
from pipelines.cards.card import render_card
from pipelines.cards.croissant import write_croissant
from pipelines.cards.licenses import NONE_STATED, hub_license
from pipelines.publishing.clearance import check_leaks, check_licenses
from pipelines.publishing.manifests import write_manifest
from rewards.contracts.files import canonical_json, write_parquet, write_text
from rewards.contracts.records import COMPILED_REWARD

SHARD_ROWS = 100_000


def write_dataset(workspace: Workspace, repo: str, folder: Path, forced_licenses: set[str]) -> None:
    """Write everything except the checksums to `folder`; ValueError says why it may not be published."""
    curated, compiled = workspace.linked("curate"), workspace.linked("rewards")
    prompts = COMPILED_REWARD.check(compiled.read("prompts.parquet"))
    check_licenses(prompts, forced_licenses)
    n_questions = check_leaks(prompts, workspace.config)
    for source in workspace.config.curation.sources:
        if source.file and Path(source.file).is_absolute():
            place, name = canonical_json(source.file), canonical_json(Path(source.file).name)
            prompts = prompts.with_columns(pl.col("provenance").str.replace(place, name, literal=True))
    splits = {
        str(split): rows
        for (split,), rows in prompts.sort("split", maintain_order=True).group_by(
            "split", maintain_order=True
        )
    }
    for split, rows in splits.items():
        write_shards(rows, folder / "data", split)
    write_manifest(curated, folder)
    write_manifest(compiled, folder)
    write_croissant(folder, repo.partition("/")[2], COMPILED_REWARD)
    card = dataset_card(repo, curated, compiled, prompts, list(splits), n_questions)
    write_text(folder / "README.md", card)


def write_shards(rows: pl.DataFrame, folder: Path, split: str) -> None:
    """Write `rows` as `<split>-00000-of-0000N.parquet`, as the hub names shards."""
    n_shards = max(1, -(-rows.height // SHARD_ROWS))
    for index in range(n_shards):
        shard = rows.slice(index * SHARD_ROWS, SHARD_ROWS)
        write_parquet(folder / f"{split}-{index:05d}-of-{n_shards:05d}.parquet", shard, statistics=False)


def dataset_card(
    repo: str,
    curated: Artifact,
    compiled: Artifact,
    prompts: pl.DataFrame,
    splits: list[str],
    n_questions: int,
) -> str:
    """The card: counts, licenses, funnel, decontamination, columns."""
    from huggingface_hub import DatasetCardData

    licenses = (
        prompts.group_by("source", pl.col("license").fill_null(NONE_STATED))
        .agg(rows=pl.len().cast(pl.Int64))
        .sort("source")
    )
    front_matter = DatasetCardData(
        license=sorted({hub_license(text) for text in licenses["license"]}),
        language=sorted(prompts["language"].unique()),
        pretty_name=repo.partition("/")[2],
        task_categories=["text-generation"],
        tags=["math", "reinforcement-learning", "verifiable-rewards", "reasoner-zero"],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits],
            }
        ],
    )
    counts = compiled.manifest["counts"]
    last = {"step": "rewards", "read": counts["read"], "kept": counts["kept"], "dropped": counts["rejected"]}
    return render_card(
        "dataset.md.j2",
        front_matter.to_yaml(),
        name=repo.partition("/")[2],
        repo=repo,
        licenses=licenses,
        splits=prompts.group_by("split").agg(rows=pl.len().cast(pl.Int64)).sort("split"),
        funnel=pl.concat([curated.read("funnel.parquet"), pl.DataFrame([last])]),
        answer_types=compiled.read("answer_types.parquet"),
        benchmarks=decontamination(curated),
        n_questions=n_questions,
        settings=curated.manifest["config"]["decontaminate"],
        columns=COMPILED_REWARD.columns,
        fingerprints={artifact.stage: artifact.fingerprint for artifact in (curated, compiled)},
    )


def decontamination(curated: Artifact) -> pl.DataFrame:
    """Benchmarks the corpus was checked against: [benchmark, fingerprint, rows removed]."""
    inputs = curated.manifest["inputs"]
    checked = {
        name.removeprefix("benchmark:"): value
        for name, value in inputs.items()
        if name.startswith("benchmark:")
    }
    leaks = (
        curated.read("rejects.parquet")
        .filter(pl.col("step") == "decontaminate")
        .group_by(benchmark=pl.col("matched").str.split(":").list.first())
        .agg(pl.len().cast(pl.Int64).alias("rows removed"))
    )
    frame = pl.DataFrame(
        {"benchmark": list(checked), "fingerprint": [value[:16] for value in checked.values()]},
        schema={"benchmark": pl.String, "fingerprint": pl.String},
    )
    return (
        frame.join(leaks, on="benchmark", how="left").with_columns(pl.col("rows removed").fill_null(0))
    ).sort("benchmark")
