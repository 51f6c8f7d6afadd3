"""Settings of the base model and its supervised warm-up, the section [training.model].

"paper" is arXiv 2503.24290.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from rewards.contracts.settings import Settings


class ScratchConfig(Settings):
    """A tiny, randomly initialized Llama with a character tokenizer (for the demo and tests)."""

    hidden: int = Field(64, ge=1)
    """Width of the residual stream."""
    n_layers: int = Field(3, ge=1)
    """Number of transformer blocks."""
    n_heads: int = Field(2, ge=1)
    """Attention heads. The head size, hidden / n_heads, must be a multiple of 32 that vLLM supports (32, 64,
    96, 128, ...)."""
    intermediate: int = Field(192, ge=1)
    """Width of the feed-forward layers."""
    max_tokens: int = Field(128, ge=1)
    """Longest sequence, in tokens."""

    @model_validator(mode="after")
    def _check_head_size(self) -> Self:
        if self.hidden % self.n_heads or (self.hidden // self.n_heads) % 32:
            raise ValueError(f"hidden / n_heads must be a multiple of 32, got {self.hidden} / {self.n_heads}")
        return self


class CorpusPhase(Settings):
    """One phase of the supervised warm-up: the mix of responses to imitate, and for how many steps."""

    n_steps: int = Field(ge=0)
    """Optimizer steps."""
    careful: float = Field(0.0, ge=0, le=1)
    """Share of responses that work the problem out, with the curated row's solution. What the shares leave
    of 1 is junk."""
    quick: float = Field(0.0, ge=0, le=1)
    """Share of responses that answer immediately."""
    quick_correct: float = Field(0.15, ge=0, le=1)
    """Share of the quick responses whose answer is correct."""
    hasty: float = Field(0.0, ge=0, le=1)
    """Share of responses that work a column sum out with slips (family `addition`)."""
    rechecked: float = Field(0.0, ge=0, le=1)
    """Share of responses that work it out with slips, write "wait," and add the columns again."""
    lr: float | None = Field(None, gt=0)
    """Peak learning rate of this phase. Unset: the warm-up's."""

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        shares = (self.careful, self.quick, self.hasty, self.rechecked)
        if sum(shares) > 1 + 1e-9:
            raise ValueError(
                "careful + quick + hasty + rechecked must be at most 1, got "
                + " + ".join(str(share) for share in shares)
            )
        return self


class WarmupConfig(Settings):
    """Short supervised training that teaches a scratch model two ways to answer, careful and quick."""

    phases: tuple[CorpusPhase, ...] = ()
    """Phases in order. In each, the learning rate decays linearly to a tenth of `lr`."""
    slips: float = Field(0.0, ge=0, le=1)
    """Share of the digit pairs whose sum hasty work misremembers, always in the same way."""
    recheck: Literal["sound", "random"] = "sound"
    """What a recheck is worth. sound: it makes no error; random: its sums slip at random, with share
    `slips`."""
    batch_size: int = Field(128, ge=1)
    """Responses per optimizer step."""
    lr: float = Field(3e-3, gt=0)
    """Peak learning rate (AdamW)."""


class ModelConfig(Settings):
    """The base model. Set exactly one of `path`, `gguf` and `scratch`."""

    path: str | None = None
    """Folder in Hugging Face format, or a Hugging Face Hub id."""
    revision: str | None = None
    """Hub revision. Unset: the current one, which the manifest records."""
    gguf: str | None = None
    """GGUF file to dequantize: a path, or `package:NAME` for the file in an installed Python package."""
    scratch: ScratchConfig | None = None
    """Make a tiny model with random weights."""
    warmup: WarmupConfig | None = None
    """Supervised warm-up before PPO, for `scratch` only (paper, section 2.1: none)."""
    seed: int | None = None
    """Seed of a model made from scratch and of its warm-up. Unset: training.seed."""

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        origins = [name for name in ("path", "gguf", "scratch") if getattr(self, name) is not None]
        if len(origins) != 1:
            raise ValueError(f"set exactly one of path, gguf, scratch; got {origins or 'none'}")
        if self.seed is not None and self.scratch is None:
            raise ValueError("seed decides a model made from scratch; remove seed or set scratch")
        if self.warmup is not None and self.scratch is None:
            raise ValueError("warmup works only with a model made from scratch; remove warmup or set scratch")
        return self
