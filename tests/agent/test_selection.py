"""Choosing the sentences of a report: hand-made passages, vectors one can see through, weights of one feature."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from palimpsest.agent.describing import CONCLUSION, FEATURES, RESULT, Embedded, asking, described
from palimpsest.agent.naming import as_said, names_thing, speaks_of
from palimpsest.agent.selection import Scored, select, telling
from palimpsest.agent.sentences import Chosen, Sentence, place_of, sentences_of
from palimpsest.agent.weighing import CONTEXT, SelectionWeights, Weighing, in_context, scores
from palimpsest.agent.whole import heads_paragraph, part_of, quoted_with, remaining, standing, told_once
from palimpsest.agent.wording import LinearText, asks, leans, takes_up
from palimpsest.retrieval.types import Cell, Hit, Passage, Source

PARTS = LinearText(
    labels=("aim", CONCLUSION, RESULT), offsets=(0.0, -0.5, 0.0), weights=((0,) * 16, (0,) * 16, tuple(range(16)))
)


def split(text: str) -> list[tuple[int, int]]:
    """Sentences end at ". "."""
    found, start = [], 0
    for piece in text.split(". "):
        end = min(start + len(piece) + 1, len(text))
        found.append((start, end))
        start = end + 1
    return found


def passage(source: str, text: str, start: int = 0) -> Passage:
    note = Source(id=source, uri=f"note:{source}", title=f"Note {source}", sha256=source * 8)
    return Passage(id=f"{source}-{start}", text=text, source=note, start=start, end=start + len(text))


def sentences(*passages: Passage) -> list[Sentence]:
    return sentences_of([Hit(passage=p, score=1.0) for p in passages], split)


def scored(found: list[Sentence], values: list[float], vectors: np.ndarray | None = None) -> list[Scored]:
    rows = np.eye(len(found), dtype=np.float32) if vectors is None else vectors
    return [Scored(s, v, row) for s, v, row in zip(found, values, rows, strict=True)]


ALDER = passage(
    "a", "Alder wood soon rots in the air. Under water it lasts for centuries. Short one. Many piles were driven there."
)
OAK = passage("b", "Posts of oak cost twice as much as alder. However, they last longer in air.", start=40)


def test_sentences_are_those_of_the_passages_in_the_sources_offsets() -> None:
    found = sentences(ALDER, OAK, ALDER)
    assert [s.text for s in found[:2]] == ["Alder wood soon rots in the air.", "Under water it lasts for centuries."]
    assert "Short one." not in [s.text for s in found]
    assert [s.rank for s in found] == [1, 1, 1, 2, 2]
    assert found[3].start == 40
    assert OAK.text[found[4].start - 40 : found[4].end - 40] == found[4].text


def test_sentences_cut_at_indexing_are_taken_as_they_are() -> None:
    cut = ALDER.model_copy(update={"sentences": ((0, 67),)})
    assert [(s.start, s.end) for s in sentences(cut)] == [(0, 67)]


def test_a_label_on_a_line_of_its_own_is_no_part_of_the_sentence() -> None:
    (found,) = sentences(passage("a", "Main conclusions\nAlder lasts for centuries."))
    assert (found.text, found.start) == ("Alder lasts for centuries.", 17)
    wrapped = "Under water alder lasts\nfor centuries and more."
    assert [s.text for s in sentences(passage("a", wrapped))] == [wrapped]


def table(question: str, found: list[Sentence]) -> np.ndarray:
    vectors = np.eye(len(found), dtype=np.float32)
    return described(question, found, Embedded(vectors[:1], vectors, np.arange(3.0 * len(found)).reshape(-1, 3)), PARTS)


def column(name: str, found: np.ndarray) -> list[float]:
    return [float(v) for v in found[:, FEATURES.index(name)]]


def test_features_are_what_they_are_called() -> None:
    found = sentences(ALDER, OAK)
    features = table("How long does alder wood last under water?", found)
    assert column("cosine", features) == [1, 0, 0, 0, 0]
    assert column("first", features) == [1, 0, 0, 1, 0]
    assert column("last", features) == [0, 0, 1, 0, 1]
    overlap = column("overlap", features)
    assert overlap[1] > overlap[2] == 0
    assert len(set(column("finding", features))) > 1
    assert column("late_passage", features) == [1, 4, 7, 10, 13]


def test_words_that_every_passage_holds_tell_nothing() -> None:
    found = sentences(
        passage("a", "The alder of the shore is old and grey."), passage("b", "The oak of the hill is young and green.")
    )
    overlaps = column("overlap", table("What is the age of the oak", found))
    assert 2 * overlaps[0] < overlaps[1]


def test_nothing_found_is_a_table_without_rows() -> None:
    nothing = Embedded(*(np.zeros((n, 3), dtype=np.float32) for n in (1, 0, 0)))
    assert described("?", [], nothing, PARTS).shape == (0, len(FEATURES))
    assert select([], 4000, 0.2) == []


def test_a_question_is_asked_whole_and_by_its_clauses() -> None:
    question = "Crossbow or longbow: how did they compare in power, training, and use?"
    assert asking(question) == [question, "how did they compare in power,"]
    assert asking("Who won?") == ["Who won?"]


def weighing(**chosen: float) -> Weighing:
    names = tuple(chosen)
    zeros, ones = (0.0,) * len(names), (1.0,) * len(names)
    return Weighing(features=names, mean=zeros, scale=ones, weights=tuple(chosen.values()), relative=zeros, offset=-1)


def test_a_weighing_is_linear_in_the_features_and_their_distance_from_the_others() -> None:
    features = table("alder?", sentences(ALDER, OAK))
    assert list(weighing(cosine=2.0).scores(features, FEATURES)) == [1, -1, -1, -1, -1]
    relative = weighing(cosine=0.0).model_copy(update={"relative": (1.0,)})
    assert list(relative.scores(features, FEATURES)) == pytest.approx([1, -1.5, -1.5, -1.5, -1.5], abs=1e-4)


def test_the_second_weighing_sees_what_stands_around_a_sentence_and_what_is_like_it() -> None:
    """The first says that only the first sentence of ALDER is likely: its passage is raised, OAK's is not."""
    found = sentences(ALDER, OAK)
    vectors = np.array([[1, 0], [0, 1], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    first = np.array([2.0, -4.0, -4.0, -4.0, -4.0])
    likely, unlikely = 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(4))
    context = dict(zip(CONTEXT, in_context(found, vectors, first).T, strict=True))
    assert list(context["score_before"]) == [1, 2, -4, -5, -4]
    assert list(context["best_of_passage"]) == pytest.approx([unlikely, likely, likely, unlikely, unlikely])
    assert list(context["sum_of_source"]) == pytest.approx(
        [2 * unlikely, likely + unlikely, likely + unlikely, unlikely, unlikely]
    )
    assert context["likely_agreement"][3] > context["likely_agreement"][4]
    assert context["likely_neighbours"][3] > 10 * context["likely_neighbours"][4]
    assert context["order"][0] == 1
    weights = SelectionWeights(first=weighing(cosine=1.0), second=weighing(best_of_passage=1.0), stop=0, passages=1)
    whole = scores(table("alder?", found), found, vectors, weights)
    assert whole[1] > whole[3]


def test_the_best_come_first_and_neighbours_become_one_quotation() -> None:
    found = sentences(ALDER, OAK)
    chosen = select(scored(found, [1.0, 3.0, -9.0, 2.0, -9.0]), 120, stop=0.0)
    assert [[s.text[:5] for s in c.sentences] for c in chosen] == [["Alder", "Under"], ["Posts"]]
    assert chosen[0].text == ALDER.text[:68]
    assert (chosen[0].start, chosen[0].end, chosen[0].score) == (0, 68, 3.0)


def test_taking_stops_at_the_budget_and_where_the_rest_is_unlikely() -> None:
    found = sentences(ALDER, OAK)
    values = [3.0, 2.9, 2.8, 2.7, -2.9]
    assert sum(len(c.sentences) for c in select(scored(found, values), 70, stop=0.0)) == 2
    assert sum(len(c.sentences) for c in select(scored(found, values), 4000, stop=0.2)) == 4
    assert sum(len(c.sentences) for c in select(scored(found, values), 4000, stop=0.0)) == 5


def test_a_folder_that_speaks_of_something_else_does_not_fill_a_report() -> None:
    """Where the best is not likely either, a share of it would take all: a folder of ferries and bread, asked about eels."""
    found = sentences(ALDER, OAK)
    unlikely = [-2.8, -3.0, -3.1, -3.2, -3.3]  # probabilities of .057 to .036
    assert sum(len(c.sentences) for c in select(scored(found, unlikely), 4000, stop=0.08)) == 3


def test_with_thrift_a_short_sentence_comes_before_a_long_one_that_is_about_as_likely() -> None:
    long, short, unlikely = sentences(
        passage("aa", f"Marisa carries {'salt and ' * 20}tin. Tolomeo carries planks of oak. Orta has a pier of stone.")
    )
    held = scored([long, short, unlikely], [1.1, 1.0, -4.0])
    assert [c.sentences[0] for c in select(held, 100, stop=0.0)] == []
    assert [c.sentences[0] for c in select(held, 70, stop=0.0, thrift=0.3)] == [short]
    assert [s for c in select(held, 4000, stop=0.0, thrift=0.3) for s in c.sentences][-1] == unlikely


def twins(*texts: str) -> list[Chosen]:
    found = sentences(*(passage("abc"[n], text) for n, text in enumerate(texts)))
    return select(
        scored(found, [3.0, 2.0, 1.0][: len(found)], np.ones((len(found), 1), dtype=np.float32)), 4000, stop=0.0
    )


def test_what_two_sources_say_alike_is_said_once_with_both() -> None:
    (one,) = twins("Alder lasts 300 years under water.", "Under water alder lasts for 300 years.")
    assert [s.passage.source.id for s in one.sentences] == ["a"]
    assert [s.passage.source.id for s in one.also] == ["b"]


@pytest.mark.parametrize("other", ["Alder lasts 200 years under water.", "Alder lasts not 300 years under water."])
def test_another_figure_or_a_not_is_another_statement(other: str) -> None:
    assert len(twins("Alder lasts 300 years under water.", other)) == 2


OPINIONS = (
    "Zoos teach children to care.",
    "Zoos make the young care for nature.",
    "Zoos do not teach children to care.",
)


def near(*found: Passage) -> list[str]:
    """What is taken of passages whose sentences all lie near to each other."""
    held = sentences(*found)
    vectors = np.array([[0.9, *row] for row in 0.436 * np.eye(len(held))], dtype=np.float32)
    return [s.text for c in select(scored(held, [3.0] * len(held), vectors), 4000, stop=0.0) for s in c.sentences]


def test_of_statements_that_are_their_own_sources_one_of_each_point_is_taken() -> None:
    one, _, against = OPINIONS
    assert near(*(passage("abc"[n], text) for n, text in enumerate(OPINIONS))) == [one, against]


def test_sentences_of_longer_texts_that_are_as_near_are_each_taken() -> None:
    more = " The gate opens at nine."
    assert near(*(passage("abc"[n], text + more) for n, text in enumerate(OPINIONS))) == list(OPINIONS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("However, they last longer.", True),
        ("It lasts for centuries.", True),
        ("This is why.", True),
        ("This study found oak to last.", False),
        ("In this paper, oak is found to last.", False),
        ("This allows the miller to wait.", True),
        ("These barges carry salt.", True),
        ("The toll of these barges rose.", True),
        ("Dried under this roof, oak lasts for longer.", True),
        ("In that study, oak lasted.", True),
        ("Such a toll is rare.", True),
        ("Woods such as oak last.", False),
        ("Those who ship salt pay a toll.", False),
        ("Millers know that oak lasts.", False),
        ("Third, the toll rose.", True),
        ("Third parties pay the toll.", False),
        ("In contrast, alder rots.", True),
        ("Since then the sluice opens by itself.", True),
        ("Since 1901 the sluice opens by itself.", False),
        ("In contrast to oak, alder rots.", False),
        ("On the other hand, alder is cheap.", True),
        ("The latter rots.", True),
        ("The other weir lets no barge pass.", True),
        ("Others ship tin.", True),
        ("is one of the oldest mills of Orta.", True),
        ("is salt dear?", False),
        ("salt is dear", False),
        ("Other weirs let barges pass.", False),
        ("Oak lasts.", False),
        ("", False),
        ("As they sink in the mud, some piles break.", True),  # ahead of all nouns
        ("In 1939 he fled to Orta.", True),
        ("Although the mill was old, they kept it.", False),
        ("A smaller one, the weir of Como, was built in the same year.", True),
        ("Recently, millers have achieved good results with this method.", True),  # behind the first verb
        ("The new barge exceeds that record.", True),
        ("SDAR-30B exceeds that record by 188 tokens per second.", True),
        ("Marisa broke that record in May, and leaks.", True),
        ("Millers note that weirs of the lake (which are old) leak.", False),
        ("Millers note that weirs of the lake, which are old, leak.", False),
        ("The weir is an old one.", False),
        ("Barges carry stone, which makes those quays busy.", False),  # a clause ahead of it may have named them
        ("Salt is sold by an engine that runs all day.", False),
        ("Millers often use passwords that are short.", False),
        ("Both weirs were closed.", True),
        ("Both Orta and Como have weirs.", False),
        ("2) salt is dear.", True),
        ("The second approach is cheaper, but it needs volunteers.", True),
        ("The first approach is cheaper.", False),
        ("The second mill of Orta is cheaper.", False),
        ("Iodine is the other worry.", True),
        ("One weir leaks, the other weir holds.", False),
        ("Each weir supports the other.", False),
        ("That's still too long for a wait.", True),
        ("Among people under 50 it was 3%.", True),
        ("In the January count it was 83% of the trade.", True),
        ("In winter it rains on the lake.", False),
        ("With 40 arches it is the longest viaduct.", False),
        ("No. 7 mill was built in 1850.", False),
        ("In spring it is clear that tolls fall.", False),
        ("For most farms it costs 4 crowns to cut a hedge.", False),
        ("In Orta the mill burned before it was sold.", False),
    ],
)
def test_a_sentence_that_points_back_leans(text: str, expected: bool) -> None:
    assert leans(text) is expected


@pytest.mark.parametrize(
    ("text", "before", "expected"),
    [
        ("The survey cannot show why.", "A survey of 1,900 residents found fewer days of low mood.", True),
        ("The two old mills burned.", "One of two mills was sold.", True),
        ("The survey cannot show why.", "The survey of 1,900 residents was cheap.", False),  # known before
        ("The harbour is deep.", "A survey found that.", False),
        ("Surveys cannot show why.", "A survey was made.", False),
        ("The survey", "", False),
        ("", "A survey was made.", False),
    ],
)
def test_what_was_just_brought_in_is_taken_up(text: str, before: str, expected: bool) -> None:
    assert takes_up(text, before) is expected


def test_a_quotation_takes_the_sentence_that_brings_in_what_it_speaks_of() -> None:
    found = sentences(
        passage(
            "c",
            "Salt is dear in all of the towns. A survey of the crews was made in spring. The survey cannot show the reason why.",
        )
    )
    whole = standing(Chosen((found[2],), 1.0), split)
    assert [s.text for s in whole.sentences] == [s.text for s in found[1:]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Residents asked whether the weir had been protecting the village.", True),
        ("The board wonders why the tolls fell.", True),
        ("Do weirs protect the village?", True),
        ("When asked whether weirs help, two in three said no.", False),
        ("We asked 87 anglers how often they fish.", False),
        ("Asked the same, most anglers objected.", False),
        ("How a weir works was never asked.", False),
        ("No weir protects the village.", False),
        ("Patients were asked whether they preferred video and most did.", False),
        ("The board asked the miller who owns the weir to repair it.", False),
        ("Nobody asked when the dam broke so no record exists.", False),
        ("Asking 20 millers why tolls fell was dear.", False),
    ],
)
def test_what_only_asks_states_nothing(text: str, expected: bool) -> None:
    assert asks(text) is expected


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


def test_what_is_quoted_with_a_sentence_counts_and_what_asks_is_not_quoted() -> None:
    asking_one = passage("c", "Does oak last for longer than alder does?")
    found = sentences(OAK, asking_one, passage("d", "Oak lasts for sixty years in air."))
    values = [0.0, 5.0, 4.0, 3.0]  # "However, they last …" is the best, and needs the sentence before it

    def taken(characters: int) -> list[str]:
        chosen = select(scored(found, values), characters, stop=0.0, whole=lambda s: quoted_with(s, split))
        return [c.text for c in chosen]

    with_lead = found[0].length + found[1].length
    assert taken(with_lead - 1) == []
    assert taken(with_lead) == [found[1].text]
    assert taken(with_lead + found[3].length) == [
        OAK.text,
        found[3].text,
    ]  # that its lead is chosen itself costs nothing more
    nobody = sentences(passage("e", "He had simply opened a dead mill."))
    assert select(scored(nobody, [5.0]), 4000, stop=0.0, whole=lambda s: quoted_with(s, split)) == []


def test_a_part_of_a_quotation_keeps_who_says_the_same_as_it() -> None:
    salt, rust, twin = sentences(
        passage("a", "Salt pays well on the lake. Rust eats all the old nails."),
        passage("b", "On the lake salt pays well."),
    )
    whole = Chosen((salt, rust), 1.0, also=(twin,))
    assert [part_of(whole, [s]).also for s in (salt, rust)] == [(twin,), ()]


def test_a_quotation_ends_with_its_paragraph() -> None:
    parted = passage("d", "Alder rots in the air here.\n\nUnder water it lasts for long.").model_copy(
        update={"sentences": ((0, 27), (29, 59))}
    )
    chosen = select(scored(sentences(parted), [1.0, 2.0]), 4000, stop=0.0)
    assert [len(c.sentences) for c in chosen] == [1, 1]


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


def test_a_thing_is_known_as_the_evidence_names_it() -> None:
    things = ("russian blue", "british blue cat")
    assert as_said("british blue cat", "British Blues are shorthairs.", things) == "british blue"
    assert as_said("russian blue", "British Blues are shorthairs.", things) == "russian blue"
    assert as_said("face-to-face trade", "Face-to-face sales pay.", ("face-to-face trade", "rail")) == "face-to-face"
    assert as_said("long-term trade", "The long-term price fell.", ("long-term trade", "rail")) == "long-term trade"
    assert as_said("blue trade", "Blue salt pays.", ("blue trade", "rail")) == "blue trade"
    assert as_said("british blue cat", "Nothing of it.", things) == "british blue cat"
    assert (
        as_said("salt barge toll", "The salt barge pays.", ("salt barge toll", "salt barge tax")) == "salt barge toll"
    )


def test_a_sentence_speaks_of_the_thing_that_it_names_or_that_its_title_names_alone() -> None:
    (one,) = sentences(passage("e", "Proto-stars glow in the infrared alone."))
    assert speaks_of("proto-stars", one, ("proto-stars", "stars"), "")
    assert not speaks_of("stars", one, ("proto-stars", "stars"), "")
    assert under("Alder: a wood for piles")
    assert not under("Alder and oak", told="Alder is cut in winter.")
    (three,) = sentences(passage("alder", "The wood of oak lasts for centuries."))
    assert not speaks_of("Alder", three, ("Alder", "Oak"), "Alder is cut in winter.")
    (four,) = sentences(titled("Mill wheels", "It turns slowly at low water."))
    assert speaks_of("mill wheels", four, ("mill", "mill wheels"), "")  # what its own name holds is no other thing


def titled(title: str, text: str, *path: str) -> Passage:
    held = passage("alder", text)
    return held.model_copy(update={"source": held.source.model_copy(update={"title": title}), "path": path})


def under(title: str, *path: str, told: str = "") -> bool:
    (found,) = sentences(titled(title, "It lasts for centuries under water.", *path))
    return speaks_of("Alder", found, ("Alder", "Oak"), told)


def test_a_title_that_only_holds_the_word_is_about_the_thing_where_its_text_speaks_of_it() -> None:
    """Of "The Quill and the Keyboard", the newsletter, the price of a walk was told as that of the software Quill."""
    assert not under("THE ALDER AND THE ANCHOR")
    assert under("Piles of alder wood", told="Alder is cut in winter.")
    assert not under("Piles of alder wood", told="It is cut in winter.")


def test_of_several_headings_the_nearest_that_names_a_thing_counts() -> None:
    assert under("Alder and oak", "Woods", "Alder")
    assert under("Alder", "Where it grows")
    assert not under("Alder", "The oak beside it")


def rows(*names: str, table: int = 1) -> Passage:
    """A table of names and tolls, a row a sentence."""
    text, places, cells = "", [], []
    for number, name in enumerate(names):
        start = len(text)
        text += f"Mill of the valley: {name}; Toll: {number}"
        cells += [
            Cell(name="Mill of the valley", start=start + 20, end=start + 20 + len(name)),
            Cell(name="Toll", start=len(text) - 1, end=len(text)),
        ]
        places.append((start, len(text)))
        text += "\n\n"
    held = passage("t", text.strip())
    return held.model_copy(update={"kind": "row", "table": table, "sentences": tuple(places), "cells": tuple(cells)})


def test_of_a_table_the_rows_that_a_question_names_stand() -> None:
    """For "Toll", which all rows hold, a report was once filled with rows of other mills."""
    found = sentences(rows("Pell Ford", "Jarrow Ford", "Elm", "Ash", "Oak"), ALDER)
    candidates = scored(found, [0.5, 0.9, 0.8, 0.7, 0.6] + [0.1] * (len(found) - 5))

    def kept(question: str) -> list[str]:
        told = [c.sentence for c in telling(question, candidates)]
        assert [s for s in told if s.passage.kind != "row"] == found[5:]
        return [s.text.split(": ")[1].split(";")[0] for s in told if s.passage.kind == "row"]

    assert kept("Why did the toll of Pell Ford rise?") == ["Pell Ford"]
    assert kept("What are the tolls of Elm and Ash?") == ["Elm", "Ash"]
    assert kept("Why are tolls of the valley high?") == ["Jarrow Ford", "Elm", "Ash"]  # the best few of many alike


@pytest.mark.parametrize(
    ("thing", "text", "expected"),
    [
        ("gels", "A gel left no residue.", True),
        ("gel", "Gels left no residue.", True),
        ("LLaDA", "LLaDA-8B is slow.", True),
        ("LLaDA", "d3LLM-LLaDA-8B is fast.", False),
        ("AIDS", "First aid was given.", False),
        ("gas", "They go.", False),
        ("ferries", "The old ferry sank.", True),
        ("glass kiln", "Two glass kilns burn.", True),
        ("press", "Both presses run.", True),
        ("glass", "A glas house.", False),
    ],
)
def test_a_text_names_one_or_several_of_a_kind(thing: str, text: str, expected: bool) -> None:
    assert names_thing(text, thing) is expected


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
