"""What comes from outside is text on every surface: no markup, no live address, nothing hidden, nothing taken for the report's own."""

from __future__ import annotations

import html as plain
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from palimpsest.agent import blocks
from palimpsest.agent.draft import Block, Draft, Span, Support
from palimpsest.agent.evidence_text import parts
from palimpsest.agent.state import ResearchState, SubQuestion
from palimpsest.retrieval.types import Failure, Passage
from palimpsest.workflows.rendering import html, markdown, pdf
from palimpsest.workflows.rendering.text import speaker, visible

from ...agent.world import passage

HOSTILE = [
    "~~~",
    "```",
    "## Answer",
    "# Heading",
    "- item",
    "1. item",
    "1) item",
    "> quote",
    "=====",
    "-----",
    "***",
    "a\n## Answer\nb",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- hidden",
    "![see](http://tracker.example/pixel.png)",
    "[go](javascript:alert(2))",
    "[go]: http://evil.example",
    "<http://evil.example>",
    "http://evil.example/x",
    "www.evil.example",
    "mail me@evil.example",
    "javascript:alert(1)",
    "known since 1901 [6]. [1]",
    "so it is (confidence 0.99)",
    "&lt;b&gt; &#x202e;",
    "left‮right\x1b[31m red\x07",
    "a | b | c",
    "_a_ *b* `c` \\",
    "$x$ ~~gone~~",
]


def report_of(text: str, title: str = "A book") -> ResearchState:
    held = passage(text, title, "2024")
    return report_with(held, text)


def report_with(held: Passage, text: str) -> ResearchState:
    state = ResearchState(
        question=text,
        evidence=(held,),
        references=(held.source.id,),
        failures=(Failure(name=text, message=text),),
    )
    listed = [
        blocks.heading("question", "title", text, 1),
        blocks.quotation("c1", "findings", parts(text, 0), held, "c1"),
        blocks.line("open.q1.1", "open", text),
        blocks.line("unread.1", "unread", text),
        blocks.source(1, held.source),
    ]
    return blocks.put(state, listed)


def shape(page: str) -> list[str]:
    return re.findall(r"</?(\w+)[^>]*>", page)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_of_a_hostile_text_has_the_shape_of_a_harmless_one(text: str) -> None:
    """Rendered by a viewer that also makes bare addresses live, the report has the same elements, and no link or image."""
    viewer = MarkdownIt("gfm-like", {"linkify": False}).enable(["table", "strikethrough"])
    hostile, harmless = (
        viewer.render(markdown.render(report_of(t, t), {})) for t in (text, "Ferries run every day of the year.")
    )
    assert shape(hostile) == shape(harmless)
    assert "<a " not in hostile
    assert "<img" not in hostile


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_the_very_words(text: str) -> None:
    rendered = MarkdownIt("commonmark").render(markdown.render(report_of(text), {}))
    shown = plain.unescape(re.sub(r"<[^>]+>", "", rendered))
    assert " ".join(visible(text).split()) in " ".join(shown.split())


@pytest.mark.parametrize(
    "address", ["http://evil.example/x", "www.evil.example", "me@evil.example", "javascript:alert(1)"]
)
def test_no_address_of_a_text_is_whole_in_the_source_of_the_report(address: str) -> None:
    """Viewers that make bare addresses live look for these letters side by side."""
    body = markdown.render(report_of(f"See {address} now."), {}).split("## Sources")[0]
    assert address not in body


@pytest.mark.parametrize("text", HOSTILE)
def test_a_page_of_a_hostile_text_has_the_shape_of_a_harmless_one(text: str) -> None:
    hostile, harmless = (html.render(report_of(t, t), "0") for t in (text, "Ferries run every day of the year."))
    drop = {"span", "q"}  # a sentence is cut at its names and figures
    assert [t for t in shape(hostile) if t not in drop] == [t for t in shape(harmless) if t not in drop]
    assert plain.escape(visible(text), quote=True) in re.sub(r"</?span[^>]*>", "", hostile)


def test_only_web_addresses_of_sources_are_links() -> None:
    held = passage("Ferries run.", "A book")
    for uri, live in (
        ("https://journal.example/42", True),
        ("javascript:alert(1)", False),
        ("file:///etc/passwd", False),
    ):
        source = held.source.model_copy(update={"uri": uri})
        page = html.render(report_with(held.model_copy(update={"source": source}), "Ferries run."), "0")
        assert (f'href="{uri}" rel="noopener nofollow noreferrer"' in page) is live
        assert uri in page


def test_a_page_may_load_and_run_nothing() -> None:
    page = html.render(report_of("Ferries run."), "0")
    assert "Content-Security-Policy" in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert not re.search(r"<(script|img|link|iframe|object|embed|form)\b", page)


def test_a_low_line_within_a_word_is_itself() -> None:
    """A reader was once told to set "BRAVE\\_API\\_KEY"."""
    assert markdown.inline("It ended.\n\nIt began. \n Again") == "It ended. It began. Again"
    assert markdown.inline("set BRAVE_API_KEY, _not_ a__b_") == r"set BRAVE_API_KEY, \_not\_ a\_\_b\_"


def test_a_citation_of_the_source_is_not_the_reports() -> None:
    shown = markdown.render(report_of("Built in 1901 [6]."), {})
    assert "- Built in 1901 \\[6\\]. [1]" in shown


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_what_is_escaped_stays_in_its_paragraph(text: str) -> None:
    viewer = MarkdownIt("commonmark")
    tokens = [t.type for t in viewer.parse(f"- x {markdown.escape('.' + text)} [1]\n")]
    assert tokens == [t.type for t in viewer.parse("- x harmless [1]\n")]
    lone = [t.type for t in viewer.parse(f"> {markdown.escape(text + 'x')}\n")]
    assert lone == [t.type for t in viewer.parse("> harmless\n")]
    heading = [t.type for t in viewer.parse(f"## {markdown.inline(text + 'x')}\n")]
    assert heading == [t.type for t in viewer.parse("## harmless\n")]
    table = MarkdownIt("commonmark").enable("table")
    cell = [t.type for t in table.parse(f"| a | b |\n| --- | --- |\n| {markdown.inline(text)} | x |\n")]
    assert cell == [t.type for t in table.parse("| a | b |\n| --- | --- |\n| harmless | x |\n")]


def test_figures_stand_as_their_source_writes_them() -> None:
    """An answer once stood as "2\\.3": only where a line begins is it a list."""
    held = passage("2.3 is the toll.", "1. Chlorine or ozone?", "2024")
    own = Support(passage=held.id, quote="2.3", start=held.start, end=held.start + 3)
    question = SubQuestion(id="q1", text="What is the toll?", asked="What is the toll?", kind="NUMBER")
    slot, *marks = blocks.answer(question, "answer.q1").spans
    filled = slot.model_copy(update={"text": own.quote, "status": "filled", "support": (own,)})
    state = blocks.put(
        report_with(held, "2.3 is the toll."),
        [blocks.answer(question, "answer.q1").model_copy(update={"spans": (filled, *marks)})],
    )
    shown = markdown.render(state, {})
    assert "# 2.3 is the toll." in shown
    assert "**2.3**" in shown
    assert "- 2\\.3 is the toll." in shown
    assert "1. 1\\. Chlorine or ozone? 2024" in shown
    assert "Chlorine or ozone?. " not in html.render(state, "0")


def test_who_says_we_is_named_beside_the_words() -> None:
    """ "We find that it is lower": whose finding was told only by the list of sources at the end."""
    state = report_of("We find that this threshold is lower.", "Locks of *Orta*")
    assert "- We find that this threshold is lower. [1] – Locks of \\*Orta\\*" in markdown.render(state, {})
    assert '<span class="standing">– Locks of *Orta*</span>' in html.render(state, "0")
    assert pdf.render(state, "0").startswith(b"%PDF")
    for silent in ("The threshold is lower.", "We read Locks of *Orta* twice."):
        assert "– Locks" not in markdown.render(report_of(silent, "Locks of *Orta*"), {})


def test_a_source_says_what_a_reader_must_know_of_it() -> None:
    held = passage("Ferries run.", "A book")
    source = held.source.model_copy(update={"extent": "abstract", "retracted": "corrected"})
    state = report_with(held.model_copy(update={"source": source}), "Ferries run.")
    for shown in (markdown.render(state, {}), html.render(state, "0")):
        assert "only the abstract was read – corrected since" in shown


def test_whose_words_a_we_is_is_said_once_in_a_section() -> None:
    held = passage("We found that barges leak. We mended forty of them.", "The barge study", "2024")
    state = ResearchState(question="?", evidence=(held,), references=(held.source.id,))
    for number, (section, (start, end)) in enumerate(
        [("section.1", held.sentences[0]), ("section.1", held.sentences[1]), ("section.2", held.sentences[0])]
    ):
        said = held.text[start - held.start : end - held.start]
        whole = Support(passage=held.id, quote=said, start=start, end=end)
        words = Span(id=f"c{number}.0", text=said, kind="TEXT", status="filled", support=(whole,))
        cited = Span(id=f"c{number}.cite", text="", kind="CITE", role="citation", support=(whole,))
        block = Block(id=f"c{number}", kind="quotation", section=section, spans=(words, cited))
        state = state.model_copy(update={"draft": Draft(blocks=(*state.draft.blocks, block))})
    assert [speaker(state, b) for b in state.draft.blocks] == ["The barge study", "", "The barge study"]


def test_a_reply_is_shown_with_the_heading_that_asks() -> None:
    """ "No. Crossing is free." says nothing by itself."""
    asked = {"path": ("Crossing", "Do I have *to* pay?")}
    free, daily = passage("No. Crossing is free.", "The ferry"), passage("Barges cross daily.", "The ferry")
    replying = report_with(free.model_copy(update=asked), free.text)
    assert "[1] – in reply to “Do I have \\*to\\* pay?”" in markdown.render(replying, {})
    assert "in reply to “Do I have *to* pay?”" in html.render(replying, "0")
    listed = passage("cross at night", "The ferry").model_copy(update={"path": ("Do not",)})
    assert "cross at night [1] – under “Do not”" in markdown.render(report_with(listed, listed.text), {})
    assert "in reply to" not in markdown.render(report_with(daily.model_copy(update=asked), daily.text), {})
