"""Plant wrong golds and see whether the gold audit finds them.

    python bench/audit_golds.py --corpus configs/corpus.toml --data-root ../shared/data
    python bench/audit_golds.py --rollouts runs/demo/train/rollouts

--corpus changes 5% of the integer golds of every source, curates, and compares suspects.parquet with what was
planted: evidence are two or more other sources that state the problem. --rollouts changes 5% of the golds of
a training run's problems and reads its stored answers: evidence is one answer, right or wrong, whose share of
the samples has a 95% interval above one half. Suspects that a run without planted golds also finds are the
corpus's own; precision is given without and with them.
"""

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

import polars as pl

from curation.audit.samples import agreement, wilson
from curation.audit.score import FEWEST_SAMPLES
from curation.config import CurationConfig
from curation.curate import curate
from curation.sources.read import read_parts
from pipelines.config import load_config
from rewards.grader import compare_answers
from rewards.verdict import Reason

SHARE = 0.05
NOTHING = pl.DataFrame(schema={"benchmark": pl.String(), "question_id": pl.String(), "problem": pl.String()})


def wrong(gold: str, draw: random.Random) -> str:
    """Another integer of about the same size."""
    value = int(gold)
    return str(value + draw.choice([-1, 1]) * draw.randint(1, max(2, abs(value) // 3)))


def report(name: str, planted: int, evident: int, found: int, suspects: int, own: int) -> None:
    low, high = wilson(found, evident)
    clean = found / max(1, suspects - own)
    sys.stdout.write(
        f"{name}: planted={planted} with_evidence={evident} ({evident / max(1, planted):.1%}) found={found} "
        f"recall={found / max(1, evident):.3f} [{low:.3f}, {high:.3f}] precision={clean:.3f} "
        f"(with the {own} suspects of the unchanged corpus: {found / max(1, suspects):.3f})\n"
    )


def plant_in_corpus(config: Path, data_root: Path, seed: int) -> None:
    sources = [one for one in load_config(config, needs_model=False).curation.sources if not one.generator]
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        planted: set[tuple[str, str]] = set()
        for name in ("clean", "planted"):
            (root / name).mkdir()
        for source in sources:
            rows = pl.concat([part.rows for part in read_parts(source, data_root, 10**9)])
            rows = rows.select("problem", "answer", id="source_id").to_dicts()
            write(root / "clean" / f"{source.name}.jsonl", rows)
            for row in rows:
                if row["answer"].lstrip("-").isdigit() and len(row["answer"]) < 9 and draw.random() < SHARE:
                    row["answer"] = wrong(row["answer"], draw)
                    planted.add((source.name, row["id"]))
            write(root / "planted" / f"{source.name}.jsonl", rows)
        suspects, evident = {}, set()
        for name in ("clean", "planted"):
            entries = [{"name": one.name, "file": f"{one.name}.jsonl", "id": "id"} for one in sources]
            settings = CurationConfig.model_validate({"sources": entries})
            made = curate(settings, data_root=root / name, protected=NOTHING, folder=root / f"out-{name}")
            table = pl.read_parquet(made.folder / "suspects.parquet").filter(pl.col("verdict") == "suspect")
            suspects[name] = set(table.select("source", "source_id").iter_rows())
            if name == "planted":
                votes = pl.read_parquet(made.folder / "votes.parquet").filter(pl.col("n_sources") >= 3)
                evident = set(votes.select("source", "source_id").iter_rows())
    own = suspects["planted"] & suspects["clean"] - planted
    seen = planted & evident
    report(
        "corpus", len(planted), len(seen), len(seen & suspects["planted"]), len(suspects["planted"]), len(own)
    )


def write(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def plant_in_rollouts(folder: Path, seed: int) -> None:
    rollouts = pl.read_parquet(folder / "*.parquet").select("problem_id", "gold", "extracted", "reason")
    draw = random.Random(seed)
    golds = dict(
        rollouts.select("problem_id", "gold").unique(maintain_order=True).sort("problem_id").iter_rows()
    )
    planted = set(draw.sample(sorted(golds), round(SHARE * len(golds))))
    changed = {name: wrong(gold, draw) if name in planted else gold for name, gold in golds.items()}
    rows = []
    for problem_id, _, extracted, reason in rollouts.iter_rows():
        gold = changed[problem_id]
        if problem_id in planted and extracted is not None:
            reason = "correct" if compare_answers(gold, extracted)[0] is Reason.CORRECT else "wrong"
        rows.append((problem_id, gold, extracted, reason))
    agreed = agreement(pl.DataFrame(rows, schema=["problem_id", "gold", "extracted", "reason"], orient="row"))
    right_low = pl.struct("n_right", "n_samples").map_elements(
        lambda row: wilson(row["n_right"], row["n_samples"])[0], return_dtype=pl.Float64
    )
    enough = agreed.filter(pl.col("n_samples") >= FEWEST_SAMPLES).with_columns(right_low=right_low)
    evident = set(enough.filter((pl.col("ci95_low") > 0.5) | (pl.col("right_low") > 0.5))["problem_id"])
    suspects = set(enough.filter(pl.col("ci95_low") > 0.5)["problem_id"])
    clean = agreement(rollouts).filter((pl.col("n_samples") >= FEWEST_SAMPLES) & (pl.col("ci95_low") > 0.5))
    own = set(clean["problem_id"]) & suspects - planted
    seen = planted & evident
    sys.stdout.write(f"rollouts: problems={len(golds)} with_evidence={len(evident) / len(golds):.1%}\n")
    report("rollouts", len(planted), len(seen), len(seen & suspects), len(suspects), len(own))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, help="configuration of a corpus")
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--rollouts", type=Path, help="folder of stored rollouts")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.rollouts:
        plant_in_rollouts(arguments.rollouts, arguments.seed)
    if arguments.corpus:
        plant_in_corpus(arguments.corpus, arguments.data_root, arguments.seed)


if __name__ == "__main__":
    main()
