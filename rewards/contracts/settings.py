"""The base of every configuration section: frozen, documented, and strict about unknown keys."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A configuration section; a docstring below each field is its help text on the command line."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
