"""What goes on from a sentence that lost goes with it, and nothing else does."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.agent import (
    dependents,
    quoting,
)
from palimpsest.agent.loop import amend
from palimpsest.agent.sentences import Chosen, Sentence
from palimpsest.agent.state import Budget, ResearchState, Tools
from palimpsest.retrieval.types import Hit

from .lake import (
    MORE_SALT,
    QUESTION,
    SALT,
    TopicReader,
    WholePassages,
    run,
)
from .world import NUMBERS, ScriptedWriter, Shelf, finish, passage, report


def test_a_sentence_among_several_is_held_against_what_contradicts_it() -> None:
    """The quotation gives way to the newer sentence; the conflict names the one sentence that differs."""
    old = passage("The crew of Marisa counts 4 men on the lake. They sing.", "Crews of 2024", "2024")
    newer = passage("The crew of Marisa counts 9 men on the lake.", "Crews of 2026", "2026")

    class Whole(TopicReader):
        def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
            hits = [
                (h.passage, n) for n, h in enumerate(found, 1) if "crew" in h.passage.text and h.passage.id == old.id
            ]
            return [Chosen(tuple(Sentence(p, a, b, n) for a, b in p.sentences), 1.0) for p, n in hits]

    state = run(Whole(), old, newer)
    (conflict,) = state.conflicts
    assert {conflict.kept.quote, conflict.other.quote} == {newer.text, "The crew of Marisa counts 4 men on the lake."}
    first, heading = state.revisions
    assert (first.reason, first.new) == ("contradicted", newer.text)
    assert (heading.reason, state.draft.span(heading.span).kind) == ("dependent", "OUTLINE")
    assert heading.new.casefold() in newer.text.casefold()
    assert "They sing" not in report(state).split("## What was revised")[0]


class EverySentence(TopicReader):
    """Quotes every sentence of what names a topic, each paragraph's as one quotation but for the first."""

    def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        pieces: list[Chosen] = []
        for rank, hit in enumerate(found, 1):
            first, *others = [Sentence(hit.passage, a, b, rank) for a, b in hit.passage.sentences]
            pieces += [Chosen((first,), 1.0), *([Chosen(tuple(others), 0.9)] if others else [])]
        return pieces


OLD_CREW = "The crew of Marisa counts 4 men on the lake. The count was made in spring. Two of the men sing."
NEW_CREW = passage("The crew of Marisa counts 9 men on the lake.", "Crews of 2026", "2026")


def test_what_goes_on_from_a_sentence_that_lost_goes_with_it() -> None:
    state = run(EverySentence(), passage(OLD_CREW, "Crews of 2024", "2024"), NEW_CREW, SALT, MORE_SALT)
    assert [b.text for b in quoting.quotations(state) if "count was made" in b.text] == []
    (fallen,) = [r for r in state.revisions if r.old.startswith("The count was made")]
    assert (fallen.reason, fallen.new, fallen.is_gone) == ("dependent", "", True)
    assert "“The count was made in spring. Two of the men sing.” → taken out: what it rests on changed." in report(
        state
    )
    assert any(b.text == "Salt cargo fills most barges of Orta." for b in quoting.quotations(state))


def test_of_a_quotation_of_several_sentences_only_what_lost_and_what_goes_on_from_it_leaves() -> None:
    ahead, lost = "Marisa is a barge on the lake.", "The crew of Marisa counts 4 men on the lake."
    goes_on = "The count was made in spring."
    behind = "Marisa carries salt. Two of her men sing."
    old = passage(f"{ahead} {lost} {goes_on} {behind}", "Crews of 2024", "2024")
    state = run(WholePassages(), old, NEW_CREW, SALT, MORE_SALT)
    texts = [b.text for b in quoting.quotations(state)]
    assert {ahead, NEW_CREW.text, behind} <= set(texts), texts
    assert not any(lost in text or goes_on in text for text in texts)
    assert texts.index(ahead) < texts.index(behind)
    contradicted = [r for r in state.revisions if r.reason == "contradicted"]
    assert [(r.old, r.new) for r in contradicted] == [(f"{lost} {goes_on}", NEW_CREW.text)]


def test_what_stays_of_a_quotation_is_held_against_evidence_too() -> None:
    old = passage(
        "The crew of Marisa counts 4 men on the lake. Marisa measures 12 m above the water of the lake.",
        "Crews of 2024",
        "2024",
    )
    new = passage(
        "The crew of Marisa counts 9 men on the lake. Marisa measures 15 m above the water of the lake.",
        "Crews of 2026",
        "2026",
    )
    tools = Tools(ScriptedWriter({}), Shelf(old, SALT, MORE_SALT), NUMBERS, WholePassages())
    before = finish(ResearchState(question=QUESTION), tools)[1]
    after = finish(amend(before, [new]), tools)[1]
    assert not any("12 m" in b.text or "4 men" in b.text for b in quoting.quotations(after))
    assert len(after.conflicts) == 2


def test_a_quotation_behind_a_label_keeps_its_first_sentence() -> None:
    text = (
        f"Conclusions\nMarisa is a barge on the lake of Orta. {OLD_CREW.split('. ')[0]}. Marisa carries salt to Orta."
    )
    whole = passage(text, "Crews of 2024", "2024")

    class BehindTheLabel(WholePassages):
        def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
            label = len("Conclusions\n")
            chosen = super().choose(question, found, characters)
            return [
                Chosen((Sentence(c.sentences[0].passage, label, c.sentences[0].end, 1), *c.sentences[1:]), 1.0)
                if c.text.startswith("Conclusions")
                else c
                for c in chosen
            ]

    state = run(BehindTheLabel(), whole, NEW_CREW, SALT, MORE_SALT)
    texts = [b.text for b in quoting.quotations(state)]
    assert "Marisa is a barge on the lake of Orta." in texts
    assert "Marisa carries salt to Orta." in texts
    assert not any("4 men" in text for text in texts)


def test_a_part_that_others_say_too_keeps_their_citation() -> None:
    ahead = "Marisa is a barge on the lake."
    twin = passage(f"{ahead} Nobody doubts it.", "Twin", "2023")
    old = passage(f"{ahead} The crew of Marisa counts 4 men on the lake.", "Crews of 2024", "2024")

    class Merged(WholePassages):
        def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
            pieces = [c for c in super().choose(question, found, characters) if not c.text.startswith(twin.text)]
            also = tuple(Sentence(h.passage, *h.passage.sentences[0], 1) for h in found if h.passage.id == twin.id)
            return [Chosen(c.sentences, c.score, also) if c.text == old.text else c for c in pieces]

    state = run(Merged(), old, twin, NEW_CREW, SALT, MORE_SALT)
    (kept,) = [b for b in quoting.quotations(state) if b.text == ahead]
    cited = kept.span("citation")
    assert cited is not None
    assert {state.passage(s.passage).source.title for s in cited.support} == {"Crews of 2024", "Twin"}


def test_what_nothing_decides_takes_nothing_with_it() -> None:
    """Two undated sources: both sentences stand, and so does what goes on from them."""
    old = passage("The crew of Marisa counts 4 men on the lake. The count was made in spring.", "One")
    new = passage("The crew of Marisa counts 9 men on the lake.", "Other")
    state = run(EverySentence(), old, new, SALT, MORE_SALT)
    if any("4 men" in b.text for b in quoting.quotations(state)):
        assert any("The count was made" in b.text for b in quoting.quotations(state))


def test_a_name_that_only_opens_a_sentence_is_none() -> None:
    """ "Remasking" is a word like others; "Marisa" is a name elsewhere in the text, and a name behind "The" is one.

    Who "holds this record still" does not say which, when the sentence that did is gone.
    """
    held = passage(
        "Salting came late to Marisa. Salting fills the hold. Marisa floats. The SDAR crew sings. Marisa holds this record still.",
        "Barges",
        "2024",
    )
    state = ResearchState(question=QUESTION, evidence=(held,))
    places = [(held.source.id, a, b) for a, b in held.sentences]
    assert [dependents._stands_alone(state, place) for place in places] == [False, False, True, True, False]


def test_a_paragraph_of_its_own_does_not_fall_with_the_sentence_before_it() -> None:
    apart = passage(OLD_CREW.replace(" The count", "\n\nThe count"), "Crews of 2024", "2024")
    state = run(EverySentence(), apart, NEW_CREW, SALT, MORE_SALT)
    assert any("The count was made in spring." in b.text for b in quoting.quotations(state))


def test_with_dependent_left_out_what_goes_on_stays() -> None:
    tools = Tools(
        ScriptedWriter({}), Shelf(passage(OLD_CREW, "Crews of 2024", "2024"), NEW_CREW, SALT, MORE_SALT), NUMBERS,
        EverySentence(), reopens=frozenset({"contradicted"}),
    )  # fmt: skip
    state = finish(ResearchState(question=QUESTION, budget=Budget(rounds=1)), tools)[1]
    assert any("The count was made" in b.text for b in quoting.quotations(state))
