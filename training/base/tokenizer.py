"""Tokenizer of models made from scratch: one token per character, and one per tag of ORZ's answer format."""

import re

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

TAGS = ("<think>", "</think>", "<answer>", "</answer>", "\\boxed{")
SPECIAL = ("<pad>", "<eos>", "<unk>")


def build_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Build a tokenizer for the characters of `texts` outside tags, plus the closing brace.

    Decoding restores the text exactly, tags included.
    """
    plain = re.sub("|".join(map(re.escape, TAGS)), "", "".join(texts))
    characters = sorted(set(plain) | {"}"})
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *TAGS, *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )
