"""Other forms of a report: nothing of a source acts in a browser, and the bibliography parses."""

from __future__ import annotations

import json
import re

import pytest

from palimpsest.retrieval.types import RetrievalError
from palimpsest.workflows import export
from palimpsest.workflows.config import Config
from palimpsest.workflows.runs import Run
from palimpsest.workflows.seal import head
from tests.workflows import scripted

HOSTILE = (
    '---\ntitle: Barges {of} 2025 </title><script>alert("t")</script> & 100%\nauthors: A. {Canale; B_Rossi\ndate: 2025-01-01\n---\n'
    'The fastest barge on Lake Orta is Tolomeo, which reaches 15 knots <script>alert("s")</script>'
    '<img src=x onerror=alert(1)> [go](javascript:alert(2)) ![see](http://tracker.example/pixel.png) every day.\n'
)  # fmt: skip


@pytest.fixture
def run(config: Config) -> Run:
    for old in config.docs[0].iterdir():
        old.unlink()
    scripted.lay_documents(config.docs[0], {"hostile.md": HOSTILE})
    return scripted.finished(config, "What is the fastest barge on <b>Lake Orta</b>?")


def test_a_page_shows_the_tags_of_a_source_as_text(run: Run) -> None:
    page = export.html(run.state(1), head(run.events()))
    assert "&lt;script&gt;alert(" in page, "the sentence is in the report"
    assert "<script" not in page
    assert not re.search(r"<[^>]*\sonerror", page)
    assert 'href="javascript:' not in page
    assert page.count("<title>") == page.count("</title>") == 1
    assert page == (run.folder / "report.html").read_text(encoding="utf-8")


def test_a_page_asks_the_network_for_nothing(run: Run) -> None:
    """An image in a source would tell its owner that the report is being read."""
    page = export.html(run.state(1), head(run.events()))
    assert not re.search(r"<(img|link|iframe|script|object|embed)\b", page)


def test_a_bibliography_has_balanced_braces_and_an_entry_for_each_source(run: Run) -> None:
    text = export.bibtex(run.state(1))
    depth = 0
    for mark in text:
        depth += (mark == "{") - (mark == "}")
        assert depth >= 0
    assert depth == 0
    assert re.findall(r"@misc\{(\w+),", text) == ["source1"]
    assert "year = {2025}" in text
    assert r"100\%" in text
    assert r"author = {\textbraceleft{}Canale, A. and {B\_Rossi}}" in text


def test_json_holds_blocks_with_their_citations_and_the_sources(run: Run) -> None:
    held = json.loads(export.report_json(run.record(), run.state(1), head(run.events())))
    assert held["run"] == run.folder.name
    quoted = next(b for b in held["blocks"] if b["kind"] == "quotation")
    cited = next(s for s in quoted["spans"] if s["role"] == "citation")
    assert cited["cites"][0]["quote"] == quoted["text"]
    assert held["sources"][cited["cites"][0]["number"] - 1]["id"] == cited["cites"][0]["passage"].split("-")[0]


def test_markdown_is_front_matter_and_the_draft(run: Run) -> None:
    record, state = run.record(), run.state(1)
    text = export.markdown(record.model_copy(update={"question": 'Who said "no"\\?'}), state, "0")
    assert 'question: "Who said \\"no\\"\\\\?"\n' in text
    assert "# What is the fastest barge on \\<b\\>Lake Orta\\</b\\>?" in text


def test_sources_go_to_citation_managers_and_into_styles(run: Run) -> None:
    state = run.state(1)
    assert [item["id"] for item in json.loads(export.csl_json(state))] == ["source1"]
    assert export.ris(state).startswith("TY  - ")
    assert export.references_in(state).startswith("[1] ")
    with pytest.raises(RetrievalError, match="citation style"):
        export.references_in(state, "nobody-s-style")
