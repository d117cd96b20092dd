"""Files to documents: text, Markdown, HTML, PDF, Word and CSV. A file that cannot be read raises RetrievalError."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import stat
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from .types import Document, Failure, RetrievalError, Source

MAX_BYTES = 50 * 1024 * 1024
MAX_CHARACTERS = 20_000_000
MAX_MAIN_TEXT_BYTES = 5_000_000  # the main-text finder takes up to 8 s for a megabyte of table
MAX_PDF_PAGES = 5_000
MAX_PDF_SECONDS = 120.0
MAX_UNPACKED_BYTES = 200 * 1024 * 1024  # a Word file is a zip: a small one can unpack to gigabytes

# Characters that no reader prints and that SQLite or a tokenizer may stumble over; tab and newline stay.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]")
_ISO_DATE = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?(?!\d)")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*?)[ \t#]*$", re.MULTILINE)


@dataclass(frozen=True)
class Extracted:
    """What a file says: its text, and what it says about itself where it does."""

    text: str
    title: str = ""
    authors: tuple[str, ...] = ()
    date: str | None = None
    url: str = ""
    media_type: str = "text/plain"
    has_headings: bool = True  # a line that begins with "#" is a heading


def document(
    text: str,
    *,
    uri: str,
    title: str = "",
    authors: Iterable[str] = (),
    date: str | None = None,
    media_type: str = "text/plain",
) -> Document:
    """A document with its ids made from the text; control characters are dropped, a blank text is refused."""
    text = clean(text)[:MAX_CHARACTERS]
    if not text.strip():
        raise RetrievalError(f"{uri} holds no text; leave it out or give a file with words in it.")
    digest = hashlib.sha256(text.encode()).hexdigest()
    source = Source(
        id=digest[:12],
        uri=uri,
        title=_one_line(title) or _first_heading(text) or uri,
        authors=tuple(name for name in map(_one_line, authors) if name),
        date=_iso_date(date),
        sha256=digest,
        media_type=media_type,
    )
    return Document(source=source, text=text)


def load(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES, uri: str | None = None) -> Document:
    """The document in a file. Its uri is `uri`, else the url in its front matter, else its absolute path."""
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise RetrievalError(f"{path} is of no known kind; use one of {', '.join(READERS)}.")
    data = _read_bytes(path, max_bytes)
    found = reader(data, path)
    if not found.text.strip():
        raise RetrievalError(f"{path} holds no text; leave it out or give a file with words in it.")
    return document(
        found.text,
        uri=uri or found.url or os.path.abspath(path),
        title=found.title or (_first_heading(found.text) if found.has_headings else "") or path.stem,
        authors=found.authors,
        date=found.date,
        media_type=found.media_type,
    )


def find_files(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Path], list[Failure]]:
    """Every readable kind of file under `paths`, sorted within each folder, each once.

    Inside folders hidden files, links to folders and unknown kinds are skipped; an unknown kind named directly is a
    Failure. A path that does not exist and a folder with nothing to read raise RetrievalError.
    """
    files: dict[Path, None] = {}
    failures: list[Failure] = []
    for path in map(Path, paths):
        if path.is_dir():
            files.update(dict.fromkeys(_walk(path, failures)))
        elif not path.exists():
            raise RetrievalError(f"{path} does not exist; check the spelling of the path.")
        elif path.suffix.lower() in READERS:
            files[path.resolve()] = None
        else:
            failures.append(Failure(name=str(path), message=f"{path} is of no known kind; use {', '.join(READERS)}."))
    return list(files), failures


def clean(text: str) -> str:
    """Newlines as "\\n", no control characters, no lone surrogates."""
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n"))


def _walk(folder: Path, failures: list[Failure]) -> list[Path]:
    def refused(error: OSError) -> None:
        failures.append(Failure(name=str(error.filename), message=f"{error.filename}: {error.strerror}."))

    inside, found = folder.resolve(), []
    for parent, folders, names in os.walk(inside, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(parent, name).resolve() for name in sorted(names) if not name.startswith("."))
        # A link may not lead out of the folder that the user named.
        found += [path for path in paths if path.suffix.lower() in READERS and path.is_relative_to(inside)]
    if not found and not failures:
        raise RetrievalError(f"{folder} holds no file to read; put {', '.join(READERS)} files there.")
    return found


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe or a device would wait for ever
            raise RetrievalError(f"{path} is not a regular file; give a file.")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError as exc:
        raise RetrievalError(f"{path} does not exist (any more); check the path.") from exc
    except PermissionError as exc:
        raise RetrievalError(f"{path} may not be read; grant read permission on it.") from exc
    except OSError as exc:
        raise RetrievalError(f"{path} cannot be read: {exc.strerror}; check the disk.") from exc
    if len(data) > max_bytes:
        raise RetrievalError(f"{path} is larger than {max_bytes:,} bytes; split it or raise max_bytes.")
    if not data:
        raise RetrievalError(f"{path} is empty; leave it out or give a file with words in it.")
    return data


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())[:300]


def _iso_date(text: str | None) -> str | None:
    match = _ISO_DATE.match((text or "").strip())
    return match.group() if match else None


def _first_heading(text: str) -> str:
    match = _HEADING.search(text)
    return _one_line(match.group(1)) if match else ""


# Text and Markdown


def decode(data: bytes, name: str) -> str:
    """Bytes as text: UTF-8, UTF-16 or UTF-32 by its mark, else Windows Latin; binary data raises RetrievalError."""
    text = _decode_by_mark(data) or _decode_plain(data)
    num_unprintable = len(_UNPRINTABLE.findall(text))
    if num_unprintable > 1 + len(text) // 100:
        raise RetrievalError(f"{name} looks binary, not text; rename it to its true kind or leave it out.")
    return clean(text)


def _decode_by_mark(data: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    return data.decode("utf-16", errors="replace") if data.startswith(b"\xfe\xff") else ""


def _decode_plain(data: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _load_text(data: bytes, path: Path) -> Extracted:
    return _read_front_matter(decode(data, str(path)))


def _load_markdown(data: bytes, path: Path) -> Extracted:
    return replace(_load_text(data, path), media_type="text/markdown")


def _read_front_matter(text: str) -> Extracted:
    match = _FRONT_MATTER.match(text)
    pairs = [line.partition(":") for line in match.group(1).split("\n")] if match else []
    if match is None or not all(colon for key, colon, _ in pairs if key.strip()):
        return Extracted(text)
    fields = {key.strip().lower(): value.strip().strip("\"'") for key, _, value in pairs}
    url = fields.get("url", "")
    return Extracted(
        text=text[match.end() :].lstrip("\n"),
        title=fields.get("title", ""),
        authors=_names(fields.get("authors") or fields.get("author", "")),
        date=fields.get("date"),
        url=url if url.startswith(("https://", "http://")) else "",
    )


def _names(text: str) -> tuple[str, ...]:
    text = text.strip("[]")
    parts = text.split(";") if ";" in text else re.split(r",| and ", text)
    return tuple(name for name in (part.strip(" \"'") for part in parts) if name)


# HTML


class _PlainHtml(HTMLParser):
    """Every visible word of simple HTML as Markdown; for pages where the main-text finder finds nothing, and Word."""

    HIDDEN = frozenset({"script", "style", "noscript", "template", "head"})
    STARTS = {f"h{level}": "\n\n" + "#" * level + " " for level in range(1, 7)} | {
        "p": "\n\n", "div": "\n\n", "table": "\n\n", "ul": "\n\n", "ol": "\n\n", "br": "\n", "li": "\n- ", "tr": "\n| ",
    }  # fmt: skip
    ENDS = {f"h{level}": "\n\n" for level in range(1, 7)} | {
        "p": "\n", "div": "\n", "table": "\n\n", "ul": "\n\n", "ol": "\n\n", "td": " | ", "th": " | ",
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.hidden = 0
        self.cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in self.HIDDEN
        self.cells += tag in ("td", "th")
        self.parts.append(" " if self.cells and tag in ("p", "br", "div") else self.STARTS.get(tag, ""))

    def handle_endtag(self, tag: str) -> None:
        self.hidden = max(0, self.hidden - (tag in self.HIDDEN))
        self.cells = max(0, self.cells - (tag in ("td", "th")))
        self.parts.append("" if self.cells and tag in ("p", "div") else self.ENDS.get(tag, ""))

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(re.sub(r"\s+", " ", data))

    def text(self) -> str:
        lines = [re.sub(r"[ \t]+", " ", line).strip() for line in "".join(self.parts).split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def plain_html(html: str) -> str:
    """All visible words of an HTML page as Markdown, navigation included."""
    parser = _PlainHtml()
    parser.feed(html)
    parser.close()
    return parser.text()


def read_html(data: bytes, name: str, url: str | None = None) -> Extracted:
    """The main text of a page as Markdown with its title, authors and date; all the text of a very large page.

    Raises RetrievalError, naming `name`.
    """
    if len(data) > MAX_MAIN_TEXT_BYTES:
        return Extracted(plain_html(decode(data, name)), media_type="text/html")
    import trafilatura
    from lxml.etree import LxmlError  # type: ignore[import-untyped]

    try:
        text = trafilatura.extract(data, url=url, output_format="markdown", include_comments=False, include_tables=True)
        metadata = trafilatura.extract_metadata(data, default_url=url)
        text = text or plain_html(decode(data, name))
    except (LxmlError, ValueError, TypeError, AttributeError, RecursionError, AssertionError) as exc:
        raise RetrievalError(f"{name} is broken HTML ({type(exc).__name__}); save the page again.") from exc
    if metadata is None:
        return Extracted(text, media_type="text/html")
    authors = _names(metadata.author or "")
    return Extracted(text, metadata.title or "", authors, metadata.date, media_type="text/html")


def _load_html(data: bytes, path: Path) -> Extracted:
    return read_html(data, str(path))


# Word


def _load_docx(data: bytes, path: Path) -> Extracted:
    import mammoth

    try:
        _refuse_zip_bomb(data, path)
        html = mammoth.convert_to_html(io.BytesIO(data), convert_image=mammoth.images.img_element(_no_image)).value
        title, author, date = _docx_properties(data)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError) as exc:
        kind = "is encrypted" if data.startswith(b"\xd0\xcf\x11\xe0") else "is no Word file"
        raise RetrievalError(f"{path} {kind}; save it again as an unprotected .docx.") from exc
    except (ExpatError, KeyError, ValueError, OSError, AttributeError, TypeError, RecursionError, RuntimeError) as exc:
        raise RetrievalError(f"{path} is a broken Word file ({type(exc).__name__}); save it again as .docx.") from exc
    media_type = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    return Extracted(plain_html(html), title, _names(author), date, media_type=media_type)


def _no_image(image: object) -> dict[str, str]:
    return {"src": ""}


def _refuse_zip_bomb(data: bytes, path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
            raise RetrievalError(f"{path} unpacks to more than {MAX_UNPACKED_BYTES:,} bytes; split the document.")
        xml = (archive.read(part) for part in parts if part.filename.endswith((".xml", ".rels")))
        if any(b"<!DOCTYPE" in content for content in xml):  # entities could grow without end, or read other files
            raise RetrievalError(f"{path} declares XML entities, which no Word file needs; save it again as .docx.")


def _docx_properties(data: bytes) -> tuple[str, str, str | None]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if "docProps/core.xml" not in archive.namelist():
            return "", "", None
        xml = archive.read("docProps/core.xml").decode("utf-8", errors="replace")
    fields = dict(re.findall(r"<(?:dc|dcterms):(title|creator|created)\b[^>]*>([^<]*)<", xml))
    return fields.get("title", ""), fields.get("creator", ""), fields.get("created")


# PDF

_PDFIUM_LOCK = threading.Lock()  # PDFium may be used by one thread at a time


def _load_pdf(data: bytes, path: Path) -> Extracted:
    import pypdfium2

    with _PDFIUM_LOCK:
        return _extract_pdf(pypdfium2, data, path)


def _extract_pdf(pypdfium2: Any, data: bytes, path: Path) -> Extracted:
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as exc:
        if "password" in str(exc).lower() or "security" in str(exc).lower():
            raise RetrievalError(f"{path} is encrypted; save a copy without a password.") from exc
        raise RetrievalError(f"{path} is a broken PDF; download or export it again.") from exc
    try:
        text = "\n\n".join(page for page in _pdf_pages(pdf, path) if page)
        fields = pdf.get_metadata_dict()
    except pypdfium2.PdfiumError as exc:
        raise RetrievalError(f"{path} is a broken PDF ({exc}); download or export it again.") from exc
    finally:
        pdf.close()
    if not text.strip():
        raise RetrievalError(f"{path} has no text layer, run OCR on it first (for example with ocrmypdf).")
    authors = _names(fields.get("Author", ""))
    return Extracted(
        text, fields.get("Title", ""), authors, _pdf_date(fields), media_type="application/pdf", has_headings=False
    )


def _pdf_pages(pdf: Any, path: Path) -> Iterator[str]:
    num_characters, deadline = 0, time.monotonic() + MAX_PDF_SECONDS
    for number in range(min(len(pdf), MAX_PDF_PAGES)):
        if time.monotonic() > deadline:
            raise RetrievalError(f"{path} takes longer than {MAX_PDF_SECONDS:.0f} s to read; split the PDF.")
        if num_characters > MAX_CHARACTERS:
            return
        page = pdf[number]
        textpage = page.get_textpage()
        text = reflow(textpage.get_text_range())
        textpage.close()
        page.close()
        num_characters += len(text)
        yield text


def reflow(text: str) -> str:
    """The lines of a printed page joined to paragraphs: one ends where a clearly short line ends a sentence."""
    text = re.sub(r"[\x02\ufffe]\r?\n?", "", text)  # the marks PDFium leaves where a hyphen broke a word
    text = re.sub(r"(?: ?\.){5,} ?", " … ", text)  # the leaders of a table of contents
    lines = [line.strip() for line in clean(text).split("\n")]
    width = max((len(line) for line in lines), default=0)
    pieces: list[str] = []
    for line in lines:
        ends = not line or (line[-1] in ".!?:" and len(line) < 0.8 * width)
        pieces.append(line + ("\n\n" if ends else " "))
    return re.sub(r" *\n{2,}", "\n\n", "".join(pieces)).strip()


def _pdf_date(fields: dict[str, str]) -> str | None:
    stamp = re.match(r"(?:D:)?(\d{4})(\d{2})(\d{2})", fields.get("CreationDate", ""))
    return "-".join(stamp.groups()) if stamp else None


# CSV


def _load_csv(data: bytes, path: Path) -> Extracted:
    text = decode(data, str(path))
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=_delimiter(text)) if any(map(str.strip, row))]
    except csv.Error as exc:
        raise RetrievalError(f"{path} is a broken CSV table ({exc}); export it again.") from exc
    header, *body = rows or [[]]
    # A blank line between rows keeps each row its own paragraph, so that no passage cuts one in two.
    return Extracted(
        "\n\n".join(_row(header, row) for row in body or [header]), media_type="text/csv", has_headings=False
    )


def _delimiter(text: str) -> str:
    first_line = text.lstrip("\n").partition("\n")[0]
    return max(",;\t|", key=first_line.count)


def _row(header: list[str], row: list[str]) -> str:
    names = header + [""] * (len(row) - len(header))
    cells = ((name.strip(), " ".join(value.split())) for name, value in zip(names, row, strict=False))
    return "; ".join(f"{name}: {value}" if name and name != value else value for name, value in cells if value)


READERS: dict[str, Callable[[bytes, Path], Extracted]] = {
    ".txt": _load_text,
    ".md": _load_markdown,
    ".html": _load_html,
    ".htm": _load_html,
    ".pdf": _load_pdf,
    ".docx": _load_docx,
    ".csv": _load_csv,
}
