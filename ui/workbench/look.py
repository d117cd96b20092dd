"""How the workbench looks: the theme that Streamlit is given, and the style sheet of what is ours. Both are light and dark."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).parent / "assets"

KINDS = {  # the kind of a place, as data-mask tells it, and what a reader calls it
    "ENTITY": "a name",
    "NUMBER": "a figure or date",
    "TEXT": "words",
    "LOGIC": "a relation",
    "CITE": "a citation",
    "OUTLINE": "a heading",
    "CHOICE": "a verdict",
}

STATUS = {  # how a run stands, by its word in processes
    "waiting": "Beginning",
    "running": "Working",
    "done": "Done",
    "stopped": "Stopped by you",
    "failed": "Failed",
    "unfinished": "Broken off",
}

_LIGHT = {
    "primaryColor": "#1f5f5b",
    "backgroundColor": "#fbfaf6",
    "secondaryBackgroundColor": "#f1eee6",
    "textColor": "#26231e",
    "linkColor": "#1f5f5b",
    "borderColor": "#d9d3c6",
}
_DARK = {
    "primaryColor": "#7cc7be",
    "backgroundColor": "#161719",
    "secondaryBackgroundColor": "#202225",
    "textColor": "#e9e5dc",
    "linkColor": "#7cc7be",
    "borderColor": "#3a3d41",
}


def theme() -> dict[str, Any]:
    """Options of Streamlit: its own bundled fonts, colours of paper and ink, by the reader's choice of light or dark."""
    both = {f"theme.light.{k}": v for k, v in _LIGHT.items()} | {f"theme.dark.{k}": v for k, v in _DARK.items()}
    return {**both, "theme.font": "sans-serif", "theme.headingFont": "serif", "theme.baseRadius": "0.4rem"}


def style() -> str:
    """The style sheet, as an element."""
    return f"<style>{(ASSETS / 'workbench.css').read_text(encoding='utf-8')}</style>"


def script(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def icon() -> str:
    """The sign of the page in a browser's tab: a letter with the ghost of an older one under it."""
    return str(ASSETS / "icon.png")


def icon_address() -> str:
    """The same, for a page that has not begun yet."""
    return "data:image/png;base64," + b64encode(Path(icon()).read_bytes()).decode()
