"""Words into forms: a question into sub-questions, a sentence into typed places, a claim into a canvas with holes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from palimpsest.dlm_core.kinds import MaskKind, SlotSpec, typed_spans
from palimpsest.retrieval.types import Passage

from .draft import Kind
from .state import Candidate, Filled, Piece, SubQuestion

_ASKS = (
    r"(?:who|whom|whose|what|when|where|which|how|why|is|are|was|were|does|do|did|can|in what|in which|at what|by whom)"
)
_JOINT = re.compile(rf"\s*(?:\?|;)\s+(?:and\s+)?(?=\S)|,?\s+and\s+(?={_ASKS}\b)", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(it|its|they|them|their|he|him|his|she|her)\b", re.IGNORECASE)
_POSSESSIVE = {"its", "their", "his"}
_FIRST_ASKED = re.compile(
    r"(?<!the )\b(?:in what|in which|on what|on which|who|whom|whose|where|when|how|what|which|why)\b", re.I
)
_NUMBER_ASKED = re.compile(
    r"(when|how (?:many|much|long|fast|far|old|large|big|often|tall|high|deep)|what (?:year|date|percent\w*|number|fraction|share)|"
    r"(?:in|on) (?:what|which) (?:year|date|month|day))\b",
    re.IGNORECASE,
)
_OR = re.compile(r"\W*(?:\w+\s+){0,2}?(?:which|who|whose|what)\b[^?]*?\bor\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])([\"”’)\]]*)\s+(?=[\"“‘(\[]*[a-z]{0,2}[^\W_a-zß-öø-ÿ])|\n+")
_LEAD = re.compile(r"(?:(?:is|are|was|were|been|by|of|and|or|that|which)\s+)+(?=\S)")
_BRACKETED = re.compile(r"\[\d+(?:[,–-]\s?\d+)*\]")  # a source's own citation is no figure of what it says
_LIST_MARKS = re.compile(r"(?:[\s#*>•|]|-(?![\d.]))*")  # a minus before a figure is its sign
_ABBREVIATION = re.compile(
    r"\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|al|Fig|Eq|No|Inc|Ltd|Co|approx|ca|c)\.$"
)
_WORD = re.compile(r"[^\W_]+(?:[-'’.,][^\W_]+)*")
_STOP = frozenset(
    "a an the of in on at by for to from with and or is are was were be been being it its this that these those as which who "
    "whom whose what when where how why does do did has have had can could will would may might than then there their they he "
    "she his her him them into over under about after before also not no one".split()
)
_SUPERLATIVE = re.compile(
    r"\b(?:(?:the|an?)\s+(?:\w+\s+){0,2}?\w{2,}est|most|least|first|last|only|best|worst|record)\b", re.IGNORECASE
)


def subquestions(question: str) -> list[SubQuestion]:
    """The parts of a question. A part that speaks of "it" depends on the part before and says {q1} in its place."""
    parts = [p.strip(" ,?;") for p in _JOINT.split(question)]
    found: list[SubQuestion] = []
    for part in (p for p in parts if p):
        text, needs = _resolve(part, found[-1].id, found[-1].text) if found else (part, False)
        depends = (found[-1].id,) if needs else ()
        found.append(
            SubQuestion(
                id=f"q{len(found) + 1}",
                text=_sentence(text),
                asked=_sentence(part if needs else text),
                kind=asked_kind(part),
                depends_on=depends,
            )
        )
    return found


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}?"


def _resolve(part: str, before: str, earlier: str) -> tuple[str, bool]:
    """`part` with its first pronoun replaced: by the thing the `earlier` part names, or by a reference to its answer."""
    match = _PRONOUN.search(part)
    if match is None:
        return part, False
    named = _meant(match.group().lower(), earlier)
    possessive = "'s" if match.group().lower() in _POSSESSIVE else ""
    return f"{part[: match.start()]}{named or f'{{{before}}}'}{possessive}{part[match.end() :]}", not named


def _meant(pronoun: str, earlier: str) -> str:
    """The name a pronoun stands for, "" when it stands for the earlier answer.

    "Who built X, and when was it opened": it is X, he is who built it. "When did X die, and where did he live": X. "Which barge won,
    and who built it": the answer.
    """
    names = [
        earlier[s - 4 if earlier[:s].endswith("the ") else s : e]
        for s, e, kind in typed_spans(earlier)
        if kind is MaskKind.ENTITY
    ]
    first = _FIRST_ASKED.search(earlier)
    word = first.group().lower() if first else ""
    person = word in ("who", "whom", "whose") and pronoun not in ("it", "its")
    of_a_thing = word in ("what", "which") and asked_kind(earlier) != "NUMBER"
    return "" if person or of_a_thing or not names else names[-1]


def asked_kind(question: str) -> Kind:
    """NUMBER when the first question word asks for a figure or a date; names need no slot of their own, so else TEXT."""
    first = _FIRST_ASKED.search(question)
    return "NUMBER" if first and _NUMBER_ASKED.match(question, first.start()) else "TEXT"


def alternatives(question: str) -> list[str]:
    """The two things a question lets one choose between: "Which is older, A or B?" names A and B; otherwise none."""
    match = _OR.match(question)
    if match is None:
        return []
    names = [(s, e) for s, e, kind in typed_spans(question) if kind is MaskKind.ENTITY]
    before = [question[s:e] for s, e in names if e <= match.end()]
    after = [question[s:e] for s, e in names if s >= match.end()]
    return [before[-1], after[0]] if before and after else []


def resolved(question: SubQuestion, answers: dict[str, str]) -> str | None:
    """The text to ask, with the answers it depends on put in; None while one is missing."""
    if any(q not in answers for q in question.depends_on):
        return None
    text = question.text  # a person's words: braces in them are just text
    for other in question.depends_on:
        text = text.replace(f"{{{other}}}", answers[other])
    return text


def sentences(text: str) -> list[tuple[int, int]]:
    """[start, end) of each sentence or line of `text`, without surrounding space."""
    cuts, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        if "\n" in match.group() or not _ABBREVIATION.search(text[start : match.start()]):
            cuts.append((start, max(match.start(), match.end(1))))
            start = match.end()
    cuts.append((start, len(text)))
    return [trimmed for a, b in cuts if (trimmed := _trim(text, a, b))]


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    marks = _LIST_MARKS.match(text, start, end)
    start = marks.end() if marks else start
    end = start + len(text[start:end].rstrip())
    return (start, end) if start < end else None


def sentence_at(passage: Passage, start: int, end: int) -> tuple[int, int]:
    """The sentence of the passage that holds the source's characters [start, end); offsets into the source."""
    inside = start - passage.start
    for a, b in sentences(passage.text):
        if a <= inside < b:
            return passage.start + a, max(passage.start + b, end)
    return start, end


def without_lead(candidate: Candidate) -> Candidate:
    """A candidate without the small words ahead of the answer: "is £1.50" says £1.50; names in capitals keep theirs."""
    lead = _LEAD.match(candidate.text)
    cut = lead.end() if lead else 0
    return candidate.model_copy(update={"text": candidate.text[cut:], "start": candidate.start + cut})


def within_kind(filled: Filled, kind: Kind) -> Filled:
    """Words filled into a typed place, cut to the names or figures in them: the words around stand in the sentence already."""
    typed = [(s, e) for s, e, k in typed_spans(filled.text) if k.name == kind]
    if filled.passage is None or not typed:
        return filled
    start, end = typed[0][0], typed[-1][1]
    place = {"start": filled.start + start, "end": filled.start + end}
    return filled.model_copy(update={**place, "text": filled.text[start:end]})


class Part(NamedTuple):
    """A stretch of a sentence: its words, their place in the source, and what kind of place it is."""

    text: str
    start: int
    end: int
    kind: Kind


def parts(text: str, offset: int) -> list[Part]:
    """A sentence cut at its names and figures; `offset` is where it starts in its source."""
    found, at = [], 0
    cited = {at for match in _BRACKETED.finditer(text) for at in range(*match.span())}
    typed = [t for t in typed_spans(text) if t[2] is not MaskKind.LOGIC and t[0] not in cited]
    for start, end, kind in typed:
        if at < start:
            found.append(Part(text[at:start], offset + at, offset + start, "TEXT"))
        name: Kind = "ENTITY" if kind is MaskKind.ENTITY else "NUMBER"
        found.append(Part(text[start:end], offset + start, offset + end, name))
        at = end
    if at < len(text):
        found.append(Part(text[at:], offset + at, offset + len(text), "TEXT"))
    return found


def form(pieces: Iterable[tuple[str, Kind]], holes: Iterable[int]) -> list[Piece]:
    """A claim with holes: the pieces named by index become slots of their kind."""
    opened = set(holes)
    return [
        SlotSpec(MaskKind[kind], required=True) if number in opened else text
        for number, (text, kind) in enumerate(pieces)
    ]


def content(text: str) -> set[str]:
    """The words of `text` that carry meaning: lower case, without the commonest, plural s cut."""
    words = (w.lower() for w in _WORD.findall(text))
    return {w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in words if w not in _STOP}


def overlap(wanted: set[str], text: str) -> float:
    """The share of the wanted words that `text` holds."""
    return len(wanted & content(text)) / len(wanted) if wanted else 0.0


def is_superlative(text: str) -> bool:
    """Whether a sentence claims a place that only one thing can hold: the fastest, the first, the only."""
    return bool(_SUPERLATIVE.search(text))


def slice_of(passage: Passage, start: int, end: int) -> Passage:
    """The source's characters [start, end) of a passage as a passage of the same id."""
    text = passage.text[start - passage.start : end - passage.start]
    return passage.model_copy(update={"text": text, "start": start, "end": start + len(text)})


def same_answer(one: str, other: str) -> bool:
    """Whether two answers say the same: equal words, or one's words all inside the other's."""
    a, b = content(one), content(other)
    return bool(a and b) and (a <= b or b <= a) if a and b else one.strip().lower() == other.strip().lower()


def clusters(passages: Sequence[Passage]) -> dict[str, int]:
    """Passage id -> number of its cluster: passages of one source, or that share half of their five-word runs, count as one."""
    number: dict[str, int] = {}
    shingled: list[tuple[Passage, set[tuple[str, ...]]]] = []
    for passage in passages:
        words = [w.lower() for w in _WORD.findall(passage.text)]
        runs = {tuple(words[i : i + 5]) for i in range(max(len(words) - 4, 1))}
        twin = next((p for p, other in shingled if _copies(passage, p, runs, other)), None)
        number[passage.id] = number[twin.id] if twin else len(set(number.values()))
        shingled.append((passage, runs))
    return number


def _copies(one: Passage, other: Passage, runs: set[tuple[str, ...]], others: set[tuple[str, ...]]) -> bool:
    return one.source.id == other.source.id or len(runs & others) >= 0.5 * min(len(runs), len(others))
