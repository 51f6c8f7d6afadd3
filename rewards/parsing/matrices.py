"""Parsers for LaTeX environments: matrices, systems and piecewise definitions."""

from collections.abc import Callable

from rewards.answer.types import (
    MINUS_ONE,
    Answer,
    Cases,
    Collection,
    Expression,
    Matrix,
    Operation,
    Scalar,
    Words,
    negative,
)
from rewards.parsing.expressions import parse_expression
from rewards.parsing.tokens import Token
from rewards.parsing.words import canonical_words
from rewards.verdict import UnparsableAnswer

_MATRICES = frozenset(("matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "array"))
MAX_DETERMINANT = 5
"""Largest determinant that is computed, in rows."""
_SYSTEMS = frozenset(("array", "aligned", "align", "gathered", "split"))
"""Environments whose rows can be equations."""
_RELATION_SIGNS = frozenset(("=", "<", ">", "le", "ge"))
_CONDITION_WORDS = frozenset(("if", "for", "when", "where", "if,"))


def parse_environment(tokens: list[Token], parse: Callable[[list[Token]], Answer]) -> Answer | None:
    """Parse `factor \\begin{pmatrix}...\\end{pmatrix}` or cases; None when there is no environment."""
    start = next((n for n, token in enumerate(tokens) if token.kind == "begin"), None)
    if start is None:
        return None
    if tokens[-1].kind != "end" or tokens[-1].value != tokens[start].value:
        raise UnparsableAnswer("an environment inside a larger expression")
    name = tokens[start].value
    body = tokens[start + 1 : -1]
    if name == "array" and body and body[0].value == "{":
        closing = next((n for n, token in enumerate(body) if token.value == "}"), 0)
        body = body[closing + 1 :]
    rows = _rows(body)
    if name == "cases" or (name in _SYSTEMS and _is_system(rows)):
        return _cases(rows, parse)
    if name not in _MATRICES and name != "vmatrix":
        raise UnparsableAnswer(f"cannot read the environment {name}")
    cells = [[parse_expression(cell) for cell in row] for row in rows]
    if len({len(row) for row in cells}) != 1:
        raise UnparsableAnswer("a matrix with rows of different lengths")
    if name == "vmatrix" or (start == 1 and tokens[0].value == "det"):
        if len(cells) != len(cells[0]) or len(cells) > MAX_DETERMINANT or start > (name != "vmatrix"):
            raise UnparsableAnswer("a determinant that is not computed")
        return Scalar(_determinant(cells))
    if start:
        is_negated = start == 1 and tokens[0].value == "-"
        factor = MINUS_ONE if is_negated else parse_expression(tokens[:start])
        cells = [[Operation("*", (factor, cell)) for cell in row] for row in cells]
    return Matrix(tuple(tuple(row) for row in cells))


def _determinant(cells: list[list[Expression]]) -> Expression:
    """Expand along the first row."""
    if len(cells) == 1:
        return cells[0][0]
    terms = []
    for column, cell in enumerate(cells[0]):
        minor = [[other for n, other in enumerate(row) if n != column] for row in cells[1:]]
        term = Operation("*", (cell, _determinant(minor)))
        terms.append(negative(term) if column % 2 else term)
    return Operation("+", tuple(terms))


def _rows(body: list[Token]) -> list[list[list[Token]]]:
    rows: list[list[list[Token]]] = [[[]]]
    level = 0
    for token in body:
        level += (token.kind == "begin") - (token.kind == "end")
        if level == 0 and token.value == "\\\\":
            rows.append([[]])
        elif level == 0 and token.kind == "sign" and token.value == "&":
            rows[-1].append([])
        elif token.value != "hline":
            rows[-1][-1].append(token)
    return [row for row in rows if any(row)]


def _is_system(rows: list[list[list[Token]]]) -> bool:
    return all(any(token.value in _RELATION_SIGNS for cell in row for token in cell) for row in rows)


def _cases(rows: list[list[list[Token]]], parse: Callable[[list[Token]], Answer]) -> Answer:
    pairs: list[tuple[Answer, Answer | None]] = []
    for row in rows:
        cells = _joined([_bare(cell) for cell in row if _bare(cell)])
        if len(cells) == 1:
            pairs.append((parse(cells[0]), None))
        elif len(cells) == 2:
            pairs.append((parse(cells[0]), _condition(cells[1], parse)))
        else:
            raise UnparsableAnswer("a case with more than a value and a condition")
    if all(condition is None for _, condition in pairs):
        return Collection("list", tuple(value for value, _ in pairs))
    conditional = tuple((value, condition) for value, condition in pairs if condition is not None)
    if len(conditional) != len(pairs) or not all(isinstance(value, Scalar) for value, _ in pairs):
        raise UnparsableAnswer("cases with and without conditions")
    return Cases(conditional)


def _joined(cells: list[list[Token]]) -> list[list[Token]]:
    """Rejoin an equation that is aligned at its equals sign: x & = 1."""
    if len(cells) == 2 and (cells[1][0].value in _RELATION_SIGNS or cells[0][-1].value in _RELATION_SIGNS):
        return [cells[0] + cells[1]]
    return cells


def _condition(cell: list[Token], parse: Callable[[list[Token]], Answer]) -> Answer:
    """The condition of a case; text that is not a formula, such as `x even`, is compared as words."""
    try:
        return parse(cell)
    except UnparsableAnswer:
        return Words(canonical_words(" ".join(token.value for token in cell)))


def _bare(cell: list[Token]) -> list[Token]:
    while cell and (cell[-1].value in (",", ";", ".") or cell[0].value.strip() in _CONDITION_WORDS):
        cell = cell[1:] if cell[0].value.strip() in _CONDITION_WORDS else cell[:-1]
    return cell
