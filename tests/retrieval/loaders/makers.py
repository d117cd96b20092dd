"""Small files of every kind, made by hand."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

from palimpsest.retrieval.types import Document

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def pdf_bytes(text: str = "", info: str = "", trailer: str = "") -> bytes:
    """One page in Helvetica; without text the page is blank."""
    content = f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET" if text else ""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< {info} >>",
    ]
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "0000000000 65535 f \n" + "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = f"trailer\n<< /Size 7 /Root 1 0 R /Info 6 0 R {trailer} >>\nstartxref\n{len(body)}\n%%EOF"
    return f"{body}xref\n0 7\n{table}{end}".encode("latin-1")


def docx_bytes(body: str, prolog: str = "", parts: dict[str, str] | None = None) -> bytes:
    """A Word file with `body` as its content."""
    held = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml"'
        ' ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type="{OFFICE}"'
        ' Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'{prolog}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
        "docProps/core.xml": "<x xmlns:dc='urn:dc'><dc:title>A Word title</dc:title><dc:creator>Ada Byron</dc:creator></x>",
    } | (parts or {})
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    return data.getvalue()


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def kinds(document: Document) -> list[str]:
    return [block.kind for block in document.blocks]


def lines(document: Document, kind: str = "") -> list[str]:
    """The texts of the blocks of a kind (all kinds without one)."""
    return [document.text[b.start : b.end] for b in document.blocks if kind in ("", b.kind)]


def records(document: Document) -> list[dict[str, str]]:
    """The rows and fields as {name: value}, read from the text by the cells' offsets."""
    return [{c.name: document.text[c.start : c.end] for c in b.cells} for b in document.blocks if b.cells]


def reasons(document: Document) -> str:
    return " ".join(failure.message for failure in document.unread)


def pdf_pages(pages: Iterable[str], objects: Iterable[str] = (), catalog: str = "", page_extra: str = "") -> bytes:
    """A PDF whose pages draw these content streams; F1 is Helvetica. More objects follow the pages' own, from 4 + 2 * pages."""
    pages = list(pages)
    numbers = [4 + 2 * index for index in range(len(pages))]
    body = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        f"<< /Type /Pages /Kids [{' '.join(f'{n} 0 R' for n in numbers)}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, content in zip(numbers, pages, strict=True):
        body += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {number + 1} 0 R {page_extra}"
            " /Resources << /Font << /F1 3 0 R >> >> >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    return _assembled([*body, *objects])


def _assembled(objects: list[str]) -> bytes:
    text, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(text))
        text += f"{number} 0 obj\n{content}\nendobj\n"
    table = "0000000000 65535 f \n" + "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(text)}\n%%EOF"
    return f"{text}xref\n0 {len(objects) + 1}\n{table}{end}".encode("latin-1")


def at(x: float, y: float, text: str, size: float = 11) -> str:
    """Text drawn with its foot at (x, y), from the page's lower left corner."""
    escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT /F1 {size} Tf {x} {y} Td ({escaped}) Tj ET\n"
