"""All runs of the folder: found again, compared, taken home, verified."""

from __future__ import annotations

import streamlit as st

from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.runs import Record, Run
from palimpsest.workflows.watching import watch

from . import diffs, exports, navigation, recent, settings
from .markup import element, escape, text, visible


def show() -> None:
    st.html(text("h1", "Runs", class_="pp-title"))
    held = settings.current()
    runs = Run.all(held.runs)[::-1]
    if not runs:
        navigation.empty("No run lies in this folder yet. Ask a question on the page “Research”.")
        return
    wanted = st.text_input("Find", placeholder="words of a question", key="find")
    found = [(run, record) for run, record in recent.records(runs) if wanted.casefold() in record.question.casefold()]
    _damaged(runs)
    if not found:
        navigation.empty("No question holds these words; try fewer.")
    for run, record in found[:100]:
        _row(run, record)
    if len(found) > 1:
        navigation.guarded(lambda: _compare({r.folder.name: (r, record) for r, record in found}))


def _row(run: Run, record: Record) -> None:
    with st.container(border=True, key=f"row-{record.id}"):
        left, middle, right = st.columns([7, 1, 1], vertical_alignment="center")
        line = f"{recent.when(record.created)} · {recent.standing(run, record)} · model {record.model}"
        left.html(text("b", record.question) + f'<br><span class="pp-soft">{escape(line)}</span>')
        if middle.button("Open", key=f"open-{record.id}", width="stretch"):
            navigation.go(navigation.RUN, id=record.id)
        more = right.popover("More", width="stretch", key=f"more-{record.id}", on_change="rerun")
        if more.open:
            with more:
                navigation.guarded(lambda: exports.show(run, watch(run), record.id))


def _damaged(runs: list[Run]) -> None:
    for run in runs:
        try:
            run.record()
        except ResearchError as error:
            navigation.problem(str(error))


def _compare(found: dict[str, tuple[Run, Record]]) -> None:
    st.html(text("h2", "Compare two reports", class_="pp-title"))
    names = list(found)
    left, right = st.columns(2)
    first = left.selectbox("This one", names, index=1, format_func=lambda n: _named(*found[n]), key="compare-a")
    second = right.selectbox("with this one", names, index=0, format_func=lambda n: _named(*found[n]), key="compare-b")
    a, b = (_paragraphs(*found[n]) for n in (first, second))
    if not (a and b):
        navigation.empty("Both have to be finished to be compared.")
        return
    st.html(element("div", diffs.paragraphs(a, b), class_="pp-card", id="comparison"))


def _named(run: Run, record: Record) -> str:
    return f"{visible(record.question)} ({recent.when(record.created)})"  # what is chosen from is plain text


def _paragraphs(run: Run, record: Record) -> list[str]:
    """The blocks of the newest finished report as words."""
    done = [v.number for v in record.versions if v.done]
    return [diffs.words_of(b) for b in run.state(done[-1]).draft.blocks if b.spans] if done else []
