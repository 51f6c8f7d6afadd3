"""Beside the chain, audit-golds: the curated corpus and a run's own rollouts in, suspect golds out.

Artifact: suspects.parquet (curation.audit.score.SUSPECT), of siblings and of samples; agreement.parquet
(curation.audit.samples.AGREEMENT) and unsolved.parquet (never solved: hard or suspect) when there are
rollouts; gold_errors.parquet, the estimated error rate of each source; README.md, the page for a reader.
"""

import polars as pl

from curation.audit.samples import agreement
from curation.audit.score import SUSPECT, suspects_of_samples, unsolved
from pipelines.artifacts.artifact import Artifact, Draft, Stage
from pipelines.artifacts.workspace import Workspace
from pipelines.cards.card import markdown_table
from rewards.contracts.files import write_text

CODE = ("curation/audit", "curation/dedup", "rewards", "pipelines/stages/audit_golds.py", "pipelines/cards")
STAGE = Stage("audit-golds", CODE)
SHOWN = 20


def audit_golds_stage(workspace: Workspace, corpus: Artifact, trained: Artifact | None = None) -> Artifact:
    """Collect what speaks against golds of the corpus: siblings, and the answers that training sampled."""
    inputs = {"curate": corpus.content} | ({"train": trained.content} if trained else {})

    def build(draft: Draft) -> None:
        suspects = [corpus.read("suspects.parquet")]
        rates = corpus.read("gold_errors.parquet")
        draft.write("gold_errors.parquet", rates)
        lines = [
            "# Gold audit",
            "",
            "## Estimated error rates of sources",
            "",
            markdown_table(_rounded(rates)),
            "",
        ]
        if trained:
            rollouts = pl.scan_parquet(trained.folder / "rollouts" / "*.parquet")
            agreed = agreement(rollouts.select("problem_id", "gold", "extracted", "reason"))
            problems = pl.read_parquet(corpus.folder / "data").select(
                "problem_id", "source", "source_id", "problem"
            )
            found = suspects_of_samples(agreed, problems)
            never = unsolved(agreed)
            suspects.append(found)
            draft.write("agreement.parquet", agreed)
            draft.write("unsolved.parquet", never)
            counts = never.group_by("why").agg(problems=pl.len()).sort("why")
            lines += ["## Problems that no sample solved", "", markdown_table(counts), ""]
        table = pl.concat([pl.DataFrame(schema=SUSPECT), *suspects])
        draft.write("suspects.parquet", table)
        counts = (
            table.group_by("source", "verdict").agg(rows=pl.len()).sort("rows", "source", descending=True)
        )
        first = table.filter(pl.col("verdict") == "suspect").head(SHOWN)
        shown = first.select("source", "source_id", "gold", "other_gold", "evidence")
        lines += ["## Suspect and disputed golds", "", markdown_table(counts.head(SHOWN)), ""]
        lines += ["The surest of them:", "", markdown_table(shown), ""]
        write_text(draft.folder / "README.md", "\n".join(lines))
        draft.count(table.height, table.height, 0)

    return workspace.produce(STAGE, {}, inputs, build)


def _rounded(rates: pl.DataFrame) -> pl.DataFrame:
    return rates.with_columns(pl.col("rate", "ci95_low", "ci95_high").round(4))
