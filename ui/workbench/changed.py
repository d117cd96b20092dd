"""What the newest version changed, shown at once: each reopened place with its reason, and how much was provably left alone."""

from __future__ import annotations

import streamlit as st

from palimpsest.workflows import changes
from palimpsest.workflows.rendering.text import WHY, change, title_of
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched

from .diffs import between
from .markup import element, escape, text


def show(run: Run, seen: Watched) -> None:
    """Nothing for the first version: all of it is new."""
    if seen.version < 2 or not seen.record.current.done:
        return
    found = changes.diff(run)
    kept = changes.untouched(run)
    st.html(
        element(
            "div",
            head(seen, kept) + "".join(map(entry, found)),
            class_="pp-card pp-changed",
            id="changed",
            role="status",
        )
    )


def head(seen: Watched, kept: changes.Untouched) -> str:
    proved = f"{kept.kept:,} bytes stand as they stood, letter by letter; {kept.opened:,} were reopened, {kept.added:,} are new."
    broken = f"{len(kept.broken)} places changed that were not reopened: {', '.join(kept.broken[:5])}."
    return text("h3", f"Version {seen.version}: what changed") + text("p", broken if kept.broken else proved)


def entry(found: changes.Change) -> str:
    revision = found.revision
    old, new = change(revision)
    why = WHY.get(revision.reason, revision.reason) + (f": {title_of(found.passage.source)}" if found.passage else "")
    words = between(old, new) if old != new else f"“{escape(old)}” stands"
    return f'<p>{words}<br><span class="pp-soft">{escape(why)}</span></p>'
