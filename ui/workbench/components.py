"""The three pieces of a page that Streamlit has no element for: the draft, the marker of masks, and names for regions.

Their scripts lie beside this file and build elements by their text, never from markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from .look import script


def _component(name: str, file: str) -> Any:
    return st.components.v2.component(name, js=script(file), isolate_styles=False)


def draft(sheet: dict[str, Any], key: str) -> str:
    """A draft on the page; returns the id of the span that was clicked just now, or ""."""
    result = _component("palimpsest_draft", "draft.js")(data=sheet, key=key, on_picked_change=_nothing)
    return str(result.picked or "")


def marker(words: Sequence[dict[str, Any]], key: str) -> Any:
    """Words that can be marked; returns [first, last] of those marked just now, or None."""
    result = _component("palimpsest_marker", "marker.js")(
        data={"words": list(words)}, key=key, on_marked_change=_nothing
    )
    return result.marked


def mend(page: str) -> None:
    """What Streamlit leaves undone on a page: containers keyed `region-NAME` become regions, and more that its script says."""
    _component("palimpsest_page", "page.js")(key="page", data={"page": page})


def region(name: str) -> Any:
    """A container that is a region of this name."""
    return st.container(key=f"region-{name}")


def _nothing() -> None:
    """Streamlit wants to be told what to call when a component speaks; a run of the page reads the result."""
