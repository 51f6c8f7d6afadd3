"""The base of every configuration section: frozen, documented, and strict about unknown keys.

Each field either decides the result, which is the default, or belongs to the operation of a run: its type is
then marked, and the run continues when it changes.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class Kind(StrEnum):
    """What a field decides."""

    RESULT = "result"
    OPERATION = "operation"
    """Speed, memory, saving and logging: the bytes of the result stay the same (in fp32 on a CPU; on a GPU,
    rounding may follow the shape of a batch)."""
    PLACEMENT = "placement"
    """Where and in how many parts: the same method, but sums in another order, or responses shuffled into
    other minibatches."""


Operation = Annotated[T, Kind.OPERATION]
Placement = Annotated[T, Kind.PLACEMENT]


class Settings(BaseModel):
    """A configuration section; a docstring below each field is its help text on the command line."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def fields_by_kind(settings: Settings, prefix: str = "") -> Iterator[tuple[str, Kind, Any]]:
    """Yield (dotted key, kind, value as plain data) of all fields, depth first."""
    plain = settings.model_dump(mode="json")
    for name, field in type(settings).model_fields.items():
        kind = next((mark for mark in field.metadata if isinstance(mark, Kind)), Kind.RESULT)
        value = getattr(settings, name)
        if isinstance(value, Settings) and kind is Kind.RESULT:
            yield from fields_by_kind(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", kind, plain[name]
