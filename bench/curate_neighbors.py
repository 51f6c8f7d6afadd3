"""Missed duplicates: the nearest neighbor of every kept problem, by means that curation does not use.

    python bench/curate_neighbors.py runs/corpus/curate --seed 1 --show 60

Texts are compared as TF-IDF vectors of character 5-grams, without LaTeX commands and punctuation;
curation compares tokens, numbers and operators. A pair of kept problems is a candidate when its cosine is
at least --least, and either the verifier takes the golds for each other or the numbers are the same; pairs
with other numbers and other golds are other problems. Prints the candidates in bins of similarity, and a
seeded sample of them to be read.
"""

import argparse
import random
import re
import sys
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

from curation.dedup.golds import is_same_gold

N_HASHES = 2**20
BLOCK = 500
_COMMAND = re.compile(r"\\[a-z]+|[^a-z0-9]+")
_NUMBER = re.compile(r"\d+")


def vectors(texts: list[str]) -> sparse.csr_matrix:
    """Rows of unit length: one for each text, one column for each hashed 5-gram."""
    rows, columns = [], []
    for row, text in enumerate(texts):
        bare = _COMMAND.sub(" ", text.lower())
        grams = {bare[place : place + 5] for place in range(max(1, len(bare) - 4))}
        columns += [hash_of(gram) for gram in grams]
        rows += [row] * len(grams)
    shape = (len(texts), N_HASHES)
    table = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    counts = np.asarray((table > 0).sum(axis=0)).ravel()
    weights = np.where(counts > len(texts) / 20, 0, np.log(len(texts) / np.maximum(counts, 1))).astype(
        np.float32
    )
    table = table @ sparse.diags(weights)
    lengths = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    return sparse.csr_matrix(sparse.diags(1 / np.maximum(lengths, 1e-9)) @ table)


def hash_of(gram: str) -> int:
    """The same in every process, unlike `hash`."""
    value = 5381
    for letter in gram:
        value = (value * 33 + ord(letter)) % 2**32
    return value % N_HASHES


def neighbors(table: sparse.csr_matrix, least: float) -> list[tuple[int, int, float]]:
    """The nearest later row of each row, if it is as near as `least`."""
    turned, found = table.T.tocsr(), []
    for begin in range(0, table.shape[0], BLOCK):
        near = (table[begin : begin + BLOCK] @ turned).tocsr()
        for place in range(near.shape[0]):
            row, part = begin + place, near.getrow(place)
            later = part.indices > row
            if later.any():
                best = int(np.argmax(part.data[later]))
                similarity = float(part.data[later][best])
                if similarity >= least:
                    found.append((row, int(part.indices[later][best]), similarity))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="a curate artifact, such as runs/corpus/curate")
    parser.add_argument("--least", type=float, default=0.5, help="smallest cosine of a pair")
    parser.add_argument("--show", type=int, default=60, help="how many candidates to show")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    kept = pl.read_parquet(arguments.corpus / "data")
    kept = kept.filter(~pl.col("provenance").str.contains('"generator"'))
    texts, golds, sources = (kept[name].to_list() for name in ("problem", "answer", "source"))
    candidates = []
    for one, other, similarity in neighbors(vectors(texts), arguments.least):
        same_gold = golds[one] == golds[other] or is_same_gold(golds[one], golds[other])
        same_numbers = sorted(_NUMBER.findall(texts[one])) == sorted(_NUMBER.findall(texts[other]))
        if same_gold or same_numbers:
            candidates.append((similarity, same_gold, same_numbers, one, other))
    sys.stdout.write(f"kept={kept.height} candidates={len(candidates)}\n")
    for low in np.arange(arguments.least, 1, 0.1):
        within = [one for one in candidates if low <= one[0] < low + 0.1]
        counts = {
            (gold, numbers): sum(one[1:3] == (gold, numbers) for one in within)
            for gold, numbers in ((True, True), (True, False), (False, True))
        }
        sys.stdout.write(
            f"cosine {low:.1f} to {low + 0.1:.1f}: {counts[True, True]} with gold and numbers the same, "
            f"{counts[True, False]} with the gold, {counts[False, True]} with the numbers\n"
        )
    shown = random.Random(arguments.seed).sample(candidates, min(arguments.show, len(candidates)))
    for number, (similarity, gold, numbers, one, other) in enumerate(shown, 1):
        marks = f"{'gold ' if gold else ''}{'numbers' if numbers else ''}"
        sys.stdout.write(f"{number}\t{similarity:.2f}\t{marks}\n")
        for row in (one, other):
            sys.stdout.write(f"  {sources[row]}\t{texts[row][:600]!r}\t=> {golds[row]!r}\n")


if __name__ == "__main__":
    main()
