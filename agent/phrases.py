"""Phrases of sentences that may head a section, and how likely each is cut where a phrase begins and ends.

A classifier of wording tells a phrase from a piece of one ("neural networks" from "networks obeying") by the words at its edges and
beside them, and by its length. It is fitted on titles and headings as they stand in running text, against stretches that overlap them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .asking import FUNCTION_WORDS
from .wording import LinearText

LEAST_WORDS, MOST_WORDS = 2, 4
WHOLE, CUT = "whole", "cut"  # the labels of the classifier
_MARKS = "()[]{}<>“”\"'‘’.,;:!?*_|#"
_OPENING, _ENDING, _MARK = "opening", "ending", "mark"  # beside the first and last word of a text, and at a mark


class Stretch(NamedTuple):
    """Words in a row as written, and the words before and after them; `is_first` and `is_last` in their run between function words."""

    words: tuple[str, ...]
    before: str
    after: str
    is_first: bool
    is_last: bool

    @property
    def phrase(self) -> str:
        return " ".join(self.words)


class _Run(NamedTuple):
    words: tuple[str, ...]
    before: str
    after: str


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
    """For each phrase of the texts, casefolded, the probability that it is whole, at the place where it is likeliest."""
    found = [s for text in texts for s in stretches(text)]
    if not found:
        return {}
    whole = fitted.probabilities([described(s) for s in found])[:, fitted.labels.index(WHOLE)]
    best: dict[str, float] = {}
    for stretch, probability in zip(found, whole, strict=True):
        name = stretch.phrase.casefold()
        best[name] = max(best.get(name, 0.0), float(probability))
    return best


def stretches(text: str) -> Iterator[Stretch]:
    """Every LEAST_WORDS to MOST_WORDS words of a run whose first and last say something."""
    for run in _runs(text):
        around = (run.before, *run.words, run.after)
        for length in range(LEAST_WORDS, min(len(run.words), MOST_WORDS) + 1):
            for start in range(len(run.words) - length + 1):
                end = start + length
                piece = run.words[start:end]
                if _is_telling(piece[0]) and _is_telling(piece[-1]):
                    yield Stretch(piece, around[start], around[end + 1], start == 0, end == len(run.words))


def _is_telling(word: str) -> bool:
    return len(word) > 2 and word[0].isalpha()


def _runs(text: str) -> list[_Run]:
    """The words as written, parted by function words, by a mark at a word's edge, and by what is no word."""
    runs: list[_Run] = []
    words: list[str] = []
    before = _OPENING
    for word in text.split():
        bare = word.strip(_MARKS)
        is_function = bool(bare) and bare.casefold() in FUNCTION_WORDS
        if word[:1] != bare[:1]:
            runs, words, before = [*runs, _Run(tuple(words), before, _MARK)], [], _MARK
        if bare and not is_function:
            words.append(bare)
        if is_function:
            runs, words, before = [*runs, _Run(tuple(words), before, bare)], [], bare
        if word[-1:] != bare[-1:]:
            runs, words, before = [*runs, _Run(tuple(words), before, _MARK)], [], _MARK
    return [run for run in (*runs, _Run(tuple(words), before, _ENDING)) if run.words]


def described(stretch: Stretch) -> str:
    """A stretch as words for a classifier of wording: its edges, what stands beside them, their endings, its length and letters."""
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
    return " ".join([*edges, *endings, length, letters, place])


def _letters(word: str) -> str:
    return "".join(c for c in word.casefold() if c.isalpha()) or "figure"


def _case(word: str) -> str:
    return "u" if word[0].isupper() and word[1:].islower() else "d" if word.islower() else "m"
