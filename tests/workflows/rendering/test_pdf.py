"""The report as a PDF: every word stands on its pages, and hostile words are words there."""

from __future__ import annotations

import pypdfium2
import pytest

from palimpsest.agent import blocks
from palimpsest.agent.draft import Block, Draft, Span, Support
from palimpsest.agent.state import ResearchState
from palimpsest.retrieval.types import Passage, Source
from palimpsest.workflows.rendering import pdf

HOSTILE = (
    '"] #read("/etc/passwd") #["',
    '\\") #panic("x") #("',
    '#import "@preview/x:0.1.0": * #let quoted(x) = []',
    "$ x^2 $ *bold* _emph_ = heading\n+ item / term: `raw` @ref <label> ~ -- ... x",
    "<script>alert(1)</script> &amp; \\u{41} // comment /* more */",
)


WORDS = "Marisa reaches 12 knots"


def state_with(words: str) -> ResearchState:
    """A draft with a block of every kind that holds words from outside."""
    source = Source(id="s1", uri=f"/docs/{words}", title=words, authors=(words,), date="2024-05-01", sha256="0" * 64)
    passage = Passage(id="s1-0", text=words, source=source, start=0, end=len(words))
    support = Support(passage="s1-0", quote=words, start=0, end=len(words))
    place = Span(id="t.1", text=words, kind="TEXT", status="filled", support=(support,))
    cite = Span(id="t.cite", text="", kind="CITE", role="citation", status="filled", support=(support,))
    sides = (Span(id="k.1", text=words, support=(support,)), Span(id="k.2", text=words, support=(support,)))
    draft = Draft(
        blocks=(
            blocks.heading("question", "title", words, 1),
            Block(id="q1.block", kind="answer", section="answer.q1", spans=(place, cite)),
            Block(id="c1", kind="quotation", section="findings", spans=(place.model_copy(update={"id": "c1.0"}), cite)),
            Block(
                id="c2", kind="quotation", section="answer.q1", spans=(place.model_copy(update={"id": "c2.0"}), cite)
            ),
            Block(id="t", kind="table", section="table", rows=(("t.1",), ("t.1",)), spans=(place,)),
            Block(id="k", kind="conflict", section="conflicts", spans=(*sides, Span(id="k.3", text=words))),
            blocks.line("o", "open", words),
            blocks.source(1, source),
        )
    )
    return ResearchState(question=words, evidence=(passage,), references=("s1",), draft=draft)


def letters(words: str) -> str:
    """Words without what a line break on a page may change."""
    return "".join(words.split()).replace("\u2010", "-").replace("\ufffe", "-").replace("\xad", "-")


def text_of(data: bytes) -> str:
    document = pypdfium2.PdfDocument(data)
    return letters("".join(page.get_textpage().get_text_bounded() for page in document))


def test_every_block_stands_on_the_pages() -> None:
    shown = text_of(pdf.render(state_with(WORDS), "f" * 64))
    assert shown.count(letters(WORDS)) == 15
    assert letters("2024-05-01") in shown
    assert letters("(text SHA-256 000000000000)") in shown


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_are_words(hostile: str) -> None:
    shown = text_of(pdf.render(state_with(hostile), "f" * 64))
    assert shown.count(letters(hostile)) == 15
    assert "root:" not in shown


def test_the_head_of_the_log_is_with_it() -> None:
    document = pypdfium2.PdfDocument(pdf.render(state_with(WORDS), "f" * 64))
    assert document.get_metadata_dict()["Keywords"] == "palimpsest-log " + "f" * 64
    assert document.get_metadata_dict()["Title"] == WORDS
