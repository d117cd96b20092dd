"""Which documents a person names, before any is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from palimpsest.retrieval.loaders import find_files
from palimpsest.retrieval.types import RetrievalError

from .errors import USAGE, ResearchError


def check_docs(docs: Sequence[Path]) -> None:
    """ResearchError when a path is missing or holds no document; nothing is read yet."""
    if docs:
        try:
            find_files(docs)
        except RetrievalError as error:
            raise ResearchError(str(error), USAGE) from error
