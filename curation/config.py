"""Configuration of the curation stage: `[curation]` in a run's TOML file."""

from pydantic import Field, model_validator

from curation.decontaminate.leaks import LeakConfig
from curation.dedup.clusters import DedupConfig
from curation.executors import ExecutionConfig
from curation.filters import FilterConfig
from curation.mix import MixConfig
from curation.sources.config import SourceConfig
from rewards.contracts.settings import Settings


class NormalizeConfig(Settings):
    """How texts are cleaned up before anything is compared."""

    strip_wrappers: bool = True
    """Strip numbering, chat labels and instructions to the model from the problem text; instructions are
    learned from the corpus. Generated problems are left as they are."""
    min_evidence: int = Field(default=3, ge=1)
    """A segment is a wrapper when this many different texts of the corpus also occur without it."""
    max_sample: int = Field(default=1_000_000, ge=1)
    """Wrappers are learned from at most about this many rows, drawn by the hash of their numbers."""


class AlarmConfig(Settings):
    """When a person should look at what was removed; an alarm does not stop the run."""

    max_cluster: int = Field(default=200, ge=2)
    """Alarm for a cluster of duplicates with more rows than this."""
    duplicate_share: float = Field(default=0.95, gt=0, le=1)
    """Alarm for a source that lost more than this share of its rows to deduplication."""
    leak_share: float = Field(default=0.05, gt=0, le=1)
    """Alarm for a source that lost more than this share of its rows to decontamination."""
    gold_error: float = Field(default=0.05, gt=0, le=1)
    """Alarm for a source whose golds are wrong more often than this, by the lower end of the estimate's 95%
    interval."""


class AuditConfig(Settings):
    """What the gold audit asks beside the sources themselves."""

    math_verify: bool = False
    """Also ask the Math-Verify library whether it reads each kept answer: column `math_verify_reads` of
    signals.parquet. Equal answers are asked once; a thousand different ones take about ten seconds, so
    it is off by default."""


class CurationConfig(Settings):
    """From sources to problems: read, normalize, filter, deduplicate, decontaminate, mix, split."""

    sources: tuple[SourceConfig, ...] = ()
    """Where problems come from; of equal problems, the one from the earlier source is kept."""
    normalize: NormalizeConfig = NormalizeConfig()
    """How texts are cleaned up."""
    filters: FilterConfig = FilterConfig()
    """Which problems are unsuited to a rule-based reward."""
    dedup: DedupConfig = DedupConfig()
    """What counts as the same problem, and which row stays."""
    decontaminate: LeakConfig = LeakConfig()
    """What counts as a benchmark problem."""
    mix: MixConfig = MixConfig()
    """How many problems to keep, and the validation split."""
    alarms: AlarmConfig = AlarmConfig()
    """What is reported as suspicious."""
    audit: AuditConfig = AuditConfig()
    """What speaks for and against each reference answer."""
    execution: ExecutionConfig = ExecutionConfig()
    """Where the steps run and how much of the corpus they keep in memory; does not affect the result."""
    shard_rows: int = Field(default=100_000, ge=1)
    """Most rows in one parquet file of the result."""
    seed: int = 0
    """Seed of the caps, the copies and the split."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> "CurationConfig":
        names = [source.name for source in self.sources]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"source names must be unique, repeated: {', '.join(repeated)}")
        return self
