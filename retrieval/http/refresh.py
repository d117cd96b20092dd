"""Redirects that stand inside a page, where HTTP does not see them."""

from __future__ import annotations

import re

from lxml import html  # type: ignore[import-untyped]
from lxml.etree import LxmlError  # type: ignore[import-untyped]

LOOKED_AT = 64 * 1024  # bytes from the start of a page
MAX_DELAY = 10.0  # seconds; a page that shows itself for longer is meant to be read
_CONTENT = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*[;,]\s*(?:url\s*=\s*)?['\"]?([^'\"]+)", re.IGNORECASE)


def target(body: bytes) -> str | None:
    """Where `<meta http-equiv="refresh">` leads, as written; None when the page has none or leads to itself."""
    if b"refresh" not in body[:LOOKED_AT].lower():
        return None
    try:
        tree = html.document_fromstring(body[:LOOKED_AT])
    except (LxmlError, ValueError):  # what is no HTML leads nowhere
        return None
    for meta in tree.iter("meta"):
        match = _CONTENT.match(meta.get("content", ""))
        if meta.get("http-equiv", "").lower() == "refresh" and match and float(match[1]) <= MAX_DELAY:
            return match[2].strip()
    return None
