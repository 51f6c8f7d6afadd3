"""What a question says, so that copies with other spaces or LaTeX delimiters are the same question.

index = Index(benchmark.questions)
index.find("Solve the problem. What is $2+3$? Put the answer in a box.")    # its question_id, or None
"""

import re
import unicodedata
from collections import defaultdict

import polars as pl

from evals.benchmarks.registry import LETTERS, Benchmark, split_options
from rewards.contracts.files import hash_text

_DELIMITERS = re.compile(r"\$+|\\[()\[\],;!]|\\(left|right|displaystyle|quad|qquad)(?![a-zA-Z])")
LISTED = dict.fromkeys(("benchmark", "question_id", "question", "answer"), pl.String())
_ANCHOR = 24
"""Characters by which a question is looked up in a longer text."""


def plain_text(text: str) -> str:
    """A question without formatting, words apart by one space.

    >>> plain_text("What  is\\n$2 + 3$?")
    'What is 2 + 3?'
    """
    return " ".join(_DELIMITERS.sub(" ", unicodedata.normalize("NFKC", text)).split()).replace(" ?", "?")


def content(text: str) -> str:
    """What two copies of a question have in common.

    >>> content("What is $x+1$ ?") == content(r"What is \\(x + 1\\)?"), content("x+1") == content("x+2")
    (True, False)
    """
    return plain_text(text).replace(" ", "")


def content_hash(text: str) -> str:
    """Hash of `content`, 16 hex digits."""
    return hash_text(content(text), 16)


def listed(benchmark: Benchmark) -> pl.DataFrame:
    """The questions of a benchmark by what they say: [benchmark, question_id, question, answer].

    `question` is a hash, null without a text; options count in any order, and `answer` is an option's text.
    """
    rows = []
    for row in benchmark.questions.iter_rows(named=True):
        problem, choices, answer = row["problem"], row["choices"], row["answer"]
        said = content(problem)
        if choices:
            said = "|".join(
                [content(split_options(problem, choices) or problem), *sorted(map(content, choices))]
            )
            answer = content(choices[LETTERS.index(answer)]) or answer
        rows.append((benchmark.name, row["question_id"], hash_text(said, 16) if said else None, answer))
    return pl.DataFrame(rows, schema=LISTED, orient="row")


class Index:
    """The questions of a benchmark by what they say."""

    def __init__(self, questions: pl.DataFrame) -> None:
        """`questions` has the columns question_id, problem and choices (evals.benchmarks.registry)."""
        self.exact: dict[str, str] = {}
        self.anchors: dict[int, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
        for row in questions.select("question_id", "problem", "choices").iter_rows(named=True):
            texts = [row["problem"]]
            if row["choices"] and (stem := split_options(row["problem"], row["choices"])):
                texts.append(stem)
            for text in texts:
                self.exact.setdefault(content(text), row["question_id"])
                plain = plain_text(text)
                anchor = plain[-_ANCHOR:]
                self.anchors[len(anchor)][anchor].append((plain, row["question_id"]))
        self._found: dict[str, str | None] = {}

    def find(self, text: str) -> str | None:
        """The question that a text is, or that stands in it whole, the last one if there are several."""
        if text not in self._found:
            self._found[text] = self.exact.get(content(text)) or self._find_inside(plain_text(text))
        return self._found[text]

    def _find_inside(self, text: str) -> str | None:
        best = (0, 0, "")
        for length, table in self.anchors.items():
            for end in range(length, len(text) + 1):
                for plain, question_id in table.get(text[end - length : end], ()):
                    start = end - len(plain)
                    if start >= 0 and text.startswith(plain, start) and _is_apart(text, start, end):
                        best = max(best, (end, len(plain), question_id))
        return best[2] or None


def _is_apart(text: str, start: int, end: int) -> bool:
    """True when no word or number goes on at either end."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (before.isalnum() and text[start].isalnum()) and not (
        after.isalnum() and text[end - 1].isalnum()
    )
