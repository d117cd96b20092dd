"""Choosing the sentences of a report: hand-made passages, vectors one can see through, weights of one feature."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.agent.describing import CONCLUSION, FEATURES, RESULT, Embedded, asking, described
from palimpsest.agent.selection import select, telling
from palimpsest.agent.sentences import Chosen, Sentence
from palimpsest.agent.weighing import CONTEXT, SelectionWeights, Weighing, in_context, scores
from palimpsest.agent.whole import quoted_with
from palimpsest.agent.wording import LinearText, asks, leans, takes_up
from palimpsest.retrieval.types import Cell, Passage

from .pieces import ALDER, OAK, passage, scored, sentences, split

PARTS = LinearText(
    labels=("aim", CONCLUSION, RESULT), offsets=(0.0, -0.5, 0.0), weights=((0,) * 16, (0,) * 16, tuple(range(16)))
)


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


def test_a_quotation_ends_with_its_paragraph() -> None:
    parted = passage("d", "Alder rots in the air here.\n\nUnder water it lasts for long.").model_copy(
        update={"sentences": ((0, 27), (29, 59))}
    )
    chosen = select(scored(sentences(parted), [1.0, 2.0]), 4000, stop=0.0)
    assert [len(c.sentences) for c in chosen] == [1, 1]


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
