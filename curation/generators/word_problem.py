"""Word problems with one operation on everyday things, several sentence patterns per operation.

Mia has 24 pencils. She buys 17 more pencils. How many pencils does she have now?   ->   24+17=41   ->   41
"""

import random

from curation.generators.family import GeneratorConfig, Task, family, operand

_PEOPLE = (
    ("Mia", "she"), ("Leo", "he"), ("Ava", "she"), ("Noah", "he"), ("Zoe", "she"), ("Omar", "he"),
    ("Ines", "she"), ("Ravi", "he"), ("Lena", "she"), ("Hugo", "he"), ("Yuki", "she"), ("Sam", "he"),
)  # fmt: skip
_THINGS = ("pencils", "apples", "marbles", "stickers", "books", "shells", "coins", "cards", "beads", "stamps")

_PATTERNS = {
    "+": (
        "{name} has {a} {things}. {He} buys {b} more {things}. How many {things} does {he} have now?",
        "{name} has {a} {things} and {other} has {b} {things}. How many {things} do they have together?",
        "There are {a} {things} in one box and {b} {things} in another. How many {things} are there?",
    ),
    "-": (
        "{name} had {a} {things}. {He} gave {b} of them to {other}. How many {things} does {he} have left?",
        "{name} has {a} {things} and {other} has {b} {things}. How many more {things} does {name} have?",
        "{name} needs {a} {things} and already has {b}. How many more {things} does {he} need?",
    ),
    "*": (
        "{name} fills {a} boxes with {b} {things} each. How many {things} is that in all?",
        "A bag holds {b} {things}. How many {things} do {a} bags hold?",
        "Each of {a} children brings {b} {things} to {name}. How many {things} does {name} receive?",
    ),
    "/": (
        "{name} shares {a} {things} equally among {b} friends. How many {things} does each friend get?",
        "{name} packs {a} {things} into bags of {b}. How many bags does {he} fill?",
        "{a} {things} lie in {b} equal rows. How many {things} are in one row?",
    ),
}


@family("word_problem")
def make_word_problem(rng: random.Random, config: GeneratorConfig) -> Task:
    operation = rng.choice("+-*/")
    (name, he), (other, _) = rng.sample(_PEOPLE, 2)
    if operation == "+":
        a, b = operand(rng, config.digits), operand(rng, config.digits)
        answer = a + b
    elif operation == "-":
        b, a = sorted((operand(rng, config.digits), operand(rng, config.digits)))
        answer = a - b
    elif operation == "*":
        a, b = rng.randint(2, 12), operand(rng, config.digits)
        answer = a * b
    else:
        b, answer = rng.randint(2, 12), operand(rng, config.digits)
        a = b * answer
    text = rng.choice(_PATTERNS[operation]).format(
        name=name, he=he, He=he.capitalize(), other=other, things=rng.choice(_THINGS), a=a, b=b
    )
    return Task(text, str(answer), f"{a}{operation}{b}={answer}")
