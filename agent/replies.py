"""Replies: sentences that say something only beside the question they answer: "No. Trout like ponds.", "The miller, by noon."

The question is the sentence before, or the heading that a passage opens under. What leans on a reply is a part of it. A heading that
does not ask may be gone on from too: "move the ship" below "Do not".
"""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.types import Passage

from . import speech
from .asking import FUNCTION_WORDS
from .wording import REPLY, leans, words

Places = Sequence[tuple[int, int]]  # [start, end) of the sentences of a passage, in the offsets of its source
ASKS = "?"


def replied_to(passage: Passage, places: Places, start: int) -> str | None:
    """The question that the sentence at `start` replies to; "" of a reply whose question is not known, None of what is no reply."""
    number = _number(places, start)
    text, asked = _text(passage, places[number]), _asked(passage, places, number)
    is_reply = REPLY.match(text) or (asked and not _has_verb(text))
    return asked if is_reply else None


def goes_on_from(passage: Passage, places: Places, start: int, end: int) -> str:
    """The heading that the words [start, end) go on from: in small letters, as "move the ship" below "Do not", or because all that they
    do is name something: "Lorries, 37 %" below "What bothers people"; "" where none is needed.
    """
    number = _number(places, start)
    text, opens = _text(passage, places[number]), number == 0 and passage.before is None
    is_cut = text.lstrip().partition(" ")[0].islower() or (opens and places[number][1] >= end and not _has_verb(text))
    return passage.path[-1] if is_cut and passage.path and passage.kind in ("paragraph", "item") else ""


def is_for_another(passage: Passage, places: Places, start: int, claim: str) -> bool:
    """Whether the sentence at `start` is, or goes on from, a reply to another question than what is claimed.

    A reply is to the same where its question has no word beside those of the claim and of the title of its source.
    """
    number = _number(places, start)
    while number and replied_to(passage, places, places[number][0]) is None and _goes_on(passage, places, number):
        number -= 1
    asked = replied_to(passage, places, places[number][0])
    return asked is not None and not (_said(asked) and _said(asked) <= _said(f"{claim} {passage.source.title}"))


def _goes_on(passage: Passage, places: Places, number: int) -> bool:
    """Whether a sentence leans on the one before it, or tells more of its "No."."""
    before = _text(passage, places[number - 1])
    return leans(_text(passage, places[number])) or bool(REPLY.match(before) and len(words(before)) == 1)


def _has_verb(text: str) -> bool:
    """Whether a word is a verb; the tagger takes "connected" in "ships connected on 78 % of days" for a participle."""
    return not (speech.FINITE | speech.PARTICIPLES).isdisjoint(speech.tags(speech.tokens(text)))


def _said(text: str) -> set[str]:
    """What a text speaks of: its words in any form, without those of grammar."""
    return set(tokens(" ".join(word for word in words(text) if word not in FUNCTION_WORDS)))


def _asked(passage: Passage, places: Places, number: int) -> str:
    """The question that stands right before a sentence; "" where none does."""
    opens = number == 0 and passage.before is None
    before = _text(passage, places[number - 1]) if number else passage.path[-1] if opens and passage.path else ""
    return before.strip() if before.rstrip().endswith(ASKS) else ""


def _number(places: Places, start: int) -> int:
    """Which of the sentences holds the character at `start`."""
    return max((n for n, place in enumerate(places) if place[0] <= start), default=0)


def _text(passage: Passage, place: tuple[int, int]) -> str:
    return passage.text[place[0] - passage.start : place[1] - passage.start]
