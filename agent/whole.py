"""What a sentence is quoted with so that it stands alone, and quotations parted and joined again; nothing is rewritten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import dropwhile, groupby
from operator import itemgetter

import regex  # type: ignore[import-untyped]

from . import speech, thresholds
from .replies import replied_to
from .sentences import JOINED, Chosen, Sentence, Split, Where, overlapping, place_of, places, shares_words
from .wording import asks, denies, leans, opens_with_another, opens_with_this, takes_up

_PLAIN_WORD = regex.compile(r"\w+(?:[.,]\d+)*")
MANY_HEADING_WORDS = 6  # words of a heading run into its paragraph
REACH = 2  # sentences that may be taken before one that leans on them
COLON = ":"
SPOKEN = ("paragraph", "item")  # kinds of passages whose sentences bring in one another


def quoted_with(sentence: Sentence, split: Split) -> Sequence[Sentence]:
    """A sentence with those that it cannot stand without; none where it states nothing: it asks, replies to a question that is not
    known, speaks of somebody whom nothing that can be quoted with it names, or of a "this" that the passage before speaks of, or ends
    in a colon where the passage ends.
    """
    found = standing(Chosen((sentence,), 0.0), split).sentences
    is_torn = replied_to(found[0].passage, places(found[0].passage, split), found[0].start) == ""
    is_cut = found[0].passage.before is not None and found[0].start == found[0].passage.start
    is_nobodys = (len(found) == 1 and opens_with_another(sentence.text)) or (is_cut and opens_with_this(found[0].text))
    is_open = found[-1].text.endswith(COLON)
    return () if is_nobodys or is_torn or is_open or asks(sentence.text) else found


def standing(chosen: Chosen, split: Split) -> Chosen:
    """The quotation with the sentence before it where its opening leans on that one, and with what its last sentence brings in; nothing
    is rewritten.
    """
    for _ in range(REACH):
        first = chosen.sentences[0]
        earlier = [p for p in places(first.passage, split) if p[1] <= first.start and first.start - p[1] <= JOINED]
        if not earlier:
            break
        before = Sentence(first.passage, *earlier[-1], rank=first.rank)
        replies = replied_to(first.passage, places(first.passage, split), first.start)
        if asks(first.text) or not (replies or _needs(first, before) or heads_paragraph(before)):
            break  # a question heads what follows it
        chosen = Chosen((before, *chosen.sentences), chosen.score, chosen.also)
    return replace(chosen, sentences=(*chosen.sentences, *_announced(chosen.sentences[-1], split)))


def _announced(sentence: Sentence, split: Split) -> Iterator[Sentence]:
    """What a sentence that ends in a colon brings in: the one behind it and, of a list, each that is a line or paragraph of its own."""
    passage = sentence.passage
    behind = [p for p in places(passage, split) if p[0] >= sentence.end]
    if not sentence.text.endswith(COLON) or passage.kind not in SPOKEN:
        return
    ends = (sentence.end, *(end for _, end in behind))
    opens = ["\n" in passage.text[e - passage.start : p[0] - passage.start] for e, p in zip(ends, behind, strict=False)]
    for number, place in enumerate(behind):
        is_item = opens[number] and (number + 1 == len(behind) or opens[number + 1])
        if number and not is_item:
            return
        yield Sentence(passage, *place, rank=sentence.rank)
        if not is_item:
            return


def heads_paragraph(sentence: Sentence) -> bool:
    """Whether a sentence is a heading run into its paragraph: a few words ahead of all others, without a verb: "Heel pain." """
    text, start = sentence.passage.text, sentence.start - sentence.passage.start
    end = sentence.end - sentence.passage.start
    opens = not text[:start].strip(" ") or text[:start].rstrip(" ").endswith("\n\n")
    goes_on = text[end:].strip() and "\n\n" not in text[end : end + JOINED + 1]
    is_few = len(sentence.text.split()) <= MANY_HEADING_WORDS and sentence.passage.kind in ("paragraph", "item")
    return bool(opens and goes_on and is_few) and not speech.is_clause(sentence.text)


def _needs(sentence: Sentence, before: Sentence | None) -> bool:
    """Whether a sentence leans on the one before it, or takes up what that brings in."""
    return leans(sentence.text) or (before is not None and takes_up(sentence.text, before.text))


def remaining(chosen: Sequence[Chosen], taken: Sequence[Where]) -> list[Chosen]:
    """The quotations without the sentences that share words with a place `taken`; what is left of one stands by itself.

    A sentence that leans on one that is gone goes too, and so does a heading run into its paragraph that is left with nothing.
    """
    found: list[Chosen] = []
    for piece in chosen:
        if not any(shares_words(place_of(piece), place) for place in taken):
            found.append(piece)
            continue
        is_taken = [any(shares_words(place_of(s), place) for place in taken) for s in piece.sentences]
        runs = (
            list(run) for gone, run in groupby(zip(piece.sentences, is_taken, strict=True), itemgetter(1)) if not gone
        )
        before = dict(zip(piece.sentences[1:], piece.sentences, strict=False))
        needing = {s for s in piece.sentences if _needs(s, before.get(s))}
        whole = (list(dropwhile(needing.__contains__, (s for s, _ in run))) for run in runs)
        found += [part_of(piece, sentences) for run in whole if (sentences := _without_head(run))]
    return found


def _without_head(sentences: Sequence[Sentence]) -> Sequence[Sentence]:
    """Sentences without a last one that heads, or brings in, what is gone: "Shade.", "There are three tests:"."""
    is_head = bool(sentences) and (heads_paragraph(sentences[-1]) or sentences[-1].text.endswith(COLON))
    return sentences[:-1] if is_head else sentences


def part_of(piece: Chosen, sentences: Sequence[Sentence]) -> Chosen:
    """Some sentences of a quotation, with those of other sources that say the same as them."""
    found = Chosen(tuple(sentences), piece.score)
    return replace(found, also=tuple(s for s in piece.also if _has_its_words(found.text, s.text)))


def _has_its_words(text: str, other: str) -> bool:
    """Whether most words of another text, and as many denials, stand in a text, which may say more."""
    words = set(plain_words(other))
    return len(words & set(plain_words(text))) >= thresholds.SHIPPED.same_words * len(words) and denies(text) == denies(
        other
    )


def plain_words(text: str) -> list[str]:
    found: list[str] = _PLAIN_WORD.findall(text.casefold())
    return found


def told_once(chosen: Sequence[Chosen]) -> list[Chosen]:
    """The quotations, those that share words made one, in the order of the best of them."""
    found: list[Chosen] = []
    for piece in chosen:
        shared = [n for n, other in enumerate(found) if overlapping(piece, other)]
        if not shared:
            found.append(piece)
            continue
        passage = found[shared[0]].sentences[0].passage.id
        whole = found[shared[0]]
        for other in (*(found[n] for n in shared[1:]), piece):
            whole = _union(whole, other) if other.sentences[0].passage.id == passage else whole
        found = [whole if n == shared[0] else other for n, other in enumerate(found) if n not in shared[1:]]
    return found


def _union(one: Chosen, other: Chosen) -> Chosen:
    by_start = {s.start: s for s in (*one.sentences, *other.sentences)}
    sentences = tuple(by_start[start] for start in sorted(by_start))
    return Chosen(sentences, max(one.score, other.score), (*one.also, *other.also))
