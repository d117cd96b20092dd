"""The frames of a run, followed from where this page last read: the draft while it is denoised."""

from __future__ import annotations

import streamlit as st

from palimpsest.agent.frames import Slot, Token
from palimpsest.workflows.frames import View, fold, read
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched


def opened(seen: Watched) -> dict[str, Slot]:
    """The places that a person opened, before the run's first frame shows them."""
    named = seen.record.current.steering.reopen
    mask = (Token(text="", open=True),) * 3
    spans = {s.id: s for s in seen.state.draft.spans() if s.id in named}
    return {
        name: Slot(span=name, block="", kind=span.kind, reason="person", tokens=mask) for name, span in spans.items()
    }


def view(run: Run, seen: Watched) -> View:
    """What the frames of the version under way show now; each page reads a frame once and keeps the last view only."""
    key = f"frames-{run.folder.name}"
    held, offset = st.session_state.get(key, (View(), 0))
    lines, offset = read(run, offset)
    if lines:
        held = fold(held, lines)
        st.session_state[key] = (held, offset)
    return held if held.version == seen.version else View()
