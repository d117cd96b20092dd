"""Phrases of sentences that may head a section, and how likely each is cut where a phrase begins and ends.

A classifier of wording tells a phrase from a piece of one ("neural networks" from "networks obeying", "Barge harbour" from "harbour
silts") by the words at its edges and beside them, by its length and by the parts of speech. It is fitted on titles and headings as
they stand in running text, against stretches that overlap them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from . import speech
from .asking import FUNCTION_WORDS
from .wording import LinearText, denies

LEAST_WORDS, MOST_WORDS = 2, 4
WHOLE, CUT = "whole", "cut"  # the labels of the classifier
UNKNOWN = "UNC"
ARTICLES = ("AT0", "DPS")  # the, its
CONJUNCTION = "CJ"  # how the tags of "whereas" and "although" begin
EACH = "per"  # what stands behind it is a unit: "29 per cent fall"
COUNTING = ("CRD", "ORD", "DT0")  # four, second, few
MARKS = "()[]{}<>“”\"'‘’.,;:!?*_|#"
_DIGITS = str.maketrans(
    "0123456789", "ozzzzzzzzz"
)  # a word of a classifier holds no digits; NN1 and NN2 are one part of speech
_OPENING, _ENDING, _MARK = "opening", "ending", "mark"  # beside the first and last word of a text, and at a mark


class Stretch(NamedTuple):
    """Words in a row as written, and the words before and after them; `is_first` and `is_last` in their run between function words.

    `tags` are the parts of speech of the word before, of each word, and of the word after; "" where none stands there.
    """

    words: tuple[str, ...]
    before: str
    after: str
    is_first: bool
    is_last: bool
    tags: tuple[str, ...]

    @property
    def phrase(self) -> str:
        return " ".join(self.words)

    @property
    def is_name(self) -> bool:
        """Whether the parts of speech are those of a name: a noun ends it, no verb makes a clause of it, and it counts nothing, as
        "four cows" and "few cameras" do.

        Of words that the tagger does not know in their sentence it is asked once more alone ("dKV-Cache decodes 1 token"), and what
        looks like a plural ahead of an article is a verb ("dKV-Cache stores the key").
        """
        own = self.tags[1:-1]
        own = (*own[:-1], speech.tags(self.words)[-1]) if own[-1] == UNKNOWN and self.words[-1].islower() else own
        is_verb = own[-1] == "NN2" and self.tags[-1] in ARTICLES
        is_noun = own[-1][:2] in speech.NOUNS and not is_verb
        is_count = own[0] in COUNTING or self.before.casefold() == EACH
        return is_noun and not is_count and not any(tag in speech.FINITE or tag[2:] == "I" for tag in own)


class _Word(NamedTuple):
    """A word of a text without the marks at its edges, or a mark or the edge of a text, which has no `bare`."""

    bare: str
    seen: str
    tag: str = ""

    @property
    def parts(self) -> bool:
        is_joint = self.tag.startswith(CONJUNCTION) or self.bare.casefold() in FUNCTION_WORDS
        return not self.bare or is_joint or denies(self.bare)


def phrases(texts: Sequence[str]) -> dict[str, int]:
    """The stretches of words between function words and punctuation, as first written, and in how many texts each stands."""
    counts: Counter[str] = Counter()
    written: dict[str, str] = {}
    for text in texts:
        own = {s.phrase.casefold(): s.phrase for s in stretches(text)}
        counts.update(own.keys())
        written = {**own, **written}
    return {written[key]: count for key, count in counts.items()}


def wholeness(texts: Sequence[str], fitted: LinearText) -> dict[str, float]:
    """For each phrase of the texts, casefolded, the probability that it is whole, at the place where it is likeliest.

    What holds a verb that makes a clause, or ends in no noun, is the name of nothing.
    """
    found = [s for text in texts for s in stretches(text)]
    if not found:
        return {}
    whole = fitted.probabilities([described(s) for s in found])[:, fitted.labels.index(WHOLE)]
    best: dict[str, float] = {}
    for stretch, probability in zip(found, whole, strict=True):
        name = stretch.phrase.casefold()
        best[name] = max(best.get(name, 0.0), float(probability) * stretch.is_name)
    return best


def stretches(text: str) -> Iterator[Stretch]:
    """Every LEAST_WORDS to MOST_WORDS words of a run whose first and last say something."""
    found = _words(text)
    for first, last in _runs(found):
        for start in range(first, last):
            for end in range(start + LEAST_WORDS, min(start + MOST_WORDS, last) + 1):
                piece = tuple(word.bare for word in found[start:end])
                if _is_telling(piece[0]) and _is_telling(piece[-1]):
                    tags = tuple(word.tag for word in found[start - 1 : end + 1])
                    yield Stretch(piece, found[start - 1].seen, found[end].seen, start == first, end == last, tags)


def _is_telling(word: str) -> bool:
    return len(word) > 2 and word[0].isalpha()


def _words(text: str) -> list[_Word]:
    """The words of a text, with a mark where one stands at a word's edge, and its own edges ahead and behind."""
    found = [_Word("", _OPENING)]
    for word in text.split():
        bare = word.strip(MARKS)
        ahead, behind = word[:1] != bare[:1], word[-1:] != bare[-1:]
        found += [_Word("", _MARK, word[0])] * ahead
        found += [_Word(bare, bare)] * bool(bare)
        found += [_Word("", _MARK, word[-1])] * (behind and bool(bare))
    found.append(_Word("", _ENDING))
    tags = iter(speech.tags(tuple(word.bare or word.tag for word in found[1:-1])))
    return [found[0], *(word._replace(tag=tag) for word, tag in zip(found[1:-1], tags, strict=True)), found[-1]]


def _runs(found: Sequence[_Word]) -> Iterator[tuple[int, int]]:
    """The [start, end) of words in a row that no function word and no mark parts."""
    start = 1
    for number, word in enumerate(found):
        if word.parts:
            if start < number:
                yield start, number
            start = number + 1


def described(stretch: Stretch) -> str:
    """A stretch as words for a classifier of wording: its edges, what stands beside them, their endings, its length, letters, parts of
    speech.
    """
    first, last, before, after = map(_letters, (stretch.words[0], stretch.words[-1], stretch.before, stretch.after))
    edges = [f"b{before}", f"f{first}", f"l{last}", f"a{after}"]
    endings = [
        f"xs{first[-3:]}",
        f"xe{last[-3:]}",
        f"xe{last[-2:]}",
        f"xf{first[-2:]}",
        f"xb{before[-3:]}",
        f"xa{after[-3:]}",
    ]
    length, letters = f"n{'x' * len(stretch.words)}", f"c{''.join(map(_case, stretch.words))}"
    place = f"q{'s' if stretch.is_first else 'i'}{'e' if stretch.is_last else 'i'}"
    return " ".join([*edges, *endings, length, letters, place, *_parts(stretch.tags)])


def _parts(tags: Sequence[str]) -> list[str]:
    """Parts of speech as words of letters alone: those at the edges and beside them, and each that stands within."""
    before, *own, after = (f"{tag.lower().translate(_DIGITS)}" for tag in tags)
    within = sorted({f"ti{tag}" for tag in own})
    return [f"tb{before}", f"tf{own[0]}", f"tl{own[-1]}", f"ta{after}", *within]


def _letters(word: str) -> str:
    return "".join(c for c in word.casefold() if c.isalpha()) or "figure"


def _case(word: str) -> str:
    return "u" if word[0].isupper() and word[1:].islower() else "d" if word.islower() else "m"
