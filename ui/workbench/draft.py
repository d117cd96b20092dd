"""The draft, while it is written and afterwards, and beside it the evidence of the span that is looked at."""

from __future__ import annotations

import streamlit as st

from palimpsest.agent.blocks import Source
from palimpsest.agent.draft import Block, Draft, Span
from palimpsest.workflows import pictures
from palimpsest.workflows.rendering.rows import quotation_of
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched

from . import components, live, navigation
from .evidence import card
from .header import LIVE
from .look import KINDS
from .markup import element, escape, text
from .sheets import chosen_by, sheet


def show(run: Run, seen: Watched) -> str:
    """Draw the draft; returns the id of the span that is looked at, or ""."""
    key = f"picked-{run.folder.name}"
    st.html(text("h2", "Draft", class_="pp-title") + legend())
    view, busy = live.view(run, seen), seen.status in LIVE
    if not (seen.state.draft.blocks or view.blocks):
        navigation.empty("The first words appear when the plan is made; nothing has to be done for that.")
        return ""
    picked = str(st.session_state.get(key, ""))
    slots = {**({} if view.blocks else live.opened(seen)), **view.slots} if busy else {}
    shown = sheet(seen.state, blocks=view.blocks if busy else None, slots=slots, picked=picked, busy=busy)
    clicked = components.draft(shown, key=f"draft-{run.folder.name}")
    if clicked and clicked != picked:
        st.session_state[key] = clicked
        st.rerun(scope="fragment")
    return picked


def legend() -> str:
    """Which colour is an open place of which kind."""
    entries = (element("li", f'<i class="pp-key-{kind}"></i>{escape(words)}') for kind, words in KINDS.items())
    return element("ul", "".join(entries), class_="pp-legend", aria_label="Colours of open places")


def evidence(run: Run, seen: Watched, found: tuple[Block, Span] | None) -> None:
    """Draw the evidence of a block's span that is looked at."""
    if found is None:
        navigation.empty(
            "Choose words of the draft, or the number behind a sentence: its source opens here, with the words marked."
        )
    else:
        st.html(card(seen.state, *found, lambda source: stored(run, source)))
        _page(seen, *found)


def _page(seen: Watched, block: Block, span: Span) -> None:
    """Of words in a PDF that still lies where it was read: its page, when somebody wants to see it."""
    support = next(iter(span.support or (cited.support if (cited := block.span("citation")) else ())), None)
    passage = next((p for p in seen.state.passages if support and p.id == support.passage), None)
    if support is None or passage is None or not pictures.has_pages(passage.source):
        return
    shown = st.expander("The page, as it looks", key=f"page-{span.id}", on_change="rerun")
    if not shown.open:
        return
    with shown, st.spinner("Opening the page"):
        picture = pictures.page_of(passage.source, support.start, support.end)
        if picture is None:
            navigation.empty("The file is not the one that was read any more, so its page is not shown.")
        else:
            st.image(picture.png, caption=f"Page {picture.page}, a frame around the words")


def place(draft: Draft, span_id: str) -> tuple[Block, Span] | None:
    """The block and the span of an id, of a cell of quoted rows its quotation and what is chosen with it; None of no such id."""
    quoted = draft.block(quotation_of(span_id))
    span_id = chosen_by(quoted) if quoted else span_id
    for block in draft.blocks:
        for span in block.spans:
            if span.id == span_id:
                return block, span
    return None


def stored(run: Run, source: Source) -> str:
    """The text of a source as the run keeps it; "" when it is not there."""
    try:
        return run.text_file(source.id).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
