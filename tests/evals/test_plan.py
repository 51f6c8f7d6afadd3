import json

import polars as pl
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from evals.benchmarks import Benchmark, from_frame
from evals.benchmarks.loading import load, shuffle_options
from evals.benchmarks.registry import ask_choices
from evals.config import BenchmarkConfig, EvalsConfig
from evals.plan import chat_renderer, make_plan
from evals.sampling import sample
from evals.scoring import score

OPTIONS = (("Which is even?", ("3", "4"), "B"), ("Which is odd?", ("7", "8", "10"), "A"))


def choice_frame(names: str = "pq") -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "id": f"{name}{number}",
                "problem": ask_choices(stem, options),
                "answer": answer,
                "subject": "high_school_math",
                "choices": list(options),
            }
            for name in names
            for number, (stem, options, answer) in enumerate(OPTIONS)
        ]
    )


@pytest.fixture
def quiz() -> Benchmark:
    return from_frame("quiz", choice_frame())


def entry(**fields) -> BenchmarkConfig:
    return BenchmarkConfig(name="quiz", kind="frame", **fields)


def test_run_settings_replace_the_profile_and_a_benchmarks_own_profile_replaces_both():
    config = EvalsConfig(profile="plain", stop=("END",), temperature=0.7)
    ours = config.conditions(entry())
    assert (ours.prompt.template, ours.sampling.stop, ours.mode) == ("plain", ("END",), "lenient")
    assert ours.sampling.temperature == 0.7
    own = config.conditions(entry(profile="orz_compat"))
    assert (own.prompt.template, own.sampling.stop[-1], own.mode) == ("orz", "</answer>", "orz_compat")


def test_chat_wraps_the_problem_and_asks_for_a_letter_of_multiple_choice(quiz, sums):
    config = EvalsConfig(profile="chat")

    def chat(messages):
        return f"<user>{messages[-1]['content']}<assistant>"

    prompt = make_plan(quiz, entry(), config, chat).prompts["prompt"][0]
    assert prompt.startswith("<user>Which is even?") and prompt.endswith("<assistant>")
    assert "the letter of the right option" in prompt
    assert "letter" not in make_plan(sums, entry(), config, chat).prompts["prompt"][0]
    with pytest.raises(ValueError, match="needs a model with a chat template"):
        make_plan(quiz, entry(), config)


def test_letters_need_no_sampling_and_follow_the_standard_prompt(quiz, toy_engine, tmp_path):
    config = EvalsConfig(profile="letters", benchmarks=(entry(),))
    plan = make_plan(quiz, entry(), config)
    prompt = plan.prompts["prompt"][0]
    assert prompt == (
        "The following are multiple choice questions (with answers) about high school math.\n\n"
        "Which is even?\nA. 3\nB. 4\nAnswer:"
    )
    generated = sample(toy_engine(), plan, config=config, folder=tmp_path)
    assert generated.responses["response"].to_list() == ["B"] * 4
    completions = score(generated.responses, quiz, mode="lenient", method="letters").completions
    assert completions["is_correct"].to_list() == [True, False, True, False]


def test_a_question_without_log_probabilities_is_set_aside(toy_engine, tmp_path):
    frame = choice_frame("p").with_columns(pl.col("problem").str.replace("odd", "NaN"))
    config = EvalsConfig(profile="letters", benchmarks=(entry(),))
    plan = make_plan(from_frame("quiz", frame), entry(), config)
    generated = sample(toy_engine(), plan, config=config, folder=tmp_path)
    assert generated.responses["question_id"].to_list() == ["p0"]
    assert generated.rejects["reason"].to_list() == ["nan_logprobs"]
    again = sample(toy_engine(), plan, config=config, folder=tmp_path)
    assert again.rejects.equals(generated.rejects) and again.n_resumed == 2


def test_letters_of_a_question_without_options_are_refused(sums):
    with pytest.raises(ValueError, match="has no options"):
        make_plan(sums, entry(profile="letters"), EvalsConfig())


def test_shots_are_the_first_development_rows_of_the_subject(quiz, tmp_path):
    rows = choice_frame("d").with_columns(thought=pl.lit("Even numbers end in 4."))
    rows.write_ndjson(tmp_path / "dev.jsonl")
    choice_frame().write_ndjson(tmp_path / "quiz.jsonl")
    asked = BenchmarkConfig(
        name="quiz", kind="custom", file="quiz.jsonl", n_shots=1, shots_file="dev.jsonl", profile="few_shot"
    )
    benchmark = load(asked, tmp_path)
    prompt = make_plan(benchmark, asked, EvalsConfig()).prompts["prompt"][3]
    assert prompt.count("Assistant: <think>") == 2
    assert "Even numbers end in 4.</think><answer>\\boxed{B}</answer>" in prompt
    lettered = asked.model_copy(update={"profile": "letters", "n_shots": 2})
    assert make_plan(benchmark, lettered, EvalsConfig()).prompts["prompt"][0].count("Answer:") == 3
    with pytest.raises(ValueError, match="2 development rows on subject 'high_school_math'"):
        make_plan(benchmark, asked.model_copy(update={"n_shots": 3}), EvalsConfig())
    asked = asked.model_copy(update={"profile": "chat"})
    config = EvalsConfig(benchmarks=(asked,), system_prompt="Be brief.")
    turns = json.loads(make_plan(benchmark, asked, config, json.dumps).prompts["prompt"][3])
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
    assert turns[0]["content"] == "Be brief."
    assert turns[2]["content"] == "Even numbers end in 4.\n\n\\boxed{B}"
    for profile in ("orz", "plain"):
        silent = asked.model_copy(update={"profile": profile})
        with pytest.raises(ValueError, match="n_shots = 1, but the prompt of its profile shows no worked"):
            make_plan(benchmark, silent, EvalsConfig())


def test_shots_without_development_rows_say_what_to_name(tmp_path):
    choice_frame().write_ndjson(tmp_path / "quiz.jsonl")
    with pytest.raises(ValueError, match="name a shots_file or set n_shots = 0"):
        load(BenchmarkConfig(name="quiz", kind="custom", file="quiz.jsonl", n_shots=1), tmp_path)


def test_shuffled_options_keep_their_right_answer(quiz):
    right = [row["choices"]["ABC".index(row["answer"])] for row in quiz.questions.iter_rows(named=True)]
    seen = set()
    for seed in range(8):
        shuffled = shuffle_options(quiz.questions, seed)
        assert shuffled.equals(shuffle_options(quiz.questions, seed))
        for row, text in zip(shuffled.iter_rows(named=True), right, strict=True):
            assert row["choices"]["ABC".index(row["answer"])] == text
            assert f"{row['answer']}. {text}" in row["problem"].split("\n")
        seen.add(tuple(shuffled["answer"]))
    assert len(seen) > 2


def test_options_inside_the_text_cannot_be_shuffled(quiz):
    moved = quiz.questions.with_columns(pl.col("problem") + "\nChoose one.")
    with pytest.raises(ValueError, match="cannot be reordered"):
        shuffle_options(moved, 0)


def test_a_system_prompt_or_template_arguments_without_a_chat_template_are_refused():
    for field in ({"system_prompt": "Be brief."}, {"template_args": {"enable_thinking": False}}):
        with pytest.raises(ValueError, match="belong to a chat template"):
            EvalsConfig(profile="plain", **field)
        EvalsConfig(profile="plain", benchmarks=(entry(profile="chat"),), **field)


def test_arguments_reach_the_template_and_its_refusals_are_named(tmp_path):
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0}, unk_token="a")))
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
        "{{ messages[-1]['content'] }}{% if enable_thinking is false %}<think></think>{% endif %}"
    )
    tokenizer.save_pretrained(tmp_path)
    words = EvalsConfig(profile="chat", template_args={"enable_thinking": "false"})  # from a command line
    assert words.template_args == {"enable_thinking": False}
    question = [{"role": "user", "content": "2+3?"}]
    assert chat_renderer(tmp_path)(question) == "2+3?"
    assert chat_renderer(tmp_path, {"enable_thinking": False})(question) == "2+3?<think></think>"
    with pytest.raises(ValueError, match="refuses turns of system, user .No system role"):
        chat_renderer(tmp_path)([{"role": "system", "content": "Be brief."}, *question])
