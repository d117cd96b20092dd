"""Word files: tables, printed numbers, headers and footers, what was struck out, hidden or deleted."""

from __future__ import annotations

from pathlib import Path

from palimpsest.retrieval.loaders import load
from tests.retrieval.loaders.makers import PACKAGE, WORD, docx_bytes, lines, paragraph, reasons, records, write

W = f'xmlns:w="{WORD}"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def table(*rows: str, mark: str = "") -> str:
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row.split("|")) for row in rows)
    return (
        "<w:tbl>" + "".join(f"<w:tr>{mark if n == 0 else ''}{row}</w:tr>" for n, row in enumerate(cells)) + "</w:tbl>"
    )


def numbered(text: str, number: int = 1, level: int = 0) -> str:
    properties = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def level(number: int, text: str, form: str = "decimal", start: int = 1) -> str:
    return f'<w:lvl w:ilvl="{number}"><w:start w:val="{start}"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/></w:lvl>'


NUMBERS = (
    f'<w:numbering {W}><w:abstractNum w:abstractNumId="0">'
    f"{level(0, '%1.')}{level(1, '%1.%2')}{level(2, '(%3)', 'lowerLetter')}</w:abstractNum>"
    f'<w:abstractNum w:abstractNumId="1">{level(0, "Step %1:", start=4)}</w:abstractNum>'
    f'<w:abstractNum w:abstractNumId="2">{level(0, "-", "bullet")}</w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="2"/></w:num>'
    '<w:num w:numId="4"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0">'
    '<w:startOverride w:val="1"/></w:lvlOverride></w:num></w:numbering>'
)


def test_a_table_keeps_its_columns(tmp_path: Path) -> None:
    body = paragraph("Staff") + table(
        "Name|Role|Salary 2023|Salary 2024", "Ada Lind|Driver|31,000|32,400", "Cy Ortega|Driver|30,200|33,900"
    )
    found = load(write(tmp_path, "a.docx", docx_bytes(body)))
    assert records(found)[1] == {
        "Name": "Cy Ortega",
        "Role": "Driver",
        "Salary 2023": "30,200",
        "Salary 2024": "33,900",
    }
    assert (found.source.title, found.source.authors) == ("A Word title", ("Ada Byron",))


def test_a_marked_header_and_a_table_of_labels(tmp_path: Path) -> None:
    marked = table("Town|Mayor", "Brixen|Ines Vale", mark="<w:trPr><w:tblHeader/></w:trPr>")
    labels = table("Landlord|Larkfield Ltd", "Tenant|Dunmore Freight")
    found = load(write(tmp_path, "a.docx", docx_bytes(marked + paragraph("And:") + labels)))
    assert records(found) == [
        {"Town": "Brixen", "Mayor": "Ines Vale"},
        {"Landlord": "Larkfield Ltd"},
        {"Tenant": "Dunmore Freight"},
    ]


def test_numbers_are_those_that_are_printed(tmp_path: Path) -> None:
    """Steps once came in as bullets, so that nobody could say which was the third."""
    body = (
        numbered("Open.") + numbered("Push.") + numbered("Left.", level=1) + numbered("Slowly.", level=2) + paragraph("A remark.")
        + numbered("Wait.") + numbered("Up.", level=1) + numbered("Fourth.", 2) + numbered("A point.", 3) + numbered("Anew.", 4)
    )  # fmt: skip
    found = load(write(tmp_path, "a.docx", docx_bytes(body, parts={"word/numbering.xml": NUMBERS})))
    assert lines(found, "item") == [
        "1. Open.", "2. Push.", "2.1 Left.", "(a) Slowly.", "3. Wait.", "3.1 Up.", "Step 4: Fourth.", "A point.", "1. Anew.",
    ]  # fmt: skip
    assert [block.level for block in found.blocks if block.kind == "item"] == [1, 1, 2, 3, 1, 2, 1, 1, 1]


def test_numbers_that_a_style_gives(tmp_path: Path) -> None:
    styles = (
        f'<w:styles {W}><w:style w:type="paragraph" w:styleId="Step"><w:name w:val="My '
        f'step"/><w:pPr><w:numPr><w:numId w:val="2"/></w:numPr></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="Child"><w:name w:val="Child"/><w:basedOn w:val="Step"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="H"><w:name w:val="heading 2"/></w:style></w:styles>'
    )
    styled = (
        "<w:p><w:pPr><w:pStyle w:val='{}'/></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>".format(*pair)
        for pair in (("H", "Pump"), ("Step", "Open."), ("Child", "Push."))
    )
    found = load(
        write(
            tmp_path,
            "a.docx",
            docx_bytes("".join(styled), parts={"word/numbering.xml": NUMBERS, "word/styles.xml": styles}),
        )
    )
    assert lines(found) == ["Pump", "Step 4: Open.", "Step 5: Push."]
    assert found.blocks[0].kind == "heading"
    assert found.blocks[2].path == ("Pump",)


def test_headers_and_footers(tmp_path: Path) -> None:
    parts = {
        "word/header1.xml": f"<w:hdr {W}>{paragraph('Contract KV-7731 between Larkfield Ltd and Dunmore Freight')}</w:hdr>",
        "word/footer1.xml": f"<w:ftr {W}>{paragraph('Approved by Helena Voss')}{paragraph('Page 1 of 3')}</w:ftr>",
    }
    found = load(write(tmp_path, "a.docx", docx_bytes(paragraph("Payment is due."), parts=parts)))
    assert lines(found) == [
        "Contract KV-7731 between Larkfield Ltd and Dunmore Freight",
        "Payment is due.",
        "Approved by Helena Voss",
    ]


def test_what_was_struck_out_hidden_or_deleted_is_left_out_and_counted(tmp_path: Path) -> None:
    def run(text: str, look: str = "") -> str:
        return f'<w:r><w:rPr>{look}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'

    off = '<w:strike w:val="0"/>'
    body = (
        f"<w:p>{run('The deposit is ')}{run('two', '<w:strike/>')}{run('four', '<w:dstrike/>')}{run('three months', off)}"
        f"{run('.')}{run(' We would take two.', '<w:vanish/>')}</w:p>"
        f"<w:p>{run('Rent is ')}<w:del w:id='1'><w:r><w:delText>900</w:delText>"
        f"</w:r></w:del><w:ins w:id='2'>{run('1,150')}</w:ins>{run(' euros.')}</w:p>"
    )
    found = load(write(tmp_path, "a.docx", docx_bytes(body)))
    assert lines(found) == ["The deposit is three months.", "Rent is 1,150 euros."]
    for said in (
        "Struck-out text left out (2)",
        "Hidden text left out (1)",
        "Deleted text (tracked changes) left out (1)",
    ):
        assert said in reasons(found)


def test_equations_tick_boxes_and_comments(tmp_path: Path) -> None:
    math = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'

    def m(tag: str, inside: str) -> str:
        return f"<m:{tag}>{inside}</m:{tag}>"

    fraction = m("f", m("num", m("r", m("t", "a+b"))) + m("den", m("r", m("t", "2"))))
    square = m("sSup", m("e", m("r", m("t", "x"))) + m("sup", m("r", m("t", "2"))))
    equation = (
        f"<w:p><w:r><w:t>Mean:</w:t></w:r><m:oMath {math}>{fraction}{m('r', m('t', '='))}{square}</m:oMath></w:p>"
    )
    tick = (
        '<w:p><w:sdt><w:sdtPr><w14:checkbox xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml">'
        '<w14:checked w14:val="1"/></w14:checkbox></w:sdtPr>'
        "<w:sdtContent><w:r><w:t>☒</w:t></w:r></w:sdtContent></w:sdt><w:r><w:t> Vegetarian lunch</w:t></w:r></w:p>"
    )
    comments = (
        f'<w:comments {W}><w:comment w:id="0" w:author="Tom Reed">{paragraph("Too late?")}</w:comment></w:comments>'
    )
    found = load(write(tmp_path, "a.docx", docx_bytes(equation + tick, parts={"word/comments.xml": comments})))
    assert lines(found) == ["Mean: (a+b)/2=x^2", "☒ Vegetarian lunch", "Comment by Tom Reed: Too late?"]
    assert found.blocks[2].kind == "note"


def test_footnotes(tmp_path: Path) -> None:
    notes = f'<w:footnotes {W}><w:footnote w:id="2">{paragraph("In extra time.")}</w:footnote></w:footnotes>'
    relations = (
        f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r9" '
        f'Type="{RELATIONS}/footnotes" Target="footnotes.xml"/></Relationships>'
    )
    body = (
        '<w:p><w:r><w:t>The club won</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:t>.</w:t></w:r></w:p>'
    )
    found = load(
        write(
            tmp_path,
            "a.docx",
            docx_bytes(body, parts={"word/footnotes.xml": notes, "word/_rels/document.xml.rels": relations}),
        )
    )
    assert lines(found) == ["The club won[1].", "[1] In extra time."]
