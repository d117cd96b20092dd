"""Answers recorded from the real services, held against the adapters. They stay with their publishers and are not in the repository."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stamina

from palimpsest.retrieval.http import Rate
from palimpsest.retrieval.outcomes import Failed, Limited, Refused, SourceError
from palimpsest.retrieval.web.arxiv import Arxiv
from palimpsest.retrieval.web.brave import Brave
from palimpsest.retrieval.web.crossref import Crossref
from palimpsest.retrieval.web.europe_pmc import EuropePmc
from palimpsest.retrieval.web.markup import jats
from palimpsest.retrieval.web.openalex import OpenAlex
from palimpsest.retrieval.web.searxng import Searxng
from palimpsest.retrieval.web.semantic_scholar import SemanticScholar
from palimpsest.retrieval.web.service import Filters, Service
from palimpsest.retrieval.web.tavily import Tavily
from palimpsest.retrieval.web.unpaywall import Unpaywall
from palimpsest.retrieval.web.wikipedia import Wikipedia
from palimpsest.retrieval.web.work import Work

from . import scripted

FOLDER = Path(os.environ.get("PALIMPSEST_RECORDED", "recorded"))
KEYS = {"BRAVE_API_KEY": "k", "TAVILY_API_KEY": "k"}
SERVICES: dict[str, type[Service]] = {
    "arxiv": Arxiv, "openalex": OpenAlex, "crossref": Crossref, "semanticscholar": SemanticScholar, "europepmc": EuropePmc,
    "unpaywall": Unpaywall, "searxng": Searxng, "brave": Brave, "tavily": Tavily, "wikipedia": Wikipedia,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    if not (FOLDER / "INDEX.jsonl").exists():
        pytest.skip("needs recorded answers: PALIMPSEST_RECORDED=FOLDER with an INDEX.jsonl")
    with stamina.set_testing(True, attempts=1):
        yield


def recorded(name: str) -> dict[str, Any]:
    rows = map(json.loads, (FOLDER / "INDEX.jsonl").read_text("utf-8").splitlines())
    return next(row for row in rows if row["file"].partition(".")[0] == name or row["file"] == name)


def answered(name: str, call: Callable[[Service], Any], service: str = "") -> Any:
    """What an adapter makes of one recorded answer (given twice: an unknown shape is asked for once more)."""
    row, network = recorded(name), scripted.Network()
    headers = {**{k.lower().replace("-", "_"): v for k, v in row["headers"].items()}}
    media_type = headers.pop("content_type", "") or _media_type(row["file"])
    for dropped in ("content_length", "content_encoding", "transfer_encoding"):
        headers.pop(dropped, None)
    for _ in range(2):
        network.enqueue((FOLDER / row["file"]).read_bytes(), int(row["status"]), media_type, **headers)
    kind = SERVICES[service or name.partition("/")[0]]
    with scripted.door(network) as door:
        return call(kind(door, KEYS, base=_base(kind)))


def _base(kind: type[Service]) -> str:
    return "https://searx.example" if kind is Searxng else ""


def _media_type(file: str) -> str:
    kinds = {".xml": "application/atom+xml", ".json": "application/json", ".html": "text/html"}
    return kinds.get(Path(file).suffix, "text/plain")


def search(service: Service) -> tuple[Work, ...]:
    return service.search("anything", Filters())


def look_up(service: Service) -> Work:
    return service.work("10.1000/1")


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("arxiv/search_testing_10", 10),
        ("arxiv/id_list_one_valid_pair", 1),
        ("openalex/list_kdense", 2),
        ("openalex/search_title_filter_list", 1),
        ("crossref/search_by_title_rows1", 1),
        ("semanticscholar/search_year", 21),
        ("searxng/search_ok_with_unresponsive", 3),
        ("tavily/basic_search", 5),
        ("wikipedia/search_python_programming", 10),
    ],
)
def test_found(name: str, number: int) -> None:
    found = answered(name, search)
    assert len(found) >= min(number, 1)
    assert all(work.title and work.url.startswith("http") for work in found)


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("arxiv/no_match", ""),
        ("arxiv/id_missing_only", ""),
        ("crossref/search_no_hits", ""),
        ("semanticscholar/search_empty", ""),
        ("pmc/europepmc_search_empty", "europepmc"),
        ("searxng/genuinely_empty", ""),
        ("wikipedia/search_nothing", ""),
        ("wikipedia/search_suggestion_only", ""),
    ],
)
def test_truly_empty(name: str, service: str) -> None:
    assert answered(name, search, service) == ()


@pytest.mark.parametrize(
    ("name", "kind", "cause", "service"),
    [
        ("arxiv/error_entry_http200", Failed, "status", ""),
        ("arxiv/id_malformed_400", Failed, "status", ""),
        ("arxiv/rate_exceeded_429", Limited, "rate", ""),
        ("openalex/err_429_daily_budget_keyless", Limited, "rate", ""),
        ("openalex/err_429_per_second", Limited, "rate", ""),
        ("openalex/work_not_found_404_html", Failed, "missing", ""),
        ("openalex/err_401_invalid_key", Refused, "key", ""),
        ("openalex/err_504_query_timeout", Failed, "server", ""),
        ("openalex/err_400_unknown_filter", Failed, "status", ""),
        ("crossref/doi_not_found_404_plain", Failed, "missing", ""),
        ("crossref/err_429_html", Limited, "rate", ""),
        ("crossref/bad_rows_400", Failed, "status", ""),
        ("semanticscholar/err_429_no_key", Limited, "rate", ""),
        ("semanticscholar/forbidden_403_bad_key", Refused, "gate", ""),
        ("semanticscholar/bad_fields_400", Failed, "status", ""),
        ("pmc/europepmc_search_incomplete_200", Failed, "changed", "europepmc"),
        ("searxng/all_engines_failed", Failed, "server", ""),
        ("searxng/json_format_disabled_403", Refused, "gate", ""),
        ("searxng/html_page_instead_of_json", Failed, "type", ""),
        ("brave/err_422_bad_key", Refused, "key", ""),
        ("brave/err_429_rate", Limited, "rate", ""),
        ("tavily/err_432_plan_limit", Refused, "budget", ""),
        ("tavily/err_433_paygo_limit", Refused, "budget", ""),
        ("tavily/err_401_bad_key", Refused, "key", ""),
        ("wikipedia/err_403_robot_policy", Refused, "gate", ""),
        ("wikipedia/err_429_rate", Limited, "rate", ""),
    ],
)
def test_every_other_ending(name: str, kind: type[SourceError], cause: str, service: str) -> None:
    with pytest.raises(kind) as caught:
        answered(name, search, service)
    assert caught.value.cause == cause


def test_retractions_in_crossref() -> None:
    said = {
        name: answered(f"crossref/{name}", look_up)
        for name in (
            "work_retracted_updated_by", "retraction_notice_update_to",
            "work_retracted_self_reference", "work_addendum_with_preprint",
        )
    }  # fmt: skip
    assert [work.retracted for work in said.values()] == ["retracted", "", "retracted", ""]
    assert [work.is_notice for work in said.values()] == [False, True, False, False]
    assert said["work_addendum_with_preprint"].same_as == ("10.1101/2020.01.22.914952",)
    assert said["work_retracted_updated_by"].date == "1998-02"


def test_a_whole_openalex_record() -> None:
    work = answered("openalex/work_by_doi_full", look_up)
    assert (work.doi, work.date, work.licence, work.version) == (
        "10.1016/j.xgen.2025.100814",
        "2025-03-01",
        "cc-by",
        "published",
    )
    assert work.authors[0] == "Michael Herger"
    assert work.publisher == "Elsevier BV"


def test_unpaywall_gives_every_open_place() -> None:
    assert len(answered("unpaywall/doi_oa_pnas", look_up).locations) > 1
    assert answered("unpaywall/doi_closed", look_up).locations == ()
    with pytest.raises(Failed):
        answered("unpaywall/err_404_not_in_unpaywall", look_up)


def test_articles_in_xml_are_read_and_descriptions_are_not() -> None:
    for name in ("article_full_plos", "article_full_bmc", "fulltext_with_body", "europepmc_fulltextxml"):
        text = jats((FOLDER / "pmc" / f"{name}.xml").read_bytes(), name)
        assert len(text.split()) > 300
        assert text.startswith("# ")
    for name, cause in (("metadata_only_no_body", "closed"), ("not_jats", "changed")):
        with pytest.raises(Failed) as caught:
            jats((FOLDER / "pmc" / f"{name}.xml").read_bytes(), name)
        assert caught.value.cause == cause


@pytest.mark.parametrize("service", sorted(SERVICES.keys() - {"unpaywall"}))
def test_whatever_a_search_is_answered_with_ends_in_a_known_way(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Works, or one of the typed endings with its cause; works only where the answer is of the service's own shape."""
    monkeypatch.setattr(SERVICES[service], "rate", Rate(0.0))
    for row in map(json.loads, (FOLDER / "INDEX.jsonl").read_text("utf-8").splitlines()):
        ending = ended(row["file"], service)
        assert isinstance(ending, tuple) or ending.cause, row["file"]
        own = row["service"] == service or (row["file"].startswith("pmc/europepmc") and service == "europepmc")
        assert not isinstance(ending, tuple) or own or service in ("searxng", "tavily", "wikipedia"), row["file"]


def ended(name: str, service: str) -> tuple[Work, ...] | SourceError:
    try:
        found: tuple[Work, ...] = answered(name, search, service)
    except SourceError as exc:
        return exc
    return found
