"""Names as programs write them, read as words: `price_eur` is "price (EUR)", `rangeWinter` is "range winter"."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ..types import is_unnamed

_UNITS = {name.lower(): name for name in (
    "nm µm mm cm m km ft mi ha m² km² m³ ml cl l hl mg g kg t lb oz ms s min h W kW MW GW Wh kWh MWh GWh V kV Hz kHz MHz GHz hPa "
    "kPa bar mbar KB MB GB TB kJ MJ kcal mph EUR USD GBP CHF JPY SEK NOK DKK PLN CZK INR CNY AUD CAD"
).split()}  # fmt: skip
_UNITS |= {"pct": "%", "percent": "%", "m2": "m²", "km2": "km²", "m3": "m³", "sqm": "m²", "um": "µm", "ug": "µg"}
_UNITS |= {"sec": "s", "hr": "h", "hrs": "h", "euro": "EUR", "degc": "°C", "celsius": "°C", "degf": "°F"}
_SNAKE = re.compile(r"[^\W_]+(?:_+[^\W_]+)+")
_CAMEL = re.compile(r"[^\W\d_A-Z][^\W_]*")  # begins with a small letter: "GitHub" is a name
_HUMP = re.compile(r"(?<=[^\W_A-Z]{2})(?=[A-Z])|(?<=[a-z])(?=(?:1[5-9]|20|21)\d\d(?!\d))")


def as_words(names: Sequence[str], measured: Collection[int]) -> tuple[str, ...]:
    """The names of a table's columns or a record's fields as words, a unit at the end in brackets.

    Humps are read only where all names are written as programs write them: "arXiv" beside "Title" is a name. Columns that are
    `measured` hold figures and may have units; what tells two columns apart is none: `temp_min` beside `temp_max` is a minimum.
    """
    has_humps = all(is_unnamed(name) or _SNAKE.fullmatch(name) or _CAMEL.fullmatch(name) for name in names)
    parts = [_parts(name, has_humps) for name in names]
    read = tuple(
        _with_unit(words, [p for n, p in enumerate(parts) if n != number]) if number in measured else " ".join(words)
        for number, words in enumerate(parts)
    )
    return read if len(set(read)) == len(set(names)) else tuple(names)


def _parts(name: str, has_humps: bool) -> list[str]:
    if _SNAKE.fullmatch(name):
        return re.split("_+", name)
    humps = _HUMP.split(name) if has_humps else [name]
    return [humps[0], *(hump.lower() if hump[1:].islower() else hump for hump in humps[1:])]


def _with_unit(parts: Sequence[str], others: Sequence[Sequence[str]]) -> str:
    """Words with the unit that ends them, or is counted per something there, in brackets."""
    for at in range(1, len(parts)):
        ends = at == len(parts) - 1 or parts[at + 1].lower() == "per"
        is_alone = all(list(other[:at]) != list(parts[:at]) for other in others)
        if ends and is_alone and parts[at].lower() in _UNITS:
            return f"{' '.join(parts[:at])} ({' '.join(_UNITS.get(part.lower(), part) for part in parts[at:])})"
    return " ".join(parts)
