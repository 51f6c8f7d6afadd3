"""What a model's folder says about tokens, read in one place for the trainer and both rollout engines.

    vocabulary = Vocabulary.read(Path("model"))
    vocabulary.encode("1+2=")        # with the token that the tokenizer puts in front, if any

Many models have more embedding rows than the tokenizer has tokens (Qwen2.5: 151,936 and 151,665). The rest
was never trained and stands for no text: it is left out of the distribution, wherever one is computed.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING, AutoConfig, AutoTokenizer

from rewards.contracts.files import hash_text, read_json
from training.config import Bos
from training.fingerprint import hash_model

logger = logging.getLogger(__name__)


def refuse_own_code(folder: Path) -> None:
    """Raise ValueError when the model in `folder` is defined by code in its folder, which is never run.

    Models that transformers knows as well, such as Phi-3, are read by transformers' own class.
    """
    if not (folder / "config.json").exists():
        return
    settings = read_json(folder / "config.json")
    code, kind = settings.get("auto_map"), settings.get("model_type")
    if code and kind not in CONFIG_MAPPING:
        file = code.get("AutoModelForCausalLM") if isinstance(code, dict) else code
        raise ValueError(
            f"training.model: {folder} brings its own code ({file}) for the type {kind!r}, which "
            "transformers does not know. Such code is not run; convert the model to an architecture of "
            "transformers, or use another one"
        )


def usable_ids(tokenizer: Any, n_rows: int) -> int:
    """How many ids, from 0 on, may be sampled and scored: those below are tokens with a row in the model.

    An id without a token among them, which few tokenizers have, counts as an ordinary one.
    """
    return min(n_rows, max(tokenizer.get_vocab().values()) + 1)


def end_ids(folder: Path, tokenizer: Any, n_ids: int) -> tuple[int, ...]:
    """Ids that end a response: all that generation_config.json, config.json and the tokenizer name.

    Those that no token has are ignored, and said.
    """
    named: set[int] = set() if tokenizer.eos_token_id is None else {tokenizer.eos_token_id}
    for file in ("generation_config.json", "config.json"):
        if (folder / file).exists():
            settings = read_json(folder / file)
            parts = [settings, *(settings.get(part) or {} for part in ("text_config", "llm_config"))]
            for stated in (part.get("eos_token_id") for part in parts if isinstance(part, dict)):
                named |= {
                    int(one) for one in (stated if isinstance(stated, list) else [stated]) if one is not None
                }
    if unknown := sorted(one for one in named if not 0 <= one < n_ids):
        logger.warning("model=%s end_ids_without_a_token=%s ignored; tokens=%d", folder, unknown, n_ids)
    return tuple(sorted(named - set(unknown)))


def first_ids(tokenizer: Any, bos: Bos) -> list[int]:
    """Tokens in front of every prompt; ValueError if there has to be one and the tokenizer has none."""
    if bos == "never":
        return []
    if bos == "always":
        if tokenizer.bos_token_id is None:
            raise ValueError(
                'training.rollout.bos = "always", but the tokenizer names no beginning-of-sequence token; '
                'set it to "tokenizer"'
            )
        return [tokenizer.bos_token_id]
    # What its own post-processor adds, in front and perhaps at the end.
    shown = tokenizer("1", return_special_tokens_mask=True)
    is_added = [*shown["special_tokens_mask"], 0]
    return list(shown["input_ids"][: is_added.index(0)])


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A tokenizer, and which of a model's ids mean what."""

    tokenizer: Any
    n_rows: int
    """Rows of the model's embedding."""
    n_ids: int
    """Ids below this may be sampled."""
    end_ids: tuple[int, ...]
    """Ids that end a response."""
    first: tuple[int, ...]
    """Tokens in front of a prompt."""

    @classmethod
    def read(cls, folder: Path, bos: Bos = "tokenizer") -> "Vocabulary":
        """Read the tokenizer and the settings of the model in `folder`."""
        tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        n_rows = AutoConfig.from_pretrained(folder).get_text_config().vocab_size
        n_ids = usable_ids(tokenizer, n_rows)
        if n_ids < n_rows:
            logger.info("model=%s rows=%d tokens=%d: the other rows are never sampled", folder, n_rows, n_ids)
        return cls(
            tokenizer, n_rows, n_ids, end_ids(folder, tokenizer, n_ids), tuple(first_ids(tokenizer, bos))
        )

    def fingerprint(self, folder: Path, precision: str, engine: str) -> str:
        """The identity of an engine that samples with the model in `folder`."""
        begins = f":{self.first}" if self.first else ""
        return hash_text(f"{hash_model(folder)}:{precision}:{engine}{begins}", 16)

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """Ids of a prompt, begun as the tokenizer begins a text, once. `bos` False: of the text alone, for
        chat templates, which write their own beginning, and for pieces of a text."""
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        if beyond := [one for one in ids if one >= self.n_rows]:
            token = self.tokenizer.convert_ids_to_tokens(beyond[0])
            raise ValueError(
                f"training.model: a prompt has the token {token!r} (id {beyond[0]}), for which the model's "
                f"{self.n_rows} embedding rows have none; use the tokenizer that belongs to the model"
            )
        first = list(self.first)
        return ids if not bos or ids[: len(first)] == first else first + ids

    def texts(self, responses: Iterable[Sequence[int]], stop: tuple[str, ...]) -> list[str]:
        """Decode whole responses: with special tokens, without end tokens, nothing after a stop string."""
        hidden = set(self.end_ids) - {
            index for text, index in self.tokenizer.get_added_vocab().items() if text in stop
        }
        shown = [[token for token in row if token not in hidden] for row in responses]
        texts = self.tokenizer.batch_decode(
            shown, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return [cut_after(text, stop) for text in texts]


def cut_after(text: str, stop: tuple[str, ...]) -> str:
    """The text up to the first stop string, which is kept.

    >>> cut_after("a</answer> b", ("</answer>",))
    'a</answer>'
    """
    ends = [text.find(one) + len(one) for one in stop if one in text]
    return text[: min(ends)] if ends else text
