"""What a page says of itself: its title without its site's name, and the day on which it was published."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from rapidfuzz import fuzz

from ..loaders.dates import iso_date
from ..loaders.language import language_of
from .work import one_line
from .works import folded

# In the order of trust: what libraries and archives read, what is made for sharing, what is made for search engines.
_TITLES = ("citation_title", "dc:title", "dcterms:title", "og:title", "parsely-title", "twitter:title", "title")
_SITES = ("og:site_name", "application-name", "citation_journal_title", "twitter:site", "publisher")
_JOINTS = re.compile(r"\s+[|·•»«–—:/-]{1,2}\s+|\s*[|»«]\s*|:\s+|\s+(?=\[)")
ALIKE = 85.0  # per cent of two titles that differ in a word
NEAR = 6  # pieces of text after the heading, or before it, among which a line with the date stands
DATELINE = 90  # letters of such a line
WORDS_BESIDE = 8  # of such a line that are no part of its date: a byline, "updated", an hour


def title(tree: Any, url: str, found: str | None = None) -> str:
    """The title of a page; `found` is what a finder of main texts took for it.

    What a page says in its head counts where its heading or its window's title says the same; a heading alone may be the site's name.
    """
    own, heads = one_line(tree.findtext(".//title")), _headings(tree)
    shown = {folded(text) for text in (*heads, own, *_pieces(own))}
    stated = [text for text in _stated(tree) if text]
    agreed = next((text for text in stated if folded(text) in shown or _core(text, shown) != text), "")
    from_window = _from_window(own, heads, one_line(found))
    said_twice = from_window if from_window in heads else ""
    chosen = agreed or said_twice or next(iter(stated), "") or from_window or next(iter(heads), "")
    return _without_site(chosen or own or one_line(found), heads, _sites(tree, url))


def _stated(tree: Any) -> Iterator[str]:
    """The titles of the page's head, those of records last: a record's headline may be a description."""
    metas = _metas(tree)
    for name in _TITLES:
        yield from metas.get(name, ())
    shown = [folded(one_line(tree.findtext(".//title"))), *map(folded, _headings(tree))]
    for record in _records(tree):
        headline = one_line(str(record.get("headline") or ""))
        if headline and any(folded(headline) in text for text in shown):
            yield headline


def _metas(tree: Any) -> dict[str, list[str]]:
    """Contents of the head by name, in lower case with a colon for the dot of "DC.title"; those of a property first."""
    found: dict[str, list[str]] = {}
    for key in ("property", "name", "itemprop"):
        for meta in tree.xpath(f"//meta[@{key}][@content]"):
            content = one_line(meta.get("content"))
            for name in meta.get(key).lower().split():
                found.setdefault(re.sub(r"^(dc|dcterms?)\.", r"\1:", name), []).extend([content] if content else [])
    return found


def _records(tree: Any) -> Iterator[dict[str, Any]]:
    """The records of a page (JSON-LD), those within others too."""
    for script in tree.xpath('//script[@type="application/ld+json"]/text()'):
        try:
            yield from _within(json.loads(script, strict=False))
        except (ValueError, RecursionError):  # many pages hold one that no reader can read
            continue


def _within(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        yield from _within(value.get("@graph"))
    elif isinstance(value, list):
        for item in value:
            yield from _within(item)


def _headings(tree: Any) -> list[str]:
    return [text for node in tree.xpath("//body//h1") if (text := one_line(str(node.text_content())))]


def _pieces(text: str) -> list[str]:
    return [piece.strip(" []") for piece in _JOINTS.split(text) if piece.strip(" []")]


def _core(text: str, shown: set[str]) -> str:
    """The piece of a title that the page shows as its heading; the text itself where there is none."""
    return next((piece for piece in _pieces(text) if folded(piece) in shown), text)


def _from_window(own: str, heads: list[str], found: str) -> str:
    """The title of the window, or the heading that says the same; what was found where it is a piece of the window's title."""
    inside = [head for head in heads if folded(head) and f" {folded(head)} " in f" {folded(own)} "]
    alike = [head for head in heads if fuzz.ratio(folded(head), folded(own)) >= ALIKE]
    longest = max(inside, key=len, default="")
    if 2 * len(folded(longest)) >= len(folded(own)):
        return longest
    if alike:
        return alike[0]
    return found if found and own and folded(found) in folded(own) and found not in heads else own or found


def _sites(tree: Any, url: str) -> set[str]:
    """What the site is called, as far as the page and its address tell."""
    metas = _metas(tree)
    names = [name for key in _SITES for name in metas.get(key, ())]
    for record in _records(tree):
        publisher = record.get("publisher")
        names += [str(publisher.get("name") or "")] if isinstance(publisher, dict) else []
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    return {_squeezed(name) for name in (*names, host, host.partition(".")[0], *host.split(".")[-2:-1])} - {""}


def _squeezed(name: str) -> str:
    bare = re.sub(r"\.(com|org|net|info|co|io|fr|de|uk|at|eu|jp|kr|cn|ru)\b", "", name.casefold())
    return folded(bare).replace(" ", "")


def _without_site(text: str, heads: Iterable[str], sites: set[str]) -> str:
    """A title without its site's name before or behind it, by the heading that is one of its pieces or by what the site is called."""
    pieces = _JOINTS.split(text)
    if len(pieces) < 2:
        return text
    for head in heads:
        at = text.find(head)
        rest = (text[:at] + text[at + len(head) :]).strip(" |·•»«–—:/-[]") if at >= 0 else text
        if (
            at >= 0
            and rest
            and (at == 0 or text.endswith(head))
            and 2 * len(head) >= len(rest)
            and _squeezed(head) not in sites
        ):
            return head
    for piece, end in ((pieces[-1], True), (pieces[0], False)):
        if _squeezed(piece.strip(" []")) in sites and len(piece) < len(text) / 2:
            rest = text[: text.rindex(piece)] if end else text[text.index(piece) + len(piece) :]
            return rest.strip(" |·•»«–—:/-[]") or text
    return text


def published(tree: Any, body: bytes, url: str, now: datetime, shown: str = "") -> str | None:
    """The day on which a page says that it was first published, ISO 8601; None when it says none, or only one that is to come.

    By what it states in its head and structure; by the line of its date beside its heading; by its title; by its address.
    """
    today = now.astimezone(UTC).date()
    for found in (_stated_day(body), *_datelines(tree, shown), _in_text(shown, tree, alone=False), _in_address(url)):
        if found and date(1990, 1, 1) <= found <= today:
            return found.isoformat()
    return None


def _stated_day(body: bytes) -> date | None:
    import htmldate

    found: Any = htmldate.find_date(body.decode("utf-8", errors="replace"), extensive_search=False, original_date=True)
    return date.fromisoformat(found) if found else None


def _datelines(tree: Any, shown: str) -> Iterator[date | None]:
    """The dates of short lines beside the heading, the nearest first behind it, then those before it."""
    lines = [line for text in tree.xpath(_READ) if (line := one_line(text))]
    at = next((n for n, line in enumerate(lines) if shown and folded(line) == folded(shown)), None)
    if at is None:
        return
    for line in (*lines[at + 1 : at + 1 + NEAR], *reversed(lines[max(at - NEAR, 0) : at])):
        yield _in_text(line, tree, alone=True) if len(line) <= DATELINE else None


_READ = "//body//text()[not(ancestor::script or ancestor::style or ancestor::noscript or ancestor::template)]"
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


def _in_text(text: str, tree: Any, alone: bool) -> date | None:
    """The one day, month and year in a text; with `alone` hardly anything may stand beside it.

    03/04/2021 may be two days, and is none.
    """
    if len(_YEAR.findall(text)) != 1 or "©" in text:
        return None
    found = _searched(text, _languages(tree))
    days = {when.date() for piece, when in found if _is_certain(piece)}
    words = len(text.split()) - sum(len(piece.split()) for piece, _ in found)
    return days.pop() if len(days) == len(found) == 1 and (not alone or words <= WORDS_BESIDE) else None


def _is_certain(piece: str) -> bool:
    return any(map(str.isalpha, piece)) or len(iso_date(piece) or "") == 10


def _languages(tree: Any) -> list[str]:
    """The languages that a page declares and is in, and English; never all that the library knows, which would take seconds a line."""
    text = " ".join(tree.xpath("//body//text()[not(ancestor::script or ancestor::style)]"))
    declared = (tree.get("lang") or "")[:2].lower()
    return list(dict.fromkeys(filter(None, (declared if declared.isalpha() else "", language_of(text), "en"))))


def _searched(text: str, languages: list[str]) -> list[tuple[str, datetime]]:
    from dateparser.search import search_dates

    settings: Any = {"REQUIRE_PARTS": ["day", "month", "year"], "DATE_ORDER": "DMY", "RETURN_AS_TIMEZONE_AWARE": False}
    try:
        return search_dates(text, languages=languages, settings=settings) or []
    except ValueError:  # a language that the library does not know
        return search_dates(text, languages=["en"], settings=settings) or []


_DAY_IN_PATH = re.compile(r"/((?:19|20)\d\d)/(?:[a-z_-]+/)?(\d{1,2})/(?:[a-z_-]+/)?(\d{1,2})(?=[/.-]|$)", re.IGNORECASE)


def _in_address(url: str) -> date | None:
    """A day that is a part of the path, as in /2013/08/03/; a year and a month alone are none."""
    match = _DAY_IN_PATH.search(urlsplit(url).path)
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None
