"""Sections: groups one can see in the vectors, headings one can find in the sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from palimpsest.agent.outline import (
    MOST_SECTIONS,
    PER_SECTION,
    Section,
    as_one_table,
    by_topic,
    entitled,
    following,
    grouped,
    headings,
    on,
    opened,
    parted,
    placed,
    sections,
    titles_of,
)
from palimpsest.agent.phrases import phrases, stretches, wholeness
from palimpsest.agent.sentences import Chosen, Sentence
from palimpsest.retrieval.types import Passage, Source
from palimpsest.workflows.calibration import report_weights

TOPICS = ("price", "decay", "weight")


def embed(texts: Sequence[str]) -> np.ndarray:
    """A direction for each topic, and one that all texts share."""
    rows = np.array(
        [[1.0, *(float(topic in text.lower()) * 2 for topic in TOPICS)] for text in texts], dtype=np.float32
    )
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def unknown(texts: Sequence[str]) -> dict[str, float]:
    """Nothing was fitted that tells a phrase from a piece of one."""
    return {}


def chosen(text: str, number: int) -> Chosen:
    source = Source(id=f"s{number}", uri=f"note:{number}", title="Note", sha256="0" * 64)
    passage = Passage(id=f"s{number}-0", text=text, source=source, start=0, end=len(text))
    return Chosen((Sentence(passage, 0, len(text), 1),), 3.0 - 2.0 * number)


NO_TITLES = [[""], [""]]
TEXTS = [
    "The market price of oak rose.", "Wood decay sets in after years.", "The dry weight of alder is low.",
    "A high market price was paid for oak.", "Slow wood decay was seen in bogs.", "Its dry weight fell further.",
]  # fmt: skip


def test_like_goes_with_like_and_the_best_section_comes_first() -> None:
    found = sections(
        [chosen(t, n) for n, t in enumerate(TEXTS)], embed(TEXTS), "What is known of posts?", embed, unknown
    )
    assert [[TEXTS.index(c.sentences[0].text) for c in s.chosen] for s in found] == [[0, 3], [1, 4], [2, 5]]
    assert [s.heading for s in found] == ["Market price", "Wood decay", "Dry weight"]


def test_the_section_of_which_most_belongs_is_first() -> None:
    """However much another has: of three at even odds fewer belong than of two at seven to three."""
    texts = [TEXTS[0], TEXTS[1], TEXTS[3], TEXTS[4], TEXTS[0], TEXTS[2], TEXTS[5]]
    odds = [0.0, 0.85, 0.0, 0.85, 0.0, -2.0, -2.0]
    pieces = [replace(chosen(t, n), score=value) for n, (t, value) in enumerate(zip(texts, odds, strict=True))]
    found = parted(pieces, embed(texts))
    assert [[pieces.index(c) for c in part.chosen] for part in found] == [[1, 3], [0, 2, 4], [5, 6]]


def test_what_the_question_asks_about_side_by_side_has_sections_in_its_order() -> None:
    pieces = [chosen(t, n) for n, t in enumerate(TEXTS)]
    fixed = by_topic(pieces, embed(TEXTS), ["weight", "price", "colour"], embed)
    found = sections(pieces, embed(TEXTS), "What is known of the weight, price and colour?", embed, unknown, fixed)
    assert [[TEXTS.index(c.sentences[0].text) for c in s.chosen] for s in found] == [[2, 5], [0, 3], [1, 4]]
    assert [s.heading for s in found] == ["Weight", "Price", "Wood decay"]


def test_a_quotation_is_of_the_topic_that_heads_it_where_it_names_none() -> None:
    texts = [*TEXTS[:1], "It rose again.", *TEXTS[1:3]]
    pieces = [chosen(t, n) for n, t in enumerate(texts)]
    (sentence,) = pieces[1].sentences
    under = sentence.passage.model_copy(update={"path": ("Oak prices",)})
    pieces[1] = Chosen((Sentence(under, 0, sentence.end, 1),), pieces[1].score)
    (group,) = by_topic(pieces, embed(texts), ["price", "decay"], embed)
    assert (group.rows, group.heading) == ((0, 1), "Price")


def test_one_line_that_names_no_topic_joins_the_nearest() -> None:
    texts = [*TEXTS[:2], *TEXTS[3:5], "It rots."]
    pieces = [chosen(t, n) for n, t in enumerate(texts)]
    vectors = embed([*texts[:4], "decay"])
    assert [g.rows for g in by_topic(pieces, vectors, ["price", "decay"], embed)] == [(0, 2), (1, 3, 4)]


def test_a_topic_that_nearly_all_name_parts_nothing() -> None:
    texts = ["The price of oak rose.", "Its price fell.", "A price was paid.", "Wood decay sets in."]
    pieces = [chosen(t, n) for n, t in enumerate(texts)]
    assert by_topic(pieces, embed(texts), ["price", "decay"], embed) == []


def test_the_names_of_columns_head_no_section() -> None:
    """ "Noise outdoors" once stood over what speaks of insulation: every row of a table of heating holds it."""
    pieces = [chosen(t, n) for n, t in enumerate(TEXTS)]
    for n in (0, 3):
        (sentence,) = pieces[n].sentences
        row = sentence.passage.model_copy(update={"kind": "row", "path": (f"Oak price list {n}",)})
        pieces[n] = Chosen((Sentence(row, 0, sentence.end, 1),), pieces[n].score)
    found = sections(pieces, embed(TEXTS), "What is known of posts?", embed, unknown)
    assert [s.heading for s in found] == ["Price list", "Wood decay", "Dry weight"]


def rows_of_one_table(texts: Sequence[str], *numbers: int) -> list[Chosen]:
    """Quotations, those of these numbers rows of one table."""
    pieces = [chosen(t, n) for n, t in enumerate(texts)]
    for n in numbers:
        (sentence,) = pieces[n].sentences
        source = sentence.passage.source.model_copy(update={"id": "ledger"})
        row = sentence.passage.model_copy(update={"kind": "row", "table": 1, "source": source})
        pieces[n] = Chosen((Sentence(row, 0, sentence.end, 1),), pieces[n].score)
    return pieces


def test_rows_of_one_table_stand_in_one_section() -> None:
    """Three rows of costs stood under "Software", "Contractor" and "Total spending"."""
    pieces = rows_of_one_table(TEXTS, 0, 1)
    vectors = as_one_table(pieces, embed(TEXTS))
    assert np.allclose(vectors[0], vectors[1])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
    assert np.allclose(vectors[2:], embed(TEXTS)[2:])
    (part,) = [part for part in parted(pieces, vectors) if pieces[0] in part.chosen]
    assert pieces[1] in part.chosen
    lone = rows_of_one_table(TEXTS, 0)
    assert np.allclose(as_one_table(lone, embed(TEXTS)), embed(TEXTS))


def test_rows_of_one_table_are_of_no_topic_alone() -> None:
    texts = [*TEXTS, "A price was paid.", "The price fell."]
    pieces = rows_of_one_table(texts, 0, 1)
    groups = by_topic(pieces, embed(texts), ["weight", "price"], embed)
    assert [g.rows for g in groups] == [(2, 5), (3, 6, 7)]
    lone = by_topic(rows_of_one_table(texts, 0), embed(texts), ["weight", "price"], embed)
    assert [g.rows for g in lone] == [(2, 5), (0, 3, 6, 7)]


def under(piece: Chosen, title: str, *path: str, uri: str = "note:1") -> Chosen:
    """A quotation as it stands under a title and headings."""
    (sentence,) = piece.sentences
    source = sentence.passage.source.model_copy(update={"id": "s", "title": title, "uri": uri})
    held = sentence.passage.model_copy(update={"source": source, "path": path})
    return Chosen((Sentence(held, 0, sentence.end, 1),), piece.score)


def heads(*parts: Sequence[Chosen], question: str = "What is known?") -> list[str]:
    return [s.heading for s in entitled([Section("", tuple(part)) for part in parts], question)]


def test_a_section_is_headed_by_the_title_that_most_of_it_stands_under() -> None:
    """ "Main causes" once headed a survey of low mood, of words of one of its lines."""
    oak, rot, ash = (chosen(t, n) for n, t in enumerate(TEXTS[:3]))
    prices, decay = "prices of oak", "Decay in bogs"
    mostly = [under(oak, prices), under(rot, prices), under(ash, decay)]
    assert heads(mostly, [under(oak, decay), under(rot, decay)]) == ["Prices of oak", "Decay in bogs"]
    assert heads([under(oak, prices), under(rot, decay)]) == [""]  # half is not most
    assert heads([under(oak, prices)]) == [""]  # nor is one line
    assert heads(mostly, question="What is known of oak prices?") == [""]  # says no more than the question


def test_of_titles_that_head_several_sections_what_stands_below_them_heads_each() -> None:
    oak, rot = (chosen(t, n) for n, t in enumerate(TEXTS[:2]))
    book = "A book of posts"
    dear, rotten = [[under(p, book, chapter) for p in (oak, rot)] for chapter in ("What they cost", "How they rot")]
    assert heads(dear, rotten) == ["What they cost", "How they rot"]
    assert heads(dear) == [book]
    first, second = dear
    (sentence,) = second.sentences
    other = sentence.passage.model_copy(update={"source": sentence.passage.source.model_copy(update={"id": "t"})})
    of_two = Chosen((Sentence(other, 0, sentence.end, 1),), second.score)
    assert heads([first, of_two], [under(p, book) for p in (oak, rot)]) == ["", ""]  # two books' chapters of one name
    given = entitled([Section(book, tuple(rotten)), Section("", tuple(dear))], "What is known?")
    assert [s.heading for s in given] == [book, "What they cost"]


def test_no_title_is_the_name_of_a_file_or_longer_than_a_line() -> None:
    oak, rot = (chosen(t, n) for n, t in enumerate(TEXTS[:2]))
    for name in ("posts.csv", "posts"):
        assert heads([under(p, name, uri="/notes/posts.csv") for p in (oak, rot)]) == [""]
    assert heads([under(p, "posts", uri="https://example.org/wiki/posts") for p in (oak, rot)]) == ["Posts"]
    long = f"Posts of oak: {'a very long trial of posts of oak ' * 3}"
    assert heads([under(p, long) for p in (oak, rot)]) == ["Posts of oak"]
    assert heads([under(p, long.replace(":", "")) for p in (oak, rot)]) == [""]


@pytest.mark.parametrize(
    ("title", "heads"),
    [
        ("7. Conclusions", ""),
        ("Key points", ""),
        ("What we found", ""),
        ("2.1 Effects on trout", "Effects on trout"),
        ("IV. The price of salt", "The price of salt"),
        ("4 What else could be done", "What else could be done"),
        ("12 months of beavers", "12 months of beavers"),
        ("4 months of beavers", "4 months of beavers"),
        ("1.5 degrees of warming", "1.5 degrees of warming"),
        ("E. coli in lakes", "E. coli in lakes"),
        ("Results of the toll vote", "Results of the toll vote"),
    ],
)
def test_what_parts_of_any_text_are_called_heads_nothing(title: str, heads: str) -> None:
    """ "7. Conclusions" headed a section of a report on beavers."""
    note = Source(id="a", uri="note:a", title="Beavers", sha256="a" * 64)
    held = Passage(id="a-0", text="They slow water.", source=note, start=0, end=16, path=(title,))
    assert titles_of(held) == ["Beavers", *filter(None, [heads])]


def test_what_stands_under_one_title_is_more_alike() -> None:
    pieces = [
        under(chosen(t, n), title) for n, (t, title) in enumerate(zip(TEXTS, ["Price", "Decay"] * 3, strict=True))
    ]
    vectors = embed(TEXTS)
    moved = placed(pieces, vectors, embed)
    assert np.linalg.norm(moved, axis=1) == pytest.approx(1.0, abs=1e-6)
    assert moved[0] @ moved[2] > vectors[0] @ vectors[2]
    assert placed([], vectors[:0], embed).shape == (0, 4)


def test_of_things_that_are_compared_each_has_what_names_it_alone() -> None:
    """What names both is on neither; what names none is on the one that its passage names."""
    texts = [
        "The price rose.",
        "It fell.",
        "Price and decay are bound.",
        "Decay sets in.",
        "A slow decay.",
        "It is so.",
    ]
    pieces = [chosen(t, n) for n, t in enumerate(texts)]
    (sentence,) = pieces[1].sentences
    wide = sentence.passage.model_copy(update={"text": "It fell. That was the price of oak."})
    pieces[1] = Chosen((Sentence(wide, 0, sentence.end, 1),), pieces[1].score)
    things = ["price", "decay"]
    assert [on(p, things, compared=True) for p in pieces] == [[0], [0], [0, 1], [1], [1], []]
    assert on(pieces[1], things) == []
    one = by_topic(pieces[:5], embed(texts[:5]), things, embed, compared=True)
    assert [g.rows for g in one] == [(0, 1), (3, 4)]  # what names both joins neither
    groups = by_topic(pieces, embed(texts), things, embed, compared=True)
    assert [(g.rows, g.heading) for g in groups] == [((0, 1), "Price"), ((3, 4), "Decay")]
    only = by_topic(pieces[3:5], embed(texts[3:5]), things, embed, compared=True)
    assert [g.rows for g in only] == [(0, 1)]  # however much of the report is on one


def test_what_leans_on_another_stands_directly_behind_it() -> None:
    first, gap, second = "Oak is dear.", " ", "However, it lasts."
    text = first + gap + second
    source = Source(id="s", uri="note:s", title="Note", sha256="0" * 64)
    passage = Passage(id="s-0", text=text, source=source, start=0, end=len(text))
    lead, leaning = (
        Chosen((Sentence(passage, start, end, 1),), 1.0)
        for start, end in ((0, len(first)), (len(first) + 1, len(text)))
    )
    pieces = [leaning, chosen("Alder rots.", 1), chosen("Elm is rare.", 2), lead, chosen("Pine is cheap.", 4)]
    assert following([[0, 1, 2], [3, 4]], pieces) == [[1, 2], [3, 0, 4]]
    assert following([[0, 1, 3, 2, 4]], pieces) == [[1, 3, 0, 2, 4]]
    assert following([[0, 1], [2, 3, 4]], pieces) == [[0, 1], [2, 3, 4]]  # no heading over one thin line
    unrelated = [chosen("However, it lasts.", 9), *pieces[1:]]
    assert following([[0, 1, 2], [3, 4]], unrelated) == [[0, 1, 2], [3, 4]]


def test_a_heading_says_more_than_the_question_and_heads_one_section_only() -> None:
    groups = [["Slow wood decay was seen."], ["Fast wood decay was seen."]]
    centres = embed(["decay", "decay"])
    assert "Wood decay" not in headings(groups, NO_TITLES, centres, "What is known of wood decay?", embed, unknown)
    assert len(set(headings(groups, NO_TITLES, centres, "What is known?", embed, unknown))) == 2
    assert headings([["It is so."], ["So it was."]], NO_TITLES, centres, "?", embed, unknown) == ["", ""]


def test_no_two_headings_are_forms_of_one() -> None:
    """ "Cycle helmet" and "Cycle helmets" headed two sections of one report."""
    groups = [["Of the kiln walls it is so."], ["Of a kiln wall it is not."]]
    found = headings(groups, NO_TITLES, embed(["walls", "wall"]), "What is known?", embed, unknown)
    assert found == ["Kiln walls", ""]


def test_a_conjunction_heads_nothing() -> None:
    assert not any(
        "whereas" in s.phrase for s in stretches("Adults rode again, whereas teenage riders had hardly moved.")
    )


def test_a_section_is_headed_by_what_most_of_it_shares_or_stands_under() -> None:
    """Each phrase is as near to the section as the next: one sentence's own says less of it."""
    near = np.ones((1, 4), dtype=np.float32) / 2

    def level(texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(texts), 4), dtype=np.float32) / 2

    texts = [["Dead trees rot.", "Slow decay was seen.", "A slow decay spares piers."]]
    assert headings(texts, [["", "", ""]], near, "What is known?", level, unknown) == ["Slow decay"]
    under = [["", "Years of rapid loss", "Years of rapid loss"]]
    assert headings([["Dead trees rot.", "It is so.", "So it was."]], under, near, "?", level, unknown) == [
        "Rapid loss"
    ]


def test_a_heading_is_no_other_form_of_what_is_asked() -> None:
    groups, one = [["A wood decay was seen, and a low price."]], embed(["decay"])
    assert "decay" not in headings(groups, [[""]], one, "What is known of decays of woods?", embed, unknown)[0]


def test_phrases_end_at_function_words_and_marks() -> None:
    found = phrases(["Oak posts, dry alder (old piles) of the pier rot.", "Old piles rot."])
    assert found["old piles"] == 2 or found["Old piles"] == 2
    assert "posts dry" not in found
    assert "piles of" not in {p.casefold() for p in found}


def test_a_piece_of_a_phrase_heads_a_section_only_where_there_is_nothing_else() -> None:
    groups = [["Fast wood decay obeying was seen."], ["Market price rose."]]

    def whole(texts: Sequence[str]) -> dict[str, float]:
        return {p.casefold(): float("obeying" not in p and "price rose" not in p) for p in phrases(texts)}

    def pieces(texts: Sequence[str]) -> dict[str, float]:
        return dict.fromkeys((p.casefold() for p in phrases(texts)), 0.0)

    centres = embed(["decay", "price"])
    assert headings(groups, NO_TITLES, centres, "What is known?", embed, whole)[1] == "Market price"
    assert "obeying" not in headings(groups, NO_TITLES, centres, "What is known?", embed, whole)[0]
    assert all(headings(groups, NO_TITLES, centres, "What is known?", embed, pieces))


def test_a_stretch_knows_what_stands_beside_it() -> None:
    found = {s.phrase: s for s in stretches("Input of cortical neural networks obeying rules (often) fails.")}
    assert (found["neural networks"].before, found["neural networks"].after) == ("cortical", "obeying")
    assert (found["neural networks"].is_first, found["neural networks"].is_last) == (False, False)
    whole = found["cortical neural networks obeying"]
    assert (whole.before, whole.is_first, whole.after) == ("of", True, "rules")
    assert found["obeying rules"].after == "mark"
    assert list(stretches("")) == []


def test_the_classifier_that_comes_with_the_model_tells_phrases_from_pieces() -> None:
    fitted = report_weights().phrases
    assert fitted is not None
    found = wholeness(
        [
            "The activity of cortical neural networks obeying a power law was measured.",
            "Input heterogeneity regulates spike rates in the motor cortex.",
            "We examined blood pressure among older patients.",
        ],
        fitted,
    )
    assert found["neural networks"] > found["networks obeying"]
    assert found["motor cortex"] > found["heterogeneity regulates spike"]
    assert found["blood pressure"] > found["examined blood"]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 12, 60])
def test_every_quotation_is_in_one_section_and_no_section_is_thin(count: int) -> None:
    rng = np.random.default_rng(count)
    vectors = rng.normal(size=(count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = sections([chosen(f"Sentence {n}.", n) for n in range(count)], vectors, "?", embed, unknown)
    places = [c.sentences[0].passage.id for s in found for c in s.chosen]
    assert sorted(places) == sorted(f"s{n}-0" for n in range(count))
    assert len(found) <= MOST_SECTIONS
    assert min(len(s.chosen) for s in found) >= min(PER_SECTION, count)


def test_the_same_rows_make_the_same_groups_and_equal_rows_one_that_holds_all() -> None:
    rows = embed(TEXTS)
    assert grouped(rows, 3) == grouped(rows, 3) == [[0, 3], [1, 4], [2, 5]]
    assert sum(map(len, grouped(np.ones((6, 3), dtype=np.float32), 3))) == 6
    assert sections([], np.zeros((0, 4), dtype=np.float32), "?", embed, unknown) == []


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [("salt cargo", "Salt cargo"), ("dInfer speeds", "dInfer speeds"), ("d3LLM", "d3LLM"), ("", "")],
)
def test_a_heading_opens_with_a_capital_but_for_names_written_small(phrase: str, expected: str) -> None:
    assert opened(phrase) == expected


def test_a_name_with_its_verb_heads_nothing() -> None:
    fitted = report_weights().phrases
    assert fitted is not None
    found = wholeness(
        [
            "Marisa-7 carries 40 tons of salt.", "Neutrality cannot be kept by mercenaries.", "The old toll rises in spring.",
            "Wind significantly slows the barges.", "Plans to improve dry docks were made.",
        ],
        fitted,
    )  # fmt: skip
    pieces = ("marisa-7 carries", "toll rises", "wind significantly", "improve dry")
    assert all(found.get(piece, 0.0) == 0 for piece in pieces)
    assert "neutrality cannot" not in found
    assert found["old toll"] > 0
    assert found["dry docks"] > 0


@pytest.mark.parametrize(
    ("text", "phrase", "is_name"),
    [
        (
            "The baseline of dKV-Cache decodes 1 token per step.",
            "dKV-Cache decodes",
            False,
        ),  # unknown to the tagger there
        ("dKV-Cache stores the key of a token.", "dKV-Cache stores", False),  # a plural for the tagger
        ("Corner stores of Orta close at noon.", "Corner stores", True),
        ("At noon all corner stores, the baker too, close.", "corner stores", True),
        ("There was a 29 per cent fall in prices.", "cent fall", False),
        ("A cent fall in prices was seen.", "cent fall", True),
    ],
)
def test_a_verb_that_looks_like_a_noun_heads_nothing(text: str, phrase: str, is_name: bool) -> None:
    assert {s.phrase: s.is_name for s in stretches(text)}[phrase] is is_name


def test_the_section_that_holds_the_most_of_what_belongs_is_first() -> None:
    """One likely short quotation is less than several; length is no merit."""
    texts = [f"The price of salt rose in year {n}." for n in range(3)] + [
        "The weight of a load is small and stays so."
    ] * 2
    source = Source(id="s", uri="note:s", title="Lake", sha256="s" * 64)
    chosen = []
    for n, (text, score) in enumerate(zip(texts, (0.0, 0.0, 0.0, 0.5, -0.5), strict=True)):
        held = Passage(id=f"s-{n}", source=source, text=text, start=100 * n, end=100 * n + len(text))
        chosen.append(Chosen((Sentence(held, held.start, held.end, n + 1),), score))
    made = sections(chosen, embed(texts), "What shapes the trade?", embed, unknown)
    assert [{c.score for c in section.chosen} for section in made] == [{0.0}, {0.5, -0.5}]
    turned = [Chosen(c.sentences, c.score + 3.0 * (n > 2)) for n, c in enumerate(chosen)]
    first, *_ = sections(turned, embed(texts), "What shapes the trade?", embed, unknown)
    assert len(first.chosen) == 2, "surer ones count for more"


@pytest.mark.parametrize("text", ["Four cows graze here.", "Few cameras were sold.", "The second threshold is low."])
def test_what_counts_is_no_name(text: str) -> None:
    """ "Four cows" headed what causes lameness, "Many states" the arguments of a debate."""
    known = wholeness([text, "Old mills grind corn here."], report_weights().phrases)
    counting = " ".join(text.casefold().removeprefix("the ").split()[:2])
    assert known[counting] == 0.0
    assert known["old mills"] > 0.0
