"""The critic's values of responses that have ended, made while others still grow.

A prompt's responses are cut into parts by their number, not by when they end: a part is packed and computed
as soon as all of it has ended, so timing decides when, and never what. A run repeats to the bit.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

Value = Callable[[list[int], list[list[int]]], list[list[float]]]
"""Values of the tokens of some responses to one prompt: (prompt, responses) -> by response and token."""


class EarlyValues:
    """Collect responses and value them part by part, in a thread of its own."""

    def __init__(self, n_samples: int, size: int, value: Value) -> None:
        """Responses are numbered prompt by prompt, `n_samples` each; parts hold `size` of them, or what is
        left of their prompt's."""
        self.n_samples, self.size, self.value = n_samples, size, value
        self.ended: dict[range, dict[int, list[int]]] = {}
        """Responses by number, of parts of which some still grow."""
        self.made: dict[range, Future[list[list[float]]]] = {}
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="values")

    def part(self, index: int) -> range:
        """The responses that are valued together with response `index`.

        >>> EarlyValues(5, 2, lambda prompt, responses: []).part(8)
        range(7, 9)
        """
        prompt = index - index % self.n_samples
        start = index - (index - prompt) % self.size
        return range(start, min(start + self.size, prompt + self.n_samples))

    def add(self, index: int, prompt: list[int], tokens: list[int]) -> None:
        """Take the response `tokens`, which has ended."""
        part = self.part(index)
        ended = self.ended.setdefault(part, {})
        ended[index] = tokens
        if len(ended) == len(part):
            del self.ended[part]
            self.made[part] = self.worker.submit(self.value, prompt, [ended[i] for i in part])

    def take(self, indices: Sequence[int]) -> list[list[float]]:
        """The values of these responses, of which the parts are whole; waits for them, then forgets all."""
        made, self.made = self.made, {}
        parts = [self.part(index) for index in indices]
        return [made[part].result()[index - part.start] for index, part in zip(indices, parts, strict=True)]

    def close(self) -> None:
        """End the thread."""
        self.worker.shutdown()
