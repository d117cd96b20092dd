"""The services themselves, asked once each: `pytest --live tests/retrieval/web/test_live.py` (with RESEARCH_CONTACT set)."""

from __future__ import annotations

import os

import pytest

from palimpsest.retrieval.http import Border, Door
from palimpsest.retrieval.web import services
from palimpsest.retrieval.web.fulltext import read
from palimpsest.retrieval.web.service import Filters

KEYS = {
    name: os.environ[name] for name in ("OPENALEX_API_KEY", "BRAVE_API_KEY", "TAVILY_API_KEY") if name in os.environ
}
NAMES = ("arxiv", "openalex", "crossref", "semantic_scholar", "europe_pmc", "wikipedia", "wikidata", "doaj", "core")


@pytest.mark.live
@pytest.mark.parametrize("name", NAMES)
def test_a_service_answers_in_the_shape_that_is_known(name: str) -> None:
    with Door(Border("online", contact=os.environ.get("RESEARCH_CONTACT", ""))) as door:
        service = services.named(name)(door, KEYS)
        works = service.search("Alan Turing computing machinery", Filters(limit=3))
        assert works
        assert all(work.title and work.url for work in works)
        assert service.work(works[0].id).title


@pytest.mark.live
def test_an_open_paper_is_read_whole() -> None:
    with Door(Border("online", contact=os.environ.get("RESEARCH_CONTACT", ""))) as door:
        document = read(door, services.named("arxiv")(door, KEYS).work("1706.03762")).document
    assert document.source.extent == ""
    assert "attention" in document.text.lower()
