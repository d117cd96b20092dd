"""What a run did, event by event, the newest first: its searches, what it believed, wrote, reopened and revised."""

from __future__ import annotations

from typing import Any

import streamlit as st

from palimpsest.workflows.rendering.text import WHY
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched

from . import navigation
from .evidence import REASONS
from .markup import element, escape, text

NAMES = {
    "planned": "planned", "searched": "searched", "found": "found", "failed": "failed", "believed": "possible answer", "wrote": "wrote",
    "conflict": "sources disagree", "reopened": "reopened", "revised": "revised", "rolled back": "taken back",
    "unestablished": "not established", "routed": "went on", "cut": "cut short", "finished": "finished", "sealed": "sealed",
    "attached": "evidence brought", "pinned": "pinned", "unpinned": "unpinned", "edited": "edited", "banned": "banned",
    "asked": "asked", "replanned": "planned anew", "stopped": "stopped",
}  # fmt: skip
MOST = 300  # events shown; the whole log is in the run's folder


def show(run: Run, seen: Watched) -> None:
    st.html(text("h2", "Steps", class_="pp-title"))
    if not seen.events:
        navigation.empty(
            "Opening the documents and the model. Large folders take a while the first time; you may leave this page."
        )
        return
    entries = "".join(entry(e) for e in seen.events[::-1][:MOST])
    st.html(element("ul", entries, class_="pp-steps", tabindex="0", aria_label="Steps, the newest first"))


def entry(event: dict[str, Any]) -> str:
    kind = str(event.get("kind", ""))
    return element("li", f"<b>{escape(NAMES.get(kind, kind))}</b> {_words(event)}", data_event=kind)


def _words(event: dict[str, Any]) -> str:
    """A search says what it was for; a belief says no figure, which is calibrated for some models only."""
    data = event.get("data", {})
    if event.get("kind") == "searched":
        found = len(data.get("found", ()))
        return f"“{escape(str(data.get('query', '')))}” {escape(REASONS.get(str(data.get('reason', '')), ''))}: {found} passages"
    if event.get("kind") == "sealed":
        return "every later change of its files will be found"
    if event.get("kind") == "believed":
        return escape(str(data.get("text", event["text"])))
    told = str(event["text"]).removeprefix(f"{event.get('kind')} ")  # the name stands ahead of it
    return escape(_plain(told, str(data.get("reason", ""))))


def _plain(told: str, reason: str) -> str:
    """What the log says, with its reason at the end in the words that the page has for it."""
    words = WHY.get(reason, reason)
    for mark, plain in ((f"({reason})", f"({words})"), (f": {reason}", f": {words}")):
        if reason and told.endswith(mark):
            return told.removesuffix(mark) + plain
    return told
