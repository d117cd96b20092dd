"""Anchored prose: a model that writes says what a quotation says, and only the words between its anchors are its own.

Names, figures, words of relation and the citation of the quotation stand in their order; between them open TEXT slots are denoised
with both sides in view. Each sentence is checked: nothing that could be a name, a figure or a relation may stand outside an anchor,
and no cited sentence may speak against it. What fails is opened and written once more, at most twice; then the quotation stands.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from palimpsest.dlm_core.kinds import MaskKind, SlotSpec, typed_spans
from palimpsest.retrieval.types import Failure, Passage

from . import blocks, figures, thresholds
from .draft import Block, Kind, Span, Support
from .drafting import quote_of, revised, sentence_parts
from .evidence_text import slice_of
from .frames import Slot, Token
from .state import Event, Events, Piece, Prose, ProseError, ResearchState, Revision, Tools, Verdict
from .watching import Seen

REMASKED = 2  # times that what fails is opened again
MOST = 24  # sentences of a report that are written: more is no report

# Words that count, beside digits: no figure may be invented in letters either.
COUNTS = frozenset(figures.NUMBER_WORDS) | frozenset(
    "dozen dozens hundreds thousands millions billions trillion trillions half halves quarter quarters twice thrice double "
    "doubled triple tripled percent single second third thirds fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "hundredth thousandth".split()
)
_COUNT = re.compile(rf"\b(?:{'|'.join(sorted(COUNTS, key=len, reverse=True))})\b", re.IGNORECASE)
_GAP = re.compile(r"(\W*)(.*?)(\W*)", re.DOTALL)
_MARKUP = re.compile(r"[<>\[\]{}*_#`|\\\n\r\t]|https?:|www\.")
_STOP = re.compile(r"[.!?;:…](?:\s|$)")
_TWICE = re.compile(r"\b(\w+)\W+\1\b", re.IGNORECASE)
_ENDINGS = ("", "'s", "’s", "'", "’")  # what a name may take on without being another
_FIRST = re.compile(r"\W*(\w+)")


@dataclass(frozen=True)
class Part:
    """A stretch of a sentence: an anchor with its place in a source, or words between anchors, which `written` are the model's."""

    text: str
    kind: Kind
    support: Support | None = None
    written: bool = False


@dataclass(frozen=True)
class Sentence:
    """A quotation on its way to prose: `block` is the quotation, `parts` what stands now, `open` the gaps (by part) to be written."""

    block: Block
    parts: tuple[Part, ...]
    open: frozenset[int]
    tries: int = 0

    @property
    def text(self) -> str:
        return "".join(p.text for p in self.parts)


def scaffold(block: Block) -> Sentence:
    """The quotation cut at its anchors; every gap that holds letters is open."""
    parts = tuple(part for span in block.words for part in _cut(span))
    gaps = (n for n, p in enumerate(parts) if p.support is None and any(c.isalpha() for c in p.text))
    return Sentence(block, parts, frozenset(gaps))


def _cut(span: Span) -> Iterator[Part]:
    """A name or figure is an anchor; of other words those that relate or count are, and the rest stands between."""
    support = span.support[0]
    if span.kind != "TEXT":
        yield Part(span.text, span.kind, support)
        return
    at = 0
    for start, end, kind in _anchors(span.text):
        if at < start:
            yield Part(span.text[at:start], "TEXT")
        place = Support(
            passage=support.passage,
            quote=span.text[start:end],
            start=support.start + start,
            end=support.start + end,
        )
        yield Part(span.text[start:end], kind, place)
        at = end
    if at < len(span.text):
        yield Part(span.text[at:], "TEXT")


def _anchors(text: str) -> list[tuple[int, int, Kind]]:
    """The places of a text that no model may write: names, figures in digits or letters, words of relation. In order, disjoint."""
    names: dict[MaskKind, Kind] = {MaskKind.ENTITY: "ENTITY", MaskKind.NUMBER: "NUMBER", MaskKind.LOGIC: "LOGIC"}
    found: list[tuple[int, int, Kind]] = [(a, b, names[kind]) for a, b, kind in typed_spans(text)]
    counts: list[tuple[int, int, Kind]] = [(m.start(), m.end(), "NUMBER") for m in _COUNT.finditer(text)]
    found += [c for c in counts if all(c[1] <= a or b <= c[0] for a, b, _ in found)]
    return sorted(found)


def form(sentence: Sentence) -> list[Piece]:
    """The sentence for a model: its anchors and what is kept as words, each open gap a slot about as long as the source's words there.

    Spaces belong to the words behind them, and the citation stands before the last stop. A gap that failed gets fewer places.
    """
    pieces: list[Piece] = []
    held = ""
    for number, part in enumerate(sentence.parts):
        if number not in sentence.open:
            held += part.text
            continue
        before, words, after = _gap(part.text)
        if (held + before).rstrip():
            pieces.append((held + before).rstrip())
        pieces.append(SlotSpec(MaskKind.TEXT, _places(words, sentence.tries), free=True))
        held = after
    stop = re.search(r"[.!?…]*$", held)
    assert stop is not None, "an empty end is found too"
    pieces.append(f"{held[: stop.start()]} [1]{stop.group()}")
    return pieces


def _gap(text: str) -> tuple[str, str, str]:
    """Words between anchors without what only separates them."""
    match = _GAP.fullmatch(text)
    assert match is not None, "it fits any text"
    return match[1], match[2], match[3]


def _places(words: str, tries: int) -> int:
    """About as many tokens as the words have; a third fewer each time that a model filled them with what it may not say."""
    size = max(tokens_of(f" {words}"), len(words.split()), 1)
    return max(size * (3 - tries) // 3, 1)


def filled(sentence: Sentence, words: Sequence[str]) -> Sentence:
    """The sentence with the words of its open gaps written in, between what separated the source's."""
    parts = list(sentence.parts)
    for number, written in zip(sorted(sentence.open), words, strict=True):
        before, _, after = _gap(parts[number].text)
        core = " ".join(written.split()).strip(" ,;")
        joined = f"{before}{core}{after}" if core else (before.rstrip() + after if before.strip() else before)
        parts[number] = Part(joined, "TEXT", written=True)
    return replace(sentence, parts=tuple(parts), tries=sentence.tries + 1)


def foreign(parts: Sequence[tuple[str, bool]], cited: str) -> dict[int, str]:
    """What stands outside an anchor and may not, by the part it stands in. `parts` are (words, whether they are an anchor).

    Names, figures and words of relation are looked for in the whole sentence, so that nothing grows onto an anchor. A capital that
    opens the sentence is no name when the cited sentences have the word.
    """
    text = "".join(words for words, _ in parts)
    found: dict[int, str] = {}
    places = _anchors(_small_opening(text, cited))
    at = 0
    for number, (words, is_anchor) in enumerate(parts):
        start, at = at, at + len(words)
        if is_anchor:
            continue
        mine = [(a, b) for a, b, _ in places if a < at and start < b and not _inside(a, b, parts)]
        strangers = [text[a:b] for a, b in mine] + [c for c in words if c.isnumeric()]
        if strangers:
            found[number] = f"“{strangers[0]}” stands in no anchor"
        elif _MARKUP.search(words):
            found[number] = "it holds markup"
    return found


def _inside(start: int, end: int, parts: Sequence[tuple[str, bool]]) -> bool:
    """Whether characters [start, end) of a sentence are those of anchors alone, spaces between them aside."""
    at = 0
    for words, is_anchor in parts:
        overlap = words[max(start - at, 0) : max(end - at, 0)]
        at += len(words)
        if not is_anchor and overlap.strip() not in _ENDINGS:
            return False
    return True


def _small_opening(text: str, cited: str) -> str:
    first = _FIRST.match(text)
    if first is None or first[1].lower() not in {w.lower() for w in re.findall(r"\w+", cited)} | _SMALL:
        return text
    at = first.start(1)
    return text[:at] + text[at].lower() + text[at + 1 :]


_SMALL = frozenset(
    "a an the it its they their this that these those he she his her in on at by for from with as".split()
)


def tokens_of(text: str) -> int:
    """About how many tokens of English a text is."""
    return round(len(text) / thresholds.SHIPPED.letters)


def runs_on(written: str, source: str) -> bool:
    """Whether what was written is too much longer than what the source has in its place."""
    return len(written) > thresholds.SHIPPED.run_on * len(source) + thresholds.SHIPPED.run_on_slack


def faults(sentence: Sentence, cited: str) -> dict[int, str]:
    """What is wrong with the words that were written, by gap; empty when they may be judged."""
    pairs = [(p.text, not p.written) for p in sentence.parts]
    found = foreign(pairs, cited)
    for number, part in enumerate(sentence.parts):
        if not part.written or number in found:
            continue
        source = scaffold(sentence.block).parts[number].text
        if not any(c.isalpha() for c in part.text):
            found[number] = "nothing is said where the source has words"
        elif len(_STOP.findall(part.text)) > len(_STOP.findall(source)):
            found[number] = "the sentence breaks off"
        elif _TWICE.search(part.text):
            found[number] = "a word stands there twice"
        elif runs_on(part.text, source):
            found[number] = "it runs on"
    return found


def write(state: ResearchState, tools: Tools) -> Events:
    """Every quotation of the sections that has anchors and words between them is said in prose, where that passes the checks."""
    if tools.prose is None or state.finished == "stopped":
        return state
    end = time.monotonic() + state.budget.seconds - state.spent if state.budget.seconds else None
    for block in _quotations(state)[:MOST]:
        if end is not None and time.monotonic() >= end:
            break
        sentence = scaffold(block)
        if not sentence.open or len(sentence.open) == len(sentence.parts):
            continue
        try:
            made, why = _composed(state, tools, sentence)
        except ProseError as error:
            failure = Failure(name="writer", message=f"{error}; the quotations stand")
            yield Event(step="finish", kind="failed", text=failure.message, data=failure.model_dump(mode="json"))
            return state.model_copy(update={"failures": (*state.failures, failure)})
        if made is None:
            text = f"the quotation stands: {why}"
            yield Event(step="finish", kind="rolled back", text=text, data={"block": block.id, "why": why})
            continue
        state = _put(state, made)
        data = {"span": made.block.id, "text": made.text, "tries": made.tries}
        yield Event(step="finish", kind="wrote", text=made.text, data=data)
    return state


def _quotations(state: ResearchState) -> list[Block]:
    """What may become prose: quotations of sections and findings that no answer rests on and no person pinned."""
    resting = {b.id for q in state.facts if (b := quote_of(state, q))}
    return [
        b
        for b in state.draft.blocks
        if b.kind == "quotation"
        and not b.section.startswith("answer.")
        and b.id not in resting
        and all(s.status == "filled" for s in b.words)
    ]


def _composed(state: ResearchState, tools: Tools, sentence: Sentence) -> tuple[Sentence | None, str]:
    """The sentence as it passes the checks, or None and what was wrong with the last try."""
    writer, judge = shown_at(tools, sentence.block), tools.judge or tools.writer
    shown = _cited(state, sentence.block)
    cited = " ".join(p.text for p in shown)
    why = ""
    for _ in range(1 + REMASKED):
        (words,) = writer.compose([(form(sentence), shown)])
        if words is None:
            why, sentence = (
                "no words came back that fit between the anchors",
                replace(sentence, tries=sentence.tries + 1),
            )
            continue
        made = filled(sentence, words)
        wrong = faults(made, cited)
        if not wrong and _is_carried(judge.verdicts([(made.text, p.text) for p in shown])):
            return made, ""
        why = next(iter(wrong.values()), "the cited sentences do not carry it")
        again = frozenset(wrong) if wrong else sentence.open
        sentence = replace(made, parts=_emptied(made, again), open=again)
    return None, why


def shown_at(tools: Tools, block: Block) -> Prose:
    """Who writes the prose, shown at work on a block where somebody looks on."""
    assert tools.prose is not None, "asked only where there is somebody to write"
    if tools.watch is None or not isinstance(tools.prose, Seen):
        return tools.prose
    watch = tools.watch

    def eye(number: int, turn: int, slots: Sequence[tuple[Token, ...]]) -> None:
        watch.slots(
            *(
                Slot(span=f"{block.id}.gap{n}", block=block.id, kind="TEXT", reason="prose", turn=turn, tokens=tokens)
                for n, tokens in enumerate(slots)
            )
        )

    return cast(Prose, tools.prose.seen(eye))


def _emptied(sentence: Sentence, gaps: Iterable[int]) -> tuple[Part, ...]:
    """The parts, with the source's words again in the gaps that are opened: they say how long a gap is."""
    first = scaffold(sentence.block).parts
    opened = set(gaps)
    return tuple(first[n] if n in opened else part for n, part in enumerate(sentence.parts))


def _is_carried(verdicts: Sequence[Verdict]) -> bool:
    """Whether one cited sentence supports it more than anything else, and none refutes it so."""
    carried = any(v.supports >= max(v.refutes, v.silent) for v in verdicts)
    return carried and not any(v.refutes > max(v.supports, v.silent) for v in verdicts)


def _cited(state: ResearchState, block: Block) -> list[Passage]:
    """The sentences that a block cites, as passages."""
    cited = block.span("citation")
    assert cited is not None, "every quotation cites"
    return [slice_of(state.passage(s.passage), s.start, s.end) for s in cited.support]


def _put(state: ResearchState, made: Sentence) -> ResearchState:
    """The prose in the place of its quotation, under the same id and with the same citation."""
    old = made.block
    stem = f"{old.id}~{blocks.turn_of(old) + 1}"
    spans = [
        Span(
            id=f"{stem}.{number}",
            text=part.text,
            kind=part.kind,
            status="filled",
            hypothesis=old.about,
            support=(part.support,) if part.support else (),
        )
        for number, part in enumerate(made.parts)
    ]
    cited = old.span("citation")
    assert cited is not None, "every quotation cites"
    names = {"id": f"{stem}.cite", "depends_on": tuple(s.id for s in spans)}
    block = old.model_copy(update={"kind": "prose", "spans": (*spans, cited.model_copy(update=names))})
    return state.model_copy(update={"draft": state.draft.swap([old.id], [block])})


def settle(state: ResearchState, tools: Tools, block: Block) -> Events:
    """Words between anchors that a person opened: the whole sentence is written anew, or its quotation stands instead."""
    state, quoted = _back(state, block)
    try:
        made, _ = _composed(state, tools, scaffold(quoted)) if tools.prose else (None, "")
    except ProseError:
        made = None
    state = _put(state, made) if made else state
    after = state.draft.block(block.id)
    assert after is not None, "it was put there just now"
    revision = Revision(
        version=state.version, span=block.spans[0].id, reopened=tuple(s.id for s in block.spans), old=block.text,
        new=after.text, reason="person", evidence=_evidence(after), steps=1,
    )  # fmt: skip
    yield revised(revision)
    return state.model_copy(update={"revisions": (*state.revisions, revision)})


def _evidence(block: Block) -> str:
    cited = block.span("citation")
    assert cited is not None, "every quotation cites"
    return cited.support[0].passage


def _back(state: ResearchState, block: Block) -> tuple[ResearchState, Block]:
    """The quotation that a prose sentence was made of, in its place."""
    cited = block.span("citation")
    assert cited is not None, "every sentence cites"
    whole = cited.support[0]
    passage = state.passage(whole.passage)
    words = sentence_parts(passage, whole.start, whole.end)
    quoted = blocks.quotation(block.id, block.section, words, passage, block.about, blocks.turn_of(block) + 1)
    more = quoted.spans[-1].model_copy(update={"support": cited.support})
    quoted = quoted.model_copy(update={"spans": (*quoted.spans[:-1], more)})
    return state.model_copy(update={"draft": state.draft.swap([block.id], [quoted])}), quoted


def is_written(span: Span) -> bool:
    """Whether the words of a span of prose are the model's own."""
    return span.role == "words" and not span.support and not span.person


def wrong_with(block: Block) -> list[str]:
    """What a prose sentence holds that it may not, looked at without its making: for whoever verifies a report."""
    cited = block.span("citation")
    if cited is None or not cited.support:
        return [f"prose {block.id} cites nothing"]
    quotes = " ".join(s.quote for s in cited.support)
    pairs = [(s.text, not is_written(s)) for s in block.words]  # a person answers for their own words
    problems = [f"in prose {block.id} {why}" for why in foreign(_with_punctuation(pairs), quotes).values()]
    for span in (s for s in block.words if s.support):
        place = span.support[0]
        if place.quote != span.text:
            problems.append(f"span {span.id} says {span.text[:40]!r}, its source {place.quote[:40]!r}")
        if not any(s.passage == place.passage and s.start <= place.start and place.end <= s.end for s in cited.support):
            problems.append(f"span {span.id} ({span.text[:40]!r}) is not in the sentences that prose {block.id} cites")
    return problems


def _with_punctuation(pairs: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """What merely separates is nobody's word: it may stand inside a name as it stood in the source."""
    return [(words, is_anchor or not any(c.isalnum() for c in words)) for words, is_anchor in pairs]
