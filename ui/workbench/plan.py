"""What was found to be asked, as a list."""

from __future__ import annotations

import streamlit as st

from palimpsest.agent.state import SubQuestion
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched

from . import navigation
from .markup import escape, listed, text

FORMS = {"fact": "one answer", "open": "a report of sections"}


def show(run: Run, seen: Watched) -> None:
    st.html(text("h2", "Plan", class_="pp-title"))
    if not seen.state.questions:
        navigation.empty("What is asked is being found out; the plan appears here in a moment.")
        return
    st.html(listed([entry(q) for q in seen.state.questions], class_="pp-plan"))


def entry(question: SubQuestion) -> str:
    """A part of the question, what form its answer takes, and what it waits for."""
    facts = [FORMS.get(question.form, question.form)]
    facts += [f"as of {question.as_of}"] if question.as_of else []
    facts += ["needs the answer before it"] if question.depends_on else []
    facts += ["left out if nothing answers it"] if question.tentative else []
    return f'{escape(question.asked)} <span class="pp-soft">– {escape(", ".join(facts))}</span>'
