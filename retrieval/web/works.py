"""Works told by several services become one: by DOI, arXiv id, PubMed id, or title and year. A preprint and its paper are one work."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from rapidfuzz import fuzz

from .work import Location, Retracted, Work

ALIKE = 95.0  # per cent of two normalised titles
MIN_TITLE = 20  # letters; "Introduction" is the title of thousands
_GRAVITY: tuple[Retracted, ...] = ("retracted", "concern", "corrected", "")
_VERSIONS = ("published", "accepted", "preprint", "")


def merged(rankings: Iterable[Sequence[Work]]) -> list[Work]:
    """Each work once, by the sum of 1 / (60 + rank) over the rankings that hold it; what the services say of it is put together."""
    groups: list[list[Work]] = []
    scores: list[float] = []
    for ranking in rankings:
        for rank, work in enumerate(ranking, start=1):
            place = next((index for index, group in enumerate(groups) if any(same(work, held) for held in group)), None)
            if place is None:
                groups.append([work])
                scores.append(0.0)
                place = len(groups) - 1
            else:
                groups[place].append(work)
            scores[place] += 1.0 / (60 + rank)
    order = sorted(range(len(groups)), key=lambda index: (-scores[index], groups[index][0].url))
    return [together(groups[index]) for index in order]


def same(one: Work, other: Work) -> bool:
    """Whether two records are of one work. A notice of retraction is never its paper."""
    if one.is_notice != other.is_notice:
        return False
    if _known(one) & _known(other):
        return True
    if one.kind != "paper" or other.kind != "paper":
        return one.url == other.url
    return _same_title(one, other)


def _known(work: Work) -> set[str]:
    ids = {f"doi:{doi}" for doi in (work.doi, *work.same_as) if doi}
    ids |= {f"doi:10.48550/arxiv.{work.arxiv.lower()}", f"arxiv:{work.arxiv.lower()}"} if work.arxiv else set()
    return ids | ({f"pmid:{work.pmid}"} if work.pmid else set()) | ({f"pmcid:{work.pmcid}"} if work.pmcid else set())


def _same_title(one: Work, other: Work) -> bool:
    """By title, year and a shared name. Preprint and paper may lie two years apart."""
    first, second = folded(one.title), folded(other.title)
    if min(len(first), len(second)) < MIN_TITLE or fuzz.ratio(first, second) < ALIKE:
        return False
    years = [int(work.date[:4]) for work in (one, other) if work.date and work.date[:4].isdecimal()]
    apart = 2 if {one.version, other.version} & {"preprint", ""} else 1
    if len(years) == 2 and abs(years[0] - years[1]) > apart:
        return False
    names, others = surnames(one.authors), surnames(other.authors)
    return not names or not others or bool(names & others)


def together(group: Sequence[Work]) -> Work:
    """One record: of each thing the first that is known, the published version before the preprint; the gravest mark stays."""
    order = sorted(group, key=lambda work: _VERSIONS.index(work.version))
    first = order[0]
    fields = (
        "doi",
        "arxiv",
        "pmid",
        "pmcid",
        "venue",
        "volume",
        "issue",
        "pages",
        "publisher",
        "licence",
        "language",
        "text",
        "snippet",
        "revision",
        "date",
    )
    known = {
        name: next((value for work in order if (value := getattr(work, name))), getattr(first, name)) for name in fields
    }
    marks = {work.retracted for work in group}
    return first.model_copy(
        update={
            **known,
            "authors": max((work.authors for work in order), key=len),
            "abstract": max((work.abstract for work in order), key=len),
            "retracted": next(mark for mark in _GRAVITY if mark in marks),
            "locations": tuple(dict.fromkeys(place for work in order for place in work.locations)),
            "also": tuple(
                dict.fromkeys(name for work in group for name in (work.service, *work.also) if name != first.service)
            ),
            "same_as": tuple(
                dict.fromkeys(doi for work in order for doi in (work.doi, *work.same_as) if doi and doi != first.doi)
            ),
            "versions": _several(tuple(dict.fromkeys(name for work in order for name in versions(work)))),
        }
    )


def versions(work: Work) -> tuple[str, ...]:
    """The versions of a work that its record tells of, each with where it lies; () where there is but one."""
    place = f"doi:{work.doi}" if work.doi else f"arXiv:{work.arxiv}{work.revision}" if work.arxiv else ""
    named = work.versions or (f"{work.version} {place}".strip(),)
    joined = " ".join(named)
    return tuple(filter(None, (*named, *(f"doi:{doi}" for doi in work.same_as if doi not in joined))))


def _several(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of versions without those that say only where another lies."""
    full = tuple(name for name in names if " " in name)
    return (*full, *(name for name in names if " " not in name and not any(name in other for other in full)))


def locations(work: Work) -> tuple[Location, ...]:
    """Every open place of its text: what the services named, and the archives that its ids lead to; HTML, then XML, then PDF."""
    found = list(work.locations)
    if work.pmcid:
        rest = "https://www.ebi.ac.uk/europepmc/webservices/rest"
        found.append(Location(url=f"{rest}/{work.pmcid}/fullTextXML", media="xml"))
    if work.arxiv and not any("arxiv.org/" in place.url for place in found):
        found.append(Location(url=f"https://arxiv.org/html/{work.arxiv}", media="html", version="preprint"))
        found.append(Location(url=f"https://arxiv.org/pdf/{work.arxiv}", media="pdf", version="preprint"))
    once: dict[str, Location] = {}
    for place in found:
        once.setdefault(place.url, place)
    order = {"html": 0, "xml": 1, "": 2, "pdf": 3}
    return tuple(sorted(once.values(), key=lambda place: order[place.media]))


def folded(title: str) -> str:
    """A title as letters and figures only, for comparing."""
    plain = unicodedata.normalize("NFKD", title).casefold()
    return " ".join(
        "".join(letter if letter.isalnum() else " " for letter in plain if not unicodedata.combining(letter)).split()
    )


def surnames(authors: Iterable[str]) -> set[str]:
    """The last names of people written as "Ada Lovelace", "Lovelace, Ada" or "Lovelace A"."""
    return {name for author in authors if (name := _surname(author))}


def _surname(author: str) -> str:
    if "," in author:
        return folded(author.partition(",")[0])
    parts = author.split()
    while len(parts) > 1 and len(parts[-1].strip(".")) <= 3 and parts[-1].strip(".").isupper():
        parts.pop()  # initials after the name
    return folded(parts[-1]) if parts else ""
