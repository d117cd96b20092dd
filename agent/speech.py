"""Parts of speech of English words, by a library that comes with its model; the tags are those of the British National Corpus."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path

import HanTa
import regex  # type: ignore[import-untyped]
from HanTa.HanoverTagger import HanoverTagger

REMEMBERED = 4096  # rows of words
LONGEST = 30  # characters of a word that are looked at: the time grows with the square of them

FINITE = frozenset("VBB VBD VBZ VDB VDD VDZ VHB VHD VHZ VM0 VVB VVD VVZ".split())  # tags of verbs that make a clause
NOUNS = frozenset(("NN", "NP", "UN"))  # how their tags begin; what the tagger does not know is mostly a name
BARE = frozenset(("VVI", "VVB"))  # of the base form of a verb
PAST = frozenset("VBD VDD VHD VVD".split())
PARTICIPLES = frozenset("VBN VDN VHN VVN".split())
CONTRACTED = {"cannot": "can", "won't": "will", "shan't": "shall", "ain't": "is"}
SHORTENED = {"s": "is", "re": "are", "m": "am", "ve": "have", "ll": "will", "d": "would"}
SUBJECTS = frozenset("i you he she it we they this that there here what who".split())  # that a verb is joined to
_TOKENS = regex.compile(r"[^\W_]+(?:[-'’./+][^\W_]+)*|[^\w\s]")


@cache
def _tagger() -> HanoverTagger:
    """By the whole path of its model: by name it would look in the working folder first, which may be somebody else's."""
    return HanoverTagger(str(Path(HanTa.__file__).parent / "morphmodel_en.pgz"))


@lru_cache(maxsize=REMEMBERED)
def tags(words: tuple[str, ...]) -> tuple[str, ...]:
    """A tag for each word or mark of a sentence: NN1 and NN2 nouns, NP0 names, AJ0 adjectives, VVZ and the like verbs.

    No word may be empty.
    """
    if not words:
        return ()
    found: Sequence[str] = _tagger().tag_sent([_verb_of(word)[:LONGEST] for word in words], taglevel=0)
    return tuple(found)


def question_tags(words: Sequence[str]) -> list[str]:
    """The tags of a question's words, with a verb where "how do A and B speed up C" must have one and the tagger saw none: the
    likeliest.
    """
    seen = tags(tuple(words))
    found = list(seen)
    for at, word in enumerate(words):
        if word.lower() not in _BEFORE_BARE:
            continue
        end = next((n for n in range(at, len(words)) if words[n] in ("?", ";")), len(words))
        if not BARE.isdisjoint(seen[at + 1 : end]):
            continue
        may_be = [n for n in range(at + 2, end) if seen[n - 1][:2] not in _BEFORE_NOUN]
        has_subject = [n for n in may_be if any(is_noun(tag) for tag in seen[at + 1 : n])]  # "supervised" is none
        best = max(has_subject or may_be, key=lambda n: as_verb(words[n]), default=None)
        if best is not None and as_verb(words[best]) > -math.inf:
            found[best] = "VVI"
            found[best - 1] = "NN1" if found[best - 1][:2] == "AJ" else found[best - 1]  # "decoding" ahead of its verb
    return found


_BEFORE_BARE = frozenset("do does did can could will would should may might must".split())
_BEFORE_NOUN = frozenset(("AT", "DP", "PR"))  # how the tags of what no verb follows begin


@lru_cache(maxsize=REMEMBERED)
def as_verb(word: str) -> float:
    """How much likelier a word is the base form of a verb than something else, in log-odds; minus infinity where it is none."""
    found = {tag: float(p) for tag, p in _tagger().tag_word(_verb_of(word)[:LONGEST])} if word else {}
    bare = max((p for tag, p in found.items() if tag in BARE), default=-math.inf)
    other = max((p for tag, p in found.items() if tag not in BARE), default=-math.inf)
    return bare - other if bare > -math.inf else -math.inf


def _verb_of(word: str) -> str:
    """Of a contraction its verb, which makes a clause: the tagger takes "isn't" and "they're" for nouns."""
    plain = word.casefold().replace("’", "'")
    if plain in CONTRACTED:
        return CONTRACTED[plain]
    if plain.endswith("n't"):
        return plain.removesuffix("n't") or word
    ahead, _, ending = plain.partition("'")
    return SHORTENED[ending] if ahead in SUBJECTS and ending in SHORTENED else word


def singular(noun: str) -> str:
    """The noun of which this is the plural."""
    found: str = _tagger().analyze(noun)[0]
    return found


def tokens(text: str) -> tuple[str, ...]:
    """The words and marks of a text."""
    return tuple(_TOKENS.findall(text))


def is_clause(text: str) -> bool:
    """Whether one of its words is a finite verb."""
    return not FINITE.isdisjoint(tags(tokens(text)))


def is_noun(tag: str) -> bool:
    """Whether a tag is of a word that may name something; "learning" may: "grammar and learning"."""
    return tag[:2] in NOUNS or tag == "VVG"


def is_past(text: str) -> bool:
    """Whether the first finite verb of a text tells of the past; a participle where no verb is finite is one that was not known."""
    verbs = [tag for tag in tags(tokens(text)) if tag in FINITE or tag in PARTICIPLES]
    finite = next((tag for tag in verbs if tag in FINITE), "")
    return finite in PAST if finite else bool(verbs)


def names(question: str) -> list[tuple[int, int]]:
    """Where the longest "old paper mill" of a question stand: nouns in a row with what describes them, without its verb behind them."""
    found = list(_TOKENS.finditer(question))
    tagged = zip(found, question_tags([match.group() for match in found]), strict=True)
    runs = [list(run) for is_of_name, run in groupby(tagged, lambda pair: pair[1][:2] in _OF_A_NAME) if is_of_name]
    ends = [max((n for n, (_, tag) in enumerate(run, 1) if tag[:2] in NOUNS), default=0) for run in runs]
    return [(run[0][0].start(), run[end - 1][0].end()) for run, end in zip(runs, ends, strict=True) if end]


_OF_A_NAME = frozenset(("AJ", "CR", "NN", "NP", "OR", "UN"))


def asked_for(text: str) -> list[tuple[int, int]]:
    """Where a question says what it asks for, not of what: "the benefits" in "What are the benefits of it", "gains" in "What gains"."""
    found = list(_TOKENS.finditer(text))
    named = question_tags([match.group() for match in found])
    places: list[tuple[int, int]] = []
    for number, match in enumerate(found[:-1]):
        if match.group().casefold() in ("what", "which"):
            is_copula = named[number + 1][:2] == "VB"
            first = number + 2 if is_copula else number + 1
            behind = (
                n for n in range(first, len(found)) if named[n].startswith(("PR", "V")) or found[n].group() == "?"
            )
            last = next(behind, len(found))
            places += [(found[first].start(), found[last - 1].end())] if last > first else []
    return places


def definite(text: str) -> tuple[int, int] | None:
    """Where the first "the mill by the lake" of a text stands: from its article to what ends its phrase, a verb, a mark or "and"."""
    found = list(_TOKENS.finditer(text))
    named = question_tags([match.group() for match in found])
    first = next((n for n, match in enumerate(found) if match.group().casefold() == "the"), None)
    if first is None:
        return None
    last = first
    while last + 1 < len(named) and named[last + 1][:2] in _OF_A_PHRASE:
        last += 1
    return (found[first].start(), found[last].end()) if last > first else None


_OF_A_PHRASE = frozenset(
    ("AJ", "AT", "CR", "NN", "NP", "OR", "PO", "PR")
)  # nouns, what describes them, and prepositions
