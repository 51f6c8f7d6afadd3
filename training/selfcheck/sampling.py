"""The part of a model's check that sampling alone needs, for difficulty and evaluations; milliseconds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig

from training.rope import check_rope, rope_settings
from training.selfcheck.report import Line, Report


def check_sampling(folder: Path, context_tokens: int) -> Report:
    """Check that the model in `folder` can be asked sequences of up to `context_tokens`."""
    known = AutoConfig.from_pretrained(folder)
    return Report((_tokenizer(folder, known), *_rope(known, context_tokens)))


def _tokenizer(folder: Path, config: PreTrainedConfig) -> Line:
    """Every token has a row; rows without a token are no tokens."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    n_rows, highest = config.get_text_config().vocab_size, max(tokenizer.get_vocab().values())
    if highest >= n_rows:
        setting = "resize the embeddings (model.resize_token_embeddings) or remove the added tokens"
        cause = f"token {highest} has no row: the model has {n_rows:,}"
        return Line("refused", "tokenizer", cause, setting)
    n_spare = n_rows - highest - 1
    said = f"{highest + 1:,} tokens, {n_rows:,} rows" + (f"; {n_spare} rows are no tokens" if n_spare else "")
    return Line("ok", "tokenizer", said)


def _rope(config: PreTrainedConfig, context_tokens: int) -> Iterator[Line]:
    try:
        check_rope(config, context_tokens)
    except ValueError as error:
        yield Line("refused", "rotary embeddings", str(error))
        return
    for kind in sorted({settings["rope_type"] for settings in rope_settings(config)}):
        if kind == "longrope" or "dynamic" in kind:
            yield Line("ok", "rotary embeddings", f"{kind}, fixed for {context_tokens:,} tokens")
