"""Number formats of workbooks: what a cell shows beside its value, a percent sign, a currency, groups of thousands."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

_MOST_CELLS = 60_000  # of a workbook whose formats are read: openpyxl takes 10 s for as many as 500,000
_CURRENCY = re.compile(r"\[\$([^\]-]*)[^\]]*\]|([€$£¥₹])|\"([^\"]{1,5})\"|\\ ?(kr|zł|Kč)")
_PLAIN = re.compile(r"\"[^\"]*\"|\\.|\[[^\]]*\]|_.|\*.")


def formats_of(data: bytes) -> dict[str, dict[tuple[int, int], str]]:
    """Number formats by sheet and (row, column) from 0, of an xlsx file; empty where openpyxl cannot read it or it is large."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(io.BytesIO(data), read_only=True)
        return {sheet.title: _sheet(sheet) for sheet in book.worksheets}
    except (
        InvalidFileException,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        OSError,
        zipfile.BadZipFile,
    ):
        return {}  # damaged for one library: the values are those that the other reads


def _sheet(sheet: Any) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    for number, row in enumerate(sheet.iter_rows()):
        if len(found) > _MOST_CELLS:
            return {}
        for cell in row:
            if cell.value is not None and getattr(cell, "number_format", "General") not in ("General", "@"):
                found[(number, cell.column - 1)] = cell.number_format
    return found


def formatted(value: float, pattern: str) -> str:
    """A number as its format shows it: 0.125 in "0.0%" is 12.5%, 18250.5 in "#,##0.00 €" is 18,250.50 €; "" where it tells nothing."""
    first = pattern.split(";")[0]
    bare = _PLAIN.sub("", first)
    money = _CURRENCY.search(first)
    if "%" not in bare and money is None and "#,#" not in bare:
        return ""
    decimals = len(match[1]) if (match := re.search(r"\.([0#?]+)", bare)) else 0
    shown = abs(value) * (100 if "%" in bare else 1)
    digits = f"{shown:,.{decimals}f}" if "," in bare.partition(".")[0] else f"{shown:.{decimals}f}"
    if match and "#" in match[1]:
        digits = digits.rstrip("0").rstrip(".")
    sign = "-" if value < 0 else ""
    if "%" in bare:
        return f"{sign}{digits}%"
    return f"{sign}{_with(money, first, digits)}" if money else f"{sign}{digits}"


def _with(money: re.Match[str], pattern: str, digits: str) -> str:
    """The currency on the side of the figure on which its format has it."""
    symbol = next(group for group in money.groups() if group is not None).strip()
    digit = re.search(r"[0#?]", pattern)
    is_first = digit is None or money.start() < digit.start()
    wide = symbol.isalpha()
    return f"{symbol}{' ' * wide}{digits}" if is_first else f"{digits} {symbol}"
