"""Zips that are documents (docx, xlsx, epub): opened only when they unpack to a bearable size."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..types import RetrievalError
from .limits import Limits


@contextmanager
def opened(data: bytes, name: str, kind: str, limits: Limits) -> Iterator[zipfile.ZipFile]:
    """The zip in `data`; anything that is wrong with it, also while it is read, raises RetrievalError."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise RetrievalError(f"{name} is encrypted or of an old kind; save it again as an unprotected {kind} file.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check(archive, name, limits)
            yield archive
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        EOFError,
        zlib.error,
        NotImplementedError,
        OSError,
        RuntimeError,
    ) as exc:
        raise RetrievalError(
            f"{name} is no {kind} file or a damaged one ({type(exc).__name__}); save it again."
        ) from exc


def refuse_bomb(data: bytes, name: str, kind: str, limits: Limits) -> None:
    """For libraries that open the zip themselves. XML that declares entities could grow without end, or read other files."""
    with opened(data, name, kind, limits) as archive:
        for part in archive.infolist():
            if part.filename.endswith((".xml", ".rels")) and b"<!DOCTYPE" in archive.read(part):
                raise RetrievalError(f"{name} declares XML entities, which no {kind} file needs; save it again.")


def xml(archive: zipfile.ZipFile, part: str, name: str) -> Any:
    """The root of an XML part, or None where there is none such. No entity is resolved."""
    from lxml import etree  # type: ignore[import-untyped]

    if part not in archive.namelist():
        return None
    content = archive.read(part)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, recover=False)
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as exc:
        raise RetrievalError(f"{name} is damaged ({part} is no XML); save it again.") from exc


def _check(archive: zipfile.ZipFile, name: str, limits: Limits) -> None:
    parts = archive.infolist()
    if len(parts) > limits.members:
        raise RetrievalError(
            f"{name} has more than {limits.members:,} parts; split the document or raise reading.members."
        )
    if sum(part.file_size for part in parts) > limits.unpacked_bytes:
        raise RetrievalError(
            f"{name} unpacks to more than {limits.unpacked_bytes:,} bytes; split the document or raise reading.unpacked_bytes."
        )
