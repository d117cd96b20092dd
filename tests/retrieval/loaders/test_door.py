"""The door: every kind of file gives its text, every bad file one sentence that names it, and what is passed over is named."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from palimpsest.retrieval.loaders import Limits, document, door, find_files, load
from palimpsest.retrieval.types import RetrievalError
from tests.retrieval.loaders.makers import docx_bytes, paragraph, pdf_bytes, write

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
    "letter.doc": (b"\xd0\xcf\x11\xe0" + bytes(600), r"save it as \.docx"),
    "papers.zip": (b"PK\x03\x04", "archive, which is not opened"),
    "broken.docx": (b"PK but no zip", "no Word file"),
    "old.docx": (b"\xd0\xcf\x11\xe0" + bytes(600), "encrypted"),
    "parts.docx": (docx_bytes("<w:p>"), "is damaged"),
    "bomb.docx": (docx_bytes("", prolog="<!DOCTYPE x [<!ENTITY a 'aaaa'>]>"), "entities"),
    "tags.html": (b"<html><body><script>1</script></body></html>", "no text"),
    "torn.xlsx": (b"PK\x03\x04zzzz", "no spreadsheet file"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_its_mend(tmp_path: Path, name: str) -> None:
    data, reason = BAD[name]
    with pytest.raises(RetrievalError, match=reason) as caught:
        load(write(tmp_path, name, data))
    assert name in str(caught.value)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="unpacks to more"):
        load(write(tmp_path, "a.docx", docx_bytes(paragraph("x" * 1000))), limits=Limits(unpacked_bytes=1000))


def test_too_large(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "12345678")
    assert load(path, limits=Limits(file_bytes=8)).text == "12345678"
    with pytest.raises(RetrievalError, match=r"a\.txt is larger than 7 bytes"):
        load(path, limits=Limits(file_bytes=7))


def test_what_a_limit_cuts_off_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "First part.\n\nSecond part.")
    found = load(path, limits=Limits(characters=15))
    assert found.text == "First part."
    assert "more than 15 letters" in found.unread[0].message
    assert "a.txt" in found.unread[0].name


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


def test_a_given_text_over_the_limit_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_DEFAULT", Limits(characters=10))
    assert document("Cats sleep.", uri="x").unread[0].message.startswith("x has 11 letters; those after the first 10")
    assert document("Cats sleep", uri="x").unread == ()


def test_marks_that_turn_the_reading_direction_are_dropped(tmp_path: Path) -> None:
    assert load(write(tmp_path, "a.txt", "The fee is \u202e05\u202c euros.")).text == "The fee is 05 euros."


def test_a_file_is_read_as_what_it_is_and_not_as_its_name_says(tmp_path: Path) -> None:
    assert load(write(tmp_path, "a.txt", pdf_bytes("Cats sleep all day."))).source.media_type == "application/pdf"


def test_find_files_walks_sorted_and_skips_the_hidden(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    for name in ("z.txt", "b/a.MD", ".hidden.txt", ".git/x.txt"):
        write(tmp_path, name, "text")
    files, failures = find_files([tmp_path, tmp_path / "z.txt"])
    assert [path.name for path in files] == ["z.txt", "a.MD"]
    assert failures == []


def test_what_is_passed_over_in_a_folder_is_named(tmp_path: Path) -> None:
    """Links that lead out, loops, pipes, sockets and unknown kinds were once passed over without a word."""
    inside = tmp_path / "in"
    inside.mkdir()
    write(inside, "a.txt", "text")
    write(inside, "plan.doc", "text")
    (inside / "out.txt").symlink_to(write(tmp_path, "secret.txt", "secret"))
    (inside / "loop.txt").symlink_to("loop.txt")
    (inside / "gone.txt").symlink_to("nowhere.txt")
    (inside / "folder").symlink_to(inside)
    os.mkfifo(inside / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(inside)
        server.bind("talk.txt")
        files, failures = find_files([inside])
    assert [path.name for path in files] == ["a.txt"]
    named = {Path(failure.name).name: failure.message for failure in failures}
    assert set(named) == {"plan.doc", "out.txt", "loop.txt", "gone.txt", "folder", "pipe.txt", "talk.txt"}
    assert "leads out of the folder" in named["out.txt"]
    assert "link" in named["loop.txt"]
    assert "no known kind" in named["plan.doc"]
    assert "pipe" in named["pipe.txt"]


def test_a_name_that_is_not_utf8_is_read_and_shown_escaped(tmp_path: Path) -> None:
    raw = os.path.join(os.fsencode(tmp_path), b"caf\xe9.txt")
    with open(raw, "wb") as file:
        file.write(b"The Corran light was built in 1860.")
    files, failures = find_files([tmp_path])
    found = load(files[0])
    assert (failures, found.text) == ([], "The Corran light was built in 1860.")
    assert found.source.uri.endswith("caf\\xe9.txt")
    assert found.model_dump_json(), "no lone surrogate is left, which no database would take"


def test_many_files_of_one_unknown_kind_are_counted(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "text")
    for number in range(30):
        write(tmp_path, f"{number}.bin", "x")
    _, failures = find_files([tmp_path])
    assert len(failures) == 21
    assert "10 more files with .bin" in failures[-1].message


def test_paths_that_cannot_be_walked(tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="holds no file to read"):
        find_files([tmp_path])
    with pytest.raises(RetrievalError, match="does not exist"):
        find_files([tmp_path / "missing"])
    files, failures = find_files([write(tmp_path, "a.txt", "text"), write(tmp_path, "b.xyz", "text")])
    assert len(files) == 1
    assert "no known kind" in failures[0].message
