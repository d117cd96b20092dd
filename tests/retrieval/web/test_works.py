"""Records of several services become works; sources of one voice get one origin."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.retrieval.loaders import document
from palimpsest.retrieval.types import Document
from palimpsest.retrieval.web.origins import Origins, same_authors
from palimpsest.retrieval.web.work import Location, Work
from palimpsest.retrieval.web.works import locations, merged, same, surnames

TITLE = "Denoising text in parallel with typed masks"


def work(service: str = "a", **more: Any) -> Work:
    given = {"id": "1", "title": TITLE, "url": f"https://{service}.example", "authors": ("Ada Byron",), "date": "2025"}
    return Work(service=service, **{**given, **more})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"doi": "10.1/a", "title": "x"}, {"doi": "10.1/a", "title": "y"}),
        ({"arxiv": "2401.1", "same_as": ("10.1/a",), "title": "x"}, {"doi": "10.1/a", "title": "y"}),
        ({"arxiv": "2401.1", "title": "x"}, {"doi": "10.48550/arxiv.2401.1", "title": "y"}),
        ({"pmid": "7", "title": "x"}, {"pmid": "7", "title": "y"}),
        ({"version": "preprint", "date": "2023-05-01"}, {"version": "published", "date": "2025-01-01"}),
        ({"title": TITLE + "."}, {"title": TITLE.upper(), "authors": ("Byron A",)}),
        ({}, {"authors": ()}),
    ],
)
def test_records_of_one_work(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert same(work(**one), work(**other))
    assert same(work(**other), work(**one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"title": TITLE.replace("text", "images")}),
        ({}, {"authors": ("Charles Babbage",)}),
        ({"version": "published"}, {"version": "published", "date": "2021"}),
        ({"title": "Introduction"}, {"title": "Introduction"}),
        ({"doi": "10.1/a"}, {"doi": "10.1/a", "is_notice": True}),
        ({"kind": "web", "url": "https://x.example/1"}, {"kind": "web", "url": "https://x.example/2"}),
    ],
)
def test_records_of_two(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert not same(work(**one), work(**other))


def test_what_services_say_is_put_together() -> None:
    preprint = work(
        "arxiv",
        version="preprint",
        arxiv="2401.1",
        date="2024-01-02",
        abstract="long abstract",
        authors=("A Byron", "C Babbage"),
    )
    paper = work(
        "crossref",
        version="published",
        doi="10.1/a",
        date="2025-03",
        venue="J",
        retracted="corrected",
        same_as=("10.1/p",),
    )
    other = work("doaj", doi="10.1/b", title="Something else altogether, of bread")
    first, second = merged([[preprint, other], [paper]])
    assert (first.doi, first.arxiv, first.date, first.venue) == ("10.1/a", "2401.1", "2025-03", "J")
    assert (first.abstract, first.authors, first.retracted) == ("long abstract", ("A Byron", "C Babbage"), "corrected")
    assert first.service == "crossref"
    assert first.also == ("arxiv",)
    assert second.doi == "10.1/b"


def test_what_several_services_hold_comes_first() -> None:
    one, both = (
        work("a", doi="10.1/one", title="Only in the first one here"),
        work("a", doi="10.1/both", title="In both of them"),
    )
    assert [w.doi for w in merged([[one, both], [both.model_copy(update={"service": "b"})]])] == [
        "10.1/both",
        "10.1/one",
    ]


def test_places_of_a_text_html_then_xml_then_pdf() -> None:
    given = (Location(url="https://b.example/pdf", media="pdf"), Location(url="https://b.example/html", media="html"))
    found = locations(work(pmcid="PMC9", arxiv="2401.1", locations=given))
    assert [place.media for place in found] == ["html", "html", "xml", "pdf", "pdf"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("Ada Byron", "Byron, Ada", "Byron A", "A. Byron"), {"byron"}),
        (("João Vilar",), {"vilar"}),
        (("Plato",), {"plato"}),
        ((), set()),
    ],
)
def test_surnames(names: tuple[str, ...], expected: set[str]) -> None:
    assert surnames(names) == expected


def signed(text: str, uri: str, **more: Any) -> Document:
    made = document(text, uri=uri)
    return made.model_copy(update={"source": made.source.model_copy(update=more)})


def sentences(*numbers: int) -> str:
    return " ".join(f"The {n}th of these sentences says its very own thing about number {n * 7}." for n in numbers)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (signed(sentences(*range(20)), "https://a.example/1"), signed("By us. " + sentences(*range(20)), "https://b.example/2")),
        (signed("One.", "https://x.org/1", authors=("A Byron", "C Babbage", "E Else")),
         signed("Two.", "https://y.org/2", authors=("Ada Byron", "Charles Babbage"))),
        (signed("One.", "https://site.example/1"), signed("Two.", "https://www.site.example/2")),
        (signed("One.", "https://x.org/1", doi="10.1/a"), signed("Two.", "https://y.org/2", doi="10.1/a")),
    ],
)  # fmt: skip
def test_one_voice(one: Document, other: Document) -> None:
    origins = Origins()
    assert origins.marked(one).source.origin == origins.marked(other).source.origin == one.source.id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (signed(sentences(1, 2, 3), "https://a.example/1"), signed(sentences(14, 15, 16), "https://b.example/2")),
        (signed("One.", "https://arxiv.org/abs/1", authors=("A Byron", "B Else")),
         signed("Two.", "https://arxiv.org/abs/2", authors=("A Byron", "C Third", "D Fourth", "E Fifth"), doi="10.1/x")),
        (signed("One.", "/home/me/a.txt"), signed("Two.", "/home/me/b.txt")),
    ],
)  # fmt: skip
def test_two_voices(one: Document, other: Document) -> None:
    origins = Origins()
    origins.marked(one)
    assert origins.marked(other).source.origin == other.source.id


def test_one_shared_name_among_many_is_no_group() -> None:
    assert not same_authors(("A Byron", "B Second", "C Third"), ("A Byron", "D Fourth", "E Fifth"))
    assert not same_authors((), ("A Byron",))
