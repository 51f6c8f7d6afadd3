"""What a check of a model found, line by line, and where it is kept so that the next start need not check."""

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rewards.contracts.files import write_json
from training.packed.packing import PACKED, Layout

logger = logging.getLogger(__name__)

STORE = "REASONER_ZERO_CHECKS"
"""Environment variable with the folder of kept reports; unset: the user's cache folder."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was checked."""

    level: Literal["ok", "slower", "refused"]
    what: str
    found: str
    setting: str = ""
    """What to change, if anything can be done."""

    def __str__(self) -> str:
        return f"{self.what}: {self.found}" + (f"; {self.setting}" if self.setting else "")


class Refused(ValueError):
    """The model cannot be trained or sampled exactly; the text says why and which setting to change."""


@dataclass(frozen=True, slots=True)
class Report:
    """The lines of a check, and how the trainer has to lay out this model's rows."""

    lines: tuple[Line, ...]
    layout: Layout = PACKED
    seconds: float = 0.0

    @property
    def refusals(self) -> list[Line]:
        return [line for line in self.lines if line.level == "refused"]

    def say(self, aloud: bool = True) -> None:
        """Log what is slower than usual, if `aloud`; Refused when the model cannot be used."""
        if self.refusals:
            raise Refused("\n".join(str(line) for line in self.refusals))
        for line in self.lines if aloud else ():
            if line.level == "slower":
                logger.warning("model check: %s", line)


def read_report(key: str) -> Report | None:
    """The report kept under `key`; None when there is none."""
    try:
        found = json.loads(_file(key).read_text())
        return Report(
            tuple(Line(**line) for line in found["lines"]), Layout(**found["layout"]), found["seconds"]
        )
    except (OSError, ValueError, KeyError, TypeError):  # Absent, or written by another version.
        return None


def keep_report(key: str, report: Report) -> None:
    try:
        _file(key).parent.mkdir(parents=True, exist_ok=True)
        write_json(_file(key), asdict(report))
    except OSError as error:  # A folder that cannot be written to costs seconds at the next start, no more.
        logger.warning("model check: the result is not kept: %s", error)


def _file(key: str) -> Path:
    root = os.environ.get(STORE) or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "reasoner-zero", "checks"
    )
    return Path(root) / f"{key}.json"
