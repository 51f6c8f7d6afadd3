"""Generators: exact answers checked by an independent evaluator, seeds, distinctness, settings."""

import re
from fractions import Fraction
from math import gcd, lcm

import pytest
from pydantic import ValidationError

from curation.generators import FAMILIES, GeneratorConfig, generate


def tasks(family: str, **knobs):
    return list(generate(GeneratorConfig(family=family, n_problems=60, **knobs)))


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("style", ["short", "words"])
def test_every_family_is_deterministic_and_distinct(family, style):
    first, second = tasks(family, style=style), tasks(family, style=style)
    assert first == second
    assert len({task.problem for task in first}) == 60
    assert tasks(family, style=style, seed=1) != first
    assert all(task.problem and task.answer and task.solution for task in first)


@pytest.mark.parametrize("family", ["addition", "subtraction", "multiplication", "expression"])
def test_plain_arithmetic_answers_are_right(family):
    for task in tasks(family):
        tokens = re.findall(r"\d+|[-+*]", task.problem.removesuffix("=?"))
        terms, sign = [0], 1
        for index, token in enumerate(tokens):  # a tiny evaluator: * binds tighter than + and -
            if token.isdigit():
                if index and tokens[index - 1] == "*":
                    terms[-1] *= int(token)
                else:
                    terms.append(sign * int(token))
            elif token in "+-":
                sign = 1 if token == "+" else -1
        assert str(sum(terms)) == task.answer, task


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_equation_of_a_solution_holds(family):
    """Each `a op b = c` of integers in a worked solution is true."""
    for task in tasks(family):
        for a, op, b, c in re.findall(r"(?<![\d*+/-])(\d+) ?([-+*]) ?(\d+) ?=(\d+)(?![\d/*])", task.solution):
            value = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[op]
            assert value == int(c), task


def test_addition_scratchpad_is_compact_regular_and_spells_the_answer():
    for task in tasks("addition", digits=2):
        assert re.fullmatch(r"[1-9]\d\+[1-9]\d=\?", task.problem)
        columns = task.solution.split(";")
        assert len(columns) == 2 and len(task.solution) <= 17
        for column in columns:
            left, right = column.split("=")
            assert sum(map(int, left.split("+"))) == int(right)
        ones, tens = (column.split("=")[1] for column in columns)
        assert tens + ones[-1] == task.answer
        assert ("+1=" in columns[1] and columns[1].count("+") == 2) == (int(ones) >= 10)


def test_addition_in_words():
    assert re.fullmatch(r"What is \d\d \+ \d\d\?", tasks("addition", style="words")[0].problem)


def test_number_theory_and_fractions_against_the_standard_library():
    for name, function in (("gcd", gcd), ("lcm", lcm)):
        for task in tasks(name):
            a, b = map(int, re.findall(r"\d+", task.problem))
            assert function(a, b) == int(task.answer)
    for task in tasks("fraction_sum"):
        a, b = re.findall(r"\d+/\d+", task.problem)
        assert Fraction(a) + Fraction(b) == Fraction(task.answer)
    for task in tasks("modular_power"):
        base, exponent, modulus = map(int, re.findall(r"\d+", task.problem))
        assert pow(base, exponent, modulus) == int(task.answer)
    for task in tasks("base_conversion"):
        number, base = map(int, re.findall(r"\d+", task.problem))
        assert int(task.answer, base) == number
    for task in tasks("linear_equation"):
        a, sign, b, right = re.match(r"(\d+)x ([-+]) (\d+) = (-?\d+)", task.problem).groups()
        assert int(a) * int(task.answer) + int(sign + b) == int(right)


def test_settings_that_allow_too_few_problems_are_refused():
    with pytest.raises(ValueError, match="only 81 distinct problems, 100 were requested"):
        list(generate(GeneratorConfig(family="addition", digits=1, n_problems=100)))


def test_unknown_family_names_the_nearest():
    with pytest.raises(ValidationError, match="did you mean addition"):
        GeneratorConfig(family="adition")
