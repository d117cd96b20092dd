"""The runs there were, the newest first, as a short list that leads to each."""

from __future__ import annotations

import streamlit as st

from palimpsest.workflows import processes
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.runs import Record, Run

from . import navigation, settings
from .look import STATUS
from .markup import label, text

SHOWN = 6


def records(runs: list[Run]) -> list[tuple[Run, Record]]:
    """Runs whose record can be read; what is wrong with another is said on the page of runs."""
    found = []
    for run in runs:
        try:
            found.append((run, run.record()))
        except ResearchError:
            continue
    return found


def show() -> None:
    runs = Run.all(settings.current().runs)[::-1][:SHOWN]
    st.html(text("h2", "Earlier runs", class_="pp-title"))
    if not runs:
        navigation.empty(
            "None yet. Ask a question above, or take one of the examples; what you start here stays in this folder."
        )
    with st.container(key="recent", gap="xsmall"):
        for run, record in records(runs):
            words = f"{label(record.question)}  \n:small[{when(record.created)} · {standing(run, record)}]"
            if st.button(words, key=f"recent-{record.id}", width="stretch"):
                navigation.go(navigation.RUN, id=record.id)


def when(created: str) -> str:
    """The moment as a person writes it."""
    return created[:16].replace("T", " ")


def standing(run: Run, record: Record) -> str:
    versions = len(record.versions)
    return STATUS[processes.status(run)].lower() + (f" · version {versions}" if versions > 1 else "")
