"""From the distribution of each slot to a guess, a ranking, a choice; and the places where a copied span may begin and end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ..canvas.canvas import Canvas, Fill, Role
from ..kinds import MaskKind
from ..metrics import normalise
from .sampler import Guess

LOOKED_AT = 80  # spans of a slot
_OPENING, _CLOSING = set("$£€#~≈+-−<>≥≤"), set("%)'\"+°’")
_HAS_FIGURE = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|million|billion)\b", re.I
)
_MONTH = re.compile(r"(?:January|February|March|April|May|June|July|August|September|October|November|December)\b")


@dataclass(frozen=True)
class Limits:
    """Where a copied span may start and end, which tokens are figures or may open a name, and which a figure cannot run on to: all
    [P] bool.
    """

    start: Tensor
    end: Tensor
    figure: Tensor
    capital: Tensor
    other: Tensor


class Best(NamedTuple):
    """The likeliest filling of a slot of K places: tokens, source [K]; prob, entropy, margin [K] or one for all."""

    tokens: Tensor
    source: Tensor
    prob: Tensor
    entropy: Tensor
    margin: Tensor

    def as_one(self) -> Best:
        """All places go by the first one's probability."""
        return self._replace(prob=self.prob[0], entropy=self.entropy[0], margin=self.margin[0])


@dataclass(frozen=True)
class Scored:
    """What a model says of one slot: log-probabilities of spans [P, L] and of [NONE]; or of its allowed answers [A], with the
    vocabulary `rows` [A, K] they are written as, -1 behind their ends; or the best word of each place. `quality` is the probability
    that it, or what stands there, is right.
    """

    spans: Tensor | None = None
    none: Tensor = field(default_factory=lambda: torch.tensor(-torch.inf))
    choice: Tensor = field(default_factory=lambda: torch.empty(0))
    rows: Tensor = field(default_factory=lambda: torch.empty(0))
    words: Best | None = None
    quality: Tensor | None = None

    def best(self, length: int, canvas: Canvas) -> Best:
        if self.words is not None:
            return self.words
        tokens, source = torch.full((length,), canvas.marks.delete), torch.full((length,), -1)
        if self.spans is None:
            answer = self.rows[self.choice.argmax()]
            tokens[: len(answer)] = answer.where(answer >= 0, canvas.marks.delete)
            return Best(tokens, source, *summary(self.choice))
        everything = torch.cat([self.spans.flatten(), self.none[None]])
        index, width = int(everything.argmax()), self.spans.shape[1]
        if index == self.spans.numel() or everything[index] == -torch.inf:
            # Nothing may be copied: a required slot, a NUMBER say, over evidence without a figure, stays empty all the same.
            tokens[0] = canvas.marks.none
        else:
            first, more = index // width, index % width
            source[: more + 1] = torch.arange(first, first + more + 1)
            tokens[: more + 1] = canvas.tokens[first : first + more + 1]
        return Best(tokens, source, *summary(everything))


def summary(log_probabilities: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The best probability, the entropy and the margin of a distribution; all 0 where nothing is possible."""
    probabilities = log_probabilities.exp()
    two = torch.cat([probabilities.topk(min(2, probabilities.numel())).values, torch.zeros(1)])
    entropy = -(probabilities * log_probabilities.clamp_min(-1e4)).sum()
    return two[0], entropy, two[0] - two[1]


def likeliest(words: Tensor) -> Best:
    """The best word of each place from log-probabilities [K, V]."""
    values, tokens = words.topk(2)
    prob, margin = values[:, 0].exp(), values[:, 0].exp() - values[:, 1].exp()
    entropy = -(words.exp() * words.clamp_min(-1e4)).sum(-1)
    return Best(tokens[:, 0], torch.full((len(words),), -1), prob, entropy, margin)


def guess_of(canvas: Canvas, scored: Sequence[Scored]) -> Guess:
    """The guess that the slots' distributions make."""
    size = len(canvas)
    token, source = canvas.tokens.clone(), torch.full((size,), -1)
    prob, entropy, margin, quality = torch.zeros(4, size)
    for slot, score in zip(canvas.slots, scored, strict=True):
        where = slice(slot.start, slot.end)
        best = score.best(slot.end - slot.start, canvas)
        token[where], source[where] = best.tokens, best.source
        prob[where], entropy[where], margin[where] = best.prob, best.entropy, best.margin
        quality[where] = best.prob if score.quality is None else score.quality
    judged = any(score.quality is not None for score in scored)
    return Guess(token, prob, entropy, margin, source, quality if judged else None)


class Ranked(NamedTuple):
    """A filling of a slot and its probability; `fill` None stands for [NONE], no answer in the evidence."""

    fill: Fill | None
    probability: float
    place: tuple[int, int] | None


def ranking(canvas: Canvas, scored: Scored, k: int) -> list[Ranked]:
    """The `k` likeliest spans that do not overlap, and [NONE], the likeliest first. ValueError when the slot does not copy."""
    if scored.spans is None:
        raise ValueError("only a slot that copies can be ranked; read a CHOICE with `choices`")
    width = scored.spans.shape[1]
    values, order = scored.spans.flatten().sort(descending=True, stable=True)
    kept: list[Ranked] = []
    for value, index in zip(values[: 40 * k].tolist(), order[: 40 * k].tolist(), strict=True):
        first, last = index // width, index // width + index % width
        overlaps = any(r.place and first <= r.place[1] and last >= r.place[0] for r in kept)
        if value > -50 and not overlaps and len(kept) < k:
            kept.append(Ranked(_copied(canvas, first, last), float(torch.tensor(value).exp()), (first, last)))
    kept.append(Ranked(None, float(scored.none.exp()), None))
    return sorted(kept, key=lambda r: -r.probability)


def mass_of(canvas: Canvas, scored: Scored, words: str) -> float:
    """The probability of the spans that read so but for case, articles and punctuation, of the LOOKED_AT likeliest."""
    if scored.spans is None:
        raise ValueError("only a slot that copies gives spans; read a CHOICE with `choices`")
    width, said = scored.spans.shape[1], normalise(words)
    best = scored.spans.flatten().topk(min(LOOKED_AT, scored.spans.numel()))
    found = [
        float(value.exp())
        for value, index in zip(best.values, best.indices.tolist(), strict=True)
        if value > -50 and normalise(_copied(canvas, index // width, index // width + index % width).text) == said
    ]
    return min(sum(found), 1.0)


def readings(canvas: Canvas, scored: Scored, least: float = 1e-3) -> tuple[list[Ranked], float]:
    """Every span of at least the probability `least`, the likeliest first, and the probability of [NONE]."""
    if scored.spans is None:
        raise ValueError("only a slot that copies has readings; read a CHOICE with `choices`")
    width, probabilities = scored.spans.shape[1], scored.spans.exp().flatten()
    found = (probabilities >= least).nonzero()[:, 0].tolist()
    spans = [(n // width, n // width + n % width, float(probabilities[n])) for n in found]
    ranked = [Ranked(_copied(canvas, first, last), share, (first, last)) for first, last, share in spans]
    return sorted(ranked, key=lambda r: -r.probability), float(scored.none.exp())


def legal(joint: Tensor, limit: Limits, kind: MaskKind) -> Tensor:
    """Log-probabilities [P, L] with the spans a slot may not become at -inf: broken words, a NUMBER without a figure or
    with a name behind it ("1905 by Karl Benz")."""
    length = joint.shape[1]
    place = torch.arange(joint.shape[0])[:, None] + torch.arange(length)  # [P, L] the last token of each span
    inside = place.clamp_max(joint.shape[0] - 1)
    fine = limit.start[:, None] & limit.end[inside] & (place < joint.shape[0])
    if kind is MaskKind.NUMBER:
        figures = torch.cat([torch.zeros(1), limit.figure.float().cumsum(0)])
        others = torch.cat([torch.zeros(1), limit.other.float().cumsum(0)])
        fine &= (figures[inside + 1] - figures[:-1, None]) > 0
        fine &= (others[inside + 1] - others[1:, None]) == 0
    if kind is MaskKind.ENTITY:
        fine &= limit.capital[:, None]
    return joint.masked_fill(~fine, -torch.inf)


def limits(canvas: Canvas, size: int) -> Limits:
    """Among the first `size` places of a canvas, where a copied span may begin and end: at whole words, not at stray punctuation."""
    allowed = torch.zeros(5, size, dtype=torch.bool)
    for segment in canvas.segments:
        if segment.role is Role.EVIDENCE:
            where = slice(segment.start, segment.end)
            spans = tuple(map(tuple, canvas.characters[where].tolist()))
            allowed[:, where] = _limits_of(segment.text, spans)
    return Limits(*allowed)


@lru_cache(maxsize=1024)  # a passage is read again at every step of every canvas it lies on
def _limits_of(text: str, spans: tuple[tuple[int, int], ...]) -> Tensor:
    """[5, n] bool for the words of `text` at `spans`: may a copy start there, end there, is it a figure, does it open a name, is it a
    name that does not stand behind a figure (in "2 GB" it does) and is no month.
    """
    allowed = torch.zeros(5, len(spans), dtype=torch.bool)
    for i, (a, b) in enumerate(spans):
        if a < 0 or a == b:
            continue
        word = text[a:b]
        allowed[0, i] = not _joins(text, a) and (word[0].isalnum() or word in _OPENING)
        allowed[1, i] = not _joins(text, b) and (word[-1].isalnum() or word in _CLOSING)
        allowed[2, i] = bool(_HAS_FIGURE.search(word))
        behind = i > 0 and spans[i - 1][0] >= 0 and bool(_HAS_FIGURE.search(text[slice(*spans[i - 1])]))
        allowed[4, i] = allowed[0, i] and word[0].isupper() and not behind and not _MONTH.match(text, a)
        allowed[3, i] = word[0].isdigit() or any(c.isupper() for c in "".join(text[a : a + 4].split(maxsplit=1)[:1]))
    return allowed


def _joins(text: str, at: int) -> bool:
    """Whether the characters on both sides of `at` are one word or one figure (1,288 and 0.7 are)."""
    left, right = text[max(at - 2, 0) : at], text[at : at + 2]
    if not left or not right:
        return False
    if left[-1].isalnum() and right[0].isalnum():
        return True
    inside = left[-1] in ",." and left[0].isdigit() and right[0].isdigit()
    return inside or (left[-1].isdigit() and right[0] in ",." and right[1:].isdigit())


def _copied(canvas: Canvas, first: int, last: int) -> Fill:
    segment = canvas.segments[int(canvas.block[first])]
    start, end = int(canvas.characters[first, 0]), int(canvas.characters[last, 1])
    return Fill(segment.text[start:end], segment.name, segment.offset + start, segment.offset + end)
