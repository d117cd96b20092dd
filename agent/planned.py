"""What a sentence tells as planned, expected or approved, and not as what came of it: "due in January" tells of no opening.

The verdict slot does not tell the two apart: it takes "due to open in May" for a sentence which says that it opened then. So the words
that govern a place are followed to the left, by their parts of speech, up to the verb that decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.lexical import tokens as stems
from palimpsest.retrieval.types import Passage

from . import speech
from .dates import asked_date, is_later, iso
from .draft import Support
from .evidence_text import sentence_at
from .state import Candidate


def _of(words: str) -> frozenset[str]:
    return frozenset(stems(words))


_LATER = _of("due scheduled expected anticipated likely slated supposed")  # when these are said of is yet to come
_MOVED = _of("postponed deferred rescheduled delayed")  # behind "to" or "until" stands a plan
_MEANT = _of(  # when this was done is told beside them, and what is to come behind them
    "planned forecast projected predicted proposed intended aimed hoped budgeted approved promised envisaged"
)
_FIGURES = _of("forecast budget estimate target projection")  # nouns that say of a figure that it was one of a plan
_ESTIMATED = _of("estimated says")  # of what is to be, where a verb without tense stands behind them, else of what was
_LIKENED = frozenset(("as", "than"))  # "opened as planned in May", "later than planned"
_TIMES = frozenset("in on by during since after before from".split())
_UNTIL = frozenset("to until till for".split())
_IS = frozenset(("VBZ", "VBB"))
_MODALS = frozenset("will shall should might may".split())  # "would" and "could" also tell of what came later


class _Word(NamedTuple):
    text: str
    stem: str
    tag: str


def planned_ones(read: Sequence[tuple[Candidate, Passage]]) -> list[tuple[Candidate, str]]:
    """Those readings, each given with its passage, that their own sentences tell as planned, with that sentence."""
    found = []
    for candidate, passage in read:
        said, at = _sentence(passage, candidate.start, candidate.end)
        if is_planned(said, at):
            found.append((candidate, said))
    return found


def is_yet_to_come(question: str, passage: Passage, support: Support) -> bool:
    """Whether a question for what is has an answer that its own source tells of a time to come: surely planned, and dated later."""
    said, at = _sentence(passage, support.start, support.end)
    return asks_what_is(question) and is_to_come(said, at, passage.source.date or "")


def _sentence(passage: Passage, start: int, end: int) -> tuple[str, int]:
    """The sentence that holds a place, and where in it that begins."""
    first, last = sentence_at(passage, start, end)
    return passage.text[first - passage.start : last - passage.start], start - first


def is_planned(sentence: str, start: int) -> bool:
    """Whether what begins at `start` of a sentence is told as planned; nothing is looked for beyond the comma ahead of it."""
    words = _ahead(sentence, start)
    lead = words[-1].text if words else ""
    is_bare = False  # whether a verb without tense was passed
    for n in range(len(words) - 1, -1, -1):
        word = words[n]
        if _ends_clause(words, n):
            return False
        if word.tag == "VM0" and word.text in _MODALS:
            return True
        if _governs(word.stem, lead, is_bare) and not _is_cause(words[n:]):
            return not (n and words[n - 1].text in _LIKENED)
        if word.tag in _IS and words[n + 1 :] and words[n + 1].tag == "TO0":
            return True  # "is to have"; what "was to" may have come
        if word.tag in speech.FINITE and word.tag != "VM0":
            return word.tag.startswith(("VB", "VH")) and _is_of_plan(words[:n])
        is_bare |= word.tag == "VVI" or word.text == "would"
    return False


def is_to_come(sentence: str, start: int, said_on: str) -> bool:
    """Whether what begins at `start` is told as planned, for a time later than the day on which a source says it: surely it is not yet.

    "Members shall pay 20 euros" and "the crossing will take an hour" tell what is.
    """
    times = [sentence[s:e] for s, e, kind in typed_spans(sentence) if kind is MaskKind.NUMBER]
    dates = [date for words in times if (date := iso(words))]
    return bool(said_on) and any(is_later(date, said_on) for date in dates) and is_planned(sentence, start)


def _ahead(sentence: str, start: int) -> list[_Word]:
    """The words ahead of a place, with their tags in the whole sentence."""
    found = speech.tokens(sentence)
    count = len(speech.tokens(sentence[:start]))
    tagged = zip(found[:count], speech.tags(found), strict=False)
    return [_Word(word.casefold(), next(iter(stems(word)), ""), tag) for word, tag in tagged]


def _ends_clause(words: Sequence[_Word], n: int) -> bool:
    """Whether a clause ends ahead of what stands behind the word at `n`: at a mark that is no part of a figure, at an -ing."""
    is_mark = words[n].tag.startswith("PU") and not (words[n].text == "," and n and words[n - 1].text.isdigit())
    return is_mark or (words[n].tag == "VVG" and not (n and words[n - 1].tag.startswith("VB")))


def _governs(stem: str, lead: str, is_bare: bool) -> bool:
    """Whether a word makes a plan of what stands behind it, right behind `lead`."""
    if stem in _MOVED:
        return lead in _UNTIL
    if stem in _MEANT:
        return is_bare or lead not in _TIMES
    return stem in _LATER or (is_bare and stem in _ESTIMATED)


def _is_cause(words: Sequence[_Word]) -> bool:
    """Whether words begin with the "due to" that gives a reason: no verb follows it."""
    return [word.text for word in words[:2]] == ["due", "to"] and [word.tag for word in words[2:3]] != ["VVI"]


def _is_of_plan(subject: Sequence[_Word]) -> bool:
    """Whether the noun ahead of a verb is a figure of a plan: "the forecast of the cost is", not "the cost of the forecast is"."""
    begin = next((n + 1 for n in range(len(subject) - 1, -1, -1) if _begins_behind(subject, n)), 0)
    head = list(
        takewhile(lambda word: word.tag[:2] != "PR", subject[begin:])
    )  # what a preposition brings in is not the head
    return bool(head) and head[-1].stem in _FIGURES


def _begins_behind(words: Sequence[_Word], n: int) -> bool:
    return words[n].tag[:1] == "V" or _ends_clause(words, n)


def asks_what_came(question: str) -> bool:
    """Whether a question asks in the past tense for what came of something, and not for what was planned."""
    return speech.is_past(question) and not _asks_for_plan(question)


def asks_what_is(question: str) -> bool:
    """Whether a question asks in the present tense for what is, at no time that it names, and not for what is planned."""
    tags = speech.tags(speech.tokens(question))
    is_present = speech.is_clause(question) and not speech.is_past(question)
    is_coming = "TO0" in tags and not _IS.isdisjoint(tags)  # "how many is it to have"
    return is_present and not asked_date(question) and not is_coming and not _asks_for_plan(question)


def _asks_for_plan(question: str) -> bool:
    is_of_plan = not (_LATER | _MOVED | _MEANT | _FIGURES | _ESTIMATED).isdisjoint(stems(question))
    return is_of_plan or "VM0" in speech.tags(speech.tokens(question))
