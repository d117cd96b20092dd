"""What goes wrong in a way that a person can mend."""

from __future__ import annotations

from palimpsest.retrieval.types import RetrievalError

__all__ = ["BUDGET", "FAILED", "USAGE", "DamagedError", "ResearchError", "RetrievalError"]

FAILED, USAGE, BUDGET = 1, 2, 3


class DamagedError(Exception):
    """A checkpoint that cannot be read."""


class ResearchError(Exception):
    """One sentence that names the thing and the mend, and the exit code of the command."""

    def __init__(self, message: str, code: int = FAILED):
        super().__init__(message)
        self.code = code
