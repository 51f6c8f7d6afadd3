"""The embedded rollout engine: plain torch, in this process; the fast choice for small models on a CPU.

`TorchSampler` is a `training.rollout.engine.RolloutEngine` like `VllmEngine`, and serves to cross-check it. A
prompt that is sampled many times is read once. A response is a function of weights, prompt and seed: neither
the other prompts nor the size of the batch change a bit of it (fp32, CPU).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from rewards.contracts.engine import Completion, FinishReason, Sampling
from training.config import Bos
from training.model import DTYPES
from training.rollout.decoder import Cache, Decoder
from training.rollout.draw import draw_tokens, penalize, uniforms
from training.rollout.limits import BLOCK, COMPACT_BELOW, MIN_ROWS
from training.rollout.order import longest_first
from training.rollout.stopping import Stopper
from training.vocabulary import Vocabulary


class TorchSampler:
    """Sample responses with torch; the text of a response keeps its tags and stop strings."""

    def __init__(
        self,
        model: Path,
        *,
        precision: str,
        max_model_tokens: int,
        kv_cache_gib: float,
        bos: Bos = "tokenizer",
        device: torch.device | None = None,
    ) -> None:
        """Load `model`, a folder in Hugging Face format; `kv_cache_gib` limits the rows sampled together."""
        device = device or torch.device("cpu")
        self.decoder = Decoder(model, DTYPES[precision], device, max_model_tokens)
        self.vocabulary = Vocabulary.read(model, bos)
        self.max_model_tokens = max_model_tokens
        self.cache_bytes = int(kv_cache_gib * 2**30)
        self.fingerprint = self.vocabulary.fingerprint(model, precision, "torch")
        self._stoppers: dict[tuple[str, ...], Stopper] = {}

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        return self.vocabulary.encode(text, bos=bos)

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[int],
        sampling: Sampling,
        *,
        n_logprobs: int = 0,
        on_progress: Callable[[int], None] | None = None,
        on_completion: Callable[[int, Completion], None] | None = None,
        expected_tokens: Sequence[float] | None = None,
    ) -> list[Completion]:
        """See `training.rollout.engine.RolloutEngine`."""
        for index, prompt in enumerate(prompts):
            if not 0 < len(prompt) <= self.max_model_tokens - sampling.max_new_tokens:
                raise ValueError(
                    f"prompt {index}: {len(prompt)} tokens; from 1 to {self.max_model_tokens} - "
                    f"{sampling.max_new_tokens} (the new tokens) are possible"
                )
        stopper = self._stopper(sampling.stop)
        found: dict[int, Completion] = {}
        n_rows = self._rows_at_once(max(map(len, prompts), default=0) + sampling.max_new_tokens)
        order = longest_first(len(prompts), expected_tokens)
        for start in range(0, len(prompts), n_rows):
            members = order[start : start + n_rows]

            def end(rows: list[int], wave: "_Wave", members: list[int] = members) -> None:
                for row, completion in wave.completions(rows, [members[r] < n_logprobs for r in rows]):
                    found[members[row]] = completion
                    if on_completion:
                        on_completion(members[row], completion)
                if on_progress:
                    on_progress(len(rows))

            asked, own_seeds = [prompts[i] for i in members], [seeds[i] for i in members]
            _Wave(self.decoder, asked, own_seeds, sampling, stopper, end).run()
        return [found[index] for index in range(len(prompts))]

    @torch.inference_mode()
    def next_logprobs(
        self,
        prompts: Sequence[Sequence[int]],
        candidates: Sequence[Sequence[int]],
        *,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[list[float]]:
        """See `rewards.contracts.engine.Engine`."""
        found: list[list[float]] = []
        for prompt, tokens in zip(prompts, candidates, strict=True):
            cache = Cache(self.decoder, 1, len(prompt))
            ids = torch.tensor([list(prompt)], device=self.decoder.device)
            hidden = self.decoder.prefill(ids, cache, ids.new_zeros(1))
            found.append(
                torch.log_softmax(self.decoder.logits(hidden, self.vocabulary.n_ids)[0], -1)[
                    list(tokens)
                ].tolist()
            )
            if on_progress:
                on_progress(1)
        return found

    def load_weights(self, named_weights: Iterable[tuple[str, Tensor]]) -> None:
        """Replace the weights (Hugging Face names)."""
        self.decoder.load(named_weights)

    def sleep(self) -> None:
        """Nothing to free: the cache exists only during a call."""

    def wake(self) -> None:
        """The counterpart of `sleep`."""

    def close(self) -> None:
        """Nothing to close."""

    def _stopper(self, stop: tuple[str, ...]) -> Stopper:
        if stop not in self._stoppers:
            self._stoppers[stop] = Stopper(self.vocabulary, stop, self.decoder.device)
        return self._stoppers[stop]

    def _rows_at_once(self, width: int) -> int:
        decoder = self.decoder
        per_token = 2 * decoder.n_layers * decoder.n_kv_heads * decoder.head_dim * decoder.dtype.itemsize
        return max(MIN_ROWS, self.cache_bytes // (per_token * (width + BLOCK)))


class _Wave:
    """Responses that are sampled together. Each is a row of the cache; finished rows are removed in time."""

    def __init__(
        self,
        decoder: Decoder,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[int],
        sampling: Sampling,
        stopper: Stopper,
        on_end: "Callable[[list[int], _Wave], None]",
    ) -> None:
        """`on_end` is called with the rows that have just ended, and this wave."""
        self.decoder, self.prompts, self.sampling = decoder, prompts, sampling
        self.stopper, self.on_end = stopper, on_end
        n, device = len(prompts), decoder.device
        self.seeds = torch.tensor(seeds, device=device)
        self.lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
        self.tokens = torch.zeros(n, sampling.max_new_tokens, dtype=torch.long, device=device)
        self.logprobs = torch.zeros(n, sampling.max_new_tokens, device=device)
        self.n_tokens = torch.full((n,), sampling.max_new_tokens, device=device)
        self.has_stopped = torch.zeros(n, dtype=torch.bool, device=device)
        self.in_prompt = self._tokens_of_prompts() if sampling.is_penalized else None

    def run(self) -> None:
        hidden, cache, rows = self._read_prompts()
        longest = int(self.lengths.max())
        for place in range(self.sampling.max_new_tokens):
            latest = self._draw(hidden, rows, place)
            growing = ~self.has_stopped[rows]
            n_growing = int(growing.sum())
            if n_growing == 0:
                break
            if n_growing < COMPACT_BELOW * len(rows) and len(rows) > MIN_ROWS:
                kept = growing.nonzero().squeeze(-1)
                rows, latest = rows[kept], latest[kept]
                cache = cache.take(kept, longest + place, cache.width)
            if place + 1 < self.sampling.max_new_tokens:
                hidden = self.decoder.step(latest, self.lengths[rows] + place, cache, longest + place + 1)
        if not bool(self.has_stopped.all()):
            self.on_end((~self.has_stopped).nonzero().squeeze(-1).tolist(), self)

    def _read_prompts(self) -> tuple[Tensor, Cache, Tensor]:
        """Read each distinct prompt once, those of equal length together, and copy its cache to its rows."""
        decoder = self.decoder
        place_of: dict[tuple[int, ...], int] = {}
        places = [place_of.setdefault(tuple(prompt), len(place_of)) for prompt in self.prompts]
        distinct = list(place_of)
        width = int(self.lengths.max())
        prefix = Cache(decoder, len(distinct), width)
        by_length: dict[int, list[int]] = {}
        for index, prompt in enumerate(distinct):
            by_length.setdefault(len(prompt), []).append(index)
        last: Tensor | None = None
        for group in by_length.values():
            ids = torch.tensor([distinct[index] for index in group], device=decoder.device)
            where = torch.tensor(group, device=decoder.device)
            state = decoder.prefill(ids, prefix, where)
            last = state.new_zeros(len(distinct), state.shape[-1]) if last is None else last
            last[where] = state
        assert last is not None
        spread = torch.tensor(places, device=decoder.device)
        cache = prefix.take(spread, width, width + self.sampling.max_new_tokens)
        return last[spread], cache, torch.arange(len(self.prompts), device=decoder.device)

    def _tokens_of_prompts(self) -> Tensor:
        """Which tokens each prompt has: [rows, vocabulary]."""
        found = torch.zeros(len(self.prompts), self.stopper.vocabulary.n_ids, dtype=torch.bool)
        for row, prompt in enumerate(self.prompts):
            found[row, list(prompt)] = True
        return found.to(self.decoder.device)

    def _draw(self, hidden: Tensor, rows: Tensor, place: int) -> Tensor:
        """Sample and store the token at `place` for every row of the cache, and find the rows that stop."""
        sampling = self.sampling
        if place % BLOCK == 0:
            places = torch.arange(place, place + BLOCK, device=rows.device)
            self.numbers = uniforms(self.seeds.unsqueeze(1), places)
        numbers = self.numbers[rows, place % BLOCK]
        logits = self.decoder.logits(hidden, self.stopper.vocabulary.n_ids)
        if self.in_prompt is not None:
            logits = penalize(logits, self.in_prompt[rows], self.tokens[rows, :place], sampling)
        latest, logprobs = draw_tokens(logits, numbers, sampling)
        self.tokens[rows, place], self.logprobs[rows, place] = latest, logprobs
        stops = self.stopper.stops(latest, rows, self.tokens, place + 1) & ~self.has_stopped[rows]
        stopped = rows[stops]
        if len(stopped):
            self.has_stopped[stopped] = True
            self.n_tokens[stopped] = place + 1
            self.on_end(stopped.tolist(), self)
        return latest

    def completions(self, rows: list[int], scored: list[bool]) -> Iterator[tuple[int, Completion]]:
        """The responses of rows that have ended, with log-probabilities for those that are `scored`."""
        lengths, stopped = self.n_tokens[rows].tolist(), self.has_stopped[rows].tolist()
        longest = max(lengths)
        tokens, logprobs = self.tokens[rows, :longest].tolist(), self.logprobs[rows, :longest].tolist()
        tokens = [row[:n] for row, n in zip(tokens, lengths, strict=True)]
        for index, (row, text) in enumerate(zip(rows, self.stopper.texts(tokens), strict=True)):
            finish: FinishReason = "stop" if stopped[index] else "length"
            known = logprobs[index][: lengths[index]] if scored[index] else None
            yield row, Completion(tokens[index], text, finish, known)
