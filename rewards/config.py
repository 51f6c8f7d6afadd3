"""Configuration of the reward stage."""

from typing import Literal

from pydantic import Field

from rewards.contracts.settings import Settings
from rewards.verdict import Mode

AnswerType = Literal[
    "integer", "fraction", "decimal", "percent", "quantity", "constant", "expression", "choice",
    "words", "proof", "list", "set", "tuple", "interval", "relation", "matrix", "ratio", "time",
    "numeral", "residue", "cases",
]  # fmt: skip
"""What a reference answer can be. `constant` is an irrational number, `expression` has variables, `quantity`
has a unit, `proof` is text that stands for a proof instead of an answer."""


class RewardsConfig(Settings):
    """Which reference answers become rewards, and what they are checked against."""

    mode: Mode = "orz"
    """Where the answer of a response is looked for. orz: in a box in answer tags (paper, table 1); lenient: a
    box or an explicit statement will do. Compiling tries each reference answer in a response of this form."""
    refused_types: tuple[AnswerType, ...] = ("choice", "proof")
    """Types of answer that are set aside. The paper leaves out multiple choice, which can be guessed, and
    proofs (section 2.2)."""
    max_answer_chars: int = Field(default=400, ge=1, le=2000)
    """Longest reference answer, in characters; longer ones are rarely one answer."""
    n_neighbors: int = Field(default=6, ge=0, le=20)
    """Wrong neighbors (off by one, sign flipped, items swapped, ...) that each reference has to refuse."""
