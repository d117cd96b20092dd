"""One file to one document, in this process. `door.load` runs it in a worker that can be killed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from ..types import RetrievalError
from .dates import YEAR, choose, date_in_name, date_in_title, dates_in_text, masthead
from .language import language_of
from .limits import Limits
from .structure import Dated, Extracted, clean, one_line

Reader = Callable[[bytes, str, Limits], Extracted]

# Each reader is imported when the first file of its kind comes.
READERS: dict[str, tuple[str, str]] = {
    **dict.fromkeys((".txt", ".text", ".log", ".rst", ".org", ".adoc", ".asc"), ("text", "load_text")),
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd", ".qmd", ".rmd"), ("markdown", "load_markdown")),
    **dict.fromkeys((".html", ".htm", ".xhtml"), ("html", "load_html")),
    ".pdf": ("pdf", "load_pdf"),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx"), ("slides", "load_slides")),
    **dict.fromkeys((".odt", ".ott", ".odp"), ("odt", "load_odt")),
    ".json": ("records", "load_json"),
    **dict.fromkeys((".jsonl", ".ndjson"), ("records", "load_jsonl")),
    ".epub": ("epub", "load_epub"),
    **dict.fromkeys((".eml", ".mhtml", ".mht"), ("mail", "load_mail")),
    ".mbox": ("mail", "load_mbox"),
    **dict.fromkeys((".tex", ".latex", ".ltx"), ("latex", "load_latex")),
    **dict.fromkeys((".bib", ".bibtex"), ("latex", "load_bibtex")),
    **dict.fromkeys((".docx", ".docm", ".dotx"), ("docx", "load_docx")),
    **dict.fromkeys((".csv", ".tsv", ".tab"), ("sheets", "load_csv")),
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), ("sheets", "load_workbook")),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"), ("image", "load_image")),
}
ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".iso"})
_MENDS = {
    ".doc": "save it as .docx", ".ppt": "save it as .pptx", ".rtf": "save it as .docx", ".pages": "export it as .docx",
    ".numbers": "export it as .xlsx", ".key": "export it as .pptx", ".wpd": "save it as .docx", ".msg": "save it as .eml",
    ".mobi": "convert it to .epub", ".azw3": "convert it to .epub", ".djvu": "convert it to .pdf", ".ps": "convert it to .pdf",
}  # fmt: skip
_MAGIC = ((b"%PDF-", ".pdf"), (b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"))


def printable(path: str | os.PathLike[str]) -> str:
    """A path as text that every program can hold: bytes that are no UTF-8 are shown escaped."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def refusal(path: str | os.PathLike[str]) -> str:
    """Why a file of this name is not read, with the mend; "" where it is."""
    name, suffix = printable(path), Path(path).suffix.lower()
    if suffix in READERS:
        return ""
    if suffix in ARCHIVES:
        return f"{name} is an archive, which is not opened; unpack it."
    mend = _MENDS.get(suffix, f"convert it to one of {', '.join(READERS)}")
    return f"{name} is of no known kind; {mend}."


def read(path: str, limits: Limits, uri: str | None = None) -> dict[str, Any]:
    """The fields of the `Document` in a file. Raises RetrievalError."""
    name = printable(path)
    if reason := refusal(path):
        raise RetrievalError(reason)
    data = read_bytes(path, limits.file_bytes)
    found = _reader(path, data)(data, name, limits)
    if not found.text.strip():
        raise RetrievalError(f"{name} holds no text; leave it out or give a file with words in it.")
    return _fields(found, name, uri or found.url or os.path.abspath(name), Path(name).stem)


def read_bytes(path: str, most: int) -> bytes:
    name = printable(path)
    try:
        # A pipe would wait for ever, so it is looked at before it is opened, and opened without waiting.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise RetrievalError(f"{name} is not a regular file; give a file.")
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError as exc:
        raise RetrievalError(f"{name} does not exist (any more); check the path.") from exc
    except PermissionError as exc:
        raise RetrievalError(f"{name} may not be read; grant read permission on it.") from exc
    except OSError as exc:
        raise RetrievalError(f"{name} cannot be read: {exc.strerror}; check the disk.") from exc
    if len(data) > most:
        raise RetrievalError(f"{name} is larger than {most:,} bytes; split it or raise reading.file_bytes.")
    if not data:
        raise RetrievalError(f"{name} is empty; leave it out or give a file with words in it.")
    return data


def _reader(path: str, data: bytes) -> Reader:
    """By the name's ending, unless the first bytes plainly say something else."""
    suffix = Path(path).suffix.lower()
    kind = next((kind for magic, kind in _MAGIC if data.startswith(magic)), suffix)
    if kind == ".pdf" or READERS[suffix][0] == "image":
        suffix = kind if kind in READERS else suffix
    module, function = READERS[suffix]
    reader: Reader = getattr(import_module(f".{module}", __package__), function)
    return reader


def _fields(found: Extracted, name: str, uri: str, stem: str) -> dict[str, Any]:
    heading = next((found.text[b.start : b.end] for b in found.blocks if b.kind == "heading"), "")
    title = one_line(found.title)[:300] or heading[:300] or stem
    digest = hashlib.sha256(found.text.encode()).hexdigest()
    own: list[Dated] = date_in_title(one_line(found.title))
    ahead, headed = masthead(found.blocks, found.text)
    head = [Dated(headed, "text")] if headed else []
    if not own or len(own[0].text) == YEAR:
        said = dates_in_text(found.blocks, found.text)
        own = next((dates for dates in (head, said) if dates and len(dates[0].text) > YEAR), own or said or head)
    date, date_from = choose([*own, *found.dates, *date_in_name(stem)])
    source = {
        "id": digest[:12], "uri": clean(uri), "title": clean(title), "authors": [one_line(author)[:300] for author in found.authors],
        "date": date, "date_from": date_from, "sha256": digest, "media_type": found.media_type,
        "language": language_of(found.text, found.language),
    }  # fmt: skip
    unread = [{"name": name, "message": f"{name}: {sentence}."} for sentence in found.unread]
    bylines = set(map(id, ahead))
    blocks = [_block(asdict(piece) | ({"kind": "byline"} if id(piece) in bylines else {})) for piece in found.blocks]
    return {"source": source, "text": found.text, "blocks": blocks, "unread": unread}


def _block(fields: dict[str, Any]) -> dict[str, Any]:
    """Only what is not the default: a long table has many blocks."""
    fields["cells"] = [{"name": name, "start": start, "end": end} for name, start, end in fields["cells"]]
    return {
        key: value
        for key, value in fields.items()
        if value not in (None, 0, "", (), []) or key in ("kind", "start", "end")
    }
