"""Sheets of cells: CSV and TSV in any dialect; xlsx, xls, xlsb and ods."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..types import RetrievalError
from .archive import refuse_bomb
from .encoding import decode
from .formats import formats_of, formatted
from .limits import Limits
from .structure import Extracted, TooMuch, Writer, broken
from .tables import write_tables

_SAMPLE = 20_000  # letters that the dialect is told from
_LONGEST_FIELD = 10_000_000


def load_csv(data: bytes, name: str, limits: Limits) -> Extracted:
    decoded = decode(data, name)
    writer = Writer(limits)
    try:
        write_tables(
            writer,
            _rows(decoded.text, "\t" if name.lower().endswith((".tsv", ".tab")) else "", writer),
            headers_expected=True,
        )
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")
    except csv.Error as exc:
        raise broken(name, "a broken CSV table", "export it again", str(exc)) from exc
    media_type = "text/tab-separated-values" if name.lower().endswith((".tsv", ".tab")) else "text/csv"
    done = writer.finish()
    return Extracted(done.text, done.blocks, media_type=media_type, unread=(*decoded.unread, *done.unread))


def _rows(text: str, delimiter: str, writer: Writer) -> list[list[str]]:
    text = text.lstrip("\n")
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first.strip()) == 5:  # how Excel notes the delimiter
        text, delimiter = rest, first.strip()[-1]
    csv.field_size_limit(_LONGEST_FIELD)
    delimiter, quote = _dialect(text, delimiter)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, quotechar=quote, skipinitialspace=True)
    rows: list[list[str]] = []
    num_cells = 0
    for row in reader:
        num_cells += len(row)
        if num_cells > 2 * writer.limits.cells:  # twice: the limit itself counts the cells that hold something
            writer.say(f"Its rows after the first {len(rows):,} are not read")
            break
        rows.append(row)
    return rows


def _dialect(text: str, delimiter: str) -> tuple[str, str]:
    """Delimiter and quotation mark: told by a library from the first lines, checked against what every line agrees on."""
    from clevercsv import Sniffer
    from clevercsv.exceptions import NoDetectionResult

    sample = _whole_lines(text[:_SAMPLE])
    if delimiter:
        return delimiter, '"'
    regular = _regular(sample)
    if regular:
        return regular, '"'
    try:
        found = Sniffer().sniff(sample[:5_000], delimiters=[",", ";", "\t", "|", ":", " "], verbose=False)
    except (NoDetectionResult, ValueError, IndexError, OverflowError):
        found = None
    return (found.delimiter or ",", found.quotechar or '"') if found else (",", '"')


def _regular(sample: str) -> str:
    """The delimiter that gives the same number of cells in nearly all lines, if exactly one does so best."""
    scores = {}
    for delimiter in "\t;|,":
        rows = [row for row in csv.reader(io.StringIO(sample), delimiter=delimiter) if any(map(str.strip, row))]
        widths = [len(row) for row in rows]
        usual = max(set(widths), key=widths.count, default=1)
        if usual > 1 and widths.count(usual) >= 0.8 * len(widths):
            scores[delimiter] = (widths.count(usual) / len(widths), usual)
    return max(scores, key=lambda key: scores[key]) if scores else ""


def _whole_lines(sample: str) -> str:
    return sample[: sample.rfind("\n") + 1] or sample


# Workbooks

_MEDIA_TYPES = {
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    ".xlsb": "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    ".xls": "application/vnd.ms-excel",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
}


def load_workbook(data: bytes, name: str, limits: Limits) -> Extracted:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    if not data.startswith(b"\xd0\xcf\x11\xe0"):
        refuse_bomb(data, name, "spreadsheet", limits)
    writer = Writer(limits)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        formats = formats_of(data) if data.startswith(b"PK") and not name.lower().endswith((".ods", ".xlsb")) else {}
        for sheet in book.sheets_metadata:
            _write_sheet(writer, book, sheet, formats.get(sheet.name, {}))
    except PasswordError as exc:
        raise RetrievalError(f"{name} is encrypted; save a copy without a password.") from exc
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")
    except (CalamineError, ValueError, OSError) as exc:
        raise broken(name, "a broken spreadsheet", "save it again", str(exc)) from exc
    suffix = name[name.rfind(".") :].lower()
    done = writer.finish()
    return Extracted(
        done.text, done.blocks, Path(name).stem,  # a sheet's name is that of one of them, and often "Sheet1"
        media_type=_MEDIA_TYPES.get(suffix, _MEDIA_TYPES[".xlsx"]), unread=done.unread,
    )  # fmt: skip


def _write_sheet(writer: Writer, book: Any, sheet: Any, formats: dict[tuple[int, int], str]) -> None:
    if str(sheet.typ).rsplit(".", 1)[-1] != "WorkSheet":
        writer.say(f'The sheet "{sheet.name}" is a chart or macro and is not read')
        return
    if str(sheet.visible).rsplit(".", 1)[-1] != "Visible":
        writer.say(f'The hidden sheet "{sheet.name}" is left out')
        return
    found = book.get_sheet_by_name(sheet.name)
    rows = found.to_python(skip_empty_area=False)
    grid = [[shown(v, formats.get((n, column), "")) for column, v in enumerate(row)] for n, row in enumerate(rows)]
    _fill_merged(grid, found.merged_cell_ranges or ())
    if any(any(row) for row in grid):
        writer.heading(sheet.name, 1)
        write_tables(writer, grid, headers_expected=True)


def _fill_merged(grid: list[list[str]], ranges: Iterable[Sequence[Sequence[int]]]) -> None:
    """A merged cell stands for all the cells that it covers."""
    for (top, left), (bottom, right) in ranges:
        if bottom - top > 1_000 or right - left > 200 or top >= len(grid):
            continue
        text = grid[top][left] if left < len(grid[top]) else ""
        for row in grid[top : bottom + 1]:
            for column in range(left, min(right + 1, len(row))):
                row[column] = text


def shown(value: object, pattern: str = "") -> str:
    """A cell's value as a person would write it, by its number format where that says more; whole numbers without a point."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and pattern and (text := formatted(float(value), pattern)):
        return text
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(round(value, 12))
    if isinstance(value, datetime.datetime):
        is_day = value.time() == datetime.time()
        return value.date().isoformat() if is_day else value.isoformat(sep=" ", timespec="minutes")
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)
