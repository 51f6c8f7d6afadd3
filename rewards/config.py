"""Configuration of the rewards stage."""

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
has a unit, `proof` is text that refers to a proof instead of giving an answer."""


class RewardsConfig(Settings):
    """Which reference answers become rewards, and how they are checked."""

    mode: Mode = "orz"
    """Where to look for the answer in a response. orz: in a box in answer tags (paper, table 1); lenient: in
    a box or an explicit statement. Compiling tests each reference answer in a response of this form."""
    refused_types: tuple[AnswerType, ...] = ("choice", "proof")
    """Types of answer that are rejected. The paper leaves out multiple choice, which can be guessed, and
    proofs (section 2.2)."""
    max_answer_chars: int = Field(default=400, ge=1, le=2000)
    """Longest reference answer, in characters; longer ones are rarely a single answer."""
    n_neighbors: int = Field(default=6, ge=0, le=20)
    """Wrong neighbors (off by one, sign flipped, items swapped, ...) tried on each reference answer; the
    verifier has to reject all of them."""
    second_opinion: bool = True
    """Also ask the Math-Verify library whether it reads each reference answer, and accepts it as written and
    restyled: a column of the prompts and a count for each type of answer, never a reason to reject a row."""
