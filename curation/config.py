"""The configuration of the curation stage: `[curation]` of a run's TOML."""

from pydantic import Field, model_validator

from curation.decontaminate.leaks import LeakConfig
from curation.dedup.clusters import DedupConfig
from curation.executors import ExecutionConfig
from curation.filters import FilterConfig
from curation.mix import MixConfig
from curation.sources.config import SourceConfig
from rewards.contracts.settings import Settings


class NormalizeConfig(Settings):
    """How texts are tidied before anything is compared."""

    strip_wrappers: bool = True
    """Take numbering, chat labels and instructions to the model off the problem text; they are learned from
    the corpus. Generated problems are left as they are."""
    min_evidence: int = Field(default=3, ge=1)
    """A segment is a wrapper when so many different texts of the corpus also stand without it."""
    max_sample: int = Field(default=1_000_000, ge=1)
    """Wrappers are learned from about so many rows at most, drawn by the hash of their numbers."""


class AlarmConfig(Settings):
    """When a person should look at what was removed; alarms stop nothing."""

    max_cluster: int = Field(default=200, ge=2)
    """A cluster of duplicates with more rows than this."""
    duplicate_share: float = Field(default=0.95, gt=0, le=1)
    """A source of which deduplication removed more than this share."""
    leak_share: float = Field(default=0.05, gt=0, le=1)
    """A source of which decontamination removed more than this share."""


class CurationConfig(Settings):
    """From sources to problems: read, normalize, filter, deduplicate, decontaminate, mix, split."""

    sources: tuple[SourceConfig, ...] = ()
    """Where problems come from; of equal problems that of the earlier source is kept."""
    normalize: NormalizeConfig = NormalizeConfig()
    """Tidying of texts."""
    filters: FilterConfig = FilterConfig()
    """What is unsuited to a rule-based reward."""
    dedup: DedupConfig = DedupConfig()
    """What counts as the same problem, and which row stays."""
    decontaminate: LeakConfig = LeakConfig()
    """What counts as a benchmark problem."""
    mix: MixConfig = MixConfig()
    """How many problems, and the validation split."""
    alarms: AlarmConfig = AlarmConfig()
    """What is reported as suspicious."""
    execution: ExecutionConfig = ExecutionConfig()
    """Where the steps run and how much they hold in memory; decides no result."""
    shard_rows: int = Field(default=100_000, ge=1)
    """Most rows of one parquet file of the result."""
    seed: int = 0
    """Seed of the caps, copies and of the split."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> "CurationConfig":
        names = [source.name for source in self.sources]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"source names must be unique, repeated: {', '.join(repeated)}")
        return self
