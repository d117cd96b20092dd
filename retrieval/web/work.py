"""What a service says of one work (`Work`), where its text may be had (`Location`), and how such words are made plain."""

from __future__ import annotations

from typing import Literal

from ..types import Frozen

Kind = Literal["paper", "encyclopaedia", "name", "web"]
Version = Literal["", "preprint", "accepted", "published"]
Retracted = Literal["", "retracted", "concern", "corrected"]
EUROPE_PMC = "www.ebi.ac.uk"  # serves whole texts to programs, whatever its robots.txt says to crawlers


class Location(Frozen):
    """A place where the whole text may be had. `media` is "" where the service does not say; a landing page is "html"."""

    url: str
    media: Literal["", "html", "xml", "pdf"] = ""
    licence: str = ""
    version: Version = ""


class Work(Frozen):
    """What a service says of one work. Unknown things are empty; nothing is guessed.

    `text` is the whole text in Markdown where the service gave it at once; `snippet` a few words of it, never evidence by themselves.
    """

    service: str
    id: str
    title: str
    url: str
    kind: Kind = "paper"
    authors: tuple[str, ...] = ()
    date: str | None = None
    doi: str = ""
    arxiv: str = ""
    pmid: str = ""
    pmcid: str = ""
    venue: str = ""
    volume: str = ""
    issue: str = ""
    pages: str = ""
    publisher: str = ""
    licence: str = ""
    language: str = ""
    version: Version = ""
    revision: str = ""
    abstract: str = ""
    text: str = ""
    snippet: str = ""
    locations: tuple[Location, ...] = ()
    retracted: Retracted = ""
    is_notice: bool = False  # a note that another work was retracted or corrected
    also: tuple[str, ...] = ()  # other services that hold it
    same_as: tuple[str, ...] = ()  # DOIs of other versions of the same work
    versions: tuple[str, ...] = ()  # of a work told in several: each with where it lies, "preprint arXiv:2301.00001v2"


def doi_of(text: str | None) -> str:
    """A DOI without its address and in lower case; "" when there is none."""
    bare = (text or "").strip().lower()
    for lead in ("https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/", "doi:"):
        bare = bare.removeprefix(lead)
    return bare if bare.startswith("10.") and "/" in bare else ""


def page_range(first: str | None, last: str | None) -> str:
    """Pages "12-19"; one page, or the number of an article, by itself."""
    return "-".join(dict.fromkeys(filter(None, (one_line(first), one_line(last)))))


def one_line(text: str | None) -> str:
    """Words on one line, without what no reader sees: a terminal would obey it, or print the letters in another order."""
    return " ".join("".join(letter for letter in text or "" if _is_seen(letter)).split())


def _is_seen(letter: str) -> bool:
    return (
        letter.isprintable() or letter.isspace() or letter in "\u200c\u200d"
    )  # these two join letters of many scripts


def plain(markup: str | None) -> str:
    """The words of a snippet or a JATS abstract, on one line for each paragraph, without its markup."""
    if not markup:
        return ""
    from lxml import html  # type: ignore[import-untyped]
    from lxml.etree import LxmlError  # type: ignore[import-untyped]

    try:
        tree = html.fragment_fromstring(markup, create_parent="div")
    except (LxmlError, ValueError):
        return one_line(markup)
    for title in list(tree.iter("jats:title", "title")):
        title.drop_tree()
    for paragraph in tree.iter("jats:p", "p", "br"):
        paragraph.tail = "\n" + (paragraph.tail or "")
    lines = (one_line(line) for line in str(tree.text_content()).split("\n"))
    return " ".join(line for line in lines if line)
