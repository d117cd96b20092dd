"""Where sources disagree: both sides with their dates, which was kept, and why."""

from __future__ import annotations

import streamlit as st

from palimpsest.agent.draft import Support
from palimpsest.agent.state import Conflict, ResearchState
from palimpsest.workflows.rendering.text import title_of
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched

from . import navigation
from .markup import element, escape, text


def show(run: Run, seen: Watched) -> None:
    st.html(text("h2", "Conflicts", class_="pp-title"))
    if not seen.state.conflicts:
        navigation.empty(
            "No two sources that were read disagree about what stands here. Add evidence to find out whether another does."
            if seen.record.current.done
            else "Where sources disagree, both sides stand here. Nothing was found to disagree so far."
        )
        return
    st.html("".join(card(seen.state, c) for c in seen.state.conflicts))


def card(state: ResearchState, conflict: Conflict) -> str:
    sides = _side(state, "Kept", conflict.kept, "pp-kept") + _side(state, "Against it", conflict.other, "pp-other")
    return element(
        "div",
        f'<div class="pp-sides">{sides}</div><p>{escape(conflict.reason)}</p>',
        class_="pp-card",
        id=f"conflict-{conflict.id}",
    )


def _side(state: ResearchState, name: str, support: Support, look: str) -> str:
    passage = next((p for p in state.passages if p.id == support.passage), None)
    title = title_of(passage.source) if passage else "a source that is no longer held"
    return element(
        "div", f"<h3>{name}: {escape(title)}</h3><p class='pp-quote'>“{escape(support.quote)}”</p>", class_=look
    )
