"""Files that harm those who read them carelessly: sound ones mutated at random, and ones crafted to grow, nest or never end."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from functools import partial

from tests.retrieval.loaders.makers import docx_bytes, paragraph, pdf_bytes, pdf_pages

LONG = 2_000_000
ODF = "urn:oasis:names:tc:opendocument:xmlns"


def zipped(parts: dict[str, str | bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return data.getvalue()


def slides() -> bytes:
    import pptx

    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "Harbour plan", "The quay is 212 m long."
    data = io.BytesIO()
    show.save(data)
    return data.getvalue()


def workbook() -> bytes:
    import xlsxwriter

    data = io.BytesIO()
    book = xlsxwriter.Workbook(data)
    sheet = book.add_worksheet("Staff")
    for row, cells in enumerate([("Name", "Pay"), ("Cy", 33900), ("Bo", 29100.5)]):
        sheet.write_row(row, 0, cells)
    book.close()
    return data.getvalue()


def opendocument() -> bytes:
    body = '<text:h text:outline-level="1">Pump</text:h><text:p>The fee is 7 euros.</text:p>'
    names = f'xmlns:office="{ODF}:office:1.0" xmlns:text="{ODF}:text:1.0"'
    return zipped(
        {
            "content.xml": f"<office:document-content {names}><office:body><office:text>{body}</office:text></office:body>"
            "</office:document-content>"
        }
    )


def book() -> bytes:
    container = '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>'
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><manifest><item id="a" href="a.xhtml" '
        'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>'
    )
    page = "<html><body><h1>One</h1><p>The mill was built in 1840.</p></body></html>"
    return zipped({"META-INF/container.xml": container, "b.opf": package, "a.xhtml": page})


SOUND: dict[str, Callable[[], bytes]] = {
    ".txt": lambda: "Minutes of 3 May\n\nJörg Müßig built the mill.\n\nName:  Cy\nPay:  33,900\n".encode(),
    ".md": lambda: b"---\ntitle: Pay\ndate: 2024-05-01\ntags:\n  - a\n---\n# Pay\n\n| Name | Pay |\n|---|---|\n| Cy | 33,900 |\n",
    ".html": lambda: b"<html><head><title>Pay</title></head><body><h1>Pay</h1><table><tr><th>Name<th colspan=2>Pay</tr>"
    b"<tr><td rowspan=2>Cy<td>1<td>2</tr></table><ul><li>One</ul><dl><dt>A<dd>B</dl></body></html>",
    ".csv": lambda: b'Pay of the branch;;\nName;Pay;Note\nCy;33,900;"two\nlines"\nBo;29,100;\n',
    ".json": lambda: b'[{"name": "Cy", "pay": {"2024": 33900}}, {"name": "Bo", "pay": null}]',
    ".jsonl": lambda: b'{"name": "Cy", "pay": 1e3}\n{"name": "Bo"}\n',
    ".tex": lambda: b"\\documentclass{a}\\begin{document}\\section{Pay}\\begin{tabular}{ll}Name & Pay\\\\"
    b"Cy & 3\\end{tabular}\\end{document}",
    ".bib": lambda: b"@article{a, title={On {Pay}}, author={Ortega, Cy}, year=2024}\n",
    ".eml": lambda: b"From: a@b.example\nSubject: =?utf-8?b?UGF5?=\nDate: Fri, 3 May 2024 10:00:00 +0200\n"
    b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/html\n\n<p>The pay is 3.</p>\n--x--\n",
    ".mbox": lambda: b"From a@b.example Fri May  3 10:00:00 2024\nSubject: Pay\n\nThe pay is 3.\n\n",
    ".pdf": lambda: pdf_bytes("The mill was built in 1840."),
    ".docx": lambda: docx_bytes(
        paragraph("The mill was built in 1840.") + f"<w:tbl><w:tr><w:tc>{paragraph('Cy')}</w:tc></w:tr></w:tbl>"
    ),
    ".xlsx": workbook,
    ".pptx": slides,
    ".odt": opendocument,
    ".epub": book,
}  # fmt: skip
TOKENS = (
    b"\x00",
    b"\xff\xfe",
    b"%PDF-",
    b"<",
    b"]]>",
    b"{",
    b'"',
    b"\\",
    b"9" * 40,
    b"\r",
    b"-1",
    b"PK\x03\x04",
    b"&a;",
    b"| ",
)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """`data` with one to eight changes; of a zip, half the time within one of its parts, which is packed again."""
    if data[:2] == b"PK" and chance.random() < 0.5:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            held = {name: archive.read(name) for name in archive.namelist()}
        chosen = chance.choice(sorted(held))
        return zipped({**held, chosen: _changed(held[chosen], chance)})
    return _changed(data, chance)


def _changed(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 8)):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.choice((1, 1, 4, 40, 400)))
        data = data[:start] + _instead(data[start:end], chance) + data[end:]
    return data


def _instead(run: bytes, chance: random.Random) -> bytes:
    """What stands in the place of a run of bytes: noise, nothing, the run many times over, or a telling token."""
    way = chance.randrange(4)
    if way == 0:
        return chance.randbytes(len(run))
    return b"" if way == 1 else run * chance.choice((2, 50)) if way == 2 else run + chance.choice(TOKENS)


LINES = ("#", " #", ">", "- ", "[", "](", "`", "|", '"', "{", "\\", "<b>", "&lt;", "1.", "=\t", "é")
PLAIN = (".txt", ".md", ".html", ".csv", ".json", ".tex", ".bib", ".eml")


def long_lines() -> dict[str, Callable[[], bytes]]:
    """One line of two megabytes of each of LINES, as each plain format."""
    return {f"{number}{ending}": partial(_line, unit) for number, unit in enumerate(LINES) for ending in PLAIN}


def _line(unit: str) -> bytes:
    return unit.encode() * (LONG // len(unit.encode()))


def drawn(form: str, objects: list[str]) -> bytes:
    """A PDF of one page that draws its form X; the forms are `objects`, the first being the object 6."""
    extra = "/Resources << /XObject << /X 6 0 R >> >>"
    return pdf_pages([form], objects, page_extra=extra)


def _form(content: str, inner: str = "") -> str:
    within = f"/Resources << /XObject << /X {inner} >> >>" if inner else ""
    return f"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] {within} /Length {len(content)} >>\nstream\n{content}\nendstream"


def nested_messages(levels: int) -> bytes:
    return (
        b"Content-Type: multipart/mixed; boundary=x\n\n"
        + b"--x\nContent-Type: multipart/mixed; boundary=x\n\n" * levels
    )


ENTITIES = "<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(9)
)
GROWING: dict[str, Callable[[], bytes]] = {
    "itself.pdf": lambda: drawn("/X Do", [_form("/X Do /X Do", "6 0 R")]),
    "forms.pdf": lambda: drawn("/X Do", [_form("/X Do " * 5, f"{7 + n} 0 R") for n in range(30)] + [_form("0 0 5 5 re f")]),
    "paragraphs.docx": lambda: docx_bytes(paragraph("word") * 1_000_000),
    "letter.docx": lambda: docx_bytes(paragraph("x" * 60_000_000)),
    "deep.docx": lambda: docx_bytes("<w:p>" * 5000 + "</w:p>" * 5000),
    "entities.docx": lambda: docx_bytes(paragraph("&j;"), prolog=ENTITIES + "]>"),
    "entities.odt": lambda: zipped({"content.xml": f"{ENTITIES}]><a>&j;</a>"}),
    "bomb.epub": lambda: zipped({"a.xhtml": b"0" * 300_000_000}),
    "bomb.xlsx": lambda: zipped({"xl/workbook.xml": b"0" * 300_000_000}),
    "bomb.pptx": lambda: zipped({"ppt/presentation.xml": b"0" * 300_000_000}),
    "members.epub": lambda: zipped({f"{number}.xhtml": "<p>a" for number in range(30_000)}),
    "tables.html": lambda: b"<table><tr><td>" * 3000,
    "tags.html": lambda: b"<div>" * 100_000,
    "spans.html": lambda: b"<table>" + b"<tr>" + b"<td rowspan=60000 colspan=1000>x</td>" * 50 + b"<tr></tr>" * 2000,
    "lists.md": lambda: "".join(" " * level + "- a\n" for level in range(3000)).encode(),
    "quotes.md": lambda: b">" * 20_000 + b" a",
    "links.md": lambda: b"[a](b) " * 100_000,
    "aliases.md": lambda: ("---\na: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)) + "---\ntext\n").encode(),
    "levels.json": lambda: b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "number.json": lambda: b'{"a": ' + b"9" * 100_000 + b"}",
    "wide.csv": lambda: b",".join(b"c%d" % n for n in range(20_000)) + b"\n" + b"1," * 20_000,
    "many.csv": lambda: b"a,b\n" * 3_000_000,
    "open.csv": lambda: b'a,b\n"' + b"x" * 3_000_000,
    "parts.eml": lambda: nested_messages(3000),
    "braces.tex": lambda: b"{" * 100_000,
    "begin.tex": lambda: b"\\begin{itemize}\\item " * 5000,
    "commands.tex": lambda: b"\\section{" * 20_000,
    "entries.bib": lambda: b"@article{" * 20_000,
    "header.png": lambda: b"\x89PNG\r\n\x1a\n" + b"\xff" * 5000,
}  # fmt: skip
CRAFTED = {**long_lines(), **GROWING}
