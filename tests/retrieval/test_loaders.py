"""Every kind of file gives its text; every bad file gives one sentence that names it."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from palimpsest.retrieval.loaders import document, find_files, load, plain_html, reflow
from palimpsest.retrieval.types import RetrievalError

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


def docx_bytes(body: str, prolog: str = "") -> bytes:
    """A Word file with `body` as its content."""
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml"'
        ' ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type="{OFFICE}"'
        ' Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'{prolog}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
        "docProps/core.xml": "<x><dc:title>A Word title</dc:title><dc:creator>Ada Byron</dc:creator></x>",
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return data.getvalue()


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_markdown_with_front_matter(tmp_path: Path) -> None:
    head = "---\ntitle: Cats\nauthors: A. Smith, B. Jones\ndate: 2025-06-10\nurl: https://example.org/cats\n---\n"
    found = load(write(tmp_path, "a.md", head + "# Heading\n\nCats sleep."))
    assert found.text == "# Heading\n\nCats sleep."
    assert found.source.title == "Cats"
    assert found.source.authors == ("A. Smith", "B. Jones")
    assert (found.source.date, found.source.uri) == ("2025-06-10", "https://example.org/cats")


def test_a_title_keeps_its_line_separator(tmp_path: Path) -> None:
    """U+2028 ends a line for str.splitlines, and nowhere in YAML: with it the whole front matter was once lost."""
    (tmp_path / "a.md").write_text(
        "---\ntitle: Cats\u2028and dogs\ndate: 2025-06-10\n---\nThey purr.", encoding="utf-8"
    )
    found = load(tmp_path / "a.md")
    assert found.source.title.startswith("Cats")
    assert found.source.date == "2025-06-10"


def test_front_matter_may_not_name_a_file_as_its_address(tmp_path: Path) -> None:
    path = write(tmp_path, "a.md", "---\nurl: library:trusted.md\n---\nText.")
    assert load(path).source.uri == str(path)


def test_a_rule_at_the_top_is_no_front_matter(tmp_path: Path) -> None:
    assert load(write(tmp_path, "a.md", "---\nno colon here\n---\nText.")).text.startswith("---\nno colon")


def test_title_falls_back_to_heading_then_file_name(tmp_path: Path) -> None:
    assert load(write(tmp_path, "a.md", "## The heading ##\n\nText.")).source.title == "The heading"
    assert load(write(tmp_path, "notes.txt", "Text.")).source.title == "notes"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_in_many_encodings(tmp_path: Path, encoding: str) -> None:
    assert load(write(tmp_path, "a.txt", "Café\r\nnaïve".encode(encoding))).text == "Café\nnaïve"


def test_html_keeps_the_article_only(tmp_path: Path) -> None:
    article = "<p>" + "The cat sat on the mat and slept for hours, said its owner. " * 5 + "</p>"
    table = "<table><tr><th>animal</th><th>legs</th></tr><tr><td>cat</td><td>4</td></tr></table>"
    head = "<head><title>A page</title><meta name='author' content='Ada Byron'></head>"
    html = f"<html>{head}<body><nav><a href='/'>Start here</a></nav><article>{article}{table}</article></body></html>"
    found = load(write(tmp_path, "a.html", html))
    assert "The cat sat" in found.text
    assert "cat | 4" in found.text
    assert "Start here" not in found.text
    assert (found.source.title, found.source.authors) == ("A page", ("Ada Byron",))


def test_plain_html_shows_every_visible_word() -> None:
    assert (
        plain_html("<h2>A &amp; B</h2><p>Hi<script>x()</script></p><ul><li>one<li>two")
        == "## A & B\n\nHi\n\n- one\n- two"
    )


def test_a_very_large_page_is_read_without_the_main_text_finder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palimpsest.retrieval.loaders.MAX_MAIN_TEXT_BYTES", 10)
    assert load(write(tmp_path, "a.html", "<nav>Home</nav><p>Text.</p>")).text == "Home\n\nText."


def test_deeply_nested_html_neither_hangs_nor_kills(tmp_path: Path) -> None:
    path = write(tmp_path, "deep.html", "<div>" * 20_000 + "word" + "</div>" * 20_000)
    assert load(path).text == "word"


def test_pdf(tmp_path: Path) -> None:
    info = "/Title (A PDF title) /Author (Ada Byron) /CreationDate (D:20250610120000)"
    found = load(write(tmp_path, "a.pdf", pdf_bytes("Cats sleep all day.", info)))
    assert found.text == "Cats sleep all day."
    assert (found.source.title, found.source.authors, found.source.date) == (
        "A PDF title",
        ("Ada Byron",),
        "2025-06-10",
    )


def test_a_hash_in_a_pdf_is_no_title(tmp_path: Path) -> None:
    assert load(write(tmp_path, "paper.pdf", pdf_bytes("# a comment"))).source.title == "paper"


def test_reflow_shortens_the_leaders_of_a_contents_page() -> None:
    assert reflow("1 Start . . . . . . . . 3\r\n2 End......4") == "1 Start … 3 2 End … 4"


def test_reflow_joins_lines_and_broken_words() -> None:
    page = "The cat sat on the mat and slept for hy\ufffe\r\nphenated hours.\r\nIt woke.\r\nThe dog barked at it."
    assert reflow(page) == "The cat sat on the mat and slept for hyphenated hours. It woke.\n\nThe dog barked at it."


def test_docx_with_a_table(tmp_path: Path) -> None:
    cells = "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in ("cat", "4"))
    body = f"{paragraph('Cats &amp; dogs.')}<w:tbl><w:tr>{cells}</w:tr></w:tbl>{paragraph('The end.')}"
    found = load(write(tmp_path, "a.docx", docx_bytes(body)))
    assert found.text == "Cats & dogs.\n\n| cat | 4 |\n\nThe end."
    assert (found.source.title, found.source.authors) == ("A Word title", ("Ada Byron",))


def test_csv_rows_name_their_columns(tmp_path: Path) -> None:
    found = load(write(tmp_path, "a.csv", 'animal;legs\ncat;4\n"spider; big";8\n'))
    assert found.text == "animal: cat; legs: 4\n\nanimal: spider; big; legs: 8"


BAD = {
    "blank.pdf": (pdf_bytes(), "has no text layer, run OCR"),
    "broken.pdf": (b"%PDF-1.4 but no more", "broken PDF"),
    "half.pdf": (pdf_bytes("Cats")[:90], "broken PDF"),
    "locked.pdf": (
        pdf_bytes("x", trailer="/ID [<00><00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4"
                  f" /O <{'41' * 32}> /U <{'42' * 32}> >>"),
        "encrypted",
    ),
    "binary.txt": (bytes(range(256)) * 8, "binary"),
    "empty.md": (b"", "is empty"),
    "blank.txt": (b" \n\t ", "no text"),
    "blank.csv": (b"\n\n", "no text"),
    "what.xyz": (b"Text.", "no known kind"),
    "broken.docx": (b"PK but no zip", "no Word file"),
    "old.docx": (b"\xd0\xcf\x11\xe0" + bytes(600), "encrypted"),
    "parts.docx": (docx_bytes("<w:p>"), "broken Word file"),
    "bomb.docx": (docx_bytes("", prolog="<!DOCTYPE x [<!ENTITY a 'aaaa'>]>"), "entities"),
    "tags.html": (b"<html><body><script>1</script></body></html>", "no text"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_its_mend(tmp_path: Path, name: str) -> None:
    data, reason = BAD[name]
    with pytest.raises(RetrievalError, match=reason) as caught:
        load(write(tmp_path, name, data))
    assert name in str(caught.value)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palimpsest.retrieval.loaders.MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(RetrievalError, match="unpacks to more"):
        load(write(tmp_path, "a.docx", docx_bytes(paragraph("x" * 1000))))


def test_too_large(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "12345678")
    assert load(path, max_bytes=8).text == "12345678"
    with pytest.raises(RetrievalError, match=r"a\.txt is larger than 7 bytes"):
        load(path, max_bytes=7)


def test_a_vanished_file_and_a_pipe(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="does not exist"):
        load(tmp_path / "gone.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(RetrievalError, match="not a regular file"):
        load(tmp_path / "pipe.txt")


def test_a_document_without_a_word_is_refused_and_ids_follow_the_text() -> None:
    with pytest.raises(RetrievalError, match="no text"):
        document(" \n", uri="x")
    one, two = document("Cats.\x00\ud800", uri="x"), document("Cats.", uri="y")
    assert one.text == "Cats."
    assert one.source.id == two.source.id == one.source.sha256[:12]


def test_find_files_walks_sorted_and_skips_the_hidden_and_unknown(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    for name in ("z.txt", "b/a.MD", ".hidden.txt", ".git/x.txt", "picture.png"):
        write(tmp_path, name, "text")
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    files, failures = find_files([tmp_path, tmp_path / "z.txt"])
    assert [path.name for path in files] == ["z.txt", "a.MD"]
    assert failures == []


def test_a_link_may_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in", "a.txt", "text")
    (tmp_path / "in" / "b.txt").symlink_to(write(tmp_path, "secret.txt", "secret"))
    assert [path.name for path in find_files([tmp_path / "in"])[0]] == ["a.txt"]


def test_paths_that_cannot_be_walked(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="holds no file to read"):
        find_files([tmp_path])
    with pytest.raises(RetrievalError, match="does not exist"):
        find_files([tmp_path / "missing"])
    files, failures = find_files([write(tmp_path, "a.txt", "text"), write(tmp_path, "b.png", "text")])
    assert len(files) == 1
    assert "no known kind" in failures[0].message
