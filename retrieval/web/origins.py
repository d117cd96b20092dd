"""Who really speaks: sources that go back to one work, one group of authors, one agency's text or one site count once."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from ..lexical import tokens
from ..types import Document
from .works import surnames

SHINGLE = 5  # words
COPIED = 0.4  # of the shorter text's shingles, found in the other
SHARED = 0.5  # of the smaller group of authors
AGENCIES = (
    "reuters",
    "ap",
    "afp",
    "dpa",
    "upi",
    "xinhua",
    "tass",
    "ansa",
    "efe",
    "pti",
    "associated press",
    "agence france-presse",
)

_ARCHIVES: frozenset[str] = frozenset(
    (
        "arxiv.org", "ebi.ac.uk", "doi.org", "ncbi.nlm.nih.gov", "pmc.ncbi.nlm.nih.gov", "biorxiv.org", "medrxiv.org",
        "zenodo.org", "hal.science",
    )
)  # fmt: skip


class Origins:
    """Gives each document its origin: the id of the first document met that speaks with the same voice, or its own."""

    def __init__(self) -> None:
        self._met: list[tuple[Document, frozenset[tuple[str, ...]]]] = []

    def marked(self, document: Document) -> Document:
        shingles = _shingles(document.text)
        origin = next(
            (held.source.origin for held, theirs in self._met if _one_voice(document, shingles, held, theirs)), ""
        )
        made = document.model_copy(
            update={"source": document.source.model_copy(update={"origin": origin or document.source.id})}
        )
        self._met.append((made, shingles))
        return made


def _one_voice(
    one: Document, mine: frozenset[tuple[str, ...]], other: Document, theirs: frozenset[tuple[str, ...]]
) -> bool:
    if one.source.id == other.source.id or (one.source.doi and one.source.doi == other.source.doi):
        return True
    shorter = min(len(mine), len(theirs))
    if shorter and len(mine & theirs) / shorter >= COPIED:
        return True
    if same_authors(one.source.authors, other.source.authors):
        return True
    agency = wire(one.text)
    if (
        agency
        and agency == wire(other.text)
        and one.source.date == other.source.date
        and one.source.title == other.source.title
    ):
        return True
    return not (one.source.doi or other.source.doi) and bool(_site(one)) and _site(one) == _site(other)


def same_authors(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether more than half of the smaller group writes in the other too; one person alone is the same only with the same."""
    mine, theirs = surnames(one), surnames(other)
    smaller = min(len(mine), len(theirs))
    return bool(smaller) and len(mine & theirs) / smaller > SHARED and (smaller > 1 or mine == theirs)


def wire(text: str) -> str:
    """The news agency that a text begins with, as in "LONDON (Reuters) - "; "" for none."""
    head = text[:400].casefold()
    return next((agency for agency in AGENCIES if f"({agency})" in head), "")


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = tokens(text)[:4000]
    return frozenset(tuple(words[place : place + SHINGLE]) for place in range(len(words) - SHINGLE + 1))


def _site(document: Document) -> str:
    """The host of a page; "" for what is not on the web, and for archives that hold the works of many."""
    host = (urlsplit(document.source.uri).hostname or "").removeprefix("www.")
    return "" if host in _ARCHIVES or document.source.uri[:4] != "http" else host
