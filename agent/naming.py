"""Whether words name a thing that a question asks about, and how what was found names it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import regex  # type: ignore[import-untyped]

from palimpsest.retrieval.lexical import tokens

from .asking import FUNCTION_WORDS
from .matching import numbers_of
from .sentences import Sentence

LEAST_NAME = 3  # words of a name that may be shortened by one
_TITLE_PARTS = regex.compile(r"\s+[–—-]\s+|[:;,()\[\]|]")


def speaks_of(thing: str, sentence: Sentence, others: Sequence[str], told: str) -> bool:
    """Whether a sentence names a thing, or names none of the others and stands under words about the thing.

    Of what stands above it the nearest that names any of them counts, where that names the thing alone. A title that holds the word
    may be of something else, "The Quill and the Keyboard" of no software: it is the thing's name, or the text of its source, `told`,
    speaks of the thing too.
    """
    if names_thing(sentence.text, thing):
        return True
    apart = [other for other in others if not names_thing(thing, other)]
    if any(names_thing(sentence.text, other) for other in apart):
        return False
    heads = (*reversed(sentence.passage.path), sentence.passage.source.title)
    nearest = next((h for h in heads if any(names_thing(h, one) for one in (thing, *apart))), "")
    is_alone = names_thing(nearest, thing) and not any(names_thing(nearest, other) for other in apart)
    return is_alone and (_is_its_name(nearest, thing) or names_thing(told, thing))


def _is_its_name(title: str, thing: str) -> bool:
    """Whether a title, or what stands ahead of or behind a mark in it, has no words but the thing's."""
    wanted = set(tokens(thing))
    pieces = (set(tokens(piece)) - FUNCTION_WORDS for piece in _TITLE_PARTS.split(title))
    return any(piece and piece <= wanted for piece in pieces)


def names_thing(text: str, thing: str) -> bool:
    """Whether a text names it, one or several of its kind, as rows of tables are found by their names."""
    return _naming(thing).search(text) is not None


@lru_cache(maxsize=1024)
def _naming(thing: str) -> regex.Pattern:
    *ahead, last = thing.rpartition(" ")
    kinds = "|".join(map(regex.escape, numbers_of(last)))
    return regex.compile(rf"(?<![\w-]){regex.escape(''.join(ahead))}(?:{kinds})(?!\w)", regex.IGNORECASE)


def as_said(thing: str, text: str, others: Sequence[str]) -> str:
    """A thing as the evidence names it: whole, else without its first or last word where that still names it and no other."""
    if names_thing(text, thing):
        return thing
    words = thing.split()
    pieces = [" ".join(words[:-1]), " ".join(words[1:])]
    # "face-to-face" alone tells care from contacts and visits as no other single word does
    shorter = [piece for piece in pieces if len(words) >= LEAST_NAME or piece.count("-") > 1]
    apart = (s for s in shorter if not any(names_thing(other, s) for other in others if other != thing))
    return next((s for s in apart if names_thing(text, s)), thing)
