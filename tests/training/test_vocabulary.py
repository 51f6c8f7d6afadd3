"""Which ids may be sampled, which end a response, what begins a prompt, and how a response is written."""

import logging

import pytest
from tokenizers import processors

from rewards.contracts.files import write_json
from training.base.tokenizer import build_tokenizer
from training.vocabulary import Vocabulary, end_ids, first_ids, refuse_own_code, usable_ids

CHARACTERS = ["0123456789+=?"]


def begins_with(token="<s>", ends=False):
    """A tokenizer whose own post-processor puts `token` in front, as Llama's and Gemma's do."""
    tokenizer = build_tokenizer(CHARACTERS)
    tokenizer.add_special_tokens({"bos_token": token})
    template = f"{token} $A" + (" <eos>" if ends else "")
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=template,
        special_tokens=[(token, tokenizer.bos_token_id), ("<eos>", tokenizer.eos_token_id)],
    )
    return tokenizer


def vocabulary(tokenizer, bos="tokenizer", ends=(1,), n_rows=None):
    n = len(tokenizer)
    return Vocabulary(tokenizer, n_rows or n, n, tuple(ends), tuple(first_ids(tokenizer, bos)))


def test_a_model_with_code_of_its_own_is_refused_and_its_code_not_run(tmp_path):
    own = {"AutoConfig": "config.MyConfig", "AutoModelForCausalLM": "modeling.MyModel"}
    (tmp_path / "config.py").write_text("raise SystemExit('was run')")
    for known in ("llama", "phi3"):
        write_json(tmp_path / "config.json", {"model_type": known, "auto_map": own})
        refuse_own_code(tmp_path)
    write_json(tmp_path / "config.json", {"model_type": "minicpm", "auto_map": own})
    with pytest.raises(ValueError, match=r"brings its own code \(modeling.MyModel\) for the type 'minicpm'"):
        refuse_own_code(tmp_path)


@pytest.mark.parametrize("extra, expected", [(0, 22), (200, 22), (-1, 21)])
def test_an_id_is_usable_if_it_is_a_token_with_a_row(extra, expected):
    tokenizer = build_tokenizer(CHARACTERS)
    assert len(tokenizer) == 22
    assert usable_ids(tokenizer, 22 + extra) == expected


@pytest.mark.parametrize(
    "config, generation, expected",
    [
        pytest.param({}, None, (1,), id="the tokenizer's"),
        pytest.param({"eos_token_id": [2, 5]}, None, (1, 2, 5), id="config.json alone"),
        pytest.param({"eos_token_id": 2}, {"eos_token_id": [1, 6]}, (1, 2, 6), id="both files"),
        pytest.param({"eos_token_id": None}, {"top_k": 1}, (1,), id="files that name none"),
        pytest.param({"text_config": {"eos_token_id": 7}}, None, (1, 7), id="of the text model"),
        pytest.param({"eos_token_id": [2, 25]}, {"eos_token_id": 99}, (1, 2), id="without a token"),
    ],
)
def test_ends_are_all_that_anybody_names(config, generation, expected, tmp_path, caplog):
    write_json(tmp_path / "config.json", config)
    if generation is not None:
        write_json(tmp_path / "generation_config.json", generation)
    with caplog.at_level(logging.WARNING):
        assert end_ids(tmp_path, build_tokenizer(CHARACTERS), 22) == expected
    assert ("[25, 99]" in caplog.text) == (generation == {"eos_token_id": 99})


@pytest.mark.parametrize("ends", [False, True])
def test_a_prompt_begins_as_the_tokenizer_begins_a_text_and_once(ends):
    tokenizer = begins_with(ends=ends)
    bos, plain = tokenizer.bos_token_id, tokenizer.encode("1+2=", add_special_tokens=False)
    for setting, expected in (("tokenizer", [bos, *plain]), ("always", [bos, *plain]), ("never", plain)):
        made = vocabulary(tokenizer, setting)
        assert made.encode("1+2=") == expected
        assert made.encode("<s>1+2=") == [bos, *plain], "written in the prompt: not twice"
        assert made.encode("1+2=", bos=False) == plain


def test_a_tokenizer_that_adds_nothing_adds_nothing():
    tokenizer = build_tokenizer(CHARACTERS)
    assert vocabulary(tokenizer).encode("1+2=") == tokenizer.encode("1+2=")
    with pytest.raises(ValueError, match='bos = "always", but the tokenizer names no'):
        vocabulary(tokenizer, "always")
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    assert vocabulary(tokenizer).encode("1") == tokenizer.encode("1"), "named, but not put in front"
    assert vocabulary(tokenizer, "always").encode("1") == [tokenizer.bos_token_id, *tokenizer.encode("1")]


def test_a_prompt_with_a_token_that_the_model_lacks_is_refused():
    tokenizer = build_tokenizer(CHARACTERS)
    tokenizer.add_tokens(["new"])
    made = vocabulary(tokenizer, n_rows=22)
    assert made.encode("1+2") == tokenizer.encode("1+2")
    with pytest.raises(ValueError, match=r"'new' \(id 22\), for which the model's 22 embedding rows"):
        made.encode("1+new")


def test_texts_have_no_end_token_and_nothing_after_a_stop_string():
    tokenizer = build_tokenizer(CHARACTERS)
    made, stop = vocabulary(tokenizer, ends=(1, 6)), ("</answer>",)
    assert tokenizer.convert_ids_to_tokens(6) == "</answer>"
    three = tokenizer.encode("3")
    assert made.texts([[*three, 6, 1], [*three, 1], [*three, 6, *three]], stop) == [
        "3</answer>",
        "3",
        "3</answer>",
    ]
    assert made.texts([[*three, 6]], ()) == ["3"], "an end like any other where it is no stop string"
