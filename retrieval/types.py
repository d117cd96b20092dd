"""The nouns of retrieval: where a text came from, a piece of it, and how well it matched a query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


DateOrigin = Literal["", "text", "front matter", "metadata", "file stamp"]  # in that order of trust; "" is unknown
BlockKind = Literal["heading", "byline", "paragraph", "item", "row", "caption", "note", "field", "code"]


class Source(Frozen):
    """One document. `sha256` is the hash of its extracted text (UTF-8), `id` the first 12 hex digits of it."""

    id: str
    uri: str  # a path, an url, or "library:<file name>"
    title: str
    authors: tuple[str, ...] = ()
    date: str | None = None  # ISO 8601, as precise as the document says: 2025, 2025-06 or 2025-06-10
    sha256: str
    media_type: str = "text/plain"
    date_from: DateOrigin = ""
    language: str = ""  # ISO 639-1; "" is not told
    doi: str = ""  # lower case, without https://doi.org/
    venue: str = ""
    volume: str = ""
    issue: str = ""
    pages: str = ""
    publisher: str = ""
    licence: str = ""
    accessed: str = ""  # the day it was fetched, ISO 8601; "" for what lies on this machine
    version: str = ""  # the one that was read: "preprint", "published", a revision's number
    versions: tuple[
        str, ...
    ] = ()  # of a work that there are several of: "published doi:10.1/x", "preprint arXiv:2301.00001v2"
    extent: Literal["", "abstract"] = ""  # "abstract" where the whole text was not to be had
    retracted: Literal["", "retracted", "concern", "corrected"] = ""  # "" is not known to be, which is no proof
    origin: str = ""  # sources of the same origin (a work, an author group, a press release) count once


class Cell(Frozen):
    """A field of a record: its column's (or form field's) name, and the place of its value in the document's text."""

    name: str
    start: int
    end: int


def is_unnamed(name: str) -> bool:
    """Whether the name of a column is only its number: no text says it."""
    return name.startswith("column ") and name[7:].isdigit()


class Block(Frozen):
    """One piece of a document's structure: the document's text[start:end].

    `level` counts headings from 1; `label` is a list item's number as printed; `path` the headings above; `page` counts from 1;
    `box` is left, top, right, bottom in points from the page's top left; `table` and `row` count from 1, headers apart; a row or
    form field is written as a record ("Name: Cy Ortega; Salary 2024: 33,900") whose `cells` say where each value stands.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    label: str = ""
    path: tuple[str, ...] = ()
    page: int | None = None
    box: tuple[float, float, float, float] | None = None
    table: int | None = None
    row: int | None = None
    cells: tuple[Cell, ...] = ()


class Document(Frozen):
    """A source and the whole extracted text that every offset points into; `unread` names what of it could not be read."""

    source: Source
    text: str
    blocks: tuple[Block, ...] = ()
    unread: tuple[Failure, ...] = ()


class Passage(Frozen):
    """`source`'s text[start:end], verbatim. `id` is "<source id>-<start>" and never changes for the same text.

    `path` are the headings above it, `sentences` the [start, end) of its sentences in the source's text, `cells` the fields of the
    rows it holds, all of the document's table `table`; `before` and `after` are the ids of its neighbours in the same section.
    """

    id: str
    text: str
    source: Source
    start: int
    end: int
    path: tuple[str, ...] = ()
    sentences: tuple[tuple[int, int], ...] = ()
    page: int | None = None
    kind: BlockKind = "paragraph"
    cells: tuple[Cell, ...] = ()
    table: int | None = None
    before: str | None = None
    after: str | None = None


class Words(NamedTuple):
    """The tokens of a text, each in its context: `ids` [T], `places` [T, 2], the [start, end) of each in the text, and `states`
    [T, dim] float16, rows of length 1.
    """

    ids: NDArray[np.int64]
    places: NDArray[np.int64]
    states: NDArray[np.float16]


WordsOf = Callable[[Sequence[str]], Sequence[Words]]
"""Texts to the words of each."""


class Hit(Frozen):
    """A passage found by `query` at `rank` (from 1). `score` is comparable within one result list only."""

    passage: Passage
    score: float
    found_by: tuple[str, ...] = ()  # names of the rankings that held it: "dense", "lexical", a searcher's name
    query: str = ""
    rank: int = 0


FailureKind = Literal["", "refused", "limited", "failed", "offline"]


class Failure(Frozen):
    """What could not be read or reached, by name, in a sentence that says why.

    Of a service's call `kind` says how it ended and `cause` why in a word (see `outcomes`); `where` is an address or the place in an
    answer, `until` the moment (ISO 8601) before which asking again is no use.
    """

    name: str
    message: str
    kind: FailureKind = ""
    cause: str = ""
    where: str = ""
    until: str | None = None


Outcome = Literal["found", "empty", "refused", "limited", "failed", "offline"]


class Call(Frozen):
    """One query put to one service, and how it ended."""

    service: str
    query: str
    outcome: Outcome
    found: int = 0
    cause: str = ""
    until: str | None = None
    where: str = ""
    seconds: float = 0.0


class Found(Frozen):
    """Results and failures side by side: one dead source is a fact beside the results. `calls` are all that services were asked."""

    hits: tuple[Hit, ...] = ()
    failures: tuple[Failure, ...] = ()
    calls: tuple[Call, ...] = ()


class RetrievalError(Exception):
    """A file, index or service that could not be used; the message names it and the mend."""

    def __init__(self, message: str, *, retryable: bool = False):
        super().__init__(message)
        self.retryable = retryable


class Where(Frozen):
    """Which documents are searched: an empty field asks for nothing.

    `since` is an ISO date, as precise as one likes (a document without a date is left out); `type` the end of a file's name or a
    word of its media type ("pdf", "csv", "html"); `path` a piece of its path or address, `*` and `?` standing for any letters.
    """

    since: str = ""
    type: str = ""
    path: str = ""


EVERYTHING = Where()


class Searcher(Protocol):
    name: str

    def search(self, query: str, k: int) -> list[Hit]: ...
