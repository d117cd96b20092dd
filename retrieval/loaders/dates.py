"""When a document is of: dates as people write them, and which of several counts."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from typing import get_args

from ..types import DateOrigin
from .structure import Dated, Piece

_MONTH = r"[^\W\d_]{3,12}\.?"
_ISO = r"\d{4}-\d{2}(?:-\d{2})?(?!\d)"
_ASIAN = r"\d{4}\s?[年년]\s?\d{1,2}\s?[月월](?:\s?\d{1,2}\s?[日일])?"
_DIGITS = r"\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{4}|\d{4}[/.]\d{1,2}[/.]\d{1,2}"
_WORDS = (
    rf"\d{{1,2}}(?:st|nd|rd|th|er|º|ª|\.)?\s(?:de\s|of\s)?{_MONTH},?\s(?:de\s|del\s)?\d{{4}}"
    rf"|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}}|{_MONTH}\s(?:de\s)?\d{{4}}"
)
DATE = rf"(?<![\w.])(?:{_ISO}|{_ASIAN}|{_DIGITS}|{_WORDS})(?!\w)"

# Words that stand before the date of a text itself; the languages that most documents are in.
_LABELS = (
    "date|dated|as of|published|published on|updated|last updated|last modified|revised|issued|posted|effective|"
    "version of|status|written|"
    "datum|stand|veröffentlicht|veröffentlicht am|aktualisiert|zuletzt aktualisiert|vom|erstellt|ausgabe|"
    "le|publié le|mis à jour le|en date du|fecha|publicado|publicado el|actualizado|actualizado el|a fecha de|"
    "data|pubblicato il|aggiornato il|aggiornato al|publicado em|atualizado em|gepubliceerd|bijgewerkt|bijgewerkt op|d.d.|"
    "dato|oppdatert|publisert|opdateret|uppdaterad|publicerad|päivitetty|data wydania|stan na dzień|stan na|"
    "дата|опубликовано|обновлено|по состоянию на"
)
# Kinds of papers that are named with their date: "Notice of June 2024", "Protokoll vom 3. Mai 2024".
_KINDS = (
    "notice|minutes|report|letter|memo|memorandum|record|bulletin|release|newsletter|circular|statement|edition|issue|yearbook|"
    "census|survey|correction|corrigendum|erratum|"
    "agenda|announcement|decision|order|plan|list|log|diary|entry|note|notes|update|accounts|budget|"
    "berichtigung|protokoll|bericht|jahresbericht|jahrbuch|rundschreiben|mitteilung|bekanntmachung|schreiben|brief|beschluss|meldung|"
    "rapport|avis|lettre|communiqué|compte rendu|procès-verbal|arrêté|bulletin|acta|informe|aviso|carta|comunicado|boletín|anuario|"
    "verbale|relazione|avviso|lettera|comunicato|bollettino|relatório|ata|notulen|verslag|brief|rapport|referat|"
    "årsrapport|kunngjøring|protokół|raport|отчёт|отчет|протокол|уведомление"
)
_LABELLED = re.compile(rf"(?:^|[(\[|;–—-]\s*)(?:{_LABELS})\s*:?\s*({DATE})", re.IGNORECASE)
_NAMED = re.compile(
    rf"\b(?:{_KINDS})\b(?:\s+\w{{1,20}}){{0,6}}?(?:\s*[,(:–—-]\s*|\s+)(?:(?:of|from|dated|for|vom|von|du|de|del|della|dell['’]|dal|van|af|fra|från|z|от)\s+)?({DATE})(?=\W*$|[.;:)])",
    re.IGNORECASE,
)
_NAMED_YEAR = re.compile(
    rf"\b(?:\w*(?:{_KINDS}))\b(?:\s+\w{{1,20}}){{0,6}}?(?:\s*[,(:–—-]\s*|\s+)(?:(?:of|for|für|du|de|del|van)\s+)?((?:19|20)\d\d)\)?\W*$",
    re.IGNORECASE,
)
_OPENS_WITH_A_KIND = re.compile(rf"(?!(?:edition|issue|an?|the)\b)(?:[^\W\d_]+\s)?(?:{_KINDS})\b", re.IGNORECASE)
_ALONE = re.compile(rf"\W{{0,3}}(?:[^\W\d_]+,\s*(?:den\s|le\s|the\s|il\s|a\s)?)?({DATE})\W{{0,3}}", re.IGNORECASE)
YEAR = len("2024")
_SEASON = re.compile(r"\b(?:spring|summer|autumn|fall|winter),?\s((?:19|20)\d\d)\W*$", re.IGNORECASE)
_LANGUAGES = "en de fr es it pt nl da sv nb fi pl cs sk ru uk bg ro hu tr el hr sl".split()
_HEAD, _FOOT = 10, 4  # blocks at the top and the bottom that may hold the date of the text
_IN_NAME = re.compile(r"(?<!\d)((?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?!\d)")
_DATED = re.compile(DATE, re.IGNORECASE)
_RANGE = re.compile(rf"{DATE}\s*(?:[–—-]|to)\s*{DATE}", re.IGNORECASE)
_WEEKDAY = re.compile(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day,?\s*$", re.IGNORECASE)
_LAST_LABEL = re.compile(rf"(?:[,;:·|—–-]|\b(?:{_LABELS}|completed|approved|prepared))\s*$", re.IGNORECASE)
# What a date is of that is none of the text's own: "born 3 May 1950", "review due September 2024".
_OF_OTHERS = re.compile(
    r"\b(?:review|due|until|expires|next|deadline|born|died|founded|opened|built)\b[^,;|]*$", re.IGNORECASE
)
_ENDED = re.compile(r"(?<=[^\W\d_]{2}[.!?])\s+|(?<=\d{4}[.!?])\s+")
_TELLS = frozenset(
    "the a an it its he she they we i this that these those there our my in on at".split()
)  # open a sentence
MASTHEAD, _MASTHEAD_CHARACTERS, _SHORT_SENTENCE = 4, 250, 12  # blocks under the title, characters, words


def choose(dates: Iterable[Dated], today: datetime.date | None = None) -> tuple[str | None, DateOrigin]:
    """The date of the most trusted origin, ISO 8601 as precise as written; (None, "") where none can be.

    A date that does not exist or lies in the future is unknown, and hides those of lesser origin: they would say something else.
    """
    order = get_args(DateOrigin)
    latest = (today or datetime.datetime.now(datetime.UTC).date()) + datetime.timedelta(days=1)  # other time zones
    found = [(iso_date(d.text), d.origin) for d in sorted(dates, key=lambda d: order.index(d.origin)) if d.text.strip()]
    possible: list[tuple[str, DateOrigin]] = []
    for iso, origin in found:
        if iso and "1000" <= iso <= latest.isoformat()[: len(iso)]:
            possible.append((iso, origin))
        elif origin in ("text", "front matter"):
            break
    if not possible:
        return None, ""
    # "Record 2018" of 2018-03-01: the one that agrees and says more.
    return max((pair for pair in possible if pair[0].startswith(possible[0][0])), key=lambda pair: len(pair[0]))


def iso_date(text: str) -> str | None:
    """A date in any of the usual ways of writing, as precise as it is; None where it is none or does not exist.

    03/04/2025 is March or April: it gives 2025.
    """
    text = " ".join(text.split())[:60]
    if match := re.match(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?(?=$|[T\s])", text):
        return _checked(*match.groups())
    if match := re.match(r"(?:D:)?(\d{4})(\d{2})(\d{2})(?=\D|$|\d{2,6})", text):
        return _checked(*match.groups())
    if match := re.fullmatch(rf"({_ASIAN})", text):
        return _checked(*re.findall(r"\d+", text)[:3])
    if match := re.match(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?!\d)", text):
        return _checked(*match.groups())
    if match := re.match(r"(\d{1,2})([./-])\s?(\d{1,2})[./-]\s?(\d{4})(?!\d)", text):
        return _of_digits(*match.groups())
    return _of_words(text)


def dates_in_text(blocks: Sequence[Piece], text: str) -> list[Dated]:
    """What the text says of itself: a date alone on its line, after "updated", in a title, "Notice of June 2024".

    The first that says more than a year: "Annual report 2024" was "Published 14 March 2025". A row of a table is dated for itself.
    """
    outer = [b for b in (*blocks[:_HEAD], *blocks[_HEAD:][-_FOOT:]) if b.kind not in ("code", "row")]
    lines = [(b, text[b.start : min(b.end, b.start + 300)]) for b in outer]
    said = [_own_date(line, b.kind in ("heading", "caption") or b is blocks[0]) for b, line in lines]
    found = sorted(filter(None, said), key=lambda date: len(date) == YEAR)
    return [Dated(date, "text") for date in found[:1]]


def masthead(blocks: Sequence[Piece], text: str) -> tuple[list[Piece], str]:
    """The blocks under a title that say who wrote the text, where and when, and the date that they give; none and "" without one.

    They are short and tell nothing in a sentence of any length; the last of them that is dated ends them. No fields: a sheet of facts
    has dates of its own.
    """
    found: list[tuple[Piece, str]] = []
    for block in blocks[1 : 1 + MASTHEAD] if blocks and blocks[0].kind == "heading" else ():
        date = _date_under_title(text[block.start : block.end]) if block.kind in ("paragraph", "byline") else None
        if date is None:
            break
        found.append((block, date))
    last = max((n for n, (_, date) in enumerate(found, 1) if date), default=0)
    return [block for block, _ in found[:last]], found[last - 1][1] if last else ""


def dates_a_text(words: str) -> bool:
    """Whether words may stand under a title and give the date of the text."""
    return bool(_date_under_title(words.strip()))


def _date_under_title(words: str) -> str | None:
    """The date that words under a title give, "" for none; None where they are too long to stand there, or tell something."""
    if len(words) > _MASTHEAD_CHARACTERS:
        return None
    is_ended = words.rstrip("*_ ")[-1:] in (".", "!", "?")
    pieces = _ENDED.split(words.strip()) if is_ended else [words]
    dates = [date for piece in pieces for date in _dates_of(piece, is_ended)]
    tells = is_ended and (not dates or any(len(piece.split()) >= _SHORT_SENTENCE for piece in pieces))
    return None if tells else dates[-1] if dates else ""


def _dates_of(piece: str, is_sentence: bool) -> list[str]:
    """The dates of a line that are the text's own: behind a mark, a name or a word such as "published", no two of them a span of time,
    none in the future; of a sentence one that ends it, where it opens as no statement does.
    """
    if is_sentence and piece.split(maxsplit=1)[0].strip("*_").casefold() in _TELLS:
        return []
    spans = [match.span() for match in _RANGE.finditer(piece)]
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    found: list[str] = []
    for match in _DATED.finditer(piece):
        ahead = _WEEKDAY.sub("", piece[: match.start()])
        is_last = not piece[match.end() :].strip(" .!?*_")
        before = ahead.split()[-1] if ahead.strip() else ""
        is_led = not before or before[:1].isupper() or _LAST_LABEL.search(ahead) or _NAMED.search(piece[: match.end()])
        is_own = (is_last and _LAST_LABEL.search(ahead)) if is_sentence else is_led
        is_others = _OF_OTHERS.search(ahead) or any(start <= match.start() < end for start, end in spans)
        iso = iso_date(match.group()) if is_own and not is_others and _is_date(match.group()) else None
        found += [match.group()] if iso and iso <= today[: len(iso)] else []
    season = None if found else _SEASON.search(piece)
    return found or ([season.group(1)] if season else [])


def date_in_title(title: str) -> list[Dated]:
    found = _own_date(title[:300], is_title=True)
    return [Dated(found, "text")] if found else []


def date_in_name(stem: str) -> list[Dated]:
    """2024-11-02 in a file's name; the person who named it said so."""
    match = _IN_NAME.search(stem)
    return [Dated(match.group(1), "metadata")] if match else []


def named_kind(line: str) -> str:
    """What kind of paper a line says at its opening that it heads, up to its date, else to its first mark; "" where it says none.

    Of "Minutes, 3 May 2023, Guildhall" it is the minutes of that day.
    """
    if not _OPENS_WITH_A_KIND.match(line):
        return ""
    date = _DATED.search(line)
    return line[: date.end()] if date else re.split("[,;]", line, maxsplit=1)[0]


def _own_date(line: str, is_title: bool) -> str:
    first = re.split(r"(?<=[^\W\d_]{2}[.!?])\s|(?<=\d{4}[.!?])\s", line, maxsplit=1)[0]
    patterns = [_LABELLED, _NAMED, _NAMED_YEAR] if is_title else [_LABELLED, _NAMED]
    alone = _ALONE.fullmatch(line)
    matches = [alone, *(pattern.search(first) for pattern in patterns)]
    return next((match.group(1) for match in matches if match and _is_date(match.group(1))), "")


def _is_date(text: str) -> bool:
    """Digits are a date by their form, also one that does not exist; words only where they hold a month."""
    return bool(re.fullmatch(rf"\d{{4}}|{_ISO}|{_ASIAN}|{_DIGITS}", text)) or _of_words(text) is not None


def _checked(year: str, month: str | None = None, day: str | None = None) -> str | None:
    try:
        datetime.date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    return "-".join([f"{int(year):04}", *(f"{int(part):02}" for part in (month, day) if part)])


def _of_digits(first: str, sign: str, second: str, year: str) -> str | None:
    """Day and month in digits. With dots the day comes first; with strokes it may be either way."""
    if sign == "." or int(first) > 12 or first == second:
        return _checked(year, second, first)
    return _checked(year, first, second) if int(second) > 12 else _checked(year)


def _of_words(text: str) -> str | None:
    from dateparser.date import DateDataParser

    if not re.search(r"(?<!\d)\d{4}(?!\d)", text) or not re.search(r"[^\W\d_]{3}", text):
        return None
    settings = {"PREFER_DAY_OF_MONTH": "first", "REQUIRE_PARTS": ["month", "year"], "PARSERS": ["absolute-time"]}
    found = DateDataParser(languages=_LANGUAGES, settings=settings).get_date_data(text)
    if found.date_obj is None:
        return None
    return found.date_obj.date().isoformat()[: {"day": 10, "month": 7, "year": 4}.get(found.period, 10)]
