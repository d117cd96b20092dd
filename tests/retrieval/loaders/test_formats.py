"""Sheets, slides, OpenDocument, JSON, books, mail, LaTeX, images: each made here, each read back."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from palimpsest.retrieval.loaders import Limits, load
from palimpsest.retrieval.types import RetrievalError
from tests.retrieval.loaders.makers import kinds, lines, reasons, records, write

CSV = {
    "comma": 'Name,Salary 2024\nCy Ortega,"33,900"\nBo Maier,"29,100"\n',
    "semicolon": "Name;Salary 2024\nCy Ortega;33,900\nBo Maier;29,100\n",
    "tab": "Name\tSalary 2024\nCy Ortega\t33,900\nBo Maier\t29,100\n",
    "stroke": "Name|Salary 2024\nCy Ortega|33,900\nBo Maier|29,100\n",
    "announced": "sep=;\r\nName;Salary 2024\r\nCy Ortega;33,900\r\nBo Maier;29,100\r\n",
    "quoted": '"Name";"Salary 2024"\n"Cy Ortega";"33,900"\n"Bo Maier";"29,100"\n',
    "title": "Pay of the branch;\nMade by: finance;\n;\nName;Salary 2024\nCy Ortega;33,900\nBo Maier;29,100\n",
}


@pytest.mark.parametrize("dialect", CSV)
def test_dialects_of_csv(tmp_path: Path, dialect: str) -> None:
    found = load(write(tmp_path, "a.csv", CSV[dialect]))
    assert records(found) == [
        {"Name": "Cy Ortega", "Salary 2024": "33,900"},
        {"Name": "Bo Maier", "Salary 2024": "29,100"},
    ]


def test_a_quoted_cell_over_two_lines_and_a_decimal_comma(tmp_path: Path) -> None:
    found = load(write(tmp_path, "a.csv", 'Ort;Wert;Notiz\nTor;1.250,75;"zwei\nZeilen; ja"\nHof;3,5;keine\n'))
    assert records(found)[0] == {"Ort": "Tor", "Wert": "1.250,75", "Notiz": "zwei Zeilen; ja"}


def test_cells_beyond_the_limit_are_named(tmp_path: Path) -> None:
    found = load(
        write(tmp_path, "a.csv", "n,square\n" + "".join(f"{n},{n * n}\n" for n in range(50))), limits=Limits(cells=20)
    )
    assert len(found.blocks) == 10
    assert "more than 20 cells" in reasons(found)


def workbook(hidden: bool = False) -> bytes:
    import xlsxwriter

    data = io.BytesIO()
    book = xlsxwriter.Workbook(data)
    sheet = book.add_worksheet("Staff")
    sheet.merge_range("B1:C1", "Salary")
    for place, value in {
        "A2": "Name",
        "B2": 2023,
        "C2": 2024,
        "A3": "Cy Ortega",
        "B3": 30200,
        "C3": 33900.5,
        "A4": "Bo",
        "B4": 28500,
        "C4": 29100,
    }.items():
        sheet.write(place, value)
    secret = book.add_worksheet("Secret")
    secret.write("A1", "hidden words")
    secret.hide()
    book.close()
    return data.getvalue()


def test_a_workbook(tmp_path: Path) -> None:
    found = load(write(tmp_path, "a.xlsx", workbook()))
    assert records(found)[0] == {"Name": "Cy Ortega", "Salary 2023": "30200", "Salary 2024": "33900.5"}
    assert found.blocks[0].kind == "heading"
    assert "hidden words" not in found.text
    assert 'hidden sheet "Secret"' in reasons(found)
    assert found.source.title == "a"  # it was once called as its first sheet is, and all others with it


def test_slides(tmp_path: Path) -> None:
    import pptx
    from pptx.util import Inches

    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text = "Harbour plan"
    slide.placeholders[1].text = "The quay is 212 m long."
    grid = slide.shapes.add_table(3, 2, Inches(1), Inches(4), Inches(4), Inches(1)).table
    for index, text in enumerate(["Berth", "Depth (m)", "North", "8.5", "South", "6.0"]):
        grid.cell(index // 2, index % 2).text = text
    slide.notes_slide.notes_text_frame.text = "Say thanks."
    show.slides.add_slide(show.slide_layouts[1])._element.set("show", "0")
    data = io.BytesIO()
    show.save(data)
    found = load(write(tmp_path, "a.pptx", data.getvalue()))
    assert lines(found)[:2] == ["Harbour plan", "The quay is 212 m long."]
    assert records(found)[0] == {"Berth": "North", "Depth (m)": "8.5"}
    assert lines(found, "note") == ["Say thanks."]
    assert {block.page for block in found.blocks} == {1}
    assert "hidden slide 2" in reasons(found)


def zipped(parts: dict[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return data.getvalue()


ODF = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in {"office": "office", "text": "text", "table": "table", "style": "style"}.items()
)


def test_opendocument_text(tmp_path: Path) -> None:
    styles = (
        '<office:automatic-styles><text:list-style style:name="L">'
        '<text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."/>'
        '</text:list-style><style:style style:name="T1"><style:text-properties '
        'style:text-line-through-style="solid"/></style:style></office:automatic-styles>'
    )
    cells = "".join(
        "<table:table-row>"
        + "".join(f"<table:table-cell><text:p>{c}</text:p></table:table-cell>" for c in row.split("|"))
        + "</table:table-row>"
        for row in ("Name|Age", "Ada|36", "Bo|41")
    )
    items = "".join(f"<text:list-item><text:p>{t}</text:p></text:list-item>" for t in ("Open.", "Push."))
    body = (
        f'<text:h text:outline-level="1">Pump</text:h><text:p>The fee is '
        f'<text:span text:style-name="T1">5</text:span> 7<text:s/>euros.</text:p>'
        f'<text:list text:style-name="L">{items}</text:list><table:table>{cells}</table:table>'
    )
    content = (
        f"<office:document-content {ODF}>{styles}<office:body><office:text>"
        f"{body}</office:text></office:body></office:document-content>"
    )
    found = load(write(tmp_path, "a.odt", zipped({"content.xml": content})))
    assert lines(found)[:4] == ["Pump", "The fee is 7 euros.", "1. Open.", "2. Push."]
    assert records(found) == [{"Name": "Ada", "Age": "36"}, {"Name": "Bo", "Age": "41"}]
    assert "Struck-out or hidden text left out (1)" in reasons(found)


def test_json(tmp_path: Path) -> None:
    value = {
        "club": "Tern",
        "open": True,
        "members": [{"name": "Lena Ott", "home": {"town": "Brixen"}}, {"name": "Ravi Nair", "home": {"town": "Bozen"}}],
    }
    found = load(write(tmp_path, "a.json", json.dumps(value)))
    assert records(found) == [
        {"club": "Tern"},
        {"open": "yes"},
        {"name": "Lena Ott", "home.town": "Brixen"},
        {"name": "Ravi Nair", "home.town": "Bozen"},
    ]
    assert found.blocks[3].path == ("members",)
    rows = load(write(tmp_path, "b.jsonl", '{"a": 1, "b": "x"}\nno json\n{"a": 2, "b": "y"}\n'))
    assert records(rows) == [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    assert "1 of its lines" in reasons(rows)


def test_deeply_nested_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match=r"deep\.json"):
        load(write(tmp_path, "deep.json", "[" * 200_000 + "]" * 200_000))


def test_a_book(tmp_path: Path) -> None:
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Sea</dc:title>'
        "<dc:creator>Ines Vale</dc:creator><dc:date>2019-05-02</dc:date></metadata><manifest>"
        '<item id="b" href="two.xhtml" media-type="application/xhtml+xml"/><item '
        'id="a" href="one.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>'
    )
    container = '<container xmlns="urn:c"><rootfiles><rootfile full-path="in/book.opf"/></rootfiles></container>'
    page = "<?xml version='1.0' encoding='utf-8'?><!DOCTYPE html><html><body><h1>{}</h1><p>{}</p></body></html>"
    parts = {
        "META-INF/container.xml": container, "in/book.opf": package, "in/one.xhtml": page.format("Ebb", "Water goes."),
        "in/two.xhtml": page.format("Flood", "Wäter comes."),
    }  # fmt: skip
    found = load(write(tmp_path, "a.epub", zipped(parts)))
    assert lines(found) == ["Ebb", "Water goes.", "Flood", "Wäter comes."]
    assert (found.source.title, found.source.authors, found.source.date, found.source.date_from) == (
        "The Sea",
        ("Ines Vale",),
        "2019-05-02",
        "metadata",
    )


MAIL = (
    "From: Ines Vale <ines@example.org>\nTo: board@example.org\nSubject: "
    "=?utf-8?q?Caf=C3=A9_hours?=\nDate: Tue, 5 Mar 2024 10:00:00 +0100\n"
    'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Type: text/plain; charset=iso-8859-1\n'
    "Content-Transfer-Encoding: quoted-printable\n\nThe caf=E9 opens at nine.\n\n>"
    " When does it open?\n\n--x\nContent-Type: application/pdf; name=plan.pdf\n"
    "Content-Disposition: attachment; filename=plan.pdf\nContent-Transfer-Encoding: base64\n\nAAAA\n--x--\n"
)


def test_mail(tmp_path: Path) -> None:
    found = load(write(tmp_path, "a.eml", MAIL))
    assert "The café opens at nine." in found.text
    assert {"From": "Ines Vale <ines@example.org>"} in records(found)
    assert (found.source.title, found.source.authors, found.source.date) == ("Café hours", ("Ines Vale",), "2024-03-05")
    assert 'attachment "plan.pdf" is not opened' in reasons(found)
    assert "When does it open?" not in found.text


def test_a_box_of_mail(tmp_path: Path) -> None:
    second = "From: Bo\nSubject: Second\n\nThe boat left.\n"
    found = load(
        write(
            tmp_path,
            "a.mbox",
            f"From a@b Tue Mar  5 10:00:00 2024\n{MAIL}\nFrom c@d Wed Mar  6 10:00:00 2024\n{second}",
        )
    )
    assert lines(found, "heading") == ["Café hours", "Second"]
    assert "The boat left." in found.text
    assert found.source.title == "a"  # what the second message says was once cited as the first


def test_latex(tmp_path: Path) -> None:
    text = (
        r"\documentclass{article}\title{On \emph{Cats}}\author{A. Smith \and B. Jones}\begin{document}\maketitle" "\n"
        r"\section{Sleep} Cats sleep 16\,hours. % a comment" "\n\n" r"\begin{enumerate}\item Eat. \item Rest.\end{enumerate}" "\n"
        r"\begin{table}\caption{Hours}\begin{tabular}{lr}\hline Animal & "
r"Hours \\ \hline Cat & 16 \\ Dog & 12 \\ \end{tabular}\end{table}" "\n"
        r"\end{document}"
    )  # fmt: skip
    found = load(write(tmp_path, "a.tex", text))
    assert found.source.title == "On Cats"
    assert "heading" in kinds(found)
    assert "a comment" not in found.text
    assert lines(found, "item") == ["1. Eat.", "2. Rest."]
    assert records(found) == [{"Animal": "Cat", "Hours": "16"}, {"Animal": "Dog", "Hours": "12"}]


def test_what_is_made_in_latex_is_nobodys_words(tmp_path: Path) -> None:
    """The reader's day and "[NO \\title GIVEN]" were once quoted."""
    text = "\\title{Light}\\date{\\today}\\begin{document}\\maketitle\n\nLamps last long. \\section{Today} No.\\end{document}"
    found = load(write(tmp_path, "a.tex", text))
    assert lines(found) == ["Lamps last long.", "Today", "No."]
    assert found.source.title == "Light"
    assert found.source.date_from != "front matter"


def test_bibtex(tmp_path: Path) -> None:
    found = load(
        write(
            tmp_path, "a.bib", "@article{smith20, title = {The {B}ook of Caf\\'e}, author = {Smith, A.}, year = 2020}\n"
        )
    )
    assert records(found) == [
        {"key": "smith20", "type": "article", "title": "The Book of Café", "author": "Smith, A.", "year": "2020"}
    ]


def test_an_image_without_tesseract_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from palimpsest.retrieval.loaders.image import load_image

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RetrievalError, match=r"a\.png is an image; install Tesseract"):
        load_image(b"\x89PNG", "a.png", Limits())


def test_an_image_is_read_where_tesseract_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from palimpsest.retrieval.loaders.image import load_image

    program = write(tmp_path, "tesseract", "#!/bin/sh\nprintf 'The pump weighs 48 kg.'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = load_image(b"\x89PNG", "a.png", Limits())
    assert found.text == "The pump weighs 48 kg."
    assert "OCR" in found.unread[0]
