"""The verifier, usable as a separate library: is this answer right?

>>> from rewards import grade
>>> grade("So the answer is 50%.", "1/2")
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rewards.grader import grade, grade_batch, verify, verify_batch
    from rewards.verdict import Mode, Reason, Verdict

__all__ = ["Mode", "Reason", "Verdict", "grade", "grade_batch", "verify", "verify_batch"]


def __getattr__(name: str) -> Any:
    """Import the grader on first use, so that importing only a contract stays fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place = "rewards.verdict" if name[0].isupper() else "rewards.grader"
    return getattr(import_module(place), name)
