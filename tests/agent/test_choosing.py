"""Which quotations an open report is made of: what is asked, found, and chosen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from palimpsest.agent import blocks, choosing, missing, polar, quoting, steps
from palimpsest.agent.sentences import Chosen, Sentence, sentences_of
from palimpsest.agent.state import Budget, Query, ResearchState, SubQuestion, Tools
from palimpsest.agent.thresholds import SHIPPED
from palimpsest.retrieval.types import BlockKind, Hit

from .lake import CREW, MORE_SALT, QUESTION, SALT, WIND, TopicReader, run
from .world import NUMBERS, ScriptedWriter, Shelf, finish, passage


def test_of_short_passages_as_many_are_read_as_make_the_same_text() -> None:
    asked = SubQuestion(id="q1", text=QUESTION, asked=QUESTION, form="open")
    query = Query(text=QUESTION, question="q1", reason="question")

    def num_read(text: str) -> int:
        held = [passage(text.format(n=n), f"Note {n}") for n in range(300)]
        looking = steps.search(
            ResearchState(question=QUESTION, questions=(asked,), queries=(query,)),
            Tools(ScriptedWriter({}), Shelf(*held), NUMBERS, TopicReader()),
        )
        *_, state = (found for found in looking if isinstance(found, ResearchState))
        return len(choosing.found(state, asked))

    many = Budget().reading
    assert num_read("Salt cargo number {n} of the lake is sold. " + "It is white and dry. " * 30) == many
    line = "Salt cargo {n} of the lake is sold by the ton in the old town of Orta, "
    assert many < num_read(line + "beside the pier and the mill, where the crews of all the barges meet.") < 5 * many
    assert num_read("Salt cargo {n} on the lake.") == 5 * many


class ByWord(TopicReader):
    """Chooses the sentences that hold the last word of what is asked, for each question the same ones; `history` is what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[str] = []

    def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        self.history.append(question)
        word = question.rstrip("?").split()[-1]
        pieces = [Sentence(h.passage, a, b, n) for n, h in enumerate(found, 1) for a, b in h.passage.sentences]
        return [Chosen((p,), 1.0) for p in pieces if word in p.text]


def test_sections_are_first_on_what_no_answer_beside_them_answers() -> None:
    """What room is left goes to the whole question; nothing is said twice, and a query of its own is asked."""
    held = [
        passage(text, text) for text in ("A mill grinds by stones.", "The mill opened in May.", "In May a mill grinds.")
    ]
    hits = [Hit(passage=p, score=1.0, rank=n) for n, p in enumerate(held, 1)]
    whole = "How does it: grinds, and when: May"
    question = SubQuestion(id="q2", text=whole, asked=whole, form="open", remainder="How does a mill grinds")
    reader = ByWord()
    found = choosing.choice(reader, question, hits, 100)
    assert [c.text for c in found] == [held[0].text, held[2].text, held[1].text]
    assert reader.history == [question.remainder, whole]
    assert [c.text for c in choosing.choice(reader, question, hits, 50)] == [held[0].text, held[2].text]
    assert [q.text for q in choosing.first_queries(question)] == [whole, question.remainder]
    plain = question.model_copy(update={"remainder": ""})
    assert [c.text for c in choosing.choice(reader, plain, hits, 100)] == [held[1].text, held[2].text]


class ByTopic(TopicReader):
    """Chooses of the whole question what speaks of salt, of a narrower one what holds its last word; the second of a source is less
    likely.
    """

    def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        word = "salt" if " and " in question else question.rstrip("?").split()[-1]
        return [
            Chosen((Sentence(h.passage, a, b, n),), 1.0 - m)
            for n, h in enumerate(found, 1)
            for m, (a, b) in enumerate(h.passage.sentences)
            if word in h.passage.text[a - h.passage.start : b - h.passage.start].lower()
        ]


def test_a_topic_that_the_choice_leaves_nearly_out_has_the_best_on_it() -> None:
    hits = [Hit(passage=p, score=1.0, rank=n) for n, p in enumerate((SALT, MORE_SALT, WIND, CREW), 1)]
    whole = "What is known about barges on the lake for salt, wind and rain?"
    question = SubQuestion(id="q1", text=whole, asked=whole, form="open")
    by_depth = {"form": "comparison", "attributes": ("depth",)}
    compared = question.model_copy(update=by_depth)  # what it lacks is asked for by its table
    salt, wind = ([p.text[a:b] for a, b in p.sentences] for p in (SALT, WIND))
    every = [*salt, MORE_SALT.text, *wind]
    assert [c.text for c in choosing.choice(ByTopic(), compared, hits, 1_000)] == every[:3]
    assert [c.text for c in choosing.choice(ByTopic(), question, hits, 1_000)] == every
    few = sum(map(len, (salt[0], *wind)))
    assert [c.text for c in choosing.choice(ByTopic(), question, hits, few)] == [salt[0], *wind]
    asked = [q.text for q in choosing.first_queries(question)]
    assert asked == [
        whole,
        *(f"What is known about barges on the lake for {topic}?" for topic in ("salt", "wind", "rain")),
    ]
    assert choosing.topics(compared) == {}


def test_a_thing_that_is_compared_by_nothing_named_has_the_best_of_what_names_it() -> None:
    """LFP and NMC cells were compared with two lines on one and none on the other, whose own text says "they"."""
    elm = passage("Elm posts are dear. They are cut in autumn.", "A note")
    hits = [Hit(passage=p, score=1.0, rank=n) for n, p in enumerate((SALT, elm, WIND), 1)]

    class Near(TopicReader):
        def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
            rows = [Sentence(h.passage, a, b, n) for n, h in enumerate(found, 1) for a, b in h.passage.sentences]
            kept = [r for r in rows if ":" in question or "cargo" in r.text]
            return [Chosen((r,), -9.0 * ("cargo" not in r.text)) for r in kept]

    whole = "Compare salt cargo and old elm posts on the lake"
    asked = SubQuestion(id="q1", text=whole, asked=whole, form="comparison", things=("salt cargo", "old elm posts"))
    assert choosing.topics(asked) == {t: f"{t}: {whole}" for t in asked.things}
    assert list(choosing.topics(asked, [elm.text])) == ["salt cargo", "elm posts"]
    found = choosing.choice(Near(), asked, hits, 1_000)
    assert [c.text for c in found] == [p.text[a:b] for p in (SALT, elm) for a, b in p.sentences]
    assert [q.text for q in choosing.first_queries(asked)] == [whole, *(f"{t}: {whole}" for t in asked.things)]


@pytest.mark.parametrize(
    ("text", "kind", "kept"),
    [
        ("The salt trade of Orta, summer 2023", "paragraph", False),
        ("The salt trade of Orta, summer 2023", "item", True),
        ("Salt barges cross the lake in summer", "paragraph", True),
        ("What a salt cargo costs the town", "paragraph", False),  # as its source is called
        ("No more salt on the lake!", "paragraph", True),
        ("“No more salt on the lake.”*", "paragraph", True),
        ("Salt of the lake: 30 barges (2023)", "caption", False),
        ("Salt trade of the lake, 19", "heading", False),
    ],
)
def test_a_title_among_the_sentences_of_a_text_is_no_statement(text: str, kind: BlockKind, kept: bool) -> None:
    """ "Tenant survey, summer 2023" stood in a report, and the caption of a picture was the first that it said in short."""
    held = passage(text, "What a salt cargo costs the town").model_copy(update={"kind": kind})
    state = run(TopicReader(), held, SALT, WIND, CREW)
    assert (text in [b.text for b in quoting.quotations(state)]) == kept


def test_the_passages_of_several_queries_are_fused_by_rank() -> None:
    state = run(TopicReader(things=("salt", "wind")), SALT, WIND, CREW)
    hits = choosing.found(state, state.questions[0])
    assert [h.rank for h in hits] == [1, 2, 3]
    assert hits[0].score >= hits[1].score >= hits[2].score


def test_where_nothing_comes_near_that_is_said_first_and_little_is_quoted() -> None:
    """A folder of boats, asked how eels hunt: a page of the least unlikely sentences would pass for an answer."""
    asked = ResearchState(question="How do eels hunt, in salt or wind, and what crew sees them?", budget=Budget())
    many = [SALT, WIND, CREW, MORE_SALT]
    _, beside = finish(asked, Tools(ScriptedWriter({}), Shelf(*many), NUMBERS, TopicReader()))
    first = next(b for b in beside.draft.section(blocks.SHORT) if b.kind != "heading")
    assert first.text == missing.BESIDE
    assert len(quoting.quotations(beside)) == SHIPPED.least_chosen
    near = run(TopicReader(), *many)
    assert near.draft.block("nearest") is None
    assert len(quoting.quotations(near)) > SHIPPED.least_chosen


def test_a_run_that_kept_topics_is_read() -> None:
    kept = {"id": "q1", "text": QUESTION, "asked": QUESTION, "form": "open", "topics": ["salt"]}
    assert SubQuestion.model_validate(kept) == SubQuestion(id="q1", text=QUESTION, asked=QUESTION, form="open")


@pytest.mark.parametrize(
    ("text", "kind", "heading", "is_stated"),
    [
        ("Subject: the replacement of old barges", "field", "", False),
        ("Capacity: 12 tons of salt", "field", "", True),
        ("Funding of the mole was agreed in May.", "paragraph", "Funding", True),
        ("Correspondence – two letters a week – went by barge.", "paragraph", "", True),
        ("Competing interests: AT was employed by the salt board until 2020.", "paragraph", "", False),
        ("We thank the crew of the barge for its help.", "paragraph", "Acknowledgements", False),
        ("Competing interests on the lake made the toll dear.", "paragraph", "", True),
        ("The crew was thanked by the board of Tollen.", "paragraph", "The crew", True),
    ],
)
def test_what_is_of_the_writers_states_nothing(text: str, kind: BlockKind, heading: str, is_stated: bool) -> None:
    """A byline and the competing interests of a writer stood among the findings on beavers."""
    held = passage(text, "Salt").model_copy(update={"kind": kind, "path": tuple(filter(None, [heading]))})
    piece = Chosen((Sentence(held, held.start, held.end, 1),), 1.0)
    assert choosing.stating([piece]) == ([piece] if is_stated else [])


def test_where_nothing_likely_comes_near_what_does_is_quoted() -> None:
    """Asked how waits changed, a report quoted what therapists think of manual therapy, and no wait."""

    class Near(TopicReader):
        def is_near(self, words: str, texts: Sequence[str]) -> bool:
            return any("Eels" in text for text in texts)

        def nearest(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
            pieces = [Sentence(h.passage, a, b, 1) for h in found for a, b in h.passage.sentences]
            return [Chosen((p,), 0.0) for p in pieces if "Eels" in p.text]

    asked = ResearchState(question="How do they hunt, in salt or wind, and what crew sees them?", budget=Budget())
    eels = passage("Eels hunt at night. Eels eat crabs.", "Notes")
    _, state = finish(asked, Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW, eels), NUMBERS, Near()))
    assert [b.text for b in quoting.quotations(state)] == ["Eels hunt at night.", "Eels eat crabs."]
    assert state.draft.block("nearest") is None


def test_a_byline_is_quoted_nowhere() -> None:
    line = passage("Published by the salt board of Tollen on 3 May 2020.", "Salt").model_copy(update={"kind": "byline"})
    assert sentences_of([Hit(passage=line, score=1.0)], lambda text: [(0, len(text))]) == []
    assert polar._sentences(line, "") == []
    assert polar._sentences(line.model_copy(update={"kind": "paragraph"}), "") != []
