"""The pages there are, and the ways between them."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.runs import Run

from . import settings
from .markup import text

RUN, RESEARCH = "run", "research"


def hold(pages: dict[str, st.Page]) -> None:
    """Keep the pages of this session, by name, for whoever leads to one."""
    st.session_state["pages"] = pages


def go(name: str, **query: str) -> None:
    """Show another page."""
    st.switch_page(st.session_state["pages"][name], query_params=query)


def chosen_run() -> Run | None:
    """The run that the address names with ?id=; only a name of this folder of runs, never a path."""
    name = st.query_params.get("id", "")
    return next((run for run in Run.all(settings.current().runs) if run.folder.name == name), None)


def guarded(draw: Callable[[], None]) -> None:
    """Draw, and where something cannot be done say so in its one sentence."""
    try:
        draw()
    except ResearchError as error:
        problem(str(error))


def problem(sentence: str) -> None:
    st.html(text("p", sentence[:1].upper() + sentence[1:], class_="pp-problem", role="alert"))


def good(sentence: str) -> None:
    st.html(text("p", sentence, class_="pp-good", role="status"))


def empty(sentence: str) -> None:
    """What a place that has nothing to show says: what to do."""
    st.html(text("p", sentence, class_="pp-empty"))
