"""Word files: a library turns them into HTML; what it would lose or keep wrongly is put into the file's XML before."""

from __future__ import annotations

import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..types import RetrievalError
from .archive import opened, refuse_bomb, xml
from .html import fill, in_style, names, parse
from .limits import Limits
from .structure import Dated, Extracted, TooMuch, Writer, broken, one_line

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_MOST_LEVELS = 9
_STYLES = """p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => h2:fresh
p[style-name='Caption'] => p:fresh
p[style-name='caption'] => p:fresh"""
_FORMATS = {"lowerLetter": "a", "upperLetter": "A", "lowerRoman": "i", "upperRoman": "I"}


def load_docx(data: bytes, name: str, limits: Limits) -> Extracted:
    refuse_bomb(data, name, "Word", limits)
    with opened(data, name, "Word", limits) as archive:
        if "word/document.xml" not in archive.namelist():
            raise RetrievalError(f"{name} is no Word file; save it again as an unprotected .docx.")
        body = xml(archive, "word/document.xml", name)
        counts = _prepare(body, _Numbering.of(archive, name))
        headers, footers = _running(archive, name, "header"), _running(archive, name, "footer")
        comments = list(_comments(xml(archive, "word/comments.xml", name)))
        properties = xml(archive, "docProps/core.xml", name)
        prepared = _replaced(
            archive, {"word/document.xml": body, "word/styles.xml": _slim(xml(archive, "word/styles.xml", name))}
        )
    writer = Writer(limits)
    _write(writer, headers, _converted(prepared, name), footers, comments, name)
    for what, count in counts.items():
        writer.say(f"{what} left out ({count})")
    done = writer.finish()
    held = _properties(properties)
    author = held.get("creator", "")
    return Extracted(
        done.text,
        done.blocks,
        title=held.get("title", ""),
        authors=() if author in ("python-docx", "Microsoft Office User") else names(author),
        dates=(Dated(held.get("modified") or held.get("created", ""), "file stamp"),),
        media_type=_MEDIA_TYPE,
        unread=done.unread,
    )


def _write(
    writer: Writer, headers: Sequence[str], page: str, footers: Sequence[str], comments: Sequence[str], name: str
) -> None:
    try:
        for line in headers:
            writer.add("paragraph", line)
        if page.strip():
            fill(writer, parse(page, name), is_page=False)
        for line in footers:
            writer.add("paragraph", line)
        for comment in comments:
            writer.add("note", comment, label="comment")
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")


def _converted(data: bytes, name: str) -> str:
    import mammoth

    try:
        options = {"style_map": _STYLES, "convert_image": mammoth.images.img_element(_no_image)}
        return str(mammoth.convert_to_html(io.BytesIO(data), **options).value)
    except (
        KeyError,
        ValueError,
        OSError,
        AttributeError,
        TypeError,
        IndexError,
        RecursionError,
        zipfile.BadZipFile,
    ) as exc:
        raise broken(name, "a broken Word file", "save it again as .docx", exc) from exc


def _no_image(image: object) -> dict[str, str]:
    return {"src": ""}


def _replaced(archive: zipfile.ZipFile, roots: dict[str, Any]) -> bytes:
    """The file with other XML in these parts, without pictures and looks."""
    from lxml import etree  # type: ignore[import-untyped]

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as copy:
        for part in archive.namelist():
            if roots.get(part) is not None:
                copy.writestr(part, etree.tostring(roots[part], xml_declaration=True, encoding="UTF-8"))
            elif not re.match(
                r"word/(?:media|theme|embeddings|fonts)/|word/(?:stylesWithEffects|fontTable|webSettings|settings)\.xml|customXml/",
                part,
            ):
                copy.writestr(part, archive.read(part))
    return data.getvalue()


def _slim(styles: Any) -> Any:
    """Names and numbering of styles only: the library spends most of its time on how they look."""
    for element in list(styles) if styles is not None else ():
        if element.tag != f"{_W}style":
            styles.remove(element)
            continue
        for child in list(element):
            numbered = child.find(f"{_W}numPr") if child.tag == f"{_W}pPr" else None
            if child.tag not in (f"{_W}name", f"{_W}basedOn") and numbered is None:
                element.remove(child)
    return styles


def _properties(root: Any) -> dict[str, str]:
    return {child.tag.rsplit("}", 1)[-1]: one_line(child.text or "") for child in root} if root is not None else {}


# What stands outside the body


def _running(archive: zipfile.ZipFile, name: str, kind: str) -> list[str]:
    """The lines of page headers or footers, each once; page numbers alone are left out."""
    lines: dict[str, None] = {}
    for part in sorted(part for part in archive.namelist() if re.fullmatch(rf"word/{kind}\d*\.xml", part)):
        root = xml(archive, part, name)
        _prepare(root, _Numbering())
        for paragraph in root.iter(f"{_W}p"):
            line = one_line(_words(paragraph))
            if re.search(r"[^\W\d_]{2}", re.sub(r"(?i)page|seite|of|von|sur|pagina|página", "", line)):
                lines[line] = None
    return list(lines)


def _comments(root: Any) -> Iterator[str]:
    for comment in root if root is not None else ():
        author = comment.get(f"{_W}author") or "a reader"
        text = one_line(" ".join(_words(paragraph) for paragraph in comment.iter(f"{_W}p")))
        if text:
            yield f"Comment by {author}: {text}"


def _words(paragraph: Any) -> str:
    pieces = {f"{_W}t": None, f"{_W}tab": " ", f"{_W}br": " "}
    return "".join((element.text or "") if pieces[element.tag] is None else " " for element in paragraph.iter(*pieces))


# What is put right in the body


def _prepare(body: Any, numbering: _Numbering) -> dict[str, int]:
    """Takes struck-out, hidden and deleted text out, writes numbers and equations in; how much was taken out."""
    counts: dict[str, int] = defaultdict(int)
    for run in list(body.iter(f"{_W}r")):
        reason = _reason_to_drop(run)
        if reason and _words(run).strip():
            counts[reason] += 1
        if reason:
            _drop(run)
    for deleted in list(body.iter(f"{_W}del", f"{_W}moveFrom")):
        counts["Deleted text (tracked changes)"] += any(t.text for t in deleted.iter(f"{_W}delText", f"{_W}t"))
        if deleted.getparent().tag != f"{_W}rPr":
            _drop(deleted)
    for equation in list(body.iter(f"{_M}oMath")):
        _write_equation(equation)
    for paragraph in body.iter(f"{_W}p"):
        label = numbering.next_label(paragraph)
        if label is not None:
            _put_label(paragraph, label)
    return {what: count for what, count in counts.items() if count}


def _reason_to_drop(run: Any) -> str:
    properties = run.find(f"{_W}rPr")
    if properties is None:
        return ""
    if any(_is_on(properties.find(f"{_W}{tag}")) for tag in ("strike", "dstrike")):
        return "Struck-out text"
    return "Hidden text" if _is_on(properties.find(f"{_W}vanish")) else ""


def _is_on(element: Any) -> bool:
    return element is not None and element.get(f"{_W}val") not in ("0", "false", "off")


def _drop(element: Any) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _run(text: str) -> Any:
    from lxml import etree

    run = etree.Element(f"{_W}r")
    etree.SubElement(run, f"{_W}t").text = text
    return run


def _put_label(paragraph: Any, label: tuple[int, str]) -> None:
    properties = paragraph.find(f"{_W}pPr")
    numbered = properties.find(f"{_W}numPr") if properties is not None else None
    if numbered is not None:
        properties.remove(numbered)
    paragraph.insert(0 if properties is None else 1, _run(f"\ue000{label[0]}|{label[1]}\ue001"))


def _write_equation(equation: Any) -> None:
    parent = equation.getparent()
    text = _linear(equation)
    if parent is not None and parent.tag == f"{_M}oMathPara":
        equation, parent = parent, parent.getparent()
    if parent is not None:
        run = _run(f" {text} ")
        run.tail = equation.tail
        parent.replace(equation, run)


def _linear(element: Any, depth: int = 0) -> str:
    """An equation in one line: (a+b)/c, x^2, √(x)."""
    if depth > 60:
        return one_line("".join(element.itertext()))
    tag = element.tag.replace(_M, "") if isinstance(element.tag, str) else ""
    part = {child.tag.replace(_M, ""): child for child in element if isinstance(child.tag, str)}

    def of(name: str) -> str:
        return _linear(part[name], depth + 1) if name in part else ""

    if tag == "t":
        return element.text or ""
    if tag == "f":
        return f"{_grouped(of('num'))}/{_grouped(of('den'))}"
    if tag in ("sSup", "sSub", "sSubSup"):
        low, high = of("sub"), of("sup")
        return of("e") + (f"_{_grouped(low)}" if low else "") + (f"^{_grouped(high)}" if high else "")
    if tag == "rad":
        return f"{of('deg')}√{_grouped(of('e'))}"
    return "".join(
        _linear(child, depth + 1) for child in element if isinstance(child.tag, str) and not child.tag.endswith("Pr")
    )


def _grouped(text: str) -> str:
    return text if re.fullmatch(r"[\w.,]*", text) else f"({text})"


# Numbers of lists and headings


@dataclass
class _Level:
    format: str = "decimal"
    text: str = ""
    start: int = 1


@dataclass
class _Numbering:
    """What numbering.xml and styles.xml say about lists, and how far each has counted."""

    levels: dict[str, dict[int, _Level]] = field(default_factory=dict)  # of a numId
    lists: dict[str, str] = field(default_factory=dict)  # numId: the list that it counts with
    styles: dict[str, tuple[str, int]] = field(default_factory=dict)  # style id: numId, level
    counts: dict[str, list[int | None]] = field(default_factory=dict)
    restarts: set[str] = field(default_factory=set)  # numIds that begin anew

    @classmethod
    def of(cls, archive: zipfile.ZipFile, name: str) -> _Numbering:
        found = cls()
        root = xml(archive, "word/numbering.xml", name)
        if root is not None:
            found._read(root)
        styles = xml(archive, "word/styles.xml", name)
        if styles is not None:
            found._read_styles(styles)
        return found

    def next_label(self, paragraph: Any) -> tuple[int, str] | None:
        """Level and number of a paragraph, as printed; None where it has none."""
        number, level = self._of_paragraph(paragraph)
        held = self.levels.get(number, {}).get(level)
        if held is None or not _words(paragraph).strip():
            return None
        if held.format == "bullet" or held.format == "none":
            return level + 1, ""
        counts = self._counted(number, level)
        return level + 1, self._printed(number, held.text or f"%{level + 1}.", counts)

    def _counted(self, number: str, level: int) -> list[int | None]:
        key = self.lists[number]
        counts = self.counts.setdefault(key, [None] * _MOST_LEVELS)
        if number in self.restarts:
            self.restarts.discard(number)
            counts[:] = [None] * _MOST_LEVELS
        held = self.levels[number]
        for upper in range(level):
            if counts[upper] is None:
                counts[upper] = held.get(upper, _Level()).start
        current = counts[level]
        counts[level] = held[level].start if current is None else current + 1
        counts[level + 1 :] = [None] * (_MOST_LEVELS - level - 1)
        return counts

    def _printed(self, number: str, pattern: str, counts: list[int | None]) -> str:
        def one(match: re.Match[str]) -> str:
            level = int(match.group(1)) - 1
            held = self.levels[number].get(level, _Level())
            written = counts[level] if level < _MOST_LEVELS else None
            return in_style(written if written is not None else held.start, _FORMATS.get(held.format, "1"))

        return one_line(re.sub(r"%([1-9])", one, pattern))

    def _of_paragraph(self, paragraph: Any) -> tuple[str, int]:
        properties = paragraph.find(f"{_W}pPr")
        if properties is None:
            return "", 0
        style = properties.find(f"{_W}pStyle")
        number, level = self.styles.get(style.get(f"{_W}val") or "", ("", 0)) if style is not None else ("", 0)
        direct = properties.find(f"{_W}numPr")
        if direct is not None:
            number = _value(direct.find(f"{_W}numId")) or number
            level = _whole(_value(direct.find(f"{_W}ilvl")), level)
        return (number, level) if 0 <= level < _MOST_LEVELS else ("", 0)

    def _read(self, root: Any) -> None:
        abstract = {held.get(f"{_W}abstractNumId"): _levels(held) for held in root.iter(f"{_W}abstractNum")}
        for held in root.iter(f"{_W}num"):
            number, base = held.get(f"{_W}numId") or "", _value(held.find(f"{_W}abstractNumId"))
            self.levels[number], self.lists[number] = dict(abstract.get(base, {})), base
            for override in held.iter(f"{_W}lvlOverride"):
                self._override(number, override)

    def _override(self, number: str, override: Any) -> None:
        level = _whole(override.get(f"{_W}ilvl") or "", 0)
        start = override.find(f"{_W}startOverride")
        replaced = override.find(f"{_W}lvl")
        if replaced is not None:
            self.levels[number][level] = _level(replaced)
        if start is not None and level in self.levels[number]:
            before = self.levels[number][level]
            self.levels[number][level] = _Level(before.format, before.text, _whole(_value(start), 1))
            self.restarts.add(number)

    def _read_styles(self, root: Any) -> None:
        based: dict[str, str] = {}
        for style in root.iter(f"{_W}style"):
            name = style.get(f"{_W}styleId") or ""
            based[name] = _value(style.find(f"{_W}basedOn"))
            numbered = style.find(f"{_W}pPr/{_W}numPr")
            if numbered is not None and _value(numbered.find(f"{_W}numId")):
                self.styles[name] = _value(numbered.find(f"{_W}numId")), _whole(_value(numbered.find(f"{_W}ilvl")), 0)
        for name in based:
            above, steps = name, 0
            while above and above not in self.styles and steps < 20:
                above, steps = based.get(above, ""), steps + 1
            if above in self.styles:
                self.styles[name] = self.styles[above]


def _levels(abstract: Any) -> dict[int, _Level]:
    return {_whole(level.get(f"{_W}ilvl") or "", 0): _level(level) for level in abstract.iter(f"{_W}lvl")}


def _level(element: Any) -> _Level:
    return _Level(
        _value(element.find(f"{_W}numFmt")) or "decimal",
        _value(element.find(f"{_W}lvlText")),
        _whole(_value(element.find(f"{_W}start")), 1),
    )


def _value(element: Any) -> str:
    return (element.get(f"{_W}val") or "") if element is not None else ""


def _whole(text: str, default: int) -> int:
    return int(text) if re.fullmatch(r"\d{1,6}", text) else default
