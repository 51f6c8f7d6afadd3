"""The character tokenizer restores every text of its alphabet, tags included."""

import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from training.base.tokenizer import SPECIAL, TAGS, build_tokenizer

ALPHABET = string.ascii_letters + string.digits + "+-*=? .,$^_()[]{}/\\<>'\"\n\té≤√漢"
TOKENIZER = build_tokenizer([ALPHABET])
texts = st.lists(st.sampled_from([*ALPHABET, *TAGS]), max_size=40).map("".join)
RESPONSE = "7+8=15, so x ≤ 15</think><answer>\\boxed{15}</answer>"


def encode(text, tokenizer=TOKENIZER):
    return tokenizer.encode(text, add_special_tokens=False)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(RESPONSE, id="response"),
        pytest.param("7+8=?<think>" + RESPONSE, id="prompt and response"),
        pytest.param("  two  spaces , and . marks ", id="spaces"),
        pytest.param("a\n\tb", id="whitespace"),
        pytest.param("<answer <answer>answer>", id="a tag in a broken tag"),
        pytest.param("\\boxed{\\boxed{a}}", id="nested boxes"),
        pytest.param("\\boxed[a]", id="not a box"),
        pytest.param("", id="empty"),
    ],
)
def test_text_comes_back(text):
    assert TOKENIZER.decode(encode(text)) == text


@settings(max_examples=200, deadline=None)
@given(texts)
def test_every_text_of_the_alphabet_comes_back(text):
    ids = encode(text)
    assert TOKENIZER.unk_token_id not in ids
    assert TOKENIZER.decode(ids) == text
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == text


@settings(max_examples=100, deadline=None)
@given(texts)
def test_one_token_a_tag_and_one_a_character(text):
    expected = re.findall("|".join(map(re.escape, TAGS)) + "|.", text, flags=re.DOTALL)
    assert TOKENIZER.convert_ids_to_tokens(encode(text)) == expected


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_is_one_token_wherever_it_stands(tag):
    (token,) = encode(tag)
    assert TOKENIZER.convert_ids_to_tokens(token) == tag
    assert encode(f"1{tag}2") == [*encode("1"), token, *encode("2")]
    assert encode(tag + tag) == [token, token]


def test_special_tokens_come_first_and_are_no_characters():
    assert TOKENIZER.convert_tokens_to_ids(list(SPECIAL)) == [0, 1, 2]
    assert (TOKENIZER.pad_token_id, TOKENIZER.eos_token_id, TOKENIZER.unk_token_id) == (0, 1, 2)
    assert len(TOKENIZER) == len(SPECIAL) + len(TAGS) + len(set(ALPHABET))


def test_a_character_outside_the_alphabet_is_unknown():
    assert encode("1Ω2") == [*encode("1"), TOKENIZER.unk_token_id, *encode("2")]


def test_the_vocabulary_does_not_depend_on_the_order_of_the_texts():
    assert build_tokenizer(["ab", "c1"]).get_vocab() == build_tokenizer(["1c", "", "ba"]).get_vocab()


def test_a_saved_tokenizer_is_the_same_one(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.get_vocab() == TOKENIZER.get_vocab()
    assert (loaded.pad_token_id, loaded.eos_token_id, loaded.unk_token_id) == (0, 1, 2)
    assert set(TAGS) <= set(loaded.get_added_vocab())
    for text in (RESPONSE, "  two  spaces , and . marks ", "\\boxed{\\boxed{a}}"):
        assert encode(text, loaded) == encode(text)
        assert loaded.decode(encode(text, loaded)) == text
