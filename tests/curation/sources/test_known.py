"""Known data sets: each on a small file with its published columns, from the file to kept problems."""

import json
from pathlib import Path

import polars as pl
import pytest

from curation.config import CurationConfig
from curation.curate import curate
from curation.sources.config import SourceConfig
from curation.sources.known import known_dataset, known_datasets

NOTHING = pl.DataFrame(schema={"benchmark": pl.String(), "question_id": pl.String(), "problem": pl.String()})
TOPICS = (
    "oranges",
    "stamps",
    "bricks",
    "tickets",
    "pencils",
    "marbles",
    "bottles",
    "candles",
    "shells",
    "coins",
)
PROBLEMS = [
    (
        f"A crate holds {n + 12} {TOPICS[n % 10]} and {n + 3} lids. How many are in {n + 20} crates?",
        (2 * n + 15) * (n + 20),
    )
    for n in range(20)
]
DAPO = (
    "Solve the following math problem step by step. The last line of your response should be of the form Answer: "
    "$Answer (without quotes) where $Answer is the answer to the problem.\n\n{}\n\n"
    'Remember to put your answer on its own line after "Answer:".'
)
EURUS = "{}\n\nPresent the answer in LaTex format: \\boxed{{Your answer}}"
GURU = "{} Please output the final answer within \\boxed{{}}."
PRIME = (
    "Solve the following math problem efficiently and clearly. The last line of your response should be: "
    "Therefore, the final answer is: $\\boxed{{ANSWER}}$.\n\n{}"
)


def verl(text: str, gold: object, ability: str = "math", system: bool = False, **more: object) -> dict:
    turns = [{"role": "system", "content": "You are a careful solver."}] if system else []
    return {
        "data_source": "math_dapo",
        "prompt": [*turns, {"role": "user", "content": text}],
        "ability": ability,
        "reward_model": {"ground_truth": gold, "style": "rule"},
        "extra_info": {"index": f"i-{hash(text) % 10**9}"},
        **more,
    }


def choices(n: int) -> str:
    return f"a ) {n} , b ) {n + 1} , c ) {n + 2} , d ) {n + 3} , e ) none"


def orz(p: str, a: int) -> list:
    return [{"from": "human", "value": p}, {"from": "assistant", "ground_truth": {"value": str(a)}}]


SHOTS = "Question: What is 2 + 2?\nAnswer: It is 4. So the answer is 4.\n\nQuestion: {}\nAnswer:"
ROWS = {
    "dapo-math-17k": lambda p, a: verl(DAPO.format(p), str(a)),
    "dapo-math-17k-processed": lambda p, a: {**verl(p, str(a)), "prompt": p, "solution": str(a)},
    "deepscaler": lambda p, a: {"problem": p, "answer": str(a), "solution": ""},
    "big-math-rl-verified": lambda p, a: {
        "problem": p, "answer": str(a), "source": "orca_math", "domain": ["Mathematics -> Algebra"],
        "llama8b_solve_rate": 0.4,
    },
    "numinamath-1.5": lambda p, a: {
        "problem": p, "solution": f"It is {a}.", "answer": str(a), "problem_type": "Algebra",
        "question_type": "math-word-problem", "problem_is_valid": "Yes", "solution_is_valid": "Yes",
        "source": "olympiads", "synthetic": False,
    },
    "openr1-math-220k": lambda p, a: {
        "problem": p, "solution": "s", "answer": str(a), "problem_type": "Algebra",
        "question_type": "math-word-problem", "source": "olympiads", "uuid": p[-30:],
        "is_reasoning_complete": [True], "generations": ["g"], "correctness_math_verify": [True, False],
        "correctness_llama": None, "correctness_count": 1,
    },
    "skywork-or1": lambda p, a: verl(p, json.dumps([str(a)])),
    "eurus-2-rl": lambda p, a: verl(EURUS.format(p), str(a), system=True),
    "deepmath-103k": lambda p, a: {
        "question": p, "final_answer": str(a), "difficulty": 5.5, "topic": "Calculus", "r1_solution_1": "s",
    },
    "orz-57k": orz,
    "orz-72k": lambda p, a: dict(zip("01", orz(p, a), strict=True)),
    "orz-13k-hard": lambda p, a: [{"from": "Human", "value": p}, orz(p, a)[1]],
    "omni-math": lambda p, a: {
        "domain": ["Mathematics -> Algebra"], "difficulty": 5.0, "problem": p, "solution": "s",
        "answer": str(a), "source": "imo",
    },
    "math": lambda p, a: {
        "problem": p, "level": "Level 5", "type": "Algebra", "solution": f"It is \\boxed{{1}}, so \\boxed{{{a}}}.",
    },
    "gsm8k": lambda p, a: {"question": p, "answer": f"2*3 = <<2*3=6>>6\n#### {a}"},
    "acereason-math": lambda p, a: {"problem": p, "answer": str(a)},
    "am-thinking": lambda p, a: verl(p, str(a)),
    "openmathreasoning": lambda p, a: {
        "expected_answer": str(a), "problem_type": "has_answer_extracted", "problem_source": "aops",
        "pass_rate_72b_tir": "0.5", "problem": p, "generated_solution": "g",
    },
    "polaris-53k": lambda p, a: {"problem": p, "answer": str(a), "difficulty": "3/8"},
    "ii-thought": lambda p, a: {
        "id": p[-20:], "problem": p, "type": "math", "data_source": "numina",
        "verification_info": str({"answer": {"value": str(a)}}),
    },
    "synthetic-1": lambda p, a: {
        "source": "numina", "task_type": "verifiable_math", "in_source_id": "v", "prompt": PRIME.format(p),
        "gold_standard_solution": "s", "verification_info": str({"ground_truth": str(a)}), "problem_id": p[-20:],
    },
    "guru": lambda p, a: {
        **verl(GURU.format(p), str(a)), "qwen2.5_7b_pass_rate": 0.2, "qwen3_30b_pass_rate": 0.7,
    },
    "light-r1": lambda p, a: {
        "conversations": [
            {"from": "user", "value": p}, {"from": "assistant", "value": f"<think>hm</think> \\boxed{{{a}}}"},
        ]
    },
    "limo": lambda p, a: {"question": p, "solution": "s", "answer": str(a)},
    "simplerl-zoo": lambda p, a: {
        **verl(f"<|im_start|>user\n{p}<|im_end|>", str(a)), "gt_answer": str(a), "level": 3,
        "extra_info": {"question": p, "answer": str(a)},
    },
    "metamathqa": lambda p, a: {
        "type": "GSM_Rephrased", "query": p, "original_question": "o", "response": f"so\n#### {a}\nThe answer is: {a}",
    },
    "mathqa": lambda p, a: {
        "Problem": p, "Rationale": "r", "options": choices(a), "correct": "a", "category": "gain",
    },
    "aqua": lambda p, a: {
        "question": p, "options": [f"{letter}){a + n}" for n, letter in enumerate("ABCDE")], "rationale": "r",
        "correct": "A",
    },
    "tulu-3-rlvr": lambda p, a: {
        "messages": [{"role": "user", "content": SHOTS.format(p)}], "ground_truth": str(a), "dataset": "gsm8k",
        "constraint_type": None, "constraint": None,
    },
    "nemotron-crossthink": lambda p, a: {
        **verl(f"Solve the following problem. Make sure to put the answer (and only answer) inside \\boxed{{}}.\n\n{p}", str(a)),
        "meta_data": {"question": p},
    },
}  # fmt: skip
LEFT_OUT = {
    "numinamath-1.5": {"problem_is_valid": "Incomplete"},
    "openr1-math-220k": {"question_type": "proof"},
    "eurus-2-rl": {"ability": "code"},
    "skywork-or1": {"ability": "code"},
    "am-thinking": {"ability": "code"},
    "openmathreasoning": {"problem_type": "no_answer_extracted"},
    "ii-thought": {"type": "code"},
    "synthetic-1": {"task_type": "llm_judgeable"},
    "guru": {"ability": "logic", "data_source": "logic"},
    "tulu-3-rlvr": {"dataset": "ifeval"},
}
CHOICES = ("mathqa", "aqua")


def test_every_known_data_set_is_tried_here():
    assert set(ROWS) == set(known_datasets())
    assert all(known.about and known.documented.startswith("https://") for known in known_datasets().values())


@pytest.mark.parametrize("name", [name for name in ROWS if name not in CHOICES])
def test_comes_in_right(tmp_path, name):
    rows = [ROWS[name](problem, answer) for problem, answer in PROBLEMS]
    if name in LEFT_OUT:
        rows += [
            {**ROWS[name](f"Left out, {problem}", answer), **LEFT_OUT[name]}
            for problem, answer in PROBLEMS[:3]
        ]
    kept, rejects = run(tmp_path, name, rows)
    assert kept == {problem: str(answer) for problem, answer in PROBLEMS}
    assert [row["reason"] for row in rejects] == ["not_selected"] * (3 if name in LEFT_OUT else 0)


@pytest.mark.parametrize("name", CHOICES)
def test_multiple_choice_goes(tmp_path, name):
    rows = [ROWS[name](problem, answer) for problem, answer in PROBLEMS]
    with pytest.raises(ValueError, match=rf"no problem is left; dropped: multiple_choice {len(PROBLEMS)};"):
        run(tmp_path, name, rows)


def run(folder: Path, name: str, rows: list) -> tuple[dict[str, str], list[dict]]:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = CurationConfig.model_validate({"sources": [{"dataset": name, "file": "rows.jsonl"}]})
    made = curate(config, data_root=folder, protected=NOTHING, folder=folder / "out")
    assert not [alarm for alarm in made.facts["alarms"] if "begin with" in alarm or "end with" in alarm]
    return dict(made.problems.select("problem", "answer").iter_rows()), made.rejects.to_dicts()


@pytest.mark.parametrize(
    ("name", "found"),
    [("dapo_math_17k", "dapo-math-17k"), ("OpenR1-Math-220k", "openr1-math-220k"), ("GAIR/LIMO", "limo")],
)
def test_names_are_found_in_other_spellings(name, found):
    assert known_dataset(name).name == found


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'deepscaler'"):
        SourceConfig(dataset="deepscaller")
    with pytest.raises(ValueError, match="known: acereason-math, am-thinking"):
        known_dataset("zzz")


def test_what_is_set_takes_precedence():
    source = SourceConfig(dataset="polaris-53k", name="hard", where="difficulty <> '8/8'", license="MIT")
    assert (source.name, source.license, source.where) == ("hard", "MIT", "difficulty <> '8/8'")
    assert source.hub is not None and source.hub.id == "POLARIS-Project/Polaris-Dataset-53K"
    again = SourceConfig.model_validate(source.model_dump(mode="json"))
    assert again == source
