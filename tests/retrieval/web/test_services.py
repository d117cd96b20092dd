"""Each adapter with small made-up answers of its service's shape; no broken answer may look like an empty one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stamina

from palimpsest.retrieval.http import Rate
from palimpsest.retrieval.outcomes import Failed, Limited, Refused, SourceError
from palimpsest.retrieval.types import RetrievalError
from palimpsest.retrieval.web import services
from palimpsest.retrieval.web.arxiv import expression
from palimpsest.retrieval.web.service import Filters, Service
from palimpsest.retrieval.web.words import terms
from palimpsest.retrieval.web.work import doi_of, plain

from .scripted import Network, door

KEYS = {
    "BRAVE_API_KEY": "s3cret",
    "TAVILY_API_KEY": "s3cret",
    "OPENALEX_API_KEY": "s3cret",
    "SEMANTIC_SCHOLAR_API_KEY": "s3cret",
}

FEED = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:o="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom">
<o:totalResults>{total}</o:totalResults><o:startIndex>0</o:startIndex>{entries}</feed>"""
ENTRY = """<entry><id>http://arxiv.org/abs/2401.00001v2</id><title>Denoising
  in parallel</title><summary>We fill
  masks.</summary><published>2024-01-02T00:00:00Z</published><author><name>Ada Byron</name></author>
<arxiv:doi>10.1000/JOURNAL.7</arxiv:doi></entry>"""

OPENALEX: dict[str, Any] = {
    "meta": {"count": 1},
    "results": [
        {
            "id": "https://openalex.org/W1",
            "display_name": "Denoising in parallel",
            "doi": "https://doi.org/10.1000/Journal.7",
            "ids": {"pmid": "https://pubmed.ncbi.nlm.nih.gov/77"},
            "authorships": [{"author": {"display_name": "Ada Byron"}}],
            "publication_date": "2025-03-01",
            "abstract_inverted_index": {"masks": [1, 3], "Fill": [0], "then": [2]},
            "type": "article",
            "primary_location": {
                "version": "publishedVersion",
                "source": {"display_name": "J. Masks", "host_organization_name": "P"},
            },
            "best_oa_location": {
                "is_oa": True,
                "pdf_url": None,
                "landing_page_url": "https://repository.example/7",
                "license": "cc-by",
            },
            "locations": [{"is_oa": False, "pdf_url": "https://closed.example/7.pdf"}],
            "is_retracted": False,
        }
    ],
}
CROSSREF: dict[str, Any] = {
    "status": "ok",
    "message": {
        "items": [
            {
                "DOI": "10.1000/journal.7",
                "title": ["Denoising in <i>parallel</i>"],
                "author": [{"given": "Ada", "family": "Byron"}, {"name": "The Mask Group"}],
                "published": {"date-parts": [[2025, 3]]},
                "license": [
                    {"URL": "https://tdm.example", "content-version": "tdm"},
                    {"URL": "https://cc.example", "content-version": "vor"},
                ],
                "abstract": "<jats:title>Abstract</jats:title><jats:p>We fill masks.</jats:p>",
            }
        ]
    },
}
EUROPE = {
    "hitCount": 1,
    "resultList": {
        "result": [
            {
                "id": "77",
                "source": "MED",
                "pmid": "77",
                "pmcid": "PMC9",
                "doi": "10.1000/journal.7",
                "title": "Denoising in parallel.",
                "authorList": {"author": [{"fullName": "Byron A"}]},
                "firstPublicationDate": "2025-03-01",
                "isOpenAccess": "Y",
                "abstractText": "<h4>Aim</h4>We fill masks.",
                "pubTypeList": {"pubType": ["Journal Article", "Retracted Publication"]},
            }
        ]
    },
}
SCHOLAR = {
    "total": 1,
    "data": [
        {
            "paperId": "a1",
            "title": "Denoising in parallel",
            "year": 2025,
            "externalIds": {"DOI": "10.1000/journal.7", "ArXiv": "2401.00001"},
            "openAccessPdf": {"url": ""},
            "authors": None,
        }
    ],
}
WIKI = {
    "query": {"search": [{"title": "Mask (art)", "pageid": 3, "snippet": "a <span class='searchmatch'>mask</span> is"}]}
}
DOAJ = {
    "total": 1,
    "results": [
        {
            "id": "d1",
            "bibjson": {
                "title": "Denoising in parallel",
                "year": "2025",
                "month": "3",
                "identifier": [{"type": "doi", "id": "10.1000/journal.7"}],
                "link": [{"type": "fulltext", "url": "https://open.example/7", "content_type": "PDF"}],
                "author": [{"name": "Ada Byron"}],
            },
        }
    ],
}
CORE: dict[str, Any] = {
    "totalHits": 1,
    "results": [
        {
            "id": 7,
            "title": "Denoising in parallel",
            "doi": "10.1000/Journal.7",
            "authors": [{"name": "Byron, Ada"}],
            "yearPublished": 2025,
            "publishedDate": None,
            "journals": [],
            "language": {"code": "en"},
            "downloadUrl": "https://core.example/download/7.pdf",
        }
    ],
}
WEB = {"results": [{"url": "https://news.example/a", "title": "A <b>mask</b>", "content": "words"}]}
BRAVE = {
    "type": "search",
    "web": {"results": [{"url": "https://news.example/a", "title": "A mask", "description": "words"}]},
}
WIKIDATA = {"search": [{"id": "Q1", "label": "Ada Byron", "description": "mathematician"}]}

FOUND: dict[str, Any] = {
    "arxiv": FEED.format(total=1, entries=ENTRY),
    "openalex": OPENALEX,
    "crossref": CROSSREF,
    "europe_pmc": EUROPE,
    "semantic_scholar": SCHOLAR,
    "wikipedia": WIKI,
    "doaj": DOAJ,
    "core": CORE,
    "searxng": WEB,
    "tavily": WEB,
    "brave": BRAVE,
    "wikidata": WIKIDATA,
}
EMPTY: dict[str, Any] = {
    "arxiv": FEED.format(total=0, entries=""),
    "openalex": {"meta": {"count": 0}, "results": []},
    "crossref": {"message": {"items": []}},
    "europe_pmc": {"hitCount": 0, "resultList": {"result": []}},
    "semantic_scholar": {"total": 0, "offset": 0},
    "wikipedia": {"query": {"search": []}},
    "doaj": {"total": 0, "results": []},
    "core": {"totalHits": 0, "results": []},
    "searxng": {"results": [], "unresponsive_engines": []},
    "tavily": {"results": []},
    "brave": {"type": "search"},
    "wikidata": {"search": []},
}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in services.SERVICES:
        monkeypatch.setattr(services.named(name), "rate", Rate(0.0))
    with stamina.set_testing(True, attempts=1):
        yield


def made(name: str, network: Network) -> Service:
    return services.named(name)(door(network), KEYS, base="https://searx.example" if name == "searxng" else "")


def answered(name: str, *answers: Any, status: int = 200, **headers: str) -> tuple[Service, Network]:
    network = Network()
    for answer in answers:
        network.enqueue(answer, status, "application/atom+xml" if name == "arxiv" else "application/json", **headers)
    return made(name, network), network


@pytest.mark.parametrize("name", FOUND)
def test_what_is_there_is_found(name: str) -> None:
    service, network = answered(name, FOUND[name])
    (work,) = service.search("parallel denoising", Filters())
    assert work.service == name
    assert work.title
    assert work.url.startswith("https://")
    assert work.date in (None, "2024-01-02", "2025-03-01", "2025-03", "2025")
    assert "s3cret" not in str(network.history[0].url)


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_found_is_nothing_found(name: str) -> None:
    service, _ = answered(name, EMPTY[name])
    assert service.search("parallel denoising", Filters()) == ()


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize(
    "body", ["{}", "[]", "null", '{"ok": true}', "", '{"results": 7, "query": 7, "data": {}, "message": []}']
)
def test_an_answer_of_another_shape_is_never_empty(name: str, body: str) -> None:
    service, _ = answered(name, body, body)
    with pytest.raises(Failed) as caught:
        service.search("parallel denoising", Filters())
    assert caught.value.cause == "changed"
    assert caught.value.where


@pytest.mark.parametrize("name", FOUND)
def test_a_field_of_another_type_says_where(name: str) -> None:
    if name == "arxiv":
        pytest.skip("XML has no types")
    broken = (
        str(FOUND[name])
        .replace("'title': 'Denoising in parallel", "'title': 5, 'x': 'y")
        .replace("'url': 'h", "'url': 3, 'y': 'h")
    )
    assert broken
    service, _ = answered(name, *[_with_a_number(FOUND[name])] * 2)
    with pytest.raises(Failed, match="unknown shape at") as caught:
        service.search("parallel denoising", Filters())
    assert caught.value.cause == "changed"


def _with_a_number(value: Any) -> Any:
    """The same answer, with a number where its first list of results would be."""
    lists = ("results", "items", "data", "search", "result")
    if isinstance(value, dict):
        return {
            key: 7 if key in lists and isinstance(inner, list) else _with_a_number(inner)
            for key, inner in value.items()
        }
    return value


@pytest.mark.parametrize("name", FOUND)
def test_a_page_in_place_of_an_answer_is_not_read_as_one(name: str) -> None:
    network = Network()
    network.enqueue("<html>Please prove that you are human</html>", 200, "text/html")
    with pytest.raises(Failed) as caught:
        made(name, network).search("x y", Filters())
    assert caught.value.cause == "type"


@pytest.mark.parametrize("name", FOUND)
def test_a_service_that_asks_for_patience_says_until_when(name: str) -> None:
    body = {"type": "ErrorResponse", "error": {"code": "RATE_LIMITED"}}
    service, _ = answered(name, body, status=429, retry_after="300")
    with pytest.raises(Limited) as caught:
        service.search("x y", Filters())
    if name != "brave":
        assert caught.value.until is not None


def test_an_odd_answer_is_asked_for_once_more() -> None:
    """Europe PMC answers some requests with `{"version": "6.9"}` and status 200, and the next one as it should."""
    service, network = answered("europe_pmc", {"version": "6.9"}, EUROPE)
    (work,) = service.search("denoising", Filters())
    assert network.history[1].headers["cache-control"] == "no-cache"
    assert (work.retracted, work.authors, work.locations[0].url[-16:]) == (
        "retracted",
        ("Byron A",),
        "PMC9/fullTextXML",
    )


def test_arxiv_errors_dressed_as_results() -> None:
    entry = "<entry><id>http://arxiv.org/api/errors#x</id><title>Error</title><summary>start must be an integer</summary></entry>"
    service, _ = answered("arxiv", FEED.format(total=1, entries=entry))
    with pytest.raises(Failed, match="start must be an integer"):
        service.search("x", Filters())
    service, _ = answered("arxiv", FEED.format(total=30, entries=""))
    with pytest.raises(Failed) as caught:
        service.search("x", Filters())
    assert caught.value.cause == "changed"


def test_an_arxiv_paper_is_the_preprint_of_its_journal_doi() -> None:
    service, network = answered("arxiv", FOUND["arxiv"])
    (work,) = service.search("masks", Filters(since=2022, limit=3))
    assert (work.id, work.revision, work.title) == ("2401.00001", "v2", "Denoising in parallel")
    assert (work.doi, work.same_as, work.version) == ("", ("10.1000/journal.7",), "preprint")
    assert "submittedDate" in str(network.history[0].url)


def test_an_openalex_abstract_is_put_in_order_and_closed_copies_are_left() -> None:
    service, network = answered("openalex", OPENALEX)
    (work,) = service.search("masks", Filters(since=2022))
    assert (work.abstract, work.doi, work.pmid, work.version) == (
        "Fill masks then masks",
        "10.1000/journal.7",
        "77",
        "published",
    )
    assert [place.url for place in work.locations] == ["https://repository.example/7"]
    assert network.history[0].headers["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    ("more", "mark", "is_notice"),
    [
        ({"updated-by": [{"DOI": "10.1/n", "type": "retraction"}, {"DOI": "10.1/m", "type": "correction"}]}, "retracted", False),
        ({"updated-by": [{"DOI": "10.1/n", "type": "expression_of_concern"}]}, "concern", False),
        ({"updated-by": [{"DOI": "10.1/n", "type": "erratum"}]}, "corrected", False),
        ({"updated-by": [{"DOI": "10.1/n", "type": "addendum"}]}, "", False),
        ({"update-to": [{"DOI": "10.1/other", "type": "retraction"}]}, "", True),
        ({"update-to": [{"DOI": "10.1000/Journal.7", "type": "retraction"}]}, "retracted", False),
        ({"title": ["RETRACTED: Denoising in parallel"]}, "retracted", False),
        ({}, "", False),
    ],
)  # fmt: skip
def test_what_crossref_says_became_of_a_paper(more: dict[str, Any], mark: str, is_notice: bool) -> None:
    service, _ = answered("crossref", {"message": {**CROSSREF["message"]["items"][0], **more}})
    work = service.work("10.1000/journal.7")
    assert (work.retracted, work.is_notice) == (mark, is_notice)
    assert (work.licence, work.abstract, work.date) == ("https://cc.example", "We fill masks.", "2025-03")
    assert work.authors == ("Ada Byron", "The Mask Group")


@pytest.mark.parametrize(
    ("parts", "date"), [([[2020]], "2020"), ([[2020, 2, 3]], "2020-02-03"), ([[None]], None), ([], None)]
)
def test_crossref_dates(parts: list[Any], date: str | None) -> None:
    service, _ = answered(
        "crossref", {"message": {**CROSSREF["message"]["items"][0], "published": {"date-parts": parts}}}
    )
    assert service.work("10.1000/journal.7").date == date


def test_searxng_with_all_engines_down_has_not_found_nothing() -> None:
    service, _ = answered("searxng", {"results": [], "unresponsive_engines": [["one", "timeout"], ["two", "CAPTCHA"]]})
    with pytest.raises(Failed, match="two: CAPTCHA"):
        service.search("x", Filters())


@pytest.mark.parametrize(("name", "status"), [("tavily", 432), ("tavily", 433), ("brave", 429)])
def test_used_up_allowances(name: str, status: int) -> None:
    body = {"error": {"code": "QUOTA_LIMITED"}} if name == "brave" else {"detail": {"error": "plan"}}
    service, _ = answered(name, body, status=status)
    with pytest.raises(Refused) as caught:
        service.search("x", Filters())
    assert caught.value.cause == "budget"


@pytest.mark.parametrize(("name", "keys"), [("brave", {}), ("tavily", {}), ("searxng", {})])
def test_a_service_that_is_not_set_says_what_it_needs(name: str, keys: dict[str, str]) -> None:
    with pytest.raises(Refused, match=r"needs|set its address") as caught:
        services.named(name)(door(Network()), keys).search("x", Filters())
    assert caught.value.cause == "not configured"


def test_unpaywall_wants_an_address_and_a_doi() -> None:
    with pytest.raises(Refused, match="e-mail"):
        services.named("unpaywall")(door(Network(), contact=""), {}).work("10.1000/7")
    record = {
        "doi": "10.1000/7",
        "is_oa": True,
        "oa_locations": [
            {"url": "https://a.example/7.pdf", "url_for_pdf": "https://a.example/7.pdf", "license": "implied-oa"},
            {"url": "https://b.example/7", "url_for_pdf": None, "version": "acceptedVersion"},
        ],
    }
    service, _ = answered("unpaywall", record)
    (work,) = service.search("10.1000/7", Filters())
    assert [(place.url, place.media, place.licence) for place in work.locations] == [
        ("https://a.example/7.pdf", "pdf", ""),
        ("https://b.example/7", "html", ""),
    ]
    assert services.named("unpaywall")(door(Network()), {}).search("words only", Filters()) == ()


def article(text: str, **properties: str) -> dict[str, Any]:
    return {"parse": {"title": "Mask", "pageid": 3, "revid": 99, "text": text, "properties": properties}}


def test_a_wikipedia_article_keeps_its_tables_and_its_revision() -> None:
    page = """<div class="mw-parser-output"><div class="hatnote">For other uses, see</div>
    <p>A mask covers.<sup class="reference">[1]</sup></p><h2>Kinds</h2><ul><li>old</li><li>new</li></ul>
    <table><tr><th>Name</th><th>Year</th></tr><tr><td rowspan="2">Noh</td><td>1400</td></tr><tr><td>1500</td></tr></table>
    <div class="navbox">links</div><script>x()</script></div>"""
    service, _ = answered("wikipedia", article(page))
    work = service.work("Mask")
    assert work.text == (
        "A mask covers.\n\n## Kinds\n\n- old\n- new\n\n| Name | Year |\n| --- | --- |\n| Noh | 1400 |\n| Noh | 1500 |"
    )
    assert (work.revision, work.licence, work.url) == ("99", "CC BY-SA 4.0", "https://en.wikipedia.org/wiki/Mask")


def test_a_page_of_meanings_is_no_evidence() -> None:
    service, _ = answered("wikipedia", article("<p>may refer to</p>", disambiguation=""))
    with pytest.raises(Refused) as caught:
        service.work("Mask")
    assert caught.value.cause == "ambiguous"


@pytest.mark.parametrize(
    ("code", "kind"), [("maxlag", Limited), ("ratelimited", Limited), ("missingtitle", Failed), ("badvalue", Failed)]
)
def test_wikipedia_errors_come_with_status_200(code: str, kind: type[SourceError]) -> None:
    service, _ = answered("wikipedia", {"error": {"code": code, "info": "why"}})
    with pytest.raises(kind):
        service.search("x", Filters())


def test_wikidata_says_dates_as_exactly_as_it_knows_them() -> None:
    def claim(time: str, precision: int) -> dict[str, Any]:
        return {"rank": "normal", "mainsnak": {"datavalue": {"value": {"time": time, "precision": precision}}}}

    entity = {
        "labels": {"en": {"value": "Ada Byron"}},
        "descriptions": {"en": {"value": "mathematician"}},
        "aliases": {"en": [{"value": "Countess"}]},
        "claims": {"P569": [claim("+1815-12-10T00:00:00Z", 11)], "P570": [claim("+1852-00-00T00:00:00Z", 9)]},
    }
    service, _ = answered("wikidata", {"entities": {"Q1": entity}})
    text = service.work("Q1").text
    assert "Born: 1815-12-10." in text
    assert "Died: 1852." in text
    assert "Countess" in text


def test_services_by_name_kind_and_all() -> None:
    assert services.choose("wikipedia, pubmed", {}, {}).names == ("wikipedia", "europe_pmc")
    every = services.choose("all", {}, {}).names
    assert "openalex" in every
    assert not {"brave", "tavily", "searxng", "folder"} & set(every)
    assert "brave" in services.choose("all", {"BRAVE_API_KEY": "k"}, {}).names
    assert "wikipedia" not in services.choose("all", {}, {}, "paper").names
    assert services.hosts(services.choose("searxng,arxiv", {}, {"searxng": "http://127.0.0.1:8888"})) == (
        "export.arxiv.org",
        "arxiv.org",
        "http://127.0.0.1:8888",
    )
    german = services.choose("wikipedia:de", {}, {})
    assert services.hosts(german) == ("de.wikipedia.org",)
    for wrong in ("wikipedia:x.evil", "arxiv:de", "wikipedia:d/e"):
        with pytest.raises(RetrievalError):
            services.choose(wrong, {}, {})
    with pytest.raises(RetrievalError, match="there is no service 'gogle'"):
        services.choose("gogle", {}, {})
    with pytest.raises(RetrievalError, match="kind of source"):
        services.choose("arxiv", {}, {}, "poem")


@pytest.mark.parametrize(
    ("query", "phrases", "words"),
    [
        (
            'Does "masked diffusion" beat Monte Carlo sampling?',
            ("masked diffusion", "Monte Carlo"),
            ("beat", "sampling"),
        ),
        ("What is the Treaty of Westphalia?", (), ("Treaty", "Westphalia")),
        ("Who led Bell Labs, Marie Curie or Lise Meitner", ("Bell Labs", "Marie Curie", "Lise Meitner"), ("led",)),
        ("a OR (b) AND ti:c", (), ("b", "tic")),
        ("", (), ()),
    ],
)
def test_terms(query: str, phrases: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert terms(query) == (phrases, words)


def test_words_of_a_question_cannot_become_operators() -> None:
    assert expression('ti:secret) OR all:"x"') == 'all:"x" AND (all:tisecret)'


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        ("https://doi.org/10.1/AbC", "10.1/abc"),
        ("doi:10.1/x", "10.1/x"),
        ("10.1/x", "10.1/x"),
        ("11.1/x", ""),
        (None, ""),
        ("10.1", ""),
    ],
)
def test_dois(text: str | None, doi: str) -> None:
    assert doi_of(text) == doi


def test_plain_words_of_markup() -> None:
    assert plain("a <b>b</b> &amp; c") == "a b & c"
    assert plain("<jats:p>cut off at <jats:italic>once") == "cut off at once"
    assert plain(None) == ""
