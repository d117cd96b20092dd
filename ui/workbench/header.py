"""The top of a run's page: the question, how the run stands, what it took so far, and what can be done to it as a whole."""

from __future__ import annotations

import streamlit as st

from palimpsest.workflows import processes
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched

from . import acts, navigation
from .look import STATUS
from .markup import element, escape, text

DOING = {
    "plan": "finding out what is asked",
    "search": "searching",
    "weigh": "reading and weighing",
    "revise": "writing",
    "check": "checking what is written",
    "finish": "finishing",
}
LIVE = ("running", "waiting")


def show(run: Run, seen: Watched) -> None:
    left, right = st.columns([8, 2], vertical_alignment="top")
    with left:
        st.html(text("h1", seen.record.question, class_="pp-title") + facts(seen))
    with right:
        _buttons(run, seen)
    if seen.status == "failed":
        navigation.problem(processes.problem(run))
    if seen.status == "unfinished":
        navigation.problem("the run broke off in the middle; nothing is lost: Resume goes on from its last step")


def facts(seen: Watched) -> str:
    """How the run stands, in a line."""
    items = [
        text("span", word(seen), class_="pp-pill", data_status=seen.status),
        *([doing(seen)] if seen.status in LIVE else []),
        _count(len({p.source.id for p in seen.state.evidence}), "source read", "sources read"),
        _count(len(seen.state.references), "cited", "cited"),
        _count(len(seen.state.revisions), "revision", "revisions"),
        _count(len(seen.state.conflicts), "conflict", "conflicts"),
        _spent(seen),
    ]
    return element("p", "".join(f"<span>{t}</span>" for t in items if t), class_="pp-facts")


def word(seen: Watched) -> str:
    """The standing in a word; a process that has written all that it had to write is just ending."""
    return "Ending" if seen.status == "waiting" and seen.record.current.done else STATUS[seen.status]


def doing(seen: Watched) -> str:
    """What the run is at: the step that its last event belongs to."""
    now = [e for e in seen.events if e["version"] == seen.version]
    step = str(now[-1]["step"]) if now else ""
    return escape(DOING.get(step, "opening the documents and the model")) + " …"


def _count(number: int, one: str, several: str) -> str:
    return f"<b>{number}</b> {one if number == 1 else several}"


def _spent(seen: Watched) -> str:
    """Time spent, and of how much where there is a limit."""
    limit = seen.record.config.budget
    spent = f"<b>{seen.state.spent:.0f} s</b>"
    return f"{spent} of {limit:.0f} s" if limit else spent if seen.state.spent >= 1 else ""


def _buttons(run: Run, seen: Watched) -> None:
    if seen.status in LIVE:
        asked = run.is_stop_asked()
        help_ = "ends with a report of what is known by then"
        if st.button("Stop", disabled=asked, width="stretch", key="stop", help=help_):
            acts.stop(run)
            st.rerun()
        if asked:
            st.html(text("p", "Stopping: the report of what is known is being written.", class_="pp-soft"))
    elif seen.status in ("stopped", "failed", "unfinished") and st.button(
        "Resume", type="primary", width="stretch", key="resume"
    ):
        navigation.guarded(lambda: acts.go_on(run))
        st.rerun()
