"""Early critic values: computed for responses that have ended while others are still being sampled.

A prompt's responses are divided into parts by number, not by when they end. A part is packed and computed as
soon as all of it has ended, so timing decides when a part is computed, but never what is in it: a run repeats
to the bit.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

Value = Callable[[list[int], list[list[int]]], list[list[float]]]
"""(prompt, responses to it) -> critic values by response and token."""


class EarlyValues:
    """Collects responses and computes their values part by part, in a separate thread."""

    def __init__(self, n_samples: int, size: int, value: Value) -> None:
        """Responses are numbered prompt by prompt, `n_samples` each. A part has `size` of them; the last part
        of a prompt may have fewer."""
        self.n_samples, self.size, self.value = n_samples, size, value
        self.ended: dict[range, dict[int, list[int]]] = {}
        """Ended responses by number, for parts that are not complete."""
        self.made: dict[range, Future[list[list[float]]]] = {}
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="values")

    def part(self, index: int) -> range:
        """The responses whose values are computed together with those of response `index`.

        >>> EarlyValues(5, 2, lambda prompt, responses: []).part(8)
        range(7, 9)
        """
        prompt = index - index % self.n_samples
        start = index - (index - prompt) % self.size
        return range(start, min(start + self.size, prompt + self.n_samples))

    def add(self, index: int, prompt: list[int], tokens: list[int]) -> None:
        """Add response `index`, which has ended."""
        part = self.part(index)
        ended = self.ended.setdefault(part, {})
        ended[index] = tokens
        if len(ended) == len(part):
            del self.ended[part]
            self.made[part] = self.worker.submit(self.value, prompt, [ended[i] for i in part])

    def take(self, indices: Sequence[int]) -> list[list[float]]:
        """The values of these responses, all of whose parts are complete; waits for them, then clears all."""
        made, self.made = self.made, {}
        parts = [self.part(index) for index in indices]
        return [made[part].result()[index - part.start] for index, part in zip(indices, parts, strict=True)]

    def close(self) -> None:
        """Stop the thread."""
        self.worker.shutdown()
