"""Whether a page that came is an article at all: gates, shells and walls answer with status 200 too."""

from __future__ import annotations

import codecs
from contextlib import suppress
from email.message import Message
from typing import Any

from lxml import html  # type: ignore[import-untyped]
from lxml.etree import LxmlError  # type: ignore[import-untyped]

from ..http import Page, Rate
from ..outcomes import Failed, Refused
from .work import one_line

HTML = ("text/html", "application/xhtml+xml")
POLITE = Rate(1.0)
FEW_WORDS = 80  # a page with fewer is no article; what it says of itself then decides what it is

# Marks that the makers of gates and walls leave in their pages, and nobody else.
_GATES = (
    "cf-chl",
    "challenge-platform",
    "cf_chl_opt",
    "_incapsula_resource",
    "px-captcha",
    "g-recaptcha",
    "h-captcha",
    "captcha-delivery",
    "awswafintegration",
    "cloudpmc-viewer-pow",
    "anubis_challenge",
)
_GATE_TITLES = (
    "just a moment",
    "attention required",
    "are you a robot",
    "access denied",
    "security check",
    "verify you are human",
)
_GONE_TITLES = ("doi not found", "page not found", "404 not found", "not found", "error 404")
_CONSENT = ("cookie", "consent", "datenschutz", "gdpr")


def check_article(page: Page) -> None:
    """Raise what a page is when it is no article. An article is never refused for what it is about: only short pages are judged."""
    tree = parsed(page)
    words, title = visible_words(tree), one_line(tree.findtext(".//title")).casefold()
    where = page.url
    raw = page.body[:200_000].decode("latin-1").casefold()
    if any(title.startswith(gone) or title.endswith(gone) for gone in _GONE_TITLES):
        raise Failed(f"{where} says that there is no such page.", cause="missing", where=where)
    if len(words) > 10 * FEW_WORDS:
        return
    if title.startswith(_GATE_TITLES) or (len(words) < FEW_WORDS and any(mark in raw for mark in _GATES)):
        raise Refused(f"{where} wants a person to prove themselves.", cause="gate", where=where)
    if len(words) < FEW_WORDS:
        _judge_short(tree, words, where)


def _judge_short(tree: Any, words: list[str], where: str) -> None:
    text = " ".join(words).casefold()
    if any(mark in text for mark in _CONSENT) and tree.xpath("//button | //form | //input"):
        raise Refused(f"{where} shows a consent wall instead of its text.", cause="gate", where=where)
    linked = " ".join(tree.xpath("//body//a//text()")).split()
    headed = tree.xpath("//body//h2//a[@href] | //body//h3//a[@href]")
    if len(headed) >= 3 or (len(tree.xpath("//body//a[@href]")) >= 5 and len(linked) > len(words) / 2):
        raise Failed(f"{where} is a list of links and no article.", cause="unreadable", where=where)
    if tree.xpath("//script") and (len(words) < 25 or "javascript" in text):
        raise Failed(f"{where} is made by scripts, which are not run.", cause="unreadable", where=where)


def is_paywalled(page: Page) -> bool:
    """Whether a page says in its own metadata, or by its own wall, that its text is not free."""
    tree = parsed(page)
    free = "".join(tree.xpath('//meta[@name="citation_fulltext_world_readable"]/@content'))
    declared = "".join(tree.xpath('//script[@type="application/ld+json"]/text()')).replace(" ", "").casefold()
    if '"isaccessibleforfree":false' in declared or '"isaccessibleforfree":"false"' in declared:
        return True
    tier = " ".join(
        tree.xpath('//meta[@name="access" or @property="article:content_tier" or @name="dc.rights"]/@content')
    )
    locked = tree.xpath(
        '//*[contains(@class,"paywall") or contains(@class,"access-options") or contains(@id,"access-options")'
        ' or contains(@class,"buybox") or contains(@class,"buy-box") or contains(@data-test,"access-article")'
        ' or contains(@class,"no-access") or contains(@class,"denied")]'
    )
    return not free and (tier.casefold().strip() in ("no", "locked", "metered") or bool(locked))


def is_of_a_paper(page: Page) -> bool:
    """Whether a page describes itself as that of a paper, to those who collect such descriptions."""
    return bool(parsed(page).xpath('//meta[starts-with(@name, "citation_")]'))


def pdf_address(page: Page) -> str:
    """Where a landing page says that its PDF is; "" when it says nothing."""
    return "".join(parsed(page).xpath('(//meta[@name="citation_pdf_url"]/@content)[1]')).strip()


def without_hidden(page: Page) -> bytes:
    """A page without what no reader sees: text that is hidden can only be meant for programs."""
    tree = parsed(page)
    hidden = [node for node in tree.xpath("//body//*[@hidden or @style or @aria-hidden]") if _is_hidden(node)]
    if not hidden and encoding_of(page) in ("utf-8", None):
        return page.body
    for node in hidden:
        node.drop_tree()
    return bytes(html.tostring(tree, encoding="utf-8"))


_HIDING = ("display:none", "visibility:hidden", "font-size:0;", "font-size:0px", "opacity:0;", "text-indent:-9999px")


def _is_hidden(node: Any) -> bool:
    style = f"{node.get('style', '')};".replace(" ", "").casefold()
    marked = node.get("hidden") is not None or any(way in style for way in _HIDING)
    return marked and node.getparent() is not None


def encoding_of(page: Page) -> str | None:
    """UTF-8 where the bytes are that, else what the server said; None leaves it to what the page says of itself."""
    try:
        page.body.decode("utf-8")
    except UnicodeDecodeError:
        message = Message()
        message["content-type"] = page.headers.get("content-type", "")
        charset = message.get_content_charset()
        with suppress(LookupError):
            return codecs.lookup(charset).name if charset else None
        return None
    return "utf-8"


def parsed(page: Page) -> Any:
    try:
        parser = html.HTMLParser(encoding=encoding_of(page))
        return html.document_fromstring(page.body or b"<html></html>", parser=parser)
    except (LxmlError, ValueError) as exc:
        raise Failed(f"{page.url} is no HTML that can be read.", cause="unreadable", where=page.url) from exc


def visible_words(tree: Any) -> list[str]:
    """The words of a page's body outside scripts and styles."""
    texts = tree.xpath(
        "//body//text()[not(ancestor::script or ancestor::style or ancestor::noscript or ancestor::template)]"
    )
    return " ".join(texts).split()
