"""Taking the report home, and checking that it holds."""

from __future__ import annotations

from functools import partial

import streamlit as st

from palimpsest.workflows import audit
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched

from . import navigation
from .files import FORMS, made
from .markup import escape, text


def show(run: Run, seen: Watched, key: str = "") -> None:
    """Buttons for every form, and one that verifies; `key` tells several on one page apart."""
    st.html(text("h2", "Export and verify", class_="pp-title"))
    done = [v.number for v in seen.record.versions if v.done]
    if not done:
        navigation.empty("The report can be taken home when the run is done, or stopped with what is known by then.")
        return
    with st.container(horizontal=True):
        for form, (mime, name) in FORMS.items():
            data = partial(made, run, seen.record, run.state(done[-1]), form)
            st.download_button(
                name,
                data,
                file_name=f"{run.folder.name}.{form}",
                mime=mime,
                on_click="ignore",
                key=f"export-{form}{key}",
            )
    if st.button(
        "Verify", key=f"verify{key}", help="every quotation, citation, file and hash of the run's folder, offline"
    ):
        _verify(run)


def _verify(run: Run) -> None:
    with st.spinner("Checking every word against its source"):
        problems = audit.verify(run)
    if problems:
        st.html(
            '<div class="pp-problem" role="alert"><b>Something does not hold.</b><ul>'
            + "".join(f"<li>{escape(p)}</li>" for p in problems)
            + "</ul></div>"
        )
    else:
        navigation.good("Every quotation, citation, file and hash holds, and so does the chain of the log.")
