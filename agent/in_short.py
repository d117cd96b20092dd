"""What stands ahead of the sections of an open report: the best of their short statements that tell what is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from palimpsest.retrieval.types import Passage

from . import forms, outline, thresholds
from .choosing import comes_near
from .numbers import probability
from .sentences import Chosen, Sentence, place_of
from .state import Reader, SubQuestion
from .tabling import IN_RECORDS
from .whole import part_of, remaining
from .wording import leans, takes_up

Pieces = Callable[[Sequence[Chosen]], list[Chosen]]  # quotations to what of them may stand in short
IN_SHORT, FEW = 4, 2  # statements ahead of the sections, and how many of them may be of one section
NOTHING_SAID = ("?", ",", ";", ":")  # how a question ends, and a piece of a list


def best_short(
    reader: Reader, question: SubQuestion, parts: Sequence[outline.Section], read: Sequence[Passage]
) -> list[Chosen]:
    """The best short statements, FEW of a section at most, that come near to the question and belong in the report not much less surely
    than its best sentence.

    Where no short quotation of a section does, sentences of its longer ones, and where none of all does, the best quotation as it
    stands.
    """
    best = max((c.score for part in parts for c in part.chosen), default=0.0)
    least = thresholds.SHIPPED.short_share * probability(best)

    def likely(told: Sequence[Chosen]) -> list[Chosen]:
        return [c for c in told if probability(c.score) >= least and comes_near(reader, question, [c.text])]

    if short := _told(reader, parts, read, likely)[:IN_SHORT]:
        return short
    told = _told(reader, parts, read, list)
    if not told:  # no section can spare one
        return []
    whole = [c for part in parts if not is_side(part) for c in part.chosen if not leans(c.text) and not _is_record(c)]
    found = [c for c, is_aim in zip(whole, reader.aims(whole, read), strict=True) if not is_aim]
    return likely(sorted(found, key=lambda c: -c.score))[:1] or told[:1]


def _told(reader: Reader, parts: Sequence[outline.Section], read: Sequence[Passage], fit: Pieces) -> list[Chosen]:
    """Of a section that takes a side whole quotations alone: what is left of one may take none."""
    kinds = (whole_quotations, single_sentences)
    found = ((part, kinds[:1] if is_side(part) else kinds) for part in parts)
    told = (c for part, own in found for c in _telling(reader, part.chosen, read, own, fit))
    return sorted(told, key=lambda c: -c.score)


def is_side(part: outline.Section) -> bool:
    """Whether a section holds one side of a balance."""
    return part.heading in forms.SIDES.values()


def is_brief(text: str) -> bool:
    """Whether a statement is short enough to stand ahead of the sections."""
    return len(text) <= thresholds.SHIPPED.brief


def _telling(
    reader: Reader, chosen: Sequence[Chosen], read: Sequence[Passage], kinds: Sequence[Pieces], fit: Pieces
) -> list[Chosen]:
    """The best short statements of a section that stand alone and tell what is, not what was meant to be done, of the first of these
    kinds of pieces that has any that are `fit`: whole quotations, for a sentence means most beside its own, or single ones. What is
    left of the section is enough for one.
    """
    for pieces in (pieces_of(chosen) for pieces_of in kinds):
        told = [c for c, is_aim in zip(pieces, reader.aims(pieces, read), strict=True) if not is_aim]
        kept: list[Chosen] = []
        for piece in sorted(fit(told), key=lambda c: -c.score):
            if len(kept) < FEW and len(remaining(chosen, [place_of(c) for c in (*kept, piece)])) >= outline.PER_SECTION:
                kept.append(piece)
        if kept:
            return kept
    return []


def whole_quotations(chosen: Sequence[Chosen]) -> list[Chosen]:
    """The short quotations that lean on no other, nor another on them."""
    joined = outline.leads(chosen)
    bound = {*joined, *joined.values()}
    return [c for n, c in enumerate(chosen) if n not in bound and not leans(c.text) and _is_told(c)]


def single_sentences(chosen: Sequence[Chosen]) -> list[Chosen]:
    """The short sentences of quotations that lean on no other, nor another on them."""
    joined = outline.leads(chosen)
    before, after = set(joined), set(joined.values())
    alone: list[Chosen] = []
    for number, piece in enumerate(chosen):
        leaning = [leans(s.text) or takes_up(s.text, one.text) for one, s in pairwise(piece.sentences)]
        needs = [number in before or leans(piece.sentences[0].text), *leaning]
        needed = [*leaning, number in after]
        for sentence, *is_part in zip(piece.sentences, needs, needed, strict=True):
            if not any(is_part) and _is_told(sentence):
                alone.append(replace(part_of(piece, [sentence]), score=sentence.score))
    return alone


def _is_told(piece: Chosen | Sentence) -> bool:
    """Whether it is a short statement: a question is none, nor the record of a row, whose heading tells what it is of."""
    return is_brief(piece.text) and not _is_record(piece) and not piece.text.rstrip().endswith(NOTHING_SAID)


def _is_record(piece: Chosen | Sentence) -> bool:
    """Whether it is the record of a row."""
    passage = piece.passage if isinstance(piece, Sentence) else piece.sentences[0].passage
    return passage.kind in IN_RECORDS
