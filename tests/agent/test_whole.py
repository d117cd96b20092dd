"""What a sentence is quoted with, and quotations parted and joined."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from palimpsest.agent.sentences import Chosen, Sentence, place_of, sentences_of
from palimpsest.agent.whole import heads_paragraph, part_of, quoted_with, remaining, standing, told_once
from palimpsest.agent.wording import leans
from palimpsest.retrieval.types import Hit, Passage, Source

from .pieces import ALDER, OAK, passage, sentences, split


def test_a_quotation_takes_the_sentence_that_brings_in_what_it_speaks_of() -> None:
    found = sentences(
        passage(
            "c",
            "Salt is dear in all of the towns. A survey of the crews was made in spring. The survey cannot show the reason why.",
        )
    )
    whole = standing(Chosen((found[2],), 1.0), split)
    assert [s.text for s in whole.sentences] == [s.text for s in found[1:]]


def test_a_reply_takes_its_question_and_a_question_takes_nothing() -> None:
    """ "No. Fish and beavers lived together" once stood alone, and a question with the end of the answer before it."""
    assert leans("No, trout like ponds.")
    assert not leans("No trout was harmed.")
    texts = ["The licence is free.", "Do they harm trout?", "No. Trout like ponds."]
    text = f"{texts[0]}\n\n{texts[1]} {texts[2]}"
    cut = tuple((text.index(t), text.index(t) + len(t)) for t in texts)
    held = passage("c", text).model_copy(update={"sentences": cut})
    whole = standing(Chosen((Sentence(held, *cut[2], 1),), 1.0), split)
    assert whole.text == f"{texts[1]} {texts[2]}"


def test_a_quotation_that_leans_takes_the_sentence_before_it() -> None:
    found = sentences(OAK)
    whole = standing(Chosen((found[1],), 1.0), split)
    assert [s.text for s in whole.sentences] == [s.text for s in found]
    assert standing(Chosen((found[0],), 1.0), split).sentences == (found[0],)
    alone = sentences(passage("c", "It was never built again after that."))
    assert len(standing(Chosen((alone[0],), 1.0), split).sentences) == 1


@pytest.mark.parametrize(
    ("text", "before", "kept"),
    [
        ("This would become a dispute of three states.", "s-0", False),
        ("These also leak in most winters.", "s-0", False),
        ("This would become a dispute of three states.", None, True),
        ("This weir became a dispute of three states.", "s-0", True),
        ("However, alder is sold by the yard.", "s-0", True),
    ],
)
def test_what_the_passage_before_speaks_of_is_not_quoted_alone(text: str, before: str | None, kept: bool) -> None:
    """ "This would later become a contentious issue" stood alone in a report: its treaty was at the end of the passage before."""
    source = Source(id="s", uri="note:s", title="Weirs", sha256="0" * 64)
    held = Passage(id="s-90", text=text, source=source, start=90, end=90 + len(text), before=before)
    sentence = Sentence(held, 90, 90 + len(text), 1)
    assert bool(quoted_with(sentence, lambda words: [(0, len(words))])) is kept


def test_a_part_of_a_quotation_keeps_who_says_the_same_as_it() -> None:
    salt, rust, twin = sentences(
        passage("a", "Salt pays well on the lake. Rust eats all the old nails."),
        passage("b", "On the lake salt pays well."),
    )
    whole = Chosen((salt, rust), 1.0, also=(twin,))
    assert [part_of(whole, [s]).also for s in (salt, rust)] == [(twin,), ()]


def test_no_sentence_is_told_twice() -> None:
    found = sentences(ALDER, OAK)
    one, other = Chosen(tuple(found[:2]), 1.0), Chosen((found[1], found[2]), 2.0)
    (whole,) = told_once([one, other])
    assert ([s.start for s in whole.sentences], whole.score) == ([s.start for s in found[:3]], 2.0)
    assert told_once([one, Chosen((found[3],), 1.0)]) == [one, Chosen((found[3],), 1.0)]


def test_what_is_taken_leaves_the_rest_of_a_quotation_where_it_stands_by_itself() -> None:
    first, second, third, fourth = sentences(
        passage(
            "aa",
            "Marisa carries salt and tin today. It pays her crew of four. Tolomeo carries oak planks. A gale sank it last March.",
        )
    )
    whole, other = Chosen((first, second, third, fourth), 1.0), Chosen((fourth,), 0.5)
    rest = remaining([whole], [place_of(first)])
    assert [c.text for c in rest] == [f"{third.text} {fourth.text}"]  # "It pays" leans on what is gone
    assert [c.text for c in remaining([whole], [place_of(third)])] == [f"{first.text} {second.text}", fourth.text]
    assert remaining([whole, other], [("bb", first.start, first.end)]) == [whole, other]
    assert remaining([other], [place_of(whole)]) == []


def test_a_heading_run_into_its_paragraph_is_no_statement_and_goes_with_the_first() -> None:
    """ "Heel pain (6 trials)." stood among the findings, and what was found stood without the heel."""
    text = "Heel pain (6 trials). It fell by 1.9 points. The crew agrees.\n\nNo effect on tolls was seen. Weirs leak."
    held = passage("c", text)
    places = [
        (text.index(t), text.index(t) + len(t))
        for t in ("Heel pain (6 trials).", "It fell by 1.9 points.", "No effect on tolls was seen.")
    ]
    head, first, other = (Sentence(held, a, b, 1) for a, b in places)
    assert [heads_paragraph(s) for s in (head, first, other)] == [True, False, False]
    cut = held.model_copy(update={"sentences": tuple(places[:2])})
    head, first = (Sentence(cut, a, b, 1) for a, b in places[:2])
    plain = replace(first, passage=cut.model_copy(update={"text": text.replace("It fell", "We fell")}))
    assert standing(Chosen((plain,), 1.0), split).text.startswith("Heel pain (6 trials). We fell")
    whole = Chosen((head, first), 1.0)
    assert remaining([whole], [place_of(first)]) == []
    assert [c.sentences for c in remaining([whole], [place_of(head)])] in ([], [(first,)])
    alone = Sentence(passage("d", "Heel pain (6 trials)."), 0, 21, 1)
    assert not heads_paragraph(alone)


LISTED = """The kiln is judged by three tests:

- no pot cracks
- gas under 40 cubic metres;

- the glaze is even

The potters met twice. They ate."""


def _lines(text: str) -> list[tuple[int, int]]:
    """Sentences end with a line and at ". "; marks of items belong to none."""
    found = []
    for line in re.finditer(r"[^\n]+", text):
        start = line.start() + 2 * line[0].startswith("- ")
        pieces = re.finditer(r"\S.*?(?:\.(?= )|$)", text[start : line.end()])
        found += [(start + piece.start(), start + piece.end()) for piece in pieces]
    return found


def test_a_sentence_that_ends_in_a_colon_brings_its_list() -> None:
    found = sentences_of([Hit(passage=passage("k", LISTED), score=1.0)], _lines)
    whole = standing(Chosen((found[0],), 1.0), _lines)
    assert whole.text == LISTED[: LISTED.index("\n\nThe potters")]
    assert [s.text for s in quoted_with(found[0], _lines)] == [s.text for s in whole.sentences]
    cut = sentences_of([Hit(passage=passage("k", LISTED[: LISTED.index("\n")]), score=1.0)], _lines)
    assert quoted_with(cut[0], _lines) == ()


def test_what_brings_in_a_list_goes_with_it() -> None:
    found = sentences_of([Hit(passage=passage("k", LISTED), score=1.0)], _lines)
    whole = standing(Chosen((found[0],), 1.0), _lines)
    assert remaining([whole], [place_of(item) for item in whole.sentences[1:]]) == []
