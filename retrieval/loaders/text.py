"""Plain text: paragraphs unwrapped, lists, underlined headings, tables of aligned columns, lines of "key: value"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise, takewhile

from .dates import MASTHEAD, dates_a_text, named_kind
from .encoding import decode
from .front_matter import front_matter
from .limits import Limits
from .structure import Extracted, TooMuch, Writer
from .tables import write_tables

_ITEM = re.compile(
    r"[ \t]{0,12}(?:(\d{1,3}(?:\.\d{1,3}){0,4}[.)]|\(?[a-zA-Z0-9]{1,3}\)|[ivxIVX]{1,6}[.)])|[-*+•‣◦–—])[ \t]+(\S.*)"
)
_RULE = re.compile(r"[ \t]*([=\-~^*#_+\"'`.])\1{2,}[ \t]*")
_PAIR = re.compile(r"[ \t]{0,12}([^\W\d_][^:\n.?!]{0,40}):[ \t]+(\S.*)")
_GAPS = re.compile(r"[ \t]{2,}|\t")
_LONGEST_TITLE = 120
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_GO_ON = frozenset("the a an of in on at and or for from to with by".split())  # what ends no title
_MOST_AHEAD = 5  # lines of a title and what stands with it
_SUBJECTS = frozenset("subject re betreff objet asunto oggetto assunto betreft onderwerp emne ämne".split())
_SENT = frozenset("to from an von à de para a da aan van til fra till från".split())
_TOP = 10  # blocks among which the fields of a letter stand
_LEAST_SUBHEADS = 2  # one printed line above a paragraph may be anything; two are a way of setting headings
_LEAST_CAPITALS = 5  # letters of a heading in capitals
_LONGEST_LINE = 2_000  # longer ones are read as running text only
_SENTENCE_END = re.compile(r"[.!?:;…][\"'”’)\]]*$")


def load_text(data: bytes, name: str, limits: Limits) -> Extracted:
    decoded = decode(data, name)
    front, body = front_matter(decoded.text)
    writer = Writer(limits)
    head, rest = _headed(body)
    write_text(writer, rest, head=head)
    done = writer.finish()
    title = front.title or _subject(done) or _named(head)
    return replace(front, title=title, text=done.text, blocks=done.blocks, unread=(*decoded.unread, *done.unread))


def _headed(text: str) -> tuple[list[str], str]:
    """The lines that a text opens with and its rest: its title, by itself or above lines that say who, where and when, ahead of
    paragraphs that marks end; none where it has no title.
    """
    found = list(_paragraphs(text))
    count = 2 if len(found) > 1 and _dates_a_title(found[1]) else 1
    lines = [line.strip() for paragraph in found[:count] for line in paragraph]
    ends = any(_SENTENCE_END.search(paragraph[-1][-4:]) for paragraph in found[count:])
    if not ends or sum(not _is_field(line) for line in lines) > _MOST_AHEAD:
        return [], text
    first, *others = lines
    is_alone = not others and not _PAIR.fullmatch(first)
    is_one = is_alone or (bool(others) and not _is_field(first) and _are_of_a_title(first, others))
    is_quoted = bool(others) and first[0] in "\"'“‘«" and first[-1] in "\"'”’»" and len(first) <= _LONGEST_TITLE
    if not (is_title(first) or is_quoted) or not is_one:
        return [], text
    return lines, "\n\n".join("\n".join(paragraph) for paragraph in found[count:])


def _dates_a_title(lines: list[str]) -> bool:
    """Whether a paragraph goes with the title above it: lines that no mark ends, one of which dates the text."""
    return len(lines) <= _MOST_AHEAD and all(map(is_title, lines)) and any(dates_a_text(line) for line in lines)


def _is_field(line: str) -> bool:
    """Whether a line is "key: value"; in capitals, or with a comma ahead of it, it is a title with its subtitle."""
    pair = _PAIR.fullmatch(line)
    return pair is not None and "," not in pair[1] and not line.isupper()


def subject_of(heading: str) -> str:
    """What a heading of a letter or memo says that it is about: "Subject: the ferry"; "" of any other."""
    pair = _PAIR.fullmatch(heading)
    return pair[2] if pair and pair[1].casefold() in _SUBJECTS else ""


def _are_of_a_title(title: str, lines: list[str]) -> bool:
    """Whether lines under a title say who, where and when: one has a year or opens with "by", and none goes on from the title."""
    is_cut = title.split()[-1].casefold() in _GO_ON
    is_said = any(_YEAR.search(line) or line.casefold().startswith("by ") for line in lines)
    plain = [line for line in lines if not _is_field(line)]
    return (
        is_said
        and not is_cut
        and all(map(is_title, plain))
        and not any(line[:1].islower() for line in plain if line[:3] != "by ")
    )


def _subject(read: Extracted) -> str:
    """What a letter or memo is about, by the fields at its top; "" of any other text."""
    cells = [(name, read.text[start:end]) for block in read.blocks[:_TOP] for name, start, end in block.cells]
    fields = {name.casefold(): value for name, value in cells}
    is_letter = not _SENT.isdisjoint(fields)
    return next((value for name, value in fields.items() if is_letter and name in _SUBJECTS), "")


def _named(head: list[str]) -> str:
    """What a text is called: its title, with the lines under one in capitals that go on in capitals, and the line that says what kind
    of paper it is: "TOLLEN HARBOUR BOARD – Minutes of 3 May 2023".
    """
    named = list(takewhile(lambda line: line.isupper() and not dates_a_text(line), head)) or head[:1]
    kind = "".join(named_kind(line) for line in head[len(named) :][:1] if not _is_field(line))
    return " – ".join([*named, kind] if kind else named)


def is_title(line: str) -> bool:
    """Whether a line may be a title or heading: not long, no item of a list, no columns, and no mark ends it."""
    is_one = len(line) <= _LONGEST_TITLE and line.lstrip("\"'“‘«")[:1].isalnum() and not _SENTENCE_END.search(line[-4:])
    return is_one and not (_GAPS.search(line) or _ITEM.fullmatch(line))


def write_text(writer: Writer, text: str, page: int | None = None, head: Sequence[str] = ()) -> None:
    """The paragraphs of plain text as blocks, the lines of its title ahead where it has one."""
    try:
        _write_head(writer, head)
        paragraphs = list(_paragraphs(text))
        headed = _subheaded(paragraphs)
        for number, lines in enumerate(paragraphs):
            if number in headed:
                writer.heading(lines[0], 2, page=page)
            _write_paragraph(writer, lines[number in headed :], page)
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")


def _write_head(writer: Writer, head: Sequence[str]) -> None:
    """The title and each line under it, which says who, where and when; fields where all of them are."""
    for title in head[:1]:
        writer.heading(title, 1)
    others = list(head[1:])
    for line in others:
        match = _PAIR.fullmatch(line) if all(map(_is_field, others)) else None
        if match:
            writer.field(*match.groups())
        else:
            writer.add("byline", line)


def _paragraphs(text: str) -> Iterator[list[str]]:
    for has_words, lines in groupby(text.split("\n"), key=lambda line: bool(line.strip())):
        if has_words:
            yield [line.rstrip() for line in lines]


def _subheaded(paragraphs: Sequence[list[str]]) -> set[int]:
    """The numbers of the paragraphs that open with a printed heading, where a text has several; of one that is all heading too."""
    found = set()
    for number, (lines, following) in enumerate(pairwise([*paragraphs, []])):
        below = lines[1:] or following
        is_of_title = number < MASTHEAD and dates_a_text(" ".join(lines))
        if not is_of_title and _is_subhead(lines[0], below) and (len(lines) == 1 or _breaks_early(lines)):
            found.add(number)
    return found if len(found) >= _LEAST_SUBHEADS else set()


def _is_subhead(line: str, below: list[str]) -> bool:
    """Whether a line heads what stands below it: a few words, or a number and some, that no mark ends, above running text or a list."""
    item = _ITEM.fullmatch(line)
    words = item.group(2) if item and item.group(1) else line
    if line[:1].isspace() or not is_title(words) or not words[:1].isupper() or _PAIR.fullmatch(line):
        return False
    is_whole = (words[-1].isalnum() or words[-1] in '"”’)') and words.split()[-1].casefold() not in _GO_ON
    is_listed = bool(below) and all(_ITEM.fullmatch(other) or other[:1].isspace() for other in below)
    return is_whole and (not item if is_listed else _is_running(below))


def _is_running(lines: list[str]) -> bool:
    """Whether lines are running text: each of them ends with a mark, or they are wrapped and the last one does."""
    if not lines or lines[0][:1].isspace() or lines[0][:1].islower() or _are_pairs(lines) or _aligned(lines):
        return False
    ended = [bool(_SENTENCE_END.search(line[-4:])) for line in lines]
    return all(ended) or (ended[-1] and _is_wrapped(lines))


def _breaks_early(lines: list[str]) -> bool:
    """Whether the first line ends where the next word would have found room, or above a list: nothing but its end ended it."""
    with_next = len(lines[0]) + 1 + len(lines[1].split()[0])
    return _ITEM.fullmatch(lines[1]) is not None or with_next <= max(map(len, lines[1:]))


def _write_paragraph(writer: Writer, lines: list[str], page: int | None) -> None:
    if (
        len(lines) > 1
        and _RULE.fullmatch(lines[1])
        and len(lines[0].strip()) <= _LONGEST_TITLE
        and not _GAPS.search(lines[0].strip())
    ):
        writer.heading(lines[0], 1 if lines[1].strip()[0] in "=#*" else 2, page=page)
        lines = lines[2:]
    lines = [line for line in lines if not _RULE.fullmatch(line)]
    if _heads(lines):
        writer.heading(lines.pop(0), 2, page=page)
    if not lines:
        return
    if table := _aligned(lines):
        write_tables(writer, table, page=page)
    elif _are_pairs(lines):
        for line in lines:
            match = _PAIR.fullmatch(line)
            assert match, "_are_pairs has looked at every line"
            writer.field(match.group(1), match.group(2), page=page)
    else:
        _write_lines(writer, lines, page)


def _write_lines(writer: Writer, lines: list[str], page: int | None) -> None:
    """Running text and items; a line that goes on with the one before is joined to it."""
    is_wrapped = _is_wrapped(lines)
    gathered: list[str] = []
    label: str | None = None
    for line in lines:
        match = _ITEM.fullmatch(line) if len(line) <= _LONGEST_LINE else None
        if match or (gathered and not is_wrapped and not _goes_on(line, label is not None)):
            _put(writer, gathered, label, page)
            gathered, label = [], None
        if match:
            label, line = match.group(1) or "", match.group(2)
        gathered.append(line.strip())
    _put(writer, gathered, label, page)


def _put(writer: Writer, gathered: list[str], label: str | None, page: int | None) -> None:
    text = _joined(gathered)
    if label is None:
        writer.add("paragraph", text, page=page)
    else:
        writer.item(text, label, page=page)


def _heads(lines: list[str]) -> bool:
    """Whether the first of these lines is a heading in capitals above others, or alone."""
    if not lines or not _is_capital(lines[0]) or any(map(_is_capital, lines[1:])):
        return False
    goes_on = any(line.strip()[:1].islower() for line in lines[1:2])
    return not goes_on and not _are_pairs(lines) and not _aligned(lines)


def _is_capital(line: str) -> bool:
    """Whether a line is a heading in capitals: some words that no mark ends and nothing parts."""
    words = line.strip()
    is_short = words.isupper() and sum(map(str.isalpha, words)) >= _LEAST_CAPITALS and len(words) <= _LONGEST_TITLE
    marks = _SENTENCE_END.search(words[-4:]) or _GAPS.search(words) or _ITEM.fullmatch(line) or _PAIR.fullmatch(line)
    return is_short and not marks


def _joined(lines: list[str]) -> str:
    """Lines as one; a word broken by a hyphen at a line's end is put together."""
    pieces: list[str] = []
    for line, following in zip(lines, [*lines, ""][1:], strict=True):
        is_broken = line[-1:] == "-" and line[-2:-1].isalpha() and following[:1].islower()
        pieces.append(line[:-1] if is_broken else line + " ")
    return "".join(pieces).strip()


def _goes_on(line: str, in_item: bool) -> bool:
    return in_item and line[:2].isspace()


def _is_wrapped(lines: list[str]) -> bool:
    """Every line but the last is nearly as long as the longest, or they break inside sentences."""
    if len(lines) < 2:
        return False
    lengths = [len(line) for line in lines]
    longest = max(lengths)
    if longest < 30:
        return False
    full = sum(length >= 0.7 * longest for length in lengths[:-1])
    open_ends = sum(not _SENTENCE_END.search(line[-4:]) for line in lines[:-1])
    return full >= 0.7 * (len(lines) - 1) and open_ends >= 0.4 * (len(lines) - 1)


def _are_pairs(lines: list[str]) -> bool:
    return len(lines) > 1 and all(len(line) <= _LONGEST_LINE and _PAIR.fullmatch(line) for line in lines)


def _aligned(lines: list[str]) -> list[list[str]]:
    """The cells of lines in columns (tabs, runs of blanks, or strokes between them); [] where there are none."""
    if len(lines) < 2 or max(map(len, lines)) > _LONGEST_LINE:
        return []
    if all(line.count("|") >= 2 or line.strip()[:1] == "|" for line in lines):
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
        return [row for row in rows if not all(set(cell) <= set("-:=+ ") for cell in row)]
    if any(_ITEM.fullmatch(line) for line in lines) or len(lines) < 3:
        return []
    rows = [_GAPS.split(line.strip()) for line in lines]
    widths = {len(row) for row in rows}
    return rows if len(widths) == 1 and widths.pop() > 1 else _by_column(lines)


def _by_column(lines: list[str]) -> list[list[str]]:
    """Cut where every line has a gap of blanks in the same place: tables with cells left empty."""
    if any("\t" in line for line in lines):
        return []
    width = max(map(len, lines))
    blank = [all(line[place : place + 1] in ("", " ") for line in lines) for place in range(width)]
    gaps = [place for place in range(2, width) if blank[place - 1] and blank[place - 2] and not blank[place]]
    if not gaps or sum(bool(_GAPS.search(line.strip())) for line in lines) < 0.8 * len(lines):
        return []
    edges = [0, *gaps, width]
    return [[line[start:end].strip() for start, end in pairwise(edges)] for line in lines]
