"""The frames of a run, followed from where this page last read: the draft while it is denoised."""

from __future__ import annotations

import streamlit as st

from palimpsest.workflows.frames import View, fold, read
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched


def view(run: Run, seen: Watched) -> View:
    """What the frames of the version under way show now; each page reads a frame once and keeps the last view only."""
    key = f"frames-{run.folder.name}"
    held, offset = st.session_state.get(key, (View(), 0))
    lines, offset = read(run, offset)
    if lines:
        held = fold(held, lines)
        st.session_state[key] = (held, offset)
    return held if held.version == seen.version else View()
