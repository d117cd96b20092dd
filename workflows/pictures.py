"""The page of a PDF on which words of a run stand, as it looks, with a frame around them: from the file, where it still lies."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from palimpsest.retrieval.loaders import load, page_picture
from palimpsest.retrieval.types import Block, Document, Frozen, Source


class Picture(Frozen):
    """A page (from 1) as a PNG."""

    page: int
    png: bytes


def has_pages(source: Source) -> bool:
    """Whether a source is a PDF whose file is there; that it is still the one that was read is seen when it is opened."""
    return source.media_type == "application/pdf" and Path(source.uri).is_file()


def page_of(source: Source, start: int, end: int) -> Picture | None:
    """The page that holds the source's text[start:end]; None where the file is gone or another.

    RetrievalError where it cannot be read.
    """
    path = Path(source.uri)
    if not has_pages(source):
        return None
    document = _read(path, path.stat().st_mtime_ns)
    block = _block(document, start, end)
    if document.source.sha256 != source.sha256 or block is None or block.page is None or block.box is None:
        return None
    return Picture(page=block.page, png=_drawn(path, path.stat().st_mtime_ns, block.page, block.box))


def _block(document: Document, start: int, end: int) -> Block | None:
    return next((b for b in document.blocks if b.start < end and start < b.end and b.page is not None), None)


@lru_cache(maxsize=4)
def _read(path: Path, stamp: int) -> Document:
    return load(path)


@lru_cache(maxsize=16)
def _drawn(path: Path, stamp: int, page: int, box: tuple[float, float, float, float]) -> bytes:
    return page_picture(path, page, box)
