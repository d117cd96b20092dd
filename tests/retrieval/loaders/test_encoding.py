"""No mojibake: what letters a file's bytes are, and what is said where that is not certain."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.retrieval.loaders import load
from tests.retrieval.loaders.makers import reasons, write

SENTENCES = {
    "Die Brücke über die Würm wurde "
"1908 von Jörg Müßig gebaut.": ("de", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "cp850", "mac_roman"]),
    "Le château fut bâti en 1420 par l'évêque de Besançon, où régnait une grande misère.": ("fr", ["utf-8", "cp1252", "iso8859_15"]),
    "Zażółć gęślą jaźń. Most został zbudowany w 1908 roku przez inżyniera Świętosława.": ("pl", ["utf-8", "cp1250", "iso8859_2"]),
    "Мост через реку построил инженер Иванов "
"в 1908 году, и стоит он до сих пор.": ("ru", ["utf-8", "utf-16-be", "cp1251", "koi8_r", "cp866"]),
    "Η γέφυρα χτίστηκε το 1908 από τον μηχανικό Παπαδόπουλο.": ("el", ["utf-8", "cp1253"]),
    "この橋は1908年に技師の田中が建設しました。とても古い橋です。": ("ja", ["utf-8", "cp932", "euc_jp", "iso2022_jp"]),
    "El puente fue construido en 1908 por el ingeniero Muñoz. ¿Dónde está?": ("es", ["utf-8", "cp1252"]),
}  # fmt: skip
CASES = [(text, language, encoding) for text, (language, encodings) in SENTENCES.items() for encoding in encodings]


@pytest.mark.parametrize(("text", "language", "encoding"), CASES)
def test_letters_and_language(tmp_path: Path, text: str, language: str, encoding: str) -> None:
    found = load(write(tmp_path, "a.txt", f"{text}\n\n{text}".encode(encoding)))
    assert found.text == f"{text}\n\n{text}"
    assert found.source.language == language


def test_one_bad_byte_spoils_one_letter(tmp_path: Path) -> None:
    """One stray byte once turned every umlaut of a good file to two signs."""
    good = "Die Brücke über die Würm wurde 1908 von Jörg Müßig gebaut. "
    found = load(write(tmp_path, "a.txt", (good * 3).encode() + b"bad byte \xfc here"))
    assert found.text == good * 3 + "bad byte \ufffd here"
    assert "no UTF-8 text" in reasons(found)


def test_an_encoding_that_cannot_be_told_is_said(tmp_path: Path) -> None:
    found = load(write(tmp_path, "a.txt", b"Item \xb5\xd0\xa9 costs 5, item \xa3\xcf\xbe costs 6."))
    assert "costs 5" in found.text
    assert "encoding could not be told" in reasons(found)


def test_letters_garbled_by_an_earlier_program_are_put_right(tmp_path: Path) -> None:
    garbled = "Die Brücke über die Würm".encode().decode("cp1252")
    found = load(write(tmp_path, "a.txt", garbled))
    assert found.text == "Die Brücke über die Würm"
    assert "put right" in reasons(found)
