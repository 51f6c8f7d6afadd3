"""The files of a published prompt set: Parquet shards, card, manifests.

`pipelines.publishing.clearance` decides whether it may be published.
"""

import re
import shutil
from pathlib import Path

import polars as pl

from pipelines.artifacts.artifact import Artifact
from pipelines.artifacts.workspace import Workspace
from pipelines.cards.card import render_card
from pipelines.cards.corpus import gold_errors, size_category
from pipelines.cards.croissant import About, write_croissant
from pipelines.cards.licenses import NONE_STATED, hub_license, other_license
from pipelines.publishing.clearance import check_leaks, check_licenses
from pipelines.publishing.manifests import without_folders, without_folders_in_rows, write_manifest
from pipelines.publishing.versions import CHANGELOG, Version
from rewards.contracts.files import write_json, write_parquet, write_text
from rewards.contracts.records import COMPILED_REWARD

SHARD_ROWS = 100_000
PLOTS = ("funnel.png", "sources.png", "answer-types.png", "lengths.png")
"""Plots of the curated corpus that the card shows."""


def write_dataset(
    workspace: Workspace, repo: str, folder: Path, forced_licenses: set[str], version: Version
) -> None:
    """Write everything except the checksums to `folder`; ValueError says why it may not be published."""
    curated, compiled = workspace.linked("curate"), workspace.linked("rewards")
    prompts = COMPILED_REWARD.check(compiled.read("prompts.parquet"))
    check_licenses(prompts, forced_licenses)
    n_questions = check_leaks(prompts, workspace.config)
    prompts = prompts.with_columns(without_folders_in_rows(pl.col("provenance")))
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
    licenses = sorted({hub_license(text or NONE_STATED) for text in prompts["license"].unique()})
    about = About(repo, version.number, version.tag, version.date, tuple(licenses))
    write_croissant(folder, repo.partition("/")[2], COMPILED_REWARD, about)
    write_text(folder / CHANGELOG, version.changelog)
    for name in PLOTS:
        shutil.copyfile(curated.folder / "plots" / name, _made(folder / "plots") / name)
    write_json(folder / "reproduce.json", without_folders(workspace.config.model_dump(mode="json")))
    card = dataset_card(repo, curated, compiled, prompts, list(splits), n_questions, version)
    write_text(folder / "README.md", card)


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


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
    version: Version,
) -> str:
    """The card: counts, licenses, funnel, decontamination, columns."""
    from huggingface_hub import DatasetCardData

    licenses = (
        prompts.group_by("source", pl.col("license").fill_null(NONE_STATED))
        .agg(rows=pl.len().cast(pl.Int64))
        .sort("source")
    )
    named = sorted({hub_license(text) for text in licenses["license"]})
    front_matter = DatasetCardData(
        license=named,
        **other_license(named),  # type: ignore[arg-type]
        language=sorted(prompts["language"].unique()),
        pretty_name=repo.partition("/")[2],
        size_categories=[size_category(prompts.height)],
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
        version=version,
        splits_named=splits,
        shows=PLOTS,
        citation=citation(repo, version),
        gold_errors=gold_errors(curated.folder),
        fingerprints={artifact.stage: artifact.fingerprint for artifact in (curated, compiled)},
    )


def citation(repo: str, version: Version) -> str:
    """BibTeX of the published version."""
    key = re.sub(r"\W+", "_", repo)
    return (
        f"@misc{{{key}_{version.date[:4]},\n"
        f"  title = {{{repo.partition('/')[2]}}},\n"
        f"  author = {{{repo.partition('/')[0]}}},\n"
        f"  year = {{{version.date[:4]}}},\n"
        f"  version = {{{version.tag}}},\n"
        f"  howpublished = {{\\url{{https://huggingface.co/datasets/{repo}}}}}\n}}"
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
