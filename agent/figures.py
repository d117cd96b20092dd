"""Figures with their sign, currency, scale, unit and range: where they stand in a text, and what they come to in base units.

Where units end and how they convert is pint's; which words are units at all is a short list here, because pint reads "in", "dam" and
"hat" as units too. Words for numbers are number_parser's, currencies' codes babel's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import regex  # type: ignore[import-untyped]

from palimpsest.dlm_core.kinds import MaskKind, typed_spans

from . import speech, thresholds

Dimension = str  # "length", "time", "money", … as in _DIMENSIONS; "" for a bare number

_NAMES = {  # what is written, singular; the plural in s is known too
    "length": "nanometre micrometre millimetre centimetre metre kilometre nanometer micrometer millimeter centimeter meter kilometer "
    "mile yard foot feet inch inches light-year nm µm mm cm dm m km ft yd mi",
    "area": "hectare acre ha sqm",
    "volume": "millilitre centilitre litre hectolitre milliliter liter gallon ml cl dl l L hl",
    "mass": "microgram milligram gram kilogram tonne ton pound ounce µg mg g kg t lb lbs oz",
    "time": "millisecond second minute hour day week month year decade century centuries ms s sec min h hr hrs yr yrs",
    "speed": "mph knot kn",
    "temperature": "°C °F kelvin",
    "energy": "joule kilojoule megajoule calorie kilocalorie J kJ MJ kcal Wh kWh MWh GWh TWh",
    "power": "watt kilowatt megawatt gigawatt W kW MW GW hp horsepower",
    "voltage": "volt kilovolt V kV mV",
    "current": "ampere amp A mA",
    "frequency": "hertz kilohertz megahertz gigahertz Hz kHz MHz GHz",
    "pressure": "bar millibar pascal hectopascal mbar Pa hPa kPa MPa psi",
    "data": "byte kilobyte megabyte gigabyte terabyte kB KB MB GB TB",
    "share": "% percent ‰",
}
_AS_PINT = {
    "feet": "foot", "inches": "inch", "light-year": "light_year", "sqm": "m**2", "t": "tonne", "lbs": "lb", "sec": "second",
    "kn": "knot",
    "hrs": "hour", "hr": "hour", "yr": "year", "yrs": "year", "°C": "degC", "°F": "degF", "KB": "kB", "hp": "horsepower",
    "amp": "ampere",
    "‰": "permille", "centuries": "century", "L": "litre", "l": "litre", "µm": "um", "µg": "ug", "%": "percent", "ton": "tonne",
}  # fmt: skip
_SYMBOLS = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB", "₩": "KRW"}
_MONEY = {"euro": "EUR", "dollar": "USD", "pound sterling": "GBP", "yen": "JPY", "franc": "CHF", "rupee": "INR", "kr": "kr",
"krone": "kr",
          "krona": "kr", "kronor": "kr", "kroner": "kr", "zloty": "PLN", "peso": "peso", "yuan": "CNY", "rouble": "RUB",
          "ruble": "RUB"}  # fmt: skip
_SCALES = {
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "dozen": 12.0, "bn": 1e9, "mn": 1e6,
    "mln": 1e6,
    "mio": 1e6, "mrd": 1e9, "tsd": 1e3, "m": 1e6, "k": 1e3, "b": 1e9,
}  # fmt: skip
_SHORT_SCALES = frozenset({"m", "k", "b"})  # millions only beside a currency: elsewhere metres, kelvin or a name
NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
    "twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion"
).split()

_DIGITS = r"\d{1,3}(?:[,.’'\u00a0\u202f]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)?"
_WORD_NUMBER = rf"(?:{'|'.join(NUMBER_WORDS)})(?:[\s-](?:and\s)?(?:{'|'.join(NUMBER_WORDS)}))*"
_FIGURE = regex.compile(
    rf"(?<![\w.,])(?P<lead>(?P<sign>[-−–+±~≈<>]|minus\s)?\s?(?P<currency>US\$|[$€£¥₹₽₩]|[A-Z]{{3}}(?=\s?\d))?\s?(?P<sign2>[-−])?)"
    rf"(?P<number>{_DIGITS}|{_WORD_NUMBER}\b)",
    regex.IGNORECASE,
)
_INCHES = regex.compile(r"(?<![\w.])(\d+)\s?(?:['′’]|ft\.?|feet)\s?(\d+)\s?(?:[\"″”]|in\.?|inches)")
_RANGE = regex.compile(rf"\s?(?:[-–—−]|to|bis|and)\s?(?P<number>{_DIGITS}|{_WORD_NUMBER}\b)", regex.IGNORECASE)
_SCALE = regex.compile(rf"\s?(?P<scale>{'|'.join(sorted(_SCALES, key=len, reverse=True))})\b\.?", regex.IGNORECASE)
_UNIT_WORD = regex.compile(
    r"[\s\u00a0-]?(?P<word>°[CF]|[%‰]|[€$£¥₹₽₩]|per cent|percentage points?|pounds? sterling|[\p{L}µ]+(?:-years?)?)(?P<power>[²³])?"
)
_POWER = regex.compile(r"[\s-]?(square|cubic|sq\.?|cu\.?)(?=[\s-]\p{L})", regex.IGNORECASE)


class Figure(NamedTuple):
    """text[start:end] of a longer text, from sign to unit. `low` and `high` (equal but for a range) count base units of `unit`.

    `unit` is pint's name, a currency's code, or "" for a bare number; `form` is how unit and scale were written.
    """

    text: str
    start: int
    end: int
    low: float
    high: float
    unit: str = ""
    dimension: Dimension = ""
    form: str = ""


def figures(text: str) -> list[Figure]:
    """The figures of a text, in order, disjoint; dates are none, a bare year is one without a unit."""
    return list(_figures(text))


@lru_cache(maxsize=4096)  # every claim is held against every sentence that may dispute it
def _figures(text: str) -> tuple[Figure, ...]:
    dates = date_places(text)
    found: list[Figure] = []
    for match in _INCHES.finditer(text):
        metres = (12 * float(match[1]) + float(match[2])) * 0.0254
        found.append(Figure(match.group(), match.start(), match.end(), metres, metres, "meter", "length", "ft in"))
    for match in _FIGURE.finditer(text):
        taken = any(f.start <= match.start("number") < f.end for f in found)
        if not taken and not any(s <= match.start("number") < e for s, e in dates):
            found.append(_read(text, match))
    return tuple(sorted(found, key=lambda f: f.start))


def single(text: str) -> Figure | None:
    """The one figure in a text (an answer, a cell), whatever words are around it; None where there is none or several."""
    found = figures(text)
    if len(found) != 1:
        return None
    plain = text.strip()
    if plain[:1] == "(" and plain[-1:] == ")" and plain[1:-1].strip() == found[0].text:
        return found[0]._replace(low=-found[0].high, high=-found[0].low)  # how accounts write a loss
    return found[0]


def places(text: str) -> list[tuple[int, int]]:
    """[start, end) of the figures and dates of a text: where a NUMBER place stands, its unit inside it."""
    return list(_places(text))


@lru_cache(maxsize=4096)
def _places(text: str) -> tuple[tuple[int, int], ...]:
    marked = [(s, e) for s, e, kind in typed_spans(text) if kind is MaskKind.NUMBER]
    known = [(f.start, f.end) for f in figures(text) if f.unit or any(s < f.end and f.start < e for s, e in marked)]
    spans: list[tuple[int, int]] = []
    for start, end in sorted(marked + known + date_places(text)):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return tuple(spans)


def agree(one: Figure, other: Figure) -> bool:
    """Whether two figures say the same: exactly where they are written in one unit, nearly where they are not."""
    if one.dimension != other.dimension or (one.unit != other.unit and one.dimension in ("money", "")):
        return False
    share = 1e-9 if one.form == other.form else thresholds.SHIPPED.close
    return _near(one.low, other.low, share) and _near(one.high, other.high, share)


def _near(one: float, other: float, share: float) -> bool:
    return abs(one - other) <= share * max(abs(one), abs(other))


def dated(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] is a part of a date."""
    return any(s < end and start < e for s, e in date_places(text))


_ASKED = {  # what "how …" asks for, by the dimensions that may answer it
    "long": {"length", "time", "data"}, "short": {"length", "time"}, "tall": {"length"}, "deep": {"length"}, "shallow": {"length"},
    "wide": {"length"}, "narrow": {"length"}, "thick": {"length"}, "far": {"length", "time"}, "heavy": {"mass"}, "light": {"mass"},
    "high": {"length", "share", "money", "temperature"}, "steep": {"share"}, "old": {"time"}, "fast": {"speed", "time", "share"},
    "slow": {"speed", "time"}, "hot": {"temperature"}, "warm": {"temperature"}, "cold": {"temperature"},
    "often": {"time", "frequency", "share"}, "cheap": {"money"}, "dear": {"money"}, "expensive": {"money"}, "costly": {"money"},
}  # fmt: skip
_SIZES = {word: {"area", "volume", "data"} for word in ("large", "big", "small")}  # of things; a loss may be large too
_HOW = regex.compile(r"\bhow (\w+)(?:\s+(\w+))?", regex.IGNORECASE)


def names_unit(question: str, figure: str) -> bool:
    """Whether a question asks "how many" of the very unit that a figure is given in."""
    asked = _HOW.search(question)
    return (
        asked is not None
        and asked[1].lower() == "many"
        and bool(asked[2])
        and asked[2].lower().rstrip("s") in figure.lower()
    )


def asked_dimensions(question: str) -> frozenset[Dimension]:
    """The dimensions of what "how long" or "the longest" measures; none where a question asks for no measure."""
    found: set[Dimension] = set()
    asked = _HOW.search(question)
    words = [asked[1].lower()] if asked else []
    for word in regex.findall(r"[a-z]+", question.lower()):
        words += [word[:-3], word[:-2], word[:-4], word[:-4] + "y"] if word.endswith("est") else []
        words += [word] if word in ("expensive", "costly") else []
    for word in words:
        found |= {**_ASKED, **_SIZES}.get(word, set())
    return frozenset(found)


def is_other_measure(question: str, text: str, start: int, end: int) -> bool:
    """Whether text[start:end] is a figure of another dimension than the question asks for, a date where a number is asked for, a number
    where a time is, or so much of what the question counts by: "ten hectares" of what it takes to water one hectare.
    """
    if _WHEN.match(question):
        return _is_no_time(text, start, end)
    bases = _counted_by(question)
    if any(_written(f) in bases for f in figures(text) if f.unit and f.start < end and start < f.end):
        return True
    asked = _HOW.search(question)
    if asked is None:
        return False
    how, noun = asked[1].lower(), (asked[2] or "").lower()
    if how in ("many", "much") and dated(text, start, end):
        return True
    measures = [f for f in figures(text) if f.start < end and start < f.end and f.unit]
    if how == "many":
        return any(
            f.dimension not in ("share", "money") and noun.rstrip("s")[:4] not in f.text.lower() for f in measures
        )
    wanted = _ASKED.get(how)
    return wanted is not None and any(f.dimension not in wanted and "[" not in f.dimension for f in measures)


_EACH = regex.compile(r"\b(?:per|an?|each|every|one)\s+", regex.IGNORECASE)


def _counted_by(question: str) -> set[str]:
    """The units, as they are written, for one of which a question asks: "per kilometre", "a litre"."""
    ones = (figures(f"1 {question[m.end() :]}")[:1] for m in _EACH.finditer(question))
    return {_written(f) for found in ones for f in found if f.start == 0 and f.unit}


def _written(figure: Figure) -> str:
    """How the unit of a figure is written, without a scale: "hectare" of "3 million hectares"."""
    return figure.form.rpartition(" ")[2]


_WHEN = regex.compile(
    r"\W*(?:since |until |by )?when\s+(?:is|are|was|were|did|does|do|can|will|has|have|had|should|would)\b",
    regex.IGNORECASE,
)
_YEARS = range(100, 2200)  # a number of three or four digits may be a year
_AHEAD_OF_TIME = regex.compile(r"\b(?:AD|at|aged?|age of|c\.|circa|top)$", regex.IGNORECASE)
_BEHIND_TIME = regex.compile(
    r"(?:st|nd|rd|th|s)\b|\s?(?:AD|BCE?|CE|[ap]\.?m\b|o['’]clock)|[:.]\d\d|\W{1,3}(?:to|and)?\s?\d"
)


def _is_no_time(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] begins with a figure and none there may be of a time: "11" of "the other 11", "340 tonnes"."""
    if dated(text, start, end):
        return False
    found = [f for f in figures(text) if f.start < end and start < f.end]
    leads = bool(found) and not any(map(str.isalpha, text[start : found[0].start]))
    return leads and not any(_may_be_time(text, f) for f in found)


def _may_be_time(text: str, figure: Figure) -> bool:
    if figure.unit:
        return figure.dimension == "time"
    is_year = figure.low in _YEARS and regex.fullmatch(r"\d+(?:\D{1,5}\d+)?", figure.text)
    ahead = text[: figure.start].rstrip()
    is_numbered = (
        speech.tags(speech.tokens(ahead)[-2:])[-1:] in (("NN1",), ("NN2",)) and ahead[-1:].isalpha()
    )  # "season 8"
    return bool(is_year or is_numbered or _AHEAD_OF_TIME.search(ahead) or _BEHIND_TIME.match(text, figure.end))


def date_places(text: str) -> list[tuple[int, int]]:
    """[start, end) of the dates in a text that name a month."""
    spans = [(s, e) for s, e, kind in typed_spans(text) if kind is MaskKind.NUMBER]
    named = [(s, e) for s, e in spans if any(map(str.isalpha, text[s:e])) and _is_month(text[s:e])]
    # typed places take "May 2024" and "June 5, 2024", and not the day before the month
    return [(_day_before(text, s), e) for s, e in named] + [m.span() for m in _MONTH_DAY.finditer(text)]


def without_dates(text: str) -> str:
    """A text with blanks in the place of the dates that name a month."""
    return blanked(text, date_places(text))


def blanked(text: str, places: Sequence[tuple[int, int]]) -> str:
    """A text with blanks in these places."""
    return "".join(" " if any(s <= n < e for s, e in places) else letter for n, letter in enumerate(text))


def speaks_of_time(text: str) -> bool:
    """Whether a word is a date or a unit of time: "What was the date of the flood?"."""
    units = {*_NAMES["time"].split(), "date"}
    return any(word in units or word.removesuffix("s") in units for word in regex.findall(r"\p{L}+", text.casefold()))


_MONTHS = "January February March April May June July August September October November December".split()
_MONTH_DAY = regex.compile(
    rf"\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{'|'.join(_MONTHS)})\b(?:,?\s+\d{{4}})?|\b\d{{4}}-\d\d-\d\d\b"
    r"|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b"
)


def _is_month(words: str) -> bool:
    return any(month in words for month in _MONTHS)


def _day_before(text: str, start: int) -> int:
    day = regex.search(r"\b\d{1,2}(?:st|nd|rd|th)?\s+(?:of\s+)?$", text[max(0, start - 10) : start])
    return start - len(day.group()) if day else start


def _read(text: str, match: Any) -> Figure:
    """A figure from its first number on: range, scale and unit behind it."""
    low, end = number(match["number"]), match.end()
    high = low
    if (further := _RANGE.match(text, end)) and number(further["number"]) > low and _may_range(text, match, further):
        high, end = number(further["number"]), further.end()
    currency = _currency(match["currency"] or "")
    scale, end, written = _scale(text, end, bool(currency))
    start = match.start("sign") if match["sign"] in ("-", "−", "–", "minus ") else match.start("number")
    if currency:
        start = min(start, match.start("currency"))
    is_negative = (match["sign"] or "") in ("-", "−", "–", "minus ") or bool(match["sign2"])
    unit, dimension, end, form = (currency, "money", end, currency) if currency else _unit(text, end)
    if currency and (per := _per(text, end)):
        unit, end, form = f"{currency}/{per[0]}", per[1], f"{currency}/{per[2]}"
    joint = text[match.end() : further.start("number")].strip() if further and high != low else "–"
    if is_negative and joint in ("-", "–", "—", "−"):
        low, high = -high, -low
    elif is_negative:  # "-5 to 10" begins below nought and ends above it
        low = -low
    low, high = low * scale, high * scale
    if unit and dimension != "money":
        (low, high), unit = (_base(low, unit), _base(high, unit)), _base_name(unit)
    return Figure(text[start:end], start, end, low, high, unit, dimension, f"{written} {form}".strip())


def _may_range(text: str, match: Any, further: Any) -> bool:
    """ "5 and 7" is a range only behind "between"; digits joined by a dash are one."""
    between = text[: match.start()].rstrip().lower().endswith("between")
    joint = text[match.end() : further.start("number")].strip().lower()
    return joint != "and" or between


def number(text: str) -> float:
    """What digits or words for a number come to; `3,2` is a decimal, `1,250` are thousands, `1.250,75` both."""
    if not text[0].isdecimal():
        from number_parser import parse_number

        found = parse_number(text.replace("-", " "), language="en")
        return float(found) if found is not None else float("nan")
    plain = regex.sub(r"[’'\u00a0\u202f]", "", text)
    comma, dot = plain.rfind(","), plain.rfind(".")
    if comma >= 0 and dot >= 0:
        decimal = max(comma, dot)
        return float(regex.sub(r"[.,]", "", plain[:decimal]) + "." + plain[decimal + 1 :])
    mark = "," if comma >= 0 else "."
    groups = plain.split(mark)
    is_thousands = len(groups) > 2 or (len(groups) == 2 and mark == "," and len(groups[1]) == 3 and groups[0] != "0")
    return float("".join(groups)) if is_thousands else float(".".join(groups))


def digits_of(figure: Figure) -> str:
    """The first number of a figure as it is written, without sign, scale and unit: "100" of "100 m²"; "" where it is in words."""
    match = regex.search(_DIGITS, figure.text)
    return match[0] if match else ""


def _currency(word: str) -> str:
    return _SYMBOLS.get(word.upper(), "") or (word.upper() if word.isupper() and word in _codes() else "")


@cache
def _codes() -> frozenset[str]:
    from babel.numbers import list_currencies

    return frozenset(list_currencies())


def _scale(text: str, end: int, is_money: bool) -> tuple[float, int, str]:
    match = _SCALE.match(text, end)
    if match is None or (match["scale"].lower() in _SHORT_SCALES and not is_money):
        return 1.0, end, ""
    stop = match.end() if match["scale"].lower() in ("mio", "mrd", "tsd", "bn", "mln", "mn") else match.end("scale")
    return _SCALES[match["scale"].lower()], stop, match["scale"].lower()


def _unit(text: str, end: int) -> tuple[str, Dimension, int, str]:
    """Unit, its dimension, where it ends and how it is written; empty where no unit follows."""
    power = _POWER.match(text, end)
    lead = {"s": "**2", "c": "**3"}[power[1][0].lower()] if power else ""
    match = _UNIT_WORD.match(text, power.end() if power else end)
    found = _named(match["word"]) if match else None
    if match is None or found is None:
        return "", "", end, ""
    if match["word"] == "s" and match.start("word") == end and regex.search(r"(?<!\d)\d{3}0$", text[:end]):
        return "", "", end, ""  # the 1990s are no seconds
    unit, dimension = found
    raised = lead or {"²": "**2", "³": "**3"}.get(match["power"] or "", "")
    if raised:
        unit, dimension = f"{unit}{raised}", "area" if raised == "**2" else "volume"
    stop, form = match.end(), match["word"].lower().rstrip("s") + raised
    if per := _per(text, stop):
        unit, stop, form = f"{unit}/{per[0]}", per[1], f"{form}/{per[2]}"
        dimension = dimension if dimension == "money" else _dimension(unit)
    return unit, dimension, stop, form


def _per(text: str, end: int) -> tuple[str, int, str] | None:
    """The unit that is divided by: "per hour", "/h", "a tonne"."""
    lead = regex.match(r"\s?/\s?|\s(?:per|a|an|each|every)\s", text[end:])
    match = _UNIT_WORD.match(text, end + lead.end() - 1) if lead and lead.group().strip() != "/" else None
    if lead and lead.group().strip() == "/":
        match = _UNIT_WORD.match(text, end + lead.end())
    found = _named(match["word"]) if match else None
    if match is None or found is None or found[1] in ("money", "share"):
        return None
    power = {"²": "**2", "³": "**3"}.get(match["power"] or "", "")
    return found[0] + power, match.end(), match["word"].lower().rstrip("s") + power


def _named(word: str) -> tuple[str, Dimension] | None:
    """The unit a word names, and its dimension."""
    if word in _SYMBOLS or word in _codes():
        return _SYMBOLS.get(word, word), "money"
    plain = word.lower()
    if plain.rstrip("s") in ("per cent", "percentage point"):
        return "percent", "share"
    for form in (plain, plain.removesuffix("s")):
        if form in _MONEY:
            return _MONEY[form], "money"
    for form in (word, plain if len(plain) > 2 else word, plain.removesuffix("s") if len(plain) > 3 else word):
        if form in _units():
            return _AS_PINT.get(form, form), _units()[form]
    return None


@cache
def _units() -> dict[str, Dimension]:
    return {name: dimension for dimension, names in _NAMES.items() for name in names.split()}


@cache
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry(cache_folder=None)
    return registry


@cache
def _parsed(unit: str) -> Any:
    return _registry().parse_units(unit)


def _base(value: float, unit: str) -> float:
    quantity = _registry().Quantity(value, _parsed(unit)).to_base_units()
    return float(quantity.magnitude)


@cache
def _base_name(unit: str) -> str:
    return str(_registry().Quantity(1.0, _parsed(unit)).to_base_units().units)


@cache
def _dimension(unit: str) -> Dimension:
    """The dimension of a compound: that of a known unit of the same powers, else the powers themselves."""
    powers = _parsed(unit).dimensionality
    known = (name for name, words in _NAMES.items() if _parsed(_first(words)).dimensionality == powers)
    return next(known, str(powers))


def _first(words: str) -> str:
    return _AS_PINT.get(words.split()[0], words.split()[0])
