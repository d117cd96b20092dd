"""Front matter: what a text file says of itself in YAML or TOML above its first line."""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from .html import names
from .structure import Dated, Extracted, one_line

_YAML_FENCE = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TOML_FENCE = re.compile(r"\A\+\+\+[ \t]*\n(.*?)\n\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL)
_ENTRY = re.compile(r"([^\W\d_][\w-]{0,40}):(?:[ \t]+(.*))?")
_OF_ENTRY = re.compile(r"[ \t]|-(?:[ \t]|$)|#|$")  # opens a line that is no entry: indented, of a list, a remark
_MOST_FRONT_MATTER = 100_000
_DATE_KEYS = ("updated", "last_updated", "lastmod", "modified", "date", "published", "created", "datum", "fecha")


def front_matter(text: str) -> tuple[Extracted, str]:
    """What the front matter says (as an Extracted without text) and the text below it."""
    for fence, read in ((_YAML_FENCE, _yaml), (_TOML_FENCE, _toml)):
        match = fence.match(text[:_MOST_FRONT_MATTER])
        fields = read(match.group(1)) if match else None
        fields = _entries(match.group(1)) if match and fields is None and read is _yaml else fields
        if match and fields is not None:
            return _described(fields), text[match.end() :].lstrip("\n")
    return Extracted(""), text


def _yaml(text: str) -> Mapping[str, Any] | None:
    import yaml

    try:
        found = yaml.load(text.replace("\u2028", " "), Loader=_loader())  # it ends a line in YAML 1.1 only
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return None
    return found if isinstance(found, dict) and all(isinstance(key, str) for key in found) else None


def _entries(text: str) -> Mapping[str, Any] | None:
    """The entries of front matter that is no YAML as a whole, each by itself; one that is none is read as it is written:
    "title: Locks: a guide". None where a line is no "key: value" and belongs to none.
    """
    entries: list[list[str]] = []
    for line in text.split("\n"):
        if _ENTRY.fullmatch(line):
            entries.append([line])
        elif not _OF_ENTRY.match(line) or (not entries and line.strip()[:1] not in ("", "#")):
            return None
        elif entries:
            entries[-1].append(line)
    found: dict[str, Any] = {}
    for first, *others in entries:
        entry = _ENTRY.fullmatch(first)
        assert entry, "only such lines begin one"
        found |= _yaml("\n".join([first, *others])) or {entry.group(1): entry.group(2) or ""}
    return found or None


def _loader() -> Any:
    """Scalars stay as they are written: a date that does not exist is no error, and 2024-11-02 no date object."""
    import yaml

    class Plain(yaml.BaseLoader):
        pass

    return Plain


def _toml(text: str) -> Mapping[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def _described(fields: Mapping[str, Any]) -> Extracted:
    held = {key.strip().lower(): value for key, value in fields.items()}
    url = _scalar(held.get("url") or held.get("source"))
    dates = [_scalar(held[key]) for key in _DATE_KEYS if key in held]
    return Extracted(
        "",
        title=_scalar(held.get("title")),
        authors=_names(held.get("authors") or held.get("author") or held.get("creator")),
        dates=tuple(Dated(date, "front matter") for date in dates if date),
        url=url if url.startswith(("https://", "http://")) else "",
        language=_scalar(held.get("lang") or held.get("language")),
    )


def _scalar(value: object) -> str:
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    return one_line(str(value)) if isinstance(value, str | int | float) else ""


def _names(value: object) -> tuple[str, ...]:
    """A name, names in one line, a list of names, or a list of tables with a name."""
    if isinstance(value, list):
        found = (entry.get("name") if isinstance(entry, dict) else entry for entry in value[:200])
        return tuple(name for name in map(_scalar, found) if name)
    return names(_scalar(value))
