"""Variables of a whole answer: which occur, and the answer with other names."""

from dataclasses import fields, is_dataclass
from typing import Any

from rewards.answer.types import Answer, Constant, Expression, Number, Operation, Symbol, substitute, symbols


def symbols_of(answer: Any) -> frozenset[str]:
    """Names of the free variables in an answer of any type."""
    if isinstance(answer, Symbol | Operation | Number | Constant):
        return symbols(answer)
    if isinstance(answer, tuple):
        return frozenset().union(*(symbols_of(part) for part in answer))
    if is_dataclass(answer):
        return frozenset().union(*(symbols_of(getattr(answer, field.name)) for field in fields(answer)))
    return frozenset()


def renamed(answer: Answer, names: dict[Expression, Expression]) -> Answer:
    """Return the answer with variables replaced, wherever they stand."""
    return _renamed(answer, names)


def _renamed(part: Any, names: dict[Expression, Expression]) -> Any:
    if isinstance(part, Symbol | Operation | Number | Constant):
        return substitute(part, names)
    if isinstance(part, tuple):
        return tuple(_renamed(inner, names) for inner in part)
    if is_dataclass(part) and not isinstance(part, type):
        return type(part)(*(_renamed(getattr(part, field.name), names) for field in fields(part)))
    return part
