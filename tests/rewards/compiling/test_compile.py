import polars as pl
import pytest
from pydantic import ValidationError

from rewards.comparing.equality import same_answer
from rewards.compiling.compile import compile_answer, compile_rewards
from rewards.compiling.rendering import render_answer
from rewards.compiling.wrong_answers import wrong_neighbors
from rewards.config import RewardsConfig
from rewards.contracts.records import COMPILED_REWARD, PROBLEM, REJECT
from rewards.grader import compare_answers
from rewards.parsing.parser import parse_answer
from rewards.verdict import Reason

CONFIG = RewardsConfig()
SPECIMENS = {
    "12": ("integer", "12"),
    "-3/6": ("fraction", "-\\frac{1}{2}"),
    "0.125": ("decimal", "\\frac{1}{8}"),
    "\\sqrt{8}": ("constant", "\\sqrt{8}"),
    "x^2-1": ("expression", "x^{2}-1"),
    "15\\%": ("percent", "15\\%"),
    "7\\text{ cm}": ("quantity", "7\\text{ cm}"),
    "(1,-2)": ("tuple", "(1,-2)"),
    "1, 2": ("list", "1,2"),
    "\\{3,4\\}": ("set", "\\{3,4\\}"),
    "[0,\\infty)": ("interval", "[0,\\infty )"),
    "x > 3": ("interval", "x\\in (3,\\infty )"),
    "y=2x+1": ("expression", "y=2\\cdot x+1"),
    "x^2+y^2=1": ("relation", "x^{2}+y^{2}=1"),
    "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}": ("matrix", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"),
    "2:3": ("ratio", "2:3"),
    "9:30 a.m.": ("time", "9:30\\text{ am}"),
    "101_2": ("numeral", "101_{2}"),
    "3\\pmod{5}": ("residue", "3\\pmod{5}"),
    "Monday": ("words", "\\text{monday}"),
}


def problems(answers: list[str]) -> pl.DataFrame:
    optional = {column.name: None for column in PROBLEM.columns if column.is_optional}
    rows = [
        {column.name: f"{column.name} {n}" for column in PROBLEM.columns} | optional | {"answer": answer}
        for n, answer in enumerate(answers)
    ]
    return PROBLEM.frame(rows)


@pytest.mark.parametrize(("gold", "answer_type", "canonical"), [(g, *rest) for g, rest in SPECIMENS.items()])
def test_type_and_canonical_form(gold: str, answer_type: str, canonical: str) -> None:
    compiled = compile_answer(gold, CONFIG)
    assert (compiled.refusal, compiled.answer_type, compiled.canonical) == (None, answer_type, canonical)


@pytest.mark.parametrize("gold", list(SPECIMENS))
def test_canonical_form_is_the_same_answer(gold: str) -> None:
    answer = parse_answer(gold)
    assert same_answer(answer, parse_answer(render_answer(answer))) is True


@pytest.mark.parametrize("gold", list(SPECIMENS))
def test_wrong_neighbors_are_rejected(gold: str) -> None:
    neighbors = [render_answer(wrong) for wrong in wrong_neighbors(parse_answer(gold))]
    assert neighbors
    assert [wrong for wrong in neighbors if compare_answers(gold, wrong)[0] is Reason.CORRECT] == []


@pytest.mark.parametrize(
    ("gold", "reason"),
    [
        pytest.param("", "empty_gold", id="empty"),
        pytest.param("$ $", "empty_gold", id="empty-in-dollars"),
        pytest.param("B", "refused_type", id="choice"),
        pytest.param("Proof omitted", "refused_type", id="proof"),
        pytest.param("1" * 500, "too_long", id="long"),
        pytest.param("2 3", "not_parseable", id="two-numbers"),
        pytest.param("(" * 200 + "1" + ")" * 180, "too_large", id="nested"),
        pytest.param("blue } sky", "not_itself", id="closes-the-box"),
    ],
)
def test_refusals(gold: str, reason: str) -> None:
    assert compile_answer(gold, CONFIG).refusal == reason


def test_every_row_is_kept_or_rejected() -> None:
    frame = problems(["7", "7", "B", "", "x+1", "0.5"])
    told: list[int] = []
    result = compile_rewards(frame, CONFIG, told.append)
    assert result.compiled["answer"].to_list() == ["7", "7", "x+1", "0.5"]
    assert result.compiled["problem_id"].to_list() == [f"problem_id {n}" for n in (0, 1, 4, 5)]
    assert list(result.compiled.columns) == COMPILED_REWARD.names
    assert list(result.rejects.columns) == REJECT.names
    assert result.rejects.select("step", "reason", "source_id").rows() == [
        ("compile", "refused_type", "source_id 2"),
        ("compile", "empty_gold", "source_id 3"),
    ]
    assert result.answer_types.rows() == [
        ("integer", 2, 0, 0, "", "agrees 2"),
        ("decimal", 1, 0, 0, "", "agrees 1"),
        ("expression", 1, 0, 1, "", "agrees 1"),
        ("choice", 0, 1, 0, "refused_type 1", ""),
        ("unknown", 0, 1, 0, "empty_gold 1", ""),
    ]
    assert sum(told) == frame.height


def test_no_rows() -> None:
    result = compile_rewards(problems(["1"]).clear(), CONFIG)
    assert (result.compiled.height, result.rejects.height, result.answer_types.height) == (0, 0, 0)


def test_config_decides_what_is_rejected() -> None:
    config = RewardsConfig(refused_types=("integer",), n_neighbors=0, max_answer_chars=3)
    assert compile_answer("7", config).refusal == "refused_type"
    assert compile_answer("B", config).refusal is None
    assert compile_answer("x+12", config).refusal == "too_long"
    with pytest.raises(ValidationError):
        RewardsConfig(refused_types=("vibes",))


def test_a_verifier_that_accepts_neighbors_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "rewards.compiling.compile.compare_answers", lambda gold, answer: (Reason.CORRECT, "typed")
    )
    assert compile_answer("7", CONFIG).refusal == "accepts_wrong"


@pytest.mark.parametrize(
    ("gold", "answer_type"),
    [
        pytest.param("92 (dollars)", "quantity", id="unit-in-parentheses"),
        pytest.param("{2,3,5}", "set", id="plain-braces"),
        pytest.param("-37_{(8)}", "numeral", id="base-in-parentheses"),
        pytest.param("\\frac{1}{2004!}", "fraction", id="too-big-to-write-out"),
        pytest.param("0.09 \\text{ or } \\frac{9}{100}", "list", id="the-same-twice"),
        pytest.param("f(20)>1000", "relation", id="unknown-function"),
        pytest.param("n 2^{n-2}", "expression", id="number-behind-a-letter"),
        pytest.param("1.5 million", "integer", id="scale"),
    ],
)
def test_golds_of_real_corpora_compile(gold: str, answer_type: str) -> None:
    compiled = compile_answer(gold, CONFIG)
    assert (compiled.refusal, compiled.answer_type) == (None, answer_type)


def test_progress_counts_up_to_all_rows() -> None:
    seen: list[int] = []
    compile_rewards(problems([str(n % 7) for n in range(1200)]), CONFIG, seen.append)
    assert seen == [500, 1000, 1200]
