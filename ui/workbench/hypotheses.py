"""Questions, rival answers, what speaks for and against each, and how belief in them moved."""

from __future__ import annotations

import streamlit as st

from palimpsest.agent.hypotheses import Hypothesis
from palimpsest.agent.state import ResearchState
from palimpsest.workflows.rendering.text import title_of
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched

from . import graphs, navigation
from .markup import element, escape, listed, text

STATUS = {"open": "open", "held": "believed", "refuted": "given up"}
LINES = (
    "Questions, rival answers, and the sources that say them. Green stands in the report, blue is a rival, grey was given up; "
    "a dashed line leads to a source that speaks against an answer."
)
SCALE = "The higher, the more it is believed. Belief was not calibrated well enough to be shown as a figure."


def show(run: Run, seen: Watched) -> None:
    st.html(text("h2", "Hypotheses", class_="pp-title"))
    state = seen.state
    if not any(graphs.chosen(state, q.id) for q in state.questions):
        navigation.empty(
            "No rival answers. A question of how or why is answered by sections; ask who, when, which or how many to see some."
            if seen.record.current.done
            else "Rival answers stand here as soon as some were read in the sources."
        )
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.echarts_chart(
            graphs.graph(state),
            height=graphs.height(state),
            key=f"graph-{run.folder.name}",
            alt=graphs.described(state),
        )
        st.html(text("p", LINES, class_="pp-soft pp-small"))
    with right:
        curves = graphs.beliefs(seen)
        if curves:
            st.echarts_chart(
                graphs.over_time(seen, curves),
                height=300,
                key=f"belief-{run.folder.name}",
                alt="How belief in the rival answers moved",
            )
            st.html(text("p", SCALE, class_="pp-soft pp-small"))
    with st.expander("The same as a list"):
        st.html(element("div", "".join(_question(state, q.id, q.asked) for q in state.questions), class_="pp-card"))


def _question(state: ResearchState, question: str, asked: str) -> str:
    entries = [_rival(state, rival) for rival in graphs.chosen(state, question)]
    shares = _shares(state, question) if entries else ""
    return text("h3", asked) + (listed(entries) if entries else "<p>No rival answers.</p>") + shares


def _shares(state: ResearchState, question: str) -> str:
    """What the model gives each rival, and nothing, when their passages lie on one canvas; "" where they never did."""
    found = state.graph.rivalry(question)
    if found is None:
        return ""
    given = [(state.graph.get(name).text, share) for name, share in found.posteriors.items()]
    given = [*sorted(given, key=lambda g: -g[1]), ("nothing", found.nothing), ("other words", found.other)]
    said = "; ".join(f"{words} {share:.0%}" for words, share in given)
    return text("p", f"Side by side, {len(found.passages)} passages on one canvas: {said}.", class_="pp-soft pp-small")


def _rival(state: ResearchState, rival: Hypothesis) -> str:
    says, against = ("; ".join(map(title_of, found)) for found in graphs.sides(state, rival))
    line = f"<b>{escape(rival.text)}</b> – {STATUS[rival.status]}; said by: {escape(says or 'no source')}"
    return line + (f"; against it: {escape(against)}" if against else "")
