"""What every surface shares: letters that cannot be seen are shown by their code, and a draft's numbers are looked up."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from itertools import takewhile

from palimpsest.agent.draft import Block, Span, Support
from palimpsest.agent.evidence_text import sentences_of
from palimpsest.agent.replies import goes_on_from, replied_to
from palimpsest.agent.state import ResearchState, Revision
from palimpsest.agent.wording import speaks_of_itself
from palimpsest.retrieval.types import Source

OPEN = "▢▢▢"
NOT_ESTABLISHED = "Not established"
TAKEN_OUT = "taken out"
WHY = {
    "contradicted": "contradicted",
    "unsure": "the model was unsure",
    "dependent": "what it rests on changed",
    "person": "opened by a person",
    "new evidence": "new evidence",
    "edit": "written by a person",
    "ban": "a person banned its source",
}


def visible(text: str) -> str:
    """The text on one line, with controls, bidirectional marks and lone surrogates shown by their code."""
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    if letter in "\n\r\t\x0b\x0c\u2028\u2029":
        return " "
    if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co") and letter not in "\u00ad\u200c\u200d":
        return f"⟨U+{ord(letter):04X}⟩"
    return letter


def ended(title: str) -> str:
    """A title with a full stop where it does not end a sentence itself: "Chlorine or ozone?" has none."""
    return title if title.endswith((".", "?", "!", "…")) else f"{title}."


def number_of(state: ResearchState, support: Support) -> int:
    """The citation number of a support's source."""
    return state.references.index(state.passage(support.passage).source.id) + 1


def numbers(state: ResearchState, span: Span | None) -> list[int]:
    """The citation numbers of a span's sources, each once, in the order of its support."""
    return list(dict.fromkeys(number_of(state, s) for s in span.support)) if span else []


def shown(block: Block) -> str:
    """The words of a block, with the sign of an open place where a slot waits, and of none where nothing fills it."""
    if block.kind != "heading" and block.words and all(s.status == "unestablished" for s in block.words):
        return NOT_ESTABLISHED
    return "".join(OPEN if s.status == "open" else s.text for s in block.words)


def is_established(block: Block) -> bool:
    return shown(block) not in (OPEN, NOT_ESTABLISHED)


def is_listed(block: Block) -> bool:
    """Whether a quotation is an entry of a list; one that an answer rests on stands by itself."""
    return not block.section.startswith("answer.")


def source_of(state: ResearchState, source_id: str) -> Source:
    return next(p.source for p in state.passages if p.source.id == source_id)


def title_of(source: Source) -> str:
    """A source as prose names it: title and date."""
    return f"{source.title} ({source.date or 'undated'})"


def speaker(state: ResearchState, block: Block) -> str:
    """What a quotation needs beside its words: the question that it replies to or the heading that it goes on from, or whose words it
    is, where it says "we" or "this study" and not whose: the title of its source, once in a section; else "".
    """
    if heading := _headed(state, block):
        return heading
    title = _speaking(state, block)
    before = takewhile(lambda b: b.id != block.id, (b for b in state.draft.blocks if b.section == block.section))
    return title if title and all(_speaking(state, b) != title for b in before) else ""


def _headed(state: ResearchState, block: Block) -> str:
    """The question that a quotation opens with a reply to, or the heading that it goes on from."""
    cited = _quoted(block)
    if cited is None:
        return ""
    passage = state.passage(cited.passage)
    places = sentences_of(passage)
    if question := replied_to(passage, places, cited.start):
        return f"in reply to “{question}”"
    heading = goes_on_from(passage, places, cited.start, cited.end)
    return f"under “{heading}”" if heading else ""


def _speaking(state: ResearchState, block: Block) -> str:
    cited = _quoted(block)
    if cited is None:
        return ""
    said, title = shown(block), state.passage(cited.passage).source.title
    return "" if not speaks_of_itself(said) or title.casefold() in said.casefold() else title


def _quoted(block: Block) -> Support | None:
    """The place that the words of a quotation are of; None of anything else."""
    cited = block.span("citation")
    is_quoted = block.kind == "quotation" and cited is not None and cited.support and is_established(block)
    return cited.support[0] if cited and is_quoted else None


def by_person(block: Block) -> list[str]:
    """The words of a block that are a person's own, no source's."""
    return [s.text.strip() for s in block.spans if s.person and s.text.strip()]


def marks(source: Source, banned: frozenset[str] = frozenset()) -> list[str]:
    """What a reader must know of a source: that only its abstract was read, that it was corrected or is doubted, that it was banned."""
    doubts = {
        "retracted": "retracted",
        "concern": "an expression of concern was published",
        "corrected": "corrected since",
    }
    only = ["only the abstract was read"] if source.extent == "abstract" else []
    several = [f"one work in several versions: {', '.join(source.versions)}"] if source.versions else []
    where = [f"doi:{source.doi}"] if source.doi and source.doi not in source.uri.lower() else []
    fetched = [f"fetched {source.accessed}"] if source.accessed else []
    out = ["banned by a person; nothing rests on it"] if source.id in banned else []
    return where + only + several + fetched + ([doubts[source.retracted]] if source.retracted else []) + out


def change(revision: Revision) -> tuple[str, str]:
    """What stood and what stands, as they are named in the list of revisions."""
    return revision.old or NOT_ESTABLISHED, revision.new or (TAKEN_OUT if revision.is_gone else NOT_ESTABLISHED)


def changed(revision: Revision, quoted: Callable[[str], str]) -> str:
    """What stood and what stands in a line; words of the report are `quoted`, what the program says of an empty place is not."""
    old, new = change(revision)
    before, after = quoted(old) if revision.old else old, quoted(new) if revision.new else new
    return f"{before} → {after}" if old != new else f"{before} stands"
