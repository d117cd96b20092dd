"""Kinds of place on a canvas, and the words that mark them. No torch: the agent speaks of slots through this file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache


class MaskKind(IntEnum):
    """The function of a place, not its content (structured masks: "Top 10 Open Challenges", section on masking)."""

    FIXED = 0  # question, evidence, words a person pinned: never changes
    TEXT = 1  # any words
    ENTITY = 2  # a name
    NUMBER = 3  # a figure or a date
    LOGIC = 4  # a relation: because, although, at least, increases
    CITE = 5  # the marker of a passage that the canvas holds
    CHOICE = 6  # one of the listed answers: a verdict, yes or no
    OUTLINE = 7  # a coarse topic; denoised before the detail below it


SLOT_LENGTH = {  # tokens a slot starts with; what is surplus is deleted when the slot is filled
    MaskKind.TEXT: 16,
    MaskKind.ENTITY: 12,
    MaskKind.NUMBER: 10,
    MaskKind.LOGIC: 2,
    MaskKind.CITE: 1,
    MaskKind.CHOICE: 1,
    MaskKind.OUTLINE: 8,
}

SUPPORTS, REFUTES, NOT_ENOUGH = "[SUP]", "[REF]", "[NEI]"
VERDICTS = (SUPPORTS, REFUTES, NOT_ENOUGH)


@dataclass(frozen=True)
class SlotSpec:
    """One hole. `allowed` are the answers of a CHOICE; `after` are the indices of slots that must be settled first.

    A slot that is not `required` may stay empty: it becomes [NONE] when the evidence holds no filling. A `free` one is composed from
    the vocabulary, place by place, and has no source; only a model that writes prose can fill it.
    """

    kind: MaskKind
    max_length: int = 0  # tokens; 0 takes SLOT_LENGTH of the kind
    allowed: tuple[str, ...] = ()
    after: tuple[int, ...] = ()
    required: bool = False
    free: bool = False

    def __post_init__(self) -> None:
        if self.kind is MaskKind.FIXED:
            raise ValueError("a slot cannot be FIXED: it would never be filled")
        if (self.kind is MaskKind.CHOICE) != bool(self.allowed):
            raise ValueError("a CHOICE slot lists its allowed answers, and no other slot does")

    @property
    def length(self) -> int:
        return self.max_length or SLOT_LENGTH[self.kind]


VERDICT_SLOT = SlotSpec(MaskKind.CHOICE, allowed=VERDICTS)
"""Does the evidence support the claim? Canvas: question = the claim, passages = the evidence, draft = (VERDICT_SLOT,)."""

RELEVANT, IRRELEVANT = "[REL]", "[OFF]"
RELEVANCE_SLOT = SlotSpec(MaskKind.CHOICE, allowed=(RELEVANT, IRRELEVANT))
"""Does a sentence (or "title: row" of a table) belong in the answer to the question? Canvas: question = the question, passages = the
paragraph that the sentence stands in, draft = (sentence, RELEVANCE_PROMPT, RELEVANCE_SLOT), at most six sentences one after the other.
The probability of RELEVANT ranks.
"""
RELEVANCE_PROMPT = " answers the question: "

YES, NO = "[YES]", "[NO]"
POLAR_SLOT = SlotSpec(MaskKind.CHOICE, allowed=(YES, NO, NOT_ENOUGH))
"""The answer to a yes-or-no question from the passages. Canvas: question, passages, draft = (POLAR_PROMPT, POLAR_SLOT)."""
POLAR_PROMPT = "yes or no: "

FACT, POLAR, COMPARE, REASON, HOW, SURVEY, DEBATE = (
    "[FACT]",
    "[POLAR]",
    "[COMPARE]",
    "[REASON]",
    "[HOW]",
    "[SURVEY]",
    "[DEBATE]",
)
KIND_SLOT = SlotSpec(MaskKind.CHOICE, allowed=(FACT, POLAR, COMPARE, REASON, HOW, SURVEY, DEBATE))
"""What kind of question it is: one fact, yes or no, a comparison, why, how to, what is known of, a matter of opinion. Canvas:
question = the question, no passages, draft = (KIND_PROMPT, KIND_SLOT).
"""
KIND_PROMPT = "kind of question: "

DIRECT, CHAIN, SEVERAL = "[DIRECT]", "[CHAIN]", "[SEVERAL]"
SCOPE_SLOT = SlotSpec(MaskKind.CHOICE, allowed=(DIRECT, CHAIN, SEVERAL))
"""What a question takes: one look, a look that another must come before, or several beside each other. Canvas as for KIND_SLOT with
SCOPE_PROMPT.
"""
SCOPE_PROMPT = "it takes: "

STEP_SLOT = SlotSpec(MaskKind.TEXT)
"""The parts of a question of several steps, copied from its words. Canvas: question = the question, passages = [(any id, the
question)], draft = (STEP_PROMPTS[0], STEP_SLOT, STEP_PROMPTS[1], STEP_SLOT). The first slot holds what is to be found first
("the mother of X"), the second the thing beside it in a comparison; a part that is not there is [NONE].
"""
STEP_PROMPTS = ("first find ", " and beside it ")

BRIDGE_SLOT = SlotSpec(MaskKind.ENTITY)
"""The name in the passages that leads on to what is asked. Canvas: question, passages, draft = (BRIDGE_PROMPT, BRIDGE_SLOT, " ",
SlotSpec(CITE)); [NONE] where the passages lead nowhere.
"""
BRIDGE_PROMPT = "leads on to: "

HEADING_SLOT = SlotSpec(MaskKind.OUTLINE)
"""What passages are about, in words of theirs. Canvas: question = HEADING_QUESTION, passages, draft = (HEADING_PROMPT,
HEADING_SLOT).
"""
HEADING_QUESTION = "What is this about?"
HEADING_PROMPT = "heading: "

COLUMN_SLOT = SlotSpec(MaskKind.CITE)
"""Which column (row) of a table a question asks of. Canvas: question, passages = the names of up to 16 columns (rows), one each,
draft = (COLUMN_PROMPT or ROW_PROMPT, COLUMN_SLOT): the cited passage is the choice.
"""
COLUMN_PROMPT = "column: "
ROW_PROMPT = "row: "

_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_UNIT = r"(?:\s?(?:%|percent|thousand|million|billion|trillion|[KMGT]B|ms|[xX](?![\w])))"
_DATE = re.compile(
    rf"(?:\d{{1,2}}\s+)?\b{_MONTH}\s+\d{{1,2}}(?:,\s*\d{{4}})?\b(?!\d)|(?:\d{{1,2}}\s+)?\b{_MONTH}\s+\d{{4}}\b"
)
_NUMBER = re.compile(
    rf"(?<![\w.])[$€£]?\d+(?:,\d{{3}})*(?:\.\d+)?(?:{_UNIT}\b|%|(?:st|nd|rd|th|s)\b)?(?![\w])",
)
_UPPER = "".join(c for c in map(chr, range(0x41, 0x530)) if c.isupper())  # Latin, Greek, Cyrillic
_CAPITAL = rf"[a-z]{{0,2}}[{_UPPER}][\w&’'.-]*[\w]|[a-z]\d[{_UPPER}]\w*|[{_UPPER}]"
_ENTITY = re.compile(
    rf"\b(?:{_CAPITAL})(?:\s+(?:(?:of the|of|de|von|van|and|the|for)\s+)?(?:{_CAPITAL}|v?\d+(?:\.\d+)?\b))*"
)
_OPENERS = frozenset(
    "a an the in on at of for to from by with as it its he she they we you i his her their this that these those there "
    "after before during while when where who what which how why if although however because since but and or not no "
    "some many most both all each one two three during according also then thus such other another about around nearly "
    "almost roughly approximately over under only just more less fewer until since till".split()
)
LOGIC_WORDS = frozenset(
    "not no never without because since therefore although though despite however but only least most more less than "
    "before after until during increases decreases increased decreased higher lower faster slower larger smaller all "
    "some none both neither either must may cannot always exceeds equals above below under over".split()
)
_LOGIC = re.compile(r"\b(?:" + "|".join(sorted(LOGIC_WORDS, key=len, reverse=True)) + r")\b", re.IGNORECASE)


def typed_spans(text: str) -> list[tuple[int, int, MaskKind]]:
    """The places of `text` a typed mask may stand for: (start, end, ENTITY | NUMBER | LOGIC), in order, disjoint."""
    return list(_typed_spans(text))


@lru_cache(maxsize=4096)  # a run looks at one sentence some thirty times
def _typed_spans(text: str) -> tuple[tuple[int, int, MaskKind], ...]:
    dates = [(m.start(), m.end(), MaskKind.NUMBER) for m in _DATE.finditer(text)]
    entities = [(start, end, MaskKind.ENTITY) for start, end in _entities(text)]
    numbers = [(m.start(), m.end(), MaskKind.NUMBER) for m in _NUMBER.finditer(text)]
    logic = [(m.start(), m.end(), MaskKind.LOGIC) for m in _LOGIC.finditer(text)]
    kept: list[tuple[int, int, MaskKind]] = []
    for start, end, kind in dates + entities + numbers + logic:  # a month is no name, the 1.5 of a name no figure
        if all(end <= s or start >= e for s, e, _ in kept):
            kept.append((start, end, kind))
    return tuple(sorted(kept))


def _entities(text: str) -> list[tuple[int, int]]:
    spans = []
    for match in _ENTITY.finditer(text):
        start, end = match.span()
        first = re.match(r"\S+\s*", text[start:end])
        # A capital that only opens the sentence says nothing; the name may begin after it.
        while first and (
            first.group().strip().lower() in _OPENERS or (start > match.start() and first.group()[0].isdigit())
        ):
            start += first.end()
            first = re.match(r"\S+\s*", text[start:end])
        if any(letter.isupper() for letter in text[start:end]):
            spans.append((start, end))
    return spans


def kind_of(text: str) -> MaskKind:
    """The kind of an answer by its look: NUMBER when a figure leads it, ENTITY when a name does, else TEXT."""
    for start, _, kind in typed_spans(text):
        if start <= 4 and kind is not MaskKind.LOGIC:
            return kind
    return MaskKind.TEXT
