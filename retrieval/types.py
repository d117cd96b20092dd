"""The nouns of retrieval: where a text came from, a piece of it, and how well it matched a query."""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Frozen):
    """One document. `sha256` is the hash of its extracted text (UTF-8), `id` the first 12 hex digits of it."""

    id: str
    uri: str  # a path, an url, or "library:<file name>"
    title: str
    authors: tuple[str, ...] = ()
    date: str | None = None  # ISO 8601, as precise as the document says: 2025, 2025-06 or 2025-06-10
    sha256: str
    media_type: str = "text/plain"


class Document(Frozen):
    """A source and the whole extracted text that every offset points into."""

    source: Source
    text: str


class Passage(Frozen):
    """`source`'s text[start:end], verbatim. `id` is "<source id>-<start>" and never changes for the same text."""

    id: str
    text: str
    source: Source
    start: int
    end: int


class Hit(Frozen):
    """A passage found by a query. `score` is comparable within one result list only."""

    passage: Passage
    score: float
    found_by: tuple[str, ...] = ()  # names of the rankings that held it: "dense", "lexical", a searcher's name


class Failure(Frozen):
    """What could not be read or reached, by name, in a sentence that says why."""

    name: str
    message: str


class Found(Frozen):
    """Results and failures side by side: one dead source is a fact beside the results."""

    hits: tuple[Hit, ...] = ()
    failures: tuple[Failure, ...] = ()


class RetrievalError(Exception):
    """A file, index or service that could not be used; the message names it and the mend."""

    def __init__(self, message: str, *, retryable: bool = False):
        super().__init__(message)
        self.retryable = retryable


class Searcher(Protocol):
    name: str

    def search(self, query: str, k: int) -> list[Hit]: ...
