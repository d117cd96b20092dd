"""Bytes to text: what the bytes say of themselves first, then a library's judgement; what is not certain is said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from ..types import RetrievalError
from .structure import UNPRINTABLE, clean

_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# Encodings that people's files are in; the rare ones of charset-normalizer's list win short texts by accident.
_CANDIDATES = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "iso8859_2", "iso8859_5", "iso8859_7", "iso8859_15",
    "koi8_r", "koi8_u", "mac_roman", "cp437", "cp850", "cp866", "cp932", "euc_jp", "cp949", "euc_kr", "gb18030", "big5",
]  # fmt: skip
_SAMPLE = 20_000
_SIGN_IN_WORD = re.compile(
    r"(?<=\w)[^\w\s'’.\-‐–/:,@·()]+(?=\w)|(?<=[^\W\d])[¡-¿×÷‚ƒ„†‡ˆ‰‹›˜™€─-▟]|[¡-©¬-¯±-¸º×÷˘˙˛˝─-▟](?=[^\W\d])|[ªº²³¹](?=[^\W\d])"
)
_TWO_SCRIPTS = re.compile("[A-Za-zÀ-ɏ][Ͱ-῿぀-힣]|[Ͱ-῿぀-힣][A-Za-zÀ-ɏ]")
_ODD, _CLEARLY = 0.5, 0.02
_COHERENCE = 0.3  # what a language that charset-normalizer sees in a reading is worth


@dataclass(frozen=True)
class Decoded:
    text: str
    unread: tuple[str, ...] = ()


def decode(data: bytes, name: str, declared: str = "") -> Decoded:
    """Bytes as clean text. Binary data raises RetrievalError, naming `name`."""
    found = (
        _by_mark(data)
        or _as_escaped(data)
        or _as_utf8(data)
        or _as_wide(data)
        or _as_declared(data, declared)
        or _judged(data)
    )
    num_unprintable = len(UNPRINTABLE.findall(found.text.replace("\xad", "")))
    if num_unprintable > 1 + len(found.text) // 100:
        raise RetrievalError(f"{name} looks binary, not text; rename it to its true kind or leave it out.")
    text = clean(found.text)
    repaired = _without_mojibake(text)
    if repaired != text:
        return Decoded(
            repaired, (*found.unread, "Its letters were garbled by an earlier program and have been put right")
        )
    return Decoded(text, found.unread)


def _by_mark(data: bytes) -> Decoded | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _counted(data, encoding)
    return None


def _as_escaped(data: bytes) -> Decoded | None:
    """Japanese in seven bits (ISO-2022-JP), which is sound UTF-8 too but says nothing there."""
    try:
        return Decoded(data.decode("iso2022_jp")) if b"\x1b$" in data[:_SAMPLE] else None
    except UnicodeDecodeError:
        return None


def _as_utf8(data: bytes) -> Decoded | None:
    """UTF-8, also with some bad bytes in it: text in another encoding has next to no sound sequence of several bytes."""
    if b"\0" in data[:_SAMPLE]:
        return None
    try:
        return Decoded(data.decode("utf-8"))
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="replace")
    num_bad = text.count("\ufffd") - data.count(b"\xef\xbf\xbd")
    num_sound = sum(1 for letter in text if letter > "\x7f") - num_bad
    return _counted(data, "utf-8") if num_sound > 2 * num_bad else None


def _as_wide(data: bytes) -> Decoded | None:
    """UTF-16 without a mark: zeros stand beside every blank, and the reading in the right order is made of words."""
    sample = data[: _SAMPLE & ~1]
    if b"\0" not in sample:
        return None
    readings = {encoding: sample.decode(encoding, errors="replace") for encoding in ("utf-16-le", "utf-16-be")}
    encoding = max(readings, key=lambda name: sum(map(readings[name].count, " \n.,0123456789")))
    reading = readings[encoding]
    sound = sum(letter.isprintable() or letter.isspace() for letter in reading) - reading.count("\ufffd")
    return _counted(data, encoding) if sound > 0.95 * len(reading) and any(map(str.isspace, reading)) else None


def _as_declared(data: bytes, declared: str) -> Decoded | None:
    """What the file says its encoding is, where the bytes allow it."""
    if not declared:
        return None
    encoding = {
        "iso-8859-1": "cp1252",
        "latin-1": "cp1252",
        "latin1": "cp1252",
        "us-ascii": "cp1252",
        "ascii": "cp1252",
    }.get(declared.lower(), declared)
    try:
        return Decoded(data.decode(encoding))
    except (LookupError, UnicodeDecodeError, ValueError):
        return None


def _counted(data: bytes, encoding: str) -> Decoded:
    text = data.decode(encoding, errors="replace")
    num_bad = text.count("\ufffd")
    places = "One place holds" if num_bad == 1 else f"{num_bad} places hold"
    said = f"{places} bytes that are no {encoding.upper()} text, shown as \ufffd"
    return Decoded(text, (said,) if num_bad else ())


def _judged(data: bytes) -> Decoded:
    """An encoding of one of the old kinds, by the language that it makes of the bytes."""
    from charset_normalizer import from_bytes

    sample = _telling(data)
    found = from_bytes(sample, cp_isolation=_CANDIDATES, threshold=0.4, enable_fallback=False)
    matches = {match.encoding: match.chaos - _COHERENCE * match.coherence for match in found}
    readings: dict[str, str] = {}  # of encodings that read the bytes alike, the first (the most usual one)
    for encoding in (name for name in _CANDIDATES if name in matches):
        readings.setdefault(sample.decode(encoding, errors="replace"), encoding)
    if not readings:
        said = "Its encoding could not be told; it was read as Windows Latin, and letters with accents may be wrong"
        return Decoded(data.decode("cp1252", errors="replace"), (said,))
    ordered = sorted((_oddity(reading) + matches[encoding], encoding) for reading, encoding in readings.items())
    (oddity, encoding), runners_up = ordered[0], ordered[1:]
    is_sure = oddity < _ODD and (not runners_up or runners_up[0][0] > oddity + _CLEARLY)
    unsure = (f"Its encoding could not be told for certain; it was read as {encoding}, and some letters may be wrong",)
    return Decoded(data.decode(encoding, errors="replace"), () if is_sure else unsure)


def _oddity(reading: str) -> float:
    """How little a reading looks like words of one language: signs and capitals inside words, and no language that fits."""
    from .language import likeliest

    words = reading.split()
    inside = sum(len(_SIGN_IN_WORD.findall(word)) for word in words)
    capitals = sum(a.islower() and b.isupper() for word in words for a, b in pairwise(word))
    special = sum(not letter.isascii() for letter in reading)
    mixed = sum(bool(_TWO_SCRIPTS.search(word)) for word in words)
    return round((inside + 3 * capitals + 2 * mixed) / max(1, special) + 1 - likeliest(reading)[1], 3)


def _telling(data: bytes) -> bytes:
    """Up to _SAMPLE bytes of the lines that hold more than ASCII: what tells encodings apart."""
    lines = [line for line in data.splitlines(keepends=True) if not line.isascii()]
    return b"".join(lines)[:_SAMPLE]


def _without_mojibake(text: str) -> str:
    """Text that was once decoded wrongly and saved so ("JÃ¶rg"), put right; sound text stays as it is."""
    if not re.search("[ÂÃâÐÑ][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ¡-¿]", text):
        return text
    import ftfy

    return "".join(ftfy.fix_encoding(line) for line in text.splitlines(keepends=True))
