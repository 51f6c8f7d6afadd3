"""Run one deduplication tool on a column of texts; `bench/dedup.py --peers` starts it in its environment.

    python bench/peers/dedup.py TOOL texts.parquet roots.parquet

Writes each row's root and prints JSON: CPU seconds of the work alone, and resident bytes it added. Settings
are the tools' usual ones: 128 permutations, similarity 0.7; datatrove's own 14 bands of 8.
"""

import json
import resource
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl

N_PERMUTATIONS, SIMILARITY, N_BANDS = 128, 0.7, 16


def roots_of(n: int, pairs: list[tuple[int, int]]) -> list[int]:
    parent = list(range(n))

    def find(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, other in pairs:
        one, other = sorted((find(one), find(other)))
        parent[other] = one
    return [find(row) for row in range(n)]


def polars_exact(texts: list[str]) -> list[int]:
    frame = pl.DataFrame({"text": texts}).with_row_index("row")
    return frame.select(pl.col("row").min().over("text").cast(pl.Int64))["row"].to_list()


def words(text: str) -> list[str]:
    return text.split()


def three_words(text: str) -> list[str]:
    parts = text.split()
    return [" ".join(parts[at : at + 3]) for at in range(max(1, len(parts) - 2))]


def rensa(texts: list[str], tokens: Callable[[str], list[str]] = words) -> list[int]:
    from rensa import RMinHash, RMinHashLSH

    lsh = RMinHashLSH(threshold=SIMILARITY, num_perm=N_PERMUTATIONS, num_bands=N_BANDS)
    hashes, pairs = [], []
    for row, text in enumerate(texts):
        one = RMinHash(num_perm=N_PERMUTATIONS, seed=42)
        one.update(tokens(text))
        hashes.append(one)
        pairs += [(other, row) for other in lsh.query(one) if one.jaccard(hashes[other]) >= SIMILARITY]
        lsh.insert(row, one)
    return roots_of(len(texts), pairs)


def datasketch(texts: list[str]) -> list[int]:
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(threshold=SIMILARITY, num_perm=N_PERMUTATIONS)
    hashes, pairs = [], []
    for row, text in enumerate(texts):
        one = MinHash(num_perm=N_PERMUTATIONS)
        one.update_batch([token.encode() for token in set(text.split())])
        hashes.append(one)
        pairs += [(other, row) for other in lsh.query(one) if one.jaccard(hashes[other]) >= SIMILARITY]
        lsh.insert(row, one)
    return roots_of(len(texts), pairs)


def datatrove(texts: list[str]) -> list[int]:
    from datatrove.data import Document
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.utils.typeshelper import Languages

    config = MinhashConfig()
    with tempfile.TemporaryDirectory() as folder:
        rows = (Document(text=text, id=str(row)) for row, text in enumerate(texts))
        signature = MinhashDedupSignature(f"{folder}/signatures", config=config, language=Languages.english)
        signature.run(rows, 0, 1)
        for bucket in range(config.num_buckets):
            MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config).run(
                None, bucket, config.num_buckets
            )
        cluster = MinhashDedupCluster(
            f"{folder}/buckets", f"{folder}/remove", config=config, save_cluster_id=True
        )
        cluster.run(None, 0, 1)
        roots = list(range(len(texts)))
        first: dict[int, int] = {}
        for file in sorted(Path(folder, "remove").rglob("*.clusters")):
            data = file.read_bytes()
            for row, name in struct.iter_unpack("<II", data):
                roots[row] = first.setdefault(name, row)
        return roots


TOOLS: dict[str, Callable[[list[str]], list[int]]] = {
    "polars exact": polars_exact,
    "rensa 0.7, words": rensa,
    "rensa 0.7, three words": lambda texts: rensa(texts, three_words),
    "datasketch 0.7": datasketch,
    "datatrove 14x8": datatrove,
}


def cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def measure(work: Callable[[list[str]], list[int]], texts: list[str]) -> tuple[list[int], dict[str, float]]:
    """Run `work` on a few texts, then on all; returns its roots, CPU seconds, and resident bytes it added."""
    work(texts[:200])
    before, cpu = resident_bytes(), cpu_seconds()
    roots = work(texts)
    usage = {"cpu_s": cpu_seconds() - cpu}
    usage["bytes"] = max(0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)
    return roots, usage


def main() -> None:
    tool, source, target = sys.argv[1:]
    roots, usage = measure(TOOLS[tool], pl.read_parquet(source)["text"].to_list())
    pl.DataFrame({"root": roots}).write_parquet(target)
    sys.stdout.write(json.dumps(usage) + "\n")


if __name__ == "__main__":
    main()
