"""JSON and JSON lines: lists of objects are tables, other values fields below their keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .encoding import decode
from .limits import Limits
from .names import as_words
from .structure import Extracted, TooMuch, Writer, broken, one_line, unnamed
from .tables import figure_columns

_LONG = 400  # letters of a value that is text to read rather than a field


def load_json(data: bytes, name: str, limits: Limits) -> Extracted:
    decoded = decode(data, name)
    writer = Writer(limits)
    try:
        value = json.loads(decoded.text, parse_constant=str)
    except RecursionError as exc:
        raise broken(name, "nested too deeply", "flatten it", f"more than {limits.nesting} levels") from exc
    except ValueError as exc:
        values = _lines(decoded.text, writer)
        if not values:
            raise broken(name, "broken JSON", "export it again", one_line(str(exc))[:100]) from exc
        value = values
    return _written(writer, value, "application/json", decoded.unread)


def load_jsonl(data: bytes, name: str, limits: Limits) -> Extracted:
    decoded = decode(data, name)
    writer = Writer(limits)
    values = _lines(decoded.text, writer)
    if not values:
        raise broken(name, "broken JSON lines", "export it again", "no line is JSON")
    return _written(writer, values, "application/jsonl", decoded.unread)


def _lines(text: str, writer: Writer) -> list[Any]:
    values, num_bad = [], 0
    for line in text.split("\n"):
        if line.strip():
            try:
                values.append(json.loads(line, parse_constant=str))
            except (ValueError, RecursionError):
                num_bad += 1
    if num_bad and values:
        writer.say(f"{num_bad} of its lines are no JSON and are not read")
    return values


def _written(writer: Writer, value: Any, media_type: str, unread: tuple[str, ...]) -> Extracted:
    try:
        _write(writer, value, (), 1)
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")
    done = writer.finish()
    return Extracted(done.text, done.blocks, media_type=media_type, unread=(*unread, *done.unread))


def _write(writer: Writer, value: Any, keys: tuple[str, ...], level: int) -> None:
    if level > writer.limits.nesting:
        writer.say(f"What is nested in more than {writer.limits.nesting} levels is not read; raise reading.nesting")
    elif isinstance(value, dict):
        _object(writer, value, keys, level)
    elif isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
        _table(writer, value, level)
    elif isinstance(value, list):
        for entry in value:
            _write(writer, entry, keys, level + 1)
    elif (text := shown_value(value)) and keys:
        writer.field(keys[-1], text)
    else:
        writer.add("paragraph", text)


def _object(writer: Writer, value: dict[str, Any], keys: tuple[str, ...], level: int) -> None:
    names = _as_words(value, [{key: shown_value(held) for key, held in value.items() if _is_shown(held)}])
    for key, held in zip(names, value.values(), strict=True):
        if not _is_shown(held):
            writer.heading(key, min(level, 9))
            _write(writer, held, (*keys, key), level + 1)
        elif len(text := shown_value(held)) > _LONG:
            writer.add("paragraph", text)
        else:
            writer.field(key, text)


def _table(writer: Writer, rows: list[dict[str, Any]], level: int) -> None:
    """One record a row; objects within it flattened ("address.city"), lists of objects told below it."""
    number = writer.begin_table()
    told = [list(_flat(row, "", writer.limits.nesting - level)) for row in rows]
    keys = list(dict.fromkeys(name for pairs in told for name, _ in pairs))
    names = dict(zip(keys, _as_words(keys, list(map(dict, told))), strict=True))
    for index, pairs in enumerate(told, start=1):
        short = [(names[name], text) for name, text in pairs if len(text) <= _LONG]
        writer.row([name or unnamed(1) for name, _ in short], [text for _, text in short], table=number, row=index)
        for _, text in pairs:
            if len(text) > _LONG:
                writer.add("paragraph", text, table=number, row=index)


def _as_words(keys: Iterable[str], told: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Keys as words, by what the records hold under them."""
    named = list(keys)
    return as_words(named, figure_columns([[values.get(key, "") for key in named] for values in told]))


def _flat(value: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth < 0:
        yield name, "…"
    elif isinstance(value, dict):
        for key, held in value.items():
            yield from _flat(held, f"{name}.{key}" if name else key, depth - 1)
    elif isinstance(value, list) and not _is_plain_list(value):
        for number, entry in enumerate(value, start=1):
            yield from _flat(entry, f"{name}.{number}", depth - 1)
    else:
        yield name, shown_value(value)


def _is_shown(value: Any) -> bool:
    """Whether a value is written as one text."""
    return not isinstance(value, dict | list) or _is_plain_list(value)


def _is_plain_list(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(entry, dict | list) for entry in value)


def shown_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_each(value))
    return one_line(str(value))


def _each(values: Iterable[Any]) -> Iterator[str]:
    return (text for text in map(shown_value, values) if text)
