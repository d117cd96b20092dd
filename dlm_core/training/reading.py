"""Answers among many passages, and words of a claim that its evidence says in the same words."""

from __future__ import annotations

import random
import re

from ..kinds import MaskKind, SlotSpec, kind_of
from .corpus import CITE_SLOT, find_all, window
from .examples import Example, Target
from .judgement import _supported
from .material import Material, content_words, cut
from .questions import asked

PASSAGE_LETTERS = 520
MOST_WORDS = 5  # of a phrase
_WORD = re.compile(r"\S+")


def among(m: Material, rng: random.Random) -> Example | None:
    """A question among four to eight passages, most of them of other articles; without its own, [NONE]."""
    row = m.row("squad_train" if rng.random() < 0.85 else "qed_train", rng)
    answer = row["answers"][0]
    at = row["context"].find(answer)
    if at < 0 or not row["question"].strip():
        return None
    others = [(row["title"], c) for c in m.corpus.by_title.get(row["title"], []) if answer not in c]
    rivals = rng.sample(others, min(len(others), rng.choice([1, 2, 3])))
    strangers = [m.row("squad_train", rng) for _ in range(rng.choice([3, 6]))]
    rivals += [(s["title"], s["context"]) for s in strangers if answer not in s["context"]]
    is_there = rng.random() < 0.72
    gold = (row["title"], window(row["context"], at, at + len(answer), PASSAGE_LETTERS, rng))
    shown = [gold] * is_there + [(title, cut(text, PASSAGE_LETTERS)) for title, text in rivals]
    rng.shuffle(shown)
    titled = rng.random() < 0.6
    passages = [f"{title.replace('_', ' ')}. {text}" if titled else text for title, text in shown]
    return asked(row["question"], passages, answer if is_there else None, row.get("source", "squad_train"), rng)


def phrase(m: Material, rng: random.Random) -> Example | None:
    """A supported claim without some of its words, of whatever kind, that stand in the evidence too."""
    claim, evidence, source = _supported(m, rng)
    words = [(w.start(), w.end()) for w in _WORD.finditer(claim)]
    spans = [
        (words[first][0], words[last][1])
        for first in range(len(words))
        for last in range(first, min(first + MOST_WORDS, len(words)))
    ]
    spans = [(s, e - len(claim[s:e]) + len(claim[s:e].rstrip(".,;"))) for s, e in spans]
    shared = [(s, e) for s, e in spans if content_words(claim[s:e]) and find_all(evidence, claim[s:e])]
    if not shared:
        return None
    start, end = rng.choice(shared)
    hidden = claim[start:end]
    slot = SlotSpec(kind_of(hidden) if rng.random() < 0.25 else MaskKind.TEXT)
    pieces = tuple(p for p in (claim[:start], slot, claim[end:]) if p)
    shown = [evidence]
    if rng.random() < 0.25:
        shown.append(cut(m.row("fever_pairs", rng)["evidence"], 400))
        rng.shuffle(shown)
    place = shown.index(evidence)
    target = Target(spans=tuple((place, s, e) for s, e in find_all(evidence, hidden)))
    cite = Target(spans=((place, -1, -1),))
    return Example(pieces, tuple(shown), (*pieces, CITE_SLOT), (target, cite), "repair", source)
