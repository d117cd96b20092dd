"""LaTeX: sections, paragraphs, items, captions and simple tables; BibTeX: one record an entry."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

from .encoding import decode
from .html import names
from .limits import Limits
from .structure import Dated, Extracted, TooMuch, Writer, one_line
from .tables import write_tables

_SECTIONS = {
    "part": 1,
    "chapter": 1,
    "section": 2,
    "subsection": 3,
    "subsubsection": 4,
    "paragraph": 5,
    "subparagraph": 6,
}
_COMMENT = re.compile(r"(?<!\\)%.*")
_MADE = re.compile(
    r"\\(?:maketitle|today)(?![A-Za-z])"
)  # words that no author wrote: the day is that of whoever prints it
_COMMAND = re.compile(r"\\(" + "|".join(_SECTIONS) + r"|title|author|date|caption)\*?\s*(?:\[[^\[\]]{0,500}\])?\s*\{")
_BEGIN = re.compile(
    r"\\begin\s*\{(tabular\*?|tabularx|longtable|verbatim|lstlisting|itemize|enumerate|description|comment)\}"
)
_END = "\\end{%s}"
_ITEM = re.compile(r"\\item\b\s*(?:\[([^\[\]]{0,200})\])?")
_RULES = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|cline\{[^{}]*\}|cmidrule(?:\([^()]*\))?\{[^{}]*\}|centering|label\{[^{}]*\})"
)
_LONGEST = 200_000  # letters that are turned into text at once


def load_latex(data: bytes, name: str, limits: Limits) -> Extracted:
    decoded = decode(data, name)
    writer = Writer(limits)
    lines = decoded.text.split("\n")
    body = "\n".join(_MADE.sub("", _COMMENT.sub("", line)) if len(line) < 100_000 else line for line in lines)
    preamble, found, document = body.partition("\\begin{document}")
    held: dict[str, str] = {}
    reader = _Reader(writer, held)
    try:
        if found:
            reader.commands(preamble)
        reader.read((document if found else body).partition("\\end{document}")[0])
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")
    if re.search(r"\\(?:input|include)\s*\{", body):
        writer.say("Files that it includes (\\input, \\include) are read only where they lie in the folder themselves")
    done = writer.finish()
    return Extracted(
        done.text, done.blocks, title=held.get("title", ""), authors=names(held.get("author", "").replace(" and ", ";")),
        dates=(Dated(held.get("date", ""), "front matter"),) if re.search(r"\d{4}", held.get("date", "")) else (),
        media_type="application/x-tex", unread=(*decoded.unread, *done.unread),
    )  # fmt: skip


class _Reader:
    def __init__(self, writer: Writer, held: dict[str, str]):
        self.writer, self.held = writer, held

    def commands(self, text: str) -> None:
        """Title, author and date of a preamble."""
        for match in _COMMAND.finditer(text):
            if match.group(1) in ("title", "author", "date"):
                self.held[match.group(1)] = plain(_braced(text, match.end())[0])

    def read(self, text: str) -> None:
        """Text cut at its environments, sections and captions, in order."""
        position = 0
        while position < len(text):
            begin, command = _BEGIN.search(text, position), _COMMAND.search(text, position)
            first = min((m for m in (begin, command) if m), key=lambda m: m.start(), default=None)
            self.prose(text[position : first.start() if first else len(text)])
            if first is None:
                return
            position = self.environment(text, first) if first is begin else self.command(text, first)

    def command(self, text: str, match: re.Match[str]) -> int:
        content, end = _braced(text, match.end())
        kind = match.group(1)
        if kind in _SECTIONS:
            self.writer.heading(plain(content), _SECTIONS[kind])
        elif kind == "caption":
            self.writer.add("caption", plain(content))
        else:
            self.held.setdefault(kind, plain(content))
        return end

    def environment(self, text: str, match: re.Match[str]) -> int:
        name = match.group(1)
        end = text.find(_END % name, match.end())
        inside, after = (
            (text[match.end() : end], end + len(_END % name)) if end >= 0 else (text[match.end() :], len(text))
        )
        if name in ("verbatim", "lstlisting"):
            self.writer.add("code", inside)
        elif name.startswith("tab") or name == "longtable":
            self.table(inside)
        elif name != "comment":
            self.items(inside, name == "enumerate")
        return after

    def items(self, text: str, is_numbered: bool) -> None:
        parts = _ITEM.split(text)
        for number, (label, content) in enumerate(zip(parts[1::2], parts[2::2], strict=False), start=1):
            shown = plain(label) if label else (f"{number}." if is_numbered else "")
            inner = re.sub(r"\\(?:begin|end)\s*\{[a-z]+\*?\}", " ", content)
            self.writer.item(plain(inner), shown)

    def table(self, text: str) -> None:
        text = re.sub(r"^(?:\s*(?:\[[^\[\]]*\]|\{(?:[^{}]|\{[^{}]*\})*\}))+", "", text[:2_000]) + text[2_000:]
        rows = re.split(r"\\\\(?:\[[^\[\]]*\])?", _RULES.sub(" ", text))
        write_tables(
            self.writer, [[plain(cell) for cell in re.split(r"(?<!\\)&", row)] for row in rows], headers_expected=True
        )

    def prose(self, text: str) -> None:
        for part in re.split(r"\n[ \t]*\n", text):
            for piece in range(0, len(part), _LONGEST):
                self.writer.add("paragraph", plain(part[piece : piece + _LONGEST]))


def _braced(text: str, start: int) -> tuple[str, int]:
    """What stands up to the brace that closes the one before `start`, and the place after it."""
    depth = 1
    for match in re.compile(r"\\.|[{}]").finditer(text, start, start + 20_000):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0:
            return text[start : match.start()], match.end()
    return text[start : start + 500], min(len(text), start + 500)


def plain(text: str) -> str:
    """LaTeX as plain text; formulas in their source's letters."""
    if not text.strip():
        return ""
    from pylatexenc.latex2text import LatexNodes2Text

    logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)
    shown = LatexNodes2Text(math_mode="text", keep_comments=False, strict_latex_spaces=False).latex_to_text(text)
    return one_line(re.sub(r"<(?:cit\.|ref)>", "", str(shown)))


def load_bibtex(data: bytes, name: str, limits: Limits) -> Extracted:
    import bibtexparser

    decoded = decode(data, name)
    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)
    library = bibtexparser.parse_string(decoded.text)
    writer = Writer(limits)
    table = writer.begin_table()
    try:
        for number, entry in enumerate(library.entries, start=1):
            pairs = list(_entry(entry))
            writer.row([key for key, _ in pairs], [value for _, value in pairs], table=table, row=number)
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")
    if library.failed_blocks:
        writer.say(f"Broken entries are not read ({len(library.failed_blocks)})")
    done = writer.finish()
    return Extracted(done.text, done.blocks, media_type="application/x-bibtex", unread=(*decoded.unread, *done.unread))


def _entry(entry: Any) -> Iterator[tuple[str, str]]:
    yield "key", entry.key
    yield "type", entry.entry_type
    for field in entry.fields:
        yield field.key.lower(), plain(str(field.value))[:2_000]
