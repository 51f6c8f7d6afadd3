"""The records that stages pass to each other: every column, its type and its meaning, in one place.

A parquet file in an artifact has exactly the columns of one of these schemas, in this order.
"""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    dtype: pl.DataType
    meaning: str
    is_optional: bool = False
    """True when the value may be null."""


@dataclass(frozen=True, slots=True)
class Schema:
    name: str
    meaning: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def polars(self) -> pl.Schema:
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def frame(self, rows: list[dict]) -> pl.DataFrame:
        """Build a frame from dictionaries; a missing optional value becomes null."""
        return self.check(pl.DataFrame(rows, schema=self.polars, strict=True, infer_schema_length=None))

    def check(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return `frame` with columns in order; ValueError names a missing column, wrong type or null."""
        schema = frame.schema
        for column in self.columns:
            if column.name not in schema:
                raise ValueError(f"{self.name}: column {column.name!r} is missing ({column.meaning})")
            if (found := schema[column.name]) != column.dtype:
                raise ValueError(f"{self.name}: column {column.name!r} is {found}, expected {column.dtype}")
            if not column.is_optional and frame[column.name].null_count():
                row = frame[column.name].is_null().arg_max()
                raise ValueError(
                    f"{self.name}: column {column.name!r} is null in row {row} ({column.meaning})"
                )
        return frame if frame.columns == self.names else frame.select(self.names)


TEXT, INT, FLOAT, BOOL = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()

PROBLEM = Schema(
    "problem",
    "one curated problem (curate -> rewards)",
    (
        Column("problem_id", TEXT, "16 hex digits; hash of source, source_id and problem text"),
        Column("problem", TEXT, "the question as shown to the model"),
        Column("answer", TEXT, "the reference answer as the source gives it, wrappers such as #### removed"),
        Column("solution", TEXT, "a worked solution, when the source has one", is_optional=True),
        Column("source", TEXT, "name of the source in the config"),
        Column("source_id", TEXT, "the row's own id in its source, or its row number"),
        Column(
            "license", TEXT, "license of the source; null: none stated, not publishable", is_optional=True
        ),
        Column("language", TEXT, "ISO 639-1 code of the problem text: en, zh, ..."),
        Column("level", TEXT, "difficulty as the source names it", is_optional=True),
        Column("subject", TEXT, "subject as the source names it", is_optional=True),
        Column("provenance", TEXT, "JSON: file and row number, or generator, its settings and seed"),
        Column(
            "cluster",
            TEXT,
            "shared by rows that differ only in their numbers; the problem_id when there are few words",
        ),
        Column("split", TEXT, "train or validation; a cluster is never split"),
    ),
)

REJECT = Schema(
    "reject",
    "one rejected row (every stage)",
    (
        Column(
            "step", TEXT, "step that rejected the row: read, normalize, filter, dedup, decontaminate, ..."
        ),
        Column("reason", TEXT, "reason code, lowercase with underscores"),
        Column("detail", TEXT, "what exactly was wrong, for a person"),
        Column("source", TEXT, "name of the source in the config"),
        Column("source_id", TEXT, "the row's id or row number in its source"),
        Column("matched", TEXT, "the row it duplicates or the benchmark row it leaks", is_optional=True),
        Column("problem", TEXT, "the problem text, or the raw row when it has none"),
        Column("answer", TEXT, "the reference answer", is_optional=True),
    ),
)

COMPILED_REWARD = Schema(
    "compiled_reward",
    "one training prompt with its compiled reward (rewards -> training)",
    (
        *PROBLEM.columns,
        Column("canonical", TEXT, "canonical form of the reference answer"),
        Column(
            "answer_type", TEXT, "type of the answer: integer, fraction, decimal, expression, choice, ..."
        ),
        Column(
            "math_verify",
            TEXT,
            "what the Math-Verify library makes of it: agrees, refuses_itself, refuses_restyled, unread",
            is_optional=True,
        ),
    ),
)

SAMPLED = (
    Column("sample", INT, "index of the sample, from 0"),
    Column("seed", INT, "sampling seed", is_optional=True),
    Column("prompt", TEXT, "the prompt as sent; empty: not known"),
    Column("response", TEXT, "the response with its special tokens"),
    Column("n_prompt_tokens", INT, "length of the prompt in tokens", is_optional=True),
    Column("n_response_tokens", INT, "length of the response in tokens", is_optional=True),
    Column("finish_reason", TEXT, "stop: ended on its own; length: truncated", is_optional=True),
    Column("gold", TEXT, "the reference answer"),
    Column("extracted", TEXT, "the answer found in the response", is_optional=True),
    Column("reason", TEXT, "verdict of the verifier"),
)
"""Columns of every sampled response, in training and in evaluation. Null is
what other tools do not store, and servers that do not count tokens do not say."""

ROLLOUT = Schema(
    "rollout",
    "one sampled training response (rollouts/step-*.parquet in a train artifact)",
    (
        Column("step", INT, "training step, from 1"),
        Column("problem_id", TEXT, "problem the response answers"),
        *SAMPLED,
        Column("reward", FLOAT, "1 or 0"),
    ),
)

COMPLETION = Schema(
    "completion",
    "one benchmark response with its verdict (evaluate -> statistics, report)",
    (
        Column("key", TEXT, "hash of weights, prompt, sampling, question, sample and seed"),
        Column("benchmark", TEXT, "name of the benchmark"),
        Column("question_id", TEXT, "the question's id within its benchmark"),
        *SAMPLED,
        Column("is_correct", BOOL, "the verifier accepted the answer"),
        Column("is_formatted", BOOL, "the response has the requested format, right or wrong"),
        Column("is_truncated", BOOL, "the response was cut at the token limit", is_optional=True),
        Column(
            "answer_class",
            INT,
            "equal answers to one question share a class: 0 right, 1 and up wrong; null: no answer",
            is_optional=True,
        ),
        Column("level", TEXT, "the question's level", is_optional=True),
        Column("subject", TEXT, "the question's subject", is_optional=True),
    ),
)

METRIC = Schema(
    "metric",
    "one training step (metrics.jsonl in a train artifact); null: not measured, or a mean over nothing",
    (
        Column("step", INT, "training step, from 1"),
        Column("reward", FLOAT, "mean reward over the step's responses"),
        Column("accuracy", FLOAT, "share of responses with the right answer"),
        Column("pass_at_n", FLOAT, "share of prompts with at least one correct response"),
        Column("response_tokens", FLOAT, "mean response length in tokens"),
        Column("response_tokens_std", FLOAT, "standard deviation of the response length"),
        Column("response_tokens_correct", FLOAT, "mean length of the correct responses", is_optional=True),
        Column("response_tokens_correct_std", FLOAT, "its standard deviation", is_optional=True),
        Column("response_tokens_wrong", FLOAT, "mean length of the wrong responses", is_optional=True),
        Column("response_tokens_wrong_std", FLOAT, "its standard deviation", is_optional=True),
        Column("truncated", FLOAT, "share of responses cut at the token limit"),
        Column("formatted", FLOAT, "share of responses with an answer in the requested format"),
        Column("timeouts", FLOAT, "share of answers that could not be compared in time"),
        Column("reflection_rate", FLOAT, "share of responses with words of reflection", is_optional=True),
        Column(
            "correct_reflection_tokens",
            FLOAT,
            "average correct reflection length: mean tokens of right responses that reflect",
            is_optional=True,
        ),
        Column("repetition", FLOAT, "mean repetition of the responses, 0 to 1", is_optional=True),
        Column(
            "discarded",
            FLOAT,
            "share of all sampled responses that were replaced because their prompt's agreed",
            is_optional=True,
        ),
        Column(
            "accuracy_sampled", FLOAT, "accuracy of all sampled responses, those included", is_optional=True
        ),
        Column("policy_loss", FLOAT, "clipped surrogate loss, token mean", is_optional=True),
        Column(
            "value_loss",
            FLOAT,
            "clipped value loss, token mean over the critic's minibatches",
            is_optional=True,
        ),
        Column("clip_fraction", FLOAT, "share of tokens whose ratio was clipped", is_optional=True),
        Column(
            "approx_kl", FLOAT, "mean of ratio - 1 - log ratio between new and old policy", is_optional=True
        ),
        Column("ratio", FLOAT, "mean ratio of new and old policy", is_optional=True),
        Column("entropy", FLOAT, "mean entropy of the policy over response tokens, nats", is_optional=True),
        Column("kl_to_base", FLOAT, "estimated KL from the base model, nats per token", is_optional=True),
        Column(
            "explained_variance",
            FLOAT,
            "1 - Var(return - value) / Var(return), before the critic's update",
            is_optional=True,
        ),
        Column(
            "advantage_reach",
            FLOAT,
            "correlation of the reward with the mean advantage of the first tenth of a response",
            is_optional=True,
        ),
        Column(
            "first_advantage",
            FLOAT,
            "advantage of a response's first token per unit of reward: with rewards 0 and 1, its mean over "
            "rewarded responses less that over the others",
            is_optional=True,
        ),
        Column("actor_grad_norm", FLOAT, "gradient norm before clipping", is_optional=True),
        Column(
            "critic_grad_norm",
            FLOAT,
            "mean gradient norm of the critic's minibatches before clipping",
            is_optional=True,
        ),
        Column("actor_skipped", FLOAT, "policy updates skipped: gradient not finite", is_optional=True),
        Column("critic_skipped", FLOAT, "critic updates skipped: gradient not finite", is_optional=True),
        Column("actor_lr", FLOAT, "learning rate of the actor", is_optional=True),
        Column("critic_lr", FLOAT, "learning rate of the critic", is_optional=True),
        Column(
            "mismatch_max",
            FLOAT,
            "largest |log-prob of engine - log-prob of trainer| over probed tokens",
            is_optional=True,
        ),
        Column("mismatch_mean", FLOAT, "mean of the same", is_optional=True),
        Column("mismatch_kl", FLOAT, "estimated KL of trainer and engine, nats per token", is_optional=True),
    ),
)

TIMING = Schema(
    "timing",
    "what one training step cost (timings.jsonl in a train artifact; differs from run to run)",
    (
        Column("step", INT, "training step, from 1"),
        Column("step_s", FLOAT, "wall time of the whole step, seconds"),
        Column("rollout_s", FLOAT, "sampling responses"),
        Column("reward_s", FLOAT, "scoring them"),
        Column("forward_s", FLOAT, "log-probabilities and values before the update"),
        Column("critic_s", FLOAT, "critic updates"),
        Column("policy_s", FLOAT, "policy update"),
        Column("sync_s", FLOAT, "syncing the new weights to the rollout engine"),
        Column("tokens_per_s", FLOAT, "response tokens per second of rollout, on the first rank"),
        Column("critic_tokens_per_s", FLOAT, "prompt and response tokens per second of critic updates"),
        Column("policy_tokens_per_s", FLOAT, "prompt and response tokens per second of the policy update"),
        Column("memory_bytes", INT, "peak resident memory of the process"),
        Column(
            "device_memory_bytes",
            INT,
            "peak of the trainer's own memory on the accelerator in the step; 0 on a CPU",
        ),
        Column("segment", INT, "number of the step's segment in segments.json, from 0", is_optional=True),
    ),
)

EVALUATION = Schema(
    "evaluation",
    "one measurement during training (evaluations.jsonl in a train artifact)",
    (
        Column("step", INT, "training step after which it was measured"),
        Column("name", TEXT, "the benchmark's name and the measure, such as math500/accuracy"),
        Column("value", FLOAT, "mean over its responses"),
        Column("n", INT, "responses"),
    ),
)
