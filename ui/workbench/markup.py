"""The one way in which words from outside become part of a page: as text, whatever they hold."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from itertools import pairwise

from palimpsest.workflows.rendering.text import visible

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_SHORTCODE = re.compile(r"(?<=:)(?=\w)")
WORD_JOINER = "\u2060"
Stretch = tuple[int, int]  # [start, end) of letters


def escape(words: str) -> str:
    """Words as HTML text or as a quoted attribute: no tag, entity, or letter that cannot be seen."""
    return html.escape(visible(words), quote=True)


def label(words: str) -> str:
    """Words as the label of a widget, which Streamlit reads as Markdown: no picture, link, formula, colour, icon or emoji.

    Streamlit looks for `:icon:` after Markdown is done with, where a backslash no longer helps: a joiner of no width stands there.
    """
    return _PUNCTUATION.sub(r"\\\1", _SHORTCODE.sub(WORD_JOINER, visible(words)))


def element(name: str, content: str, **attributes: str) -> str:
    """An element around content that is markup already; attribute values are escaped here, and `data_x` is written data-x."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>{content}</{name}>"


def text(name: str, words: str, **attributes: str) -> str:
    """An element around words from outside."""
    return element(name, escape(words), **attributes)


def marked(words: str, inner: Stretch, outer: Stretch) -> str:
    """Words with two stretches marked, one within the other, and with their line breaks, which a reader of a list or poem wants."""
    cuts = sorted({0, len(words), *(min(max(n, 0), len(words)) for n in (*inner, *outer))})
    return "".join(_piece(words[a:b], _mark(a, b, inner, outer)) for a, b in pairwise(cuts))


def _mark(start: int, end: int, inner: Stretch, outer: Stretch) -> str:
    """The opening tag of a piece that no border cuts."""
    if inner[0] <= start and end <= inner[1]:
        return "<mark>"
    return '<mark class="pp-around">' if outer[0] <= start and end <= outer[1] else ""


def _piece(words: str, mark: str) -> str:
    return "\n".join(f"{mark}{escape(p)}</mark>" if mark and p else escape(p) for p in words.split("\n"))


def listed(items: Iterable[str], **attributes: str) -> str:
    """A list of entries that are markup already."""
    return element("ul", "".join(element("li", item) for item in items), **attributes)
