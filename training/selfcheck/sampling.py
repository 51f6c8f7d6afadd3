"""The part of a model's check that sampling alone needs, for difficulty and evaluations; milliseconds."""

from collections.abc import Iterator
from pathlib import Path

from transformers import AutoConfig, PreTrainedConfig

from training.config import Bos
from training.rope import check_rope, rope_settings
from training.selfcheck.report import Line, Report
from training.vocabulary import Vocabulary, refuse_own_code


def check_sampling(folder: Path, context_tokens: int, bos: Bos = "tokenizer") -> Report:
    """Check that the model in `folder` can be asked sequences of up to `context_tokens`."""
    refuse_own_code(folder)
    known, vocabulary = AutoConfig.from_pretrained(folder), Vocabulary.read(folder, bos)
    lines = (_tokenizer(vocabulary), _ends(vocabulary), *_rope(known, context_tokens))
    return Report((*lines, *_positions(known, context_tokens)))


def _tokenizer(vocabulary: Vocabulary) -> Line:
    """Which tokens have no row, and which rows are no tokens."""
    n_rows, highest = vocabulary.n_rows, max(vocabulary.tokenizer.get_vocab().values())
    said = f"{highest + 1:,} tokens, {n_rows:,} rows"
    if highest >= n_rows:
        token = vocabulary.tokenizer.convert_ids_to_tokens(highest)
        said += f"; tokens from {n_rows} on, such as {token!r}, have no row: prompts with them are refused"
    elif highest + 1 < n_rows:
        said += f"; {n_rows - highest - 1} rows are no tokens and never sampled"
    return Line("ok", "tokenizer", said)


def _ends(vocabulary: Vocabulary) -> Line:
    """The tokens around a response."""
    names = [
        vocabulary.tokenizer.convert_ids_to_tokens(list(ids))
        for ids in (vocabulary.first, vocabulary.end_ids)
    ]
    if not vocabulary.end_ids:
        setting = "name one as eos_token_id in generation_config.json, or set training.rollout.stop"
        return Line(
            "slower", "end of a response", "no end token: only stop strings and the limit end it", setting
        )
    begin = (
        f"prompts begin with {' '.join(names[0])}" if names[0] else "prompts begin with no token of their own"
    )
    return Line("ok", "end of a response", f"ends at {', '.join(names[1])}; {begin}")


def _rope(config: PreTrainedConfig, context_tokens: int) -> Iterator[Line]:
    try:
        check_rope(config, context_tokens)
    except ValueError as error:
        yield Line("refused", "rotary embeddings", str(error))
        return
    for kind in sorted({settings["rope_type"] for settings in rope_settings(config)}):
        if kind == "longrope" or "dynamic" in kind:
            yield Line("ok", "rotary embeddings", f"{kind}, fixed for {context_tokens:,} tokens")


def _positions(config: PreTrainedConfig, context_tokens: int) -> Iterator[Line]:
    """Learned positions end somewhere; rotary ones go on, as far as the engine lets them."""
    text = config.get_text_config()
    n_learned = getattr(text, "max_position_embeddings", None)
    if any(rope_settings(config)) or not isinstance(n_learned, int):
        return
    if context_tokens > n_learned:
        cause = f"the model has {n_learned:,} learned positions, and {context_tokens:,} tokens are asked for"
        setting = (
            "lower training.rollout.max_prompt_tokens + max_new_tokens (and the evaluations' max_new_tokens)"
        )
        yield Line("refused", "positions", cause, setting)
