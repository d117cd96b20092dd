"""Copies of one text count once, whoever holds them, and thousands of texts take a moment."""

from __future__ import annotations

import random

import pytest

from palimpsest.retrieval import copies
from palimpsest.retrieval.copies import clusters
from palimpsest.retrieval.types import Passage, Source


def passage(text: str, source: str, start: int = 0) -> Passage:
    about = Source(id=f"{source:0>12}", uri=f"test:{source}", title=source, sha256="a" * 64)
    return Passage(id=f"{about.id}-{start}", text=text, source=about, start=start, end=start + len(text))


def prose(seed: int, num_words: int = 60) -> list[str]:
    chosen = random.Random(seed)
    return [chosen.choice(WORDS) for _ in range(num_words)]


def shared(one: list[str], other: list[str]) -> float:
    """The share of runs of five words, counted plainly."""
    a, b = ({tuple(words[at : at + 5]) for at in range(len(words) - 4)} for words in (one, other))
    return len(a & b) / min(len(a), len(b))


WORDS = [f"w{number}" for number in range(3000)]
NEWS = "The ferry from Kelso to Brandt takes ninety-five minutes in summer and two hours in winter, says the harbour."


def test_copies_and_passages_of_one_source_are_one_cluster() -> None:
    found = clusters([
        passage(NEWS, "a"),
        passage("Something else was said of the quay and its cranes by another paper.", "b"),
        passage(f"{NEWS} So wrote the paper.", "c"),
        passage("Cranes are old.", "a", start=200),
    ])  # fmt: skip
    assert list(found.values()) == [0, 1, 0, 0]


def test_a_copy_within_a_longer_text_is_a_copy() -> None:
    """Half of the shorter text's runs: a note that quotes a whole paragraph adds no voice."""
    longer = f"{' '.join(prose(1, 12))}. {NEWS}"
    assert len(set(clusters([passage(NEWS, "a"), passage(longer, "b")]).values())) == 1


def test_words_in_common_do_not_make_a_copy() -> None:
    texts = [NEWS, "In winter the ferry to Brandt says that Kelso takes minutes, and the harbour two hours in summer."]
    assert len(set(clusters([passage(text, str(at)) for at, text in enumerate(texts)]).values())) == 2


def test_short_texts_are_copies_only_when_equal() -> None:
    found = clusters([passage("12 knots", "a"), passage("12 Knots.", "b"), passage("13 knots", "c"), passage("", "d")])
    assert list(found.values()) == [0, 0, 1, 2]


def test_the_same_passage_twice_is_one() -> None:
    assert clusters([passage(NEWS, "a"), passage(NEWS, "a")]) == {passage(NEWS, "a").id: 0}
    assert clusters([]) == {}


def test_near_copies_are_found_among_thousands() -> None:
    """Each of 200 originals has a copy with a tenth of its words changed; no two originals are alike."""
    originals = [prose(seed) for seed in range(200)]
    changed = [[w if random.Random(f"{s}{at}").random() > 0.06 else "other" for at, w in enumerate(o)]
               for s, o in enumerate(originals)]  # fmt: skip
    crowd = [prose(seed) for seed in range(1000, 3000)]
    texts = [" ".join(words) for words in originals + crowd + changed]
    found = list(clusters([passage(text, str(at)) for at, text in enumerate(texts)]).values())
    assert found[:2200] == list(range(2200))
    alike = [at for at, (one, other) in enumerate(zip(originals, changed, strict=True)) if shared(one, other) >= 0.5]
    assert 150 < len(alike) < 200
    assert sum(found[2200 + at] == at for at in alike) >= 0.99 * len(alike)
    assert all(found[2200 + at] >= 2200 for at in set(range(200)) - set(alike))


def test_notes_of_one_form_are_not_copies() -> None:
    notes = [passage(f"Berth log. The barge {prose(n, 1)[0]}{n} lay here and loaded {n} crates of salt, {n * 7} of oak, "
                     f"for {' '.join(prose(n, 40))}.", str(n)) for n in range(1500)]  # fmt: skip
    assert len(set(clusters(notes).values())) == 1500


def test_few_texts_of_a_band_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes of one form meet in the same bands; how many are looked at is bounded, so that the work stays linear."""
    crowd = [passage(f"{NEWS} {' '.join(prose(n, 60))}", str(n)) for n in range(30)]
    assert len(set(clusters(crowd).values())) == 30
    copy = passage(f"{NEWS} {' '.join(prose(29, 60))}", "copy")
    assert clusters([*crowd, copy])[copy.id] == 29
    monkeypatch.setattr(copies, "MOST_COMPARED", 0)
    assert clusters([*crowd, copy])[copy.id] == 30


def test_sources_of_one_origin_count_as_one() -> None:
    """Three newspapers that print one press release in their own words are one source."""
    texts = (
        "The bridge opens in May, says the council.",
        "In May the crossing will open.",
        "Traffic may cross from May on.",
    )
    found = [
        Passage(
            id=f"{n}-0", text=text, start=0, end=len(text),
            source=Source(id=str(n), uri=f"u{n}", title="t", sha256="0", origin="release 12" if n < 2 else ""),
        )
        for n, text in enumerate(texts)
    ]  # fmt: skip
    assert list(clusters(found).values()) == [0, 0, 1]
