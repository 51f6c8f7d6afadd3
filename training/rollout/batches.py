"""Each step's responses on this rank: prompts chosen, responses sampled, and scored while others still grow.

With ppo.early_values, critic values are computed during sampling too.

By default (strictly on-policy), `take` samples with the weights that the engine has just received. With
training.rollout.lag = 1, the next step's responses are sampled during this step's update, by the policy
before it. PPO then weights them by how much the policy has moved (training.ppo.max_importance_weight).
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from rewards.contracts.engine import Completion, derive_seed
from rewards.contracts.files import read_json, write_json
from rewards.grader import score
from rewards.verdict import Verdict
from training.config import TrainingConfig
from training.data import Prompt, choose_prompts
from training.ranks import Ranks
from training.rollout.early_values import EarlyValues, Value
from training.rollout.engine import RolloutEngine
from training.saving.names import checkpoint_weights
from training.saving.steps import saved_steps


@dataclass(slots=True)
class Batch:
    """One step's responses on this rank; those to one prompt are adjacent."""

    asked: list[Prompt]
    """The prompt of each response."""
    seeds: list[int]
    completions: list[Completion]
    verdicts: list[Verdict]
    sampling_s: float
    """Seconds from the first prompt to the last response."""
    reward_s: float
    """Seconds from then to the last verdict."""
    values: list[list[float]] | None = None
    """The critic's value of each token, if computed early (ppo.early_values)."""
    value_s: float = 0.0
    """Seconds from the last verdict to the last value."""
    tried: tuple[int, int] | None = None
    """All sampled responses, replaced ones included, and how many are right; None without resampling."""

    def resampling(self, ranks: Ranks) -> dict[str, float]:
        """The metrics of resampling over all ranks; none without it."""
        if self.tried is None:
            return {}
        own = torch.tensor([len(self.completions), *self.tried], dtype=torch.float64, device=ranks.device)
        n_kept, n_tried, n_right = ranks.sum(own).tolist()
        return {"discarded": 1 - n_kept / n_tried, "accuracy_sampled": n_right / n_tried}


class Rollouts:
    """Sample and score the responses of a run's steps with one engine."""

    def __init__(
        self, config: TrainingConfig, engine: RolloutEngine, ranks: Ranks, value: Value | None = None
    ) -> None:
        """`value` computes the critic's values, for ppo.early_values."""
        self.config, self.engine, self.ranks = config, engine, ranks
        size = config.ppo.early_values
        self.values = EarlyValues(config.rollout.samples_per_prompt, size, value) if value else None
        self.known_lengths: dict[str, float] = {}
        """Mean response length of each problem when it was last sampled, in tokens."""
        self.scorer = ThreadPoolExecutor(1, thread_name_prefix="score")
        self.sampler = ThreadPoolExecutor(1, thread_name_prefix="sample", initializer=ranks.use_device)
        self.ahead: Future[Batch] | None = None
        """The next step's batch, being sampled (lag 1)."""
        self.stored: list[Completion] | None = None
        """The next step's responses, restored from a checkpoint (lag 1)."""

    def take(self, step: int, prompts: list[Prompt]) -> Batch:
        """The responses of `step`, sampled now or ahead; with lag 1, sampling for the next step starts."""
        ahead, self.ahead = self.ahead, None
        batch = self.sample(step, prompts) if ahead is None else ahead.result()
        if self.config.rollout.lag and step < self.config.total_steps:
            self.ahead = self.sampler.submit(self.sample, step + 1, prompts)
        else:
            self.engine.sleep()
        return batch

    def sync(self, actor: Any) -> None:
        """Load the trained weights into the engine, after sampling with the old ones has finished."""
        if self.ahead is not None:
            self.ahead.result()
            self.ranks.barrier()  # Ranks end at different times; the group that gathers waits only minutes.
        self.engine.wake()
        self.engine.load_weights(checkpoint_weights(actor, "model."))

    def sample(self, step: int, prompts: list[Prompt]) -> Batch:
        """Sample this rank's responses of `step`, and score each as soon as it ends."""
        settings, ranks, n_samples = self.config.rollout, self.ranks, self.config.rollout.samples_per_prompt
        indices = choose_prompts(len(prompts), settings.prompts_per_step, step, self.config.seed)
        # Ranks that share a tensor-parallel engine all request the same prompts; then each keeps its own.
        n_shared = settings.tensor_parallel
        places = range(len(indices))[ranks.rank // n_shared :: ranks.world // n_shared]
        asked = [prompts[indices[place]] for place in places for _ in range(n_samples)]
        # By place, not by problem: a prompt that occurs twice in a step (short epochs) gets other responses.
        seeds = [
            derive_seed(self.config.seed, "rollout", step, place, i)
            for place in places
            for i in range(n_samples)
        ]
        mine = [i for i in range(len(asked)) if i // n_samples % n_shared == ranks.rank % n_shared]
        clock = time.perf_counter()
        completions, judged, reward_s = self._answer(asked, seeds, set(mine))
        verdicts = [judged[index] for index in mine]
        tried = None
        if settings.resample_rounds:
            tried, waited = self._resample(step, prompts, [*places], asked, seeds, completions, verdicts)
            reward_s += waited
        scored = time.perf_counter()
        values = None if self.values is None else self.values.take(mine)
        valued = time.perf_counter()
        for index in range(0, len(asked), n_samples):
            of_prompt = completions[index : index + n_samples]
            mean = sum(len(completion.tokens) for completion in of_prompt) / n_samples
            self.known_lengths[asked[index].problem_id] = mean
        return Batch(
            [asked[i] for i in mine],
            [seeds[i] for i in mine],
            [completions[i] for i in mine],
            verdicts,
            scored - clock - reward_s,
            reward_s,
            values,
            valued - scored,
            tried,
        )

    def _answer(
        self, asked: list[Prompt], seeds: list[int], own: set[int]
    ) -> tuple[list[Completion], dict[int, Verdict], float]:
        """Sample a response to each of `asked` and judge `own`; the seconds are those from the last response
        to the last verdict."""
        scoring: dict[int, Future[Verdict]] = {}

        def judge(index: int, completion: Completion) -> None:
            if index in own:
                gold = asked[index].gold
                scoring[index] = self.scorer.submit(score, gold, completion.text, completion.finish_reason)
                if self.values is not None:
                    self.values.add(index, asked[index].tokens, completion.tokens)

        completions = self._generate(asked, seeds, judge)
        sampled = time.perf_counter()
        verdicts = {index: scoring[index].result() for index in sorted(own)}
        return completions, verdicts, time.perf_counter() - sampled

    def _resample(
        self,
        step: int,
        prompts: list[Prompt],
        places: list[int],
        asked: list[Prompt],
        seeds: list[int],
        completions: list[Completion],
        verdicts: list[Verdict],
    ) -> tuple[tuple[int, int], float]:
        """Replace, in place, the groups whose responses agree by those to other prompts, for some rounds.

        What replaces a place's prompt depends on seed, step, round and place alone. Returns how many
        responses were sampled in all and are right, and seconds spent on verdicts.
        """
        settings, seed = self.config.rollout, self.config.seed
        n_samples = settings.samples_per_prompt
        n_tried, n_right, waited = len(asked), sum(v.is_correct for v in verdicts), 0.0
        for turn in range(1, settings.resample_rounds + 1):
            starts = range(0, len(asked), n_samples)
            agreed = [i for i in starts if len({v.is_correct for v in verdicts[i : i + n_samples]}) == 1]
            if not agreed:
                break
            others, their_seeds = [], []
            for start in agreed:
                place = places[start // n_samples]
                chosen = prompts[derive_seed(seed, "resample", step, turn, place) % len(prompts)]
                others += [chosen] * n_samples
                their_seeds += [derive_seed(seed, "rollout", step, place, i, turn) for i in range(n_samples)]
            found, judged, seconds = self._answer(others, their_seeds, set(range(len(others))))
            waited += seconds
            n_tried, n_right = n_tried + len(others), n_right + sum(v.is_correct for v in judged.values())
            for number, start in enumerate(agreed):
                new = range(number * n_samples, (number + 1) * n_samples)
                here = slice(start, start + n_samples)
                asked[here], seeds[here] = [others[i] for i in new], [their_seeds[i] for i in new]
                completions[here], verdicts[here] = [found[i] for i in new], [judged[i] for i in new]
        return (n_tried, n_right), waited

    def _generate(
        self, asked: list[Prompt], seeds: list[int], judge: Callable[[int, Completion], None]
    ) -> list[Completion]:
        if self.stored is not None:
            completions, self.stored = self.stored, None
            for index, completion in enumerate(completions):
                judge(index, completion)
            return completions
        settings = self.config.rollout
        return self.engine.generate(
            [prompt.tokens for prompt in asked],
            seeds,
            settings.sampling,
            n_logprobs=len(asked) if self.config.ppo.max_importance_weight else settings.probe_responses,
            on_completion=judge,
            # Nothing is known about a prompt not sampled before: its responses may be the longest.
            expected_tokens=[
                self.known_lengths.get(prompt.problem_id, settings.max_new_tokens) for prompt in asked
            ],
        )

    def save(self, folder: Path, step: int) -> None:
        """Store what was sampled ahead with the checkpoint at `step`; no later policy can sample it again."""
        if self.ahead is not None:
            rows = [asdict(c) for c in self.ahead.result().completions]
            write_json(self._file(folder, step), {"n_ranks": self.ranks.world, "completions": rows})
            for old in set(saved_steps(folder)) - set(saved_steps(folder)[-self.config.keep_checkpoints :]):
                self._file(folder, old).unlink(missing_ok=True)

    def restore(self, folder: Path, step: int) -> None:
        """Load this rank's share of what was sampled ahead and stored with the checkpoint at `step`, by as
        many ranks as there were then."""
        first = self._file(folder, step, 0)
        # Nothing was sampled ahead of a run's last step, which a longer run goes on from.
        if not (self.config.rollout.lag and step and step < self.config.total_steps and first.exists()):
            return
        n_samples, n_ranks = self.config.rollout.samples_per_prompt, read_json(first)["n_ranks"]
        groups: dict[int, list[Completion]] = {}
        """Responses by the place of their prompt in the step."""
        for rank in range(n_ranks) if n_ranks != self.ranks.world else (self.ranks.rank,):
            rows = [Completion(**row) for row in read_json(self._file(folder, step, rank))["completions"]]
            for index in range(0, len(rows), n_samples):
                groups[rank + n_ranks * (index // n_samples)] = rows[index : index + n_samples]
        mine = [place for place in sorted(groups) if place % self.ranks.world == self.ranks.rank]
        self.stored = [completion for place in mine for completion in groups[place]]

    def _file(self, folder: Path, step: int, rank: int | None = None) -> Path:
        number = self.ranks.rank if rank is None else rank
        return folder / f"ahead-{step:06d}-rank-{number:03d}.json"

    def close(self) -> None:
        """Stop the threads."""
        self.sampler.shutdown()
        self.scorer.shutdown()
        if self.values is not None:
            self.values.close()
