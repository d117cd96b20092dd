"""EPUB: the pages of the book in the order of its spine."""

from __future__ import annotations

import posixpath
import zipfile
from typing import Any
from urllib.parse import unquote

from ..types import RetrievalError
from .archive import opened, xml
from .encoding import decode
from .html import fill, parse
from .limits import Limits
from .structure import Dated, Extracted, Writer, one_line

_FONTS = "http://www.idpf.org/2008/embedding"  # scrambled fonts are no locked text
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")


def load_epub(data: bytes, name: str, limits: Limits) -> Extracted:
    writer = Writer(limits)
    with opened(data, name, "EPUB", limits) as archive:
        _refuse_locked(xml(archive, "META-INF/encryption.xml", name), name)
        package = _package(archive, name)
        root = xml(archive, package, name)
        if root is None:
            raise RetrievalError(f"{name} is no EPUB book; download it again.")
        for page in _spine(root, posixpath.dirname(package)):
            if page not in archive.namelist():
                writer.say(f"Its part {page} is missing")
                continue
            decoded = decode(archive.read(page), f"{name}: {page}", "utf-8")
            if decoded.text.strip():
                fill(writer, parse(decoded.text, name))
    held = _described(root)
    done = writer.finish()
    return Extracted(
        done.text, done.blocks, title=next(iter(held.get("title", [])), ""), authors=tuple(held.get("creator", [])),
        dates=tuple(Dated(date, "metadata") for date in held.get("date", [])[:1]), language=next(iter(held.get("language", [])), ""),
        media_type="application/epub+zip", unread=done.unread,
    )  # fmt: skip


def _refuse_locked(encryption: Any, name: str) -> None:
    methods = (
        [e.get("Algorithm") or "" for e in encryption.iter() if str(e.tag).endswith("}EncryptionMethod")]
        if encryption is not None
        else []
    )
    if any(_FONTS not in method and "font" not in method for method in methods):
        raise RetrievalError(f"{name} is locked by its seller (DRM); give a copy without a lock.")


def _package(archive: zipfile.ZipFile, name: str) -> str:
    container = xml(archive, "META-INF/container.xml", name)
    for element in container.iter() if container is not None else ():
        if str(element.tag).endswith("}rootfile"):
            return element.get("full-path") or ""
    return next((part for part in archive.namelist() if part.endswith(".opf")), "")


def _spine(root: Any, folder: str) -> list[str]:
    parts, order = {}, []
    for element in root.iter():
        tag = str(element.tag).rsplit("}", 1)[-1]
        if (
            tag == "item"
            and element.get("media-type") in _PAGES
            and "nav" not in (element.get("properties") or "").split()
        ):
            parts[element.get("id")] = posixpath.normpath(posixpath.join(folder, unquote(element.get("href") or "")))
        elif tag == "itemref":
            order.append(element.get("idref"))
    return [parts[number] for number in order if number in parts]


def _described(root: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for element in root.iter():
        space, _, tag = str(element.tag).rpartition("}")
        if "purl.org/dc/elements" in space and one_line(element.text or ""):
            found.setdefault(tag, []).append(one_line(element.text or ""))
    return found
