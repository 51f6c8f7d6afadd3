"""An engine that answers from stored samples, to score old or foreign responses without a model.

generated = sample(Replay(Path("runs/demo/sample-base/completions")), plan, config=config, folder=folder)
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from rewards.contracts.engine import Completion, Sampling
from rewards.contracts.files import hash_text

FIELDS = ("seed", "response", "n_response_tokens", "finish_reason")


class Replay:
    """Stored completions (JSON lines as `evals.sampling` writes them) with the engine's interface.

    A response is found by its seed, which depends on the run's seed, the benchmark, the question and the
    sample. Only the number of its tokens is known, so the tokens of a completion are that many zeros.
    """

    max_model_tokens = 2**31

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[int, dict] = {}
        for path in sorted(folder.glob("*.jsonl")):
            for number, line in enumerate(path.read_bytes().splitlines(), start=1):
                row = _read(path, number, line)
                known = self.rows.setdefault(row["seed"], row)
                if known != row:
                    raise ValueError(
                        f"{path}, row {number}: seed {row['seed']} has another response in an earlier row; "
                        "the folder mixes samples of two runs: keep one run's files"
                    )
        if not self.rows:
            raise FileNotFoundError(
                f"{folder}: no stored samples (*.jsonl); name a folder that sampling wrote"
            )
        self.fingerprint = hash_text(json.dumps(sorted(self.rows.items())), 16)

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        return list(text.encode())

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[int],
        sampling: Sampling,
        *,
        n_logprobs: int = 0,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[Completion]:
        """See `rewards.contracts.engine.Engine`; KeyError names the folder when a response is not stored."""
        found = [self._completion(seed) for seed in seeds]
        if on_progress:
            on_progress(len(found))
        return found

    def next_logprobs(
        self,
        prompts: Sequence[Sequence[int]],
        candidates: Sequence[Sequence[int]],
        *,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[list[float]]:
        raise ValueError("stored samples have no log-probabilities: profile letters needs the model")

    def close(self) -> None:
        pass

    def _completion(self, seed: int) -> Completion:
        row = self.rows.get(seed)
        if row is None:
            raise ValueError(
                f"{self.folder}: a response that this evaluation needs is not stored there; use the seed, "
                "benchmarks and numbers of samples it was made with"
            )
        return Completion([0] * row["n_response_tokens"], row["response"], row["finish_reason"])


def _read(path: Path, number: int, line: bytes) -> dict:
    try:
        row = json.loads(line)
    except ValueError:
        raise ValueError(
            f"{path}, row {number}: not JSON; the file is torn; sample again to complete it"
        ) from None
    missing = [name for name in FIELDS if not isinstance(row, dict) or row.get(name) is None]
    if missing:
        raise ValueError(f"{path}, row {number}: field {missing[0]!r} is missing")
    return {name: row[name] for name in FIELDS}
