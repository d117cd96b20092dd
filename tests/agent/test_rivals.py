"""What counts as another reading of the same thing."""

from __future__ import annotations

import pytest

from palimpsest.agent import checking
from palimpsest.agent.draft import Span
from palimpsest.agent.drafting import replace_quotation
from palimpsest.agent.evidence_text import parts
from palimpsest.agent.hypotheses import Hypothesis
from palimpsest.agent.rivals import find_rival, measures_alike, same_subject, takes_precedence
from palimpsest.agent.state import ResearchState, Steps, Tools
from palimpsest.retrieval.types import Passage

from .world import NUMBERS, ScriptedWriter, Shelf, passage, research, tools


def spans(text: str) -> list[Span]:
    return [Span(id=f"c.{n}", text=p.text, kind=p.kind, status="filled") for n, p in enumerate(parts(text, 0))]


@pytest.mark.parametrize(
    ("other", "is_rival"),
    [
        ("The ferry from Selm to Orta takes 70 minutes, not 95 minutes.", True),
        ("The ferry from Selm to Orta takes 70 minutes instead of 95 minutes.", True),
        ("The ferry from Selm to Orta takes 95 minutes, not 70 minutes.", False),
        ("The ferry from Selm to Orta does not take more than 95 minutes.", False),
    ],
)
def test_a_correction_names_what_it_corrects(other: str, is_rival: bool) -> None:
    """ "Not 95 minutes" was once taken to say 95 minutes, so nothing was contradicted by it."""
    rival = find_rival(spans("The ferry from Selm to Orta takes 95 minutes."), passage(other), NUMBERS)
    assert bool(rival and rival.holes) == is_rival


def test_the_largest_is_no_rival_of_the_fastest() -> None:
    """ "The largest open model is SDAR" was once replaced by "the fastest open model is LLaDA-MoE", as contradicted."""
    claim = spans("The largest open diffusion language model is SDAR-30B-A3B, with 30 billion parameters.")
    other = passage("The fastest open diffusion language model is LLaDA-MoE-7B, which reaches 1,100 tokens per second.")
    same = passage("The largest open diffusion language model is LLaDA2.0-flash, with 100 billion parameters.")
    assert find_rival(claim, other, NUMBERS) is None
    assert find_rival(claim, same, NUMBERS) is not None


@pytest.mark.parametrize(
    ("claim", "other", "is_rival"),
    [
        (
            "The report with number 1204 was written in the mill.",
            "The report with number 1377 names the mill of Orta.",
            False,
        ),
        ("Weir 12 of the Orbe lets the salt barges pass.", "Weir 15 of the Orbe lets no barges pass.", False),
        ("The Orbe has 12 weirs that let barges pass.", "The Orbe has 15 weirs that let barges pass.", True),
        ("About 400 people of Orta live on barges.", "About 700 people of Orta live on barges.", True),
    ],
)
def test_a_number_that_tells_which_one_is_meant_contradicts_no_other(claim: str, other: str, is_rival: bool) -> None:
    assert (find_rival(spans(claim), passage(other), NUMBERS) is not None) is is_rival


def doubted(held: Passage, mark: str) -> Passage:
    return held.model_copy(update={"source": held.source.model_copy(update={"retracted": mark})})


@pytest.mark.parametrize("mark", ["retracted", "concern", "corrected"])
def test_a_doubted_work_supports_nothing_alone(mark: str) -> None:
    """It is read of no question, answers none, and replaces nothing by its later date; another's words it may corroborate."""
    patterns = {"fastest barge": r"Orta is (\w+)"}
    asked = "What is the fastest barge on Lake Orta?"
    bad = doubted(passage("The fastest barge on Lake Orta is Marisa, and she is red.", "Doubted", "2026-05-01"), mark)
    _, alone = research(asked, ScriptedWriter(patterns), Shelf(bad))
    assert alone.draft.span("q1.answer").status == "unestablished"
    good = passage("The fastest barge on Lake Orta is Marisa, which is moored in the north.", "Sound", "2024-05-01")
    _, both = research(asked, ScriptedWriter(patterns), Shelf(bad, good))
    answer = both.draft.span("q1.answer")
    assert (answer.text, answer.support[0].passage) == ("Marisa", good.id)
    other = doubted(
        passage("The fastest barge on Lake Orta is Tolomeo, which is moored there.", "Doubted", "2026-05-01"), mark
    )
    _, kept = research(asked, ScriptedWriter(patterns), Shelf(good, other))
    assert kept.draft.span("q1.answer").text == "Marisa"
    assert all(s.passage != other.id for span in kept.draft.spans() if span.kind == "ENTITY" for s in span.support)


def test_its_leans_on_the_sentence_before_and_on_the_title() -> None:
    """All that the other sentence says more of its subject must stand there: another weir's length contradicts nothing."""
    claim, text = spans("Its crest length was 44 m."), "The crest length of the Orbe weir was 46 m in 2020."
    hole = next(n for n, span in enumerate(claim) if span.text == "44 m")

    def same(other: str, leaning_on: str) -> bool:
        return same_subject(claim, hole, other, "46 m", NUMBERS, leaning_on)

    assert not same(text, "")
    assert same(text, "Report on the Orbe. The weir was finished in 2015.")
    assert not same(text.replace("Orbe", "Selm"), "Report on the Orbe. The weir was finished in 2015.")
    assert not same(text.replace("crest length", "width"), "Report on the Orbe. The weir was finished in 2015.")


def test_of_two_brought_together_neither_was_brought_last() -> None:
    """Or two undated files that disagree would take each other's place for ever."""
    own, other = passage("The lock is 9 m wide.", "One"), passage("The lock is 8 m wide.", "Two")
    both = ResearchState(question="?", version=2, fresh=(own.id, other.id))
    assert not takes_precedence(both, own, other, "")
    assert takes_precedence(both.model_copy(update={"fresh": (other.id,)}), own, other, "")


def test_a_claim_with_new_words_is_held_against_all_evidence_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest of three sources may contradict the second alone: it was held against the first one's words only."""
    first = passage("The fastest barge on Lake Orta is Marisa, and she is red.", "Old", "2024-05-01")
    others = [passage(f"The harbour master of Orta is {name}.", name, "2025-05-01") for name in ("Ada", "Bo")]
    shelf = Shelf(first, *others)
    _, state = research(
        "What is the fastest barge on Lake Orta?", ScriptedWriter({"fastest barge": r"Orta is (\w+)"}), shelf
    )
    held = list[str]()

    def hold(state: ResearchState, _: Tools, claim: Hypothesis, other: Passage) -> Steps:
        held.append(other.id)
        block = state.draft.block(claim.id)
        if other.id == others[1].id and held.count(other.id) == 1 and block:
            state = replace_quotation(state, block, others[0], others[0].start, others[0].end)
        yield state
        return state

    monkeypatch.setattr(checking, "_hold_against", hold)
    fresh = state.model_copy(update={"read": ()})
    for _ in checking.check(fresh, tools(ScriptedWriter({}), shelf)):
        pass
    assert held == [p.id for p in (*state.evidence, *state.evidence)]


def test_only_claims_a_place_where_it_says_the_only() -> None:
    """ "A block of A sees only …" says nothing against "a block of B sees only …"; "the only" does."""
    claim = spans("A lock of Orta lets through only barges on its left.")
    assert find_rival(claim, passage("A lock of Como lets through only barges on its left."), NUMBERS) is None
    claim = spans("The only lock on the lake is Orta, with two gates.")
    assert find_rival(claim, passage("The only lock on the lake is Como, with two gates."), NUMBERS) is not None


@pytest.mark.parametrize(
    ("titles", "claim", "other", "is_conflict"),
    [
        (
            ("First winter of the pilot", "Second winter of the pilot"),
            "paid 64 euros more",
            "paid 21 euros more",
            False,
        ),
        (("First year", "Second year"), "paid on average 64 euros more", "paid on average 21 euros more", False),
        (("Survey of barges, 2023", "Survey of barges, 2024"), "had 33 good bunks", "had 36 good bunks", False),
        (("Tolls of Orta, 2023", "Tolls of Orta, 2024"), "pay 64 euros more", "pay 21 euros more", True),
        (("First report", "Second report"), "got their bunks in 1931", "got their bunks in 1935", True),
        (("Notes on the pilot", "Winter of the pilot"), "paid 64 euros more", "paid 21 euros more", True),
    ],
)
def test_sources_of_a_series_each_tell_of_their_own_turn(
    titles: tuple[str, str], claim: str, other: str, is_conflict: bool
) -> None:
    """What was paid in the first winter was once replaced by what was paid in the second, as contradicted by it."""
    said = [f"The barge crews of Lake Orta {words} than the crews of Lake Selm." for words in (claim, other)]
    shelf = Shelf(
        *(passage(text, title, f"202{n}-05-02") for n, (text, title) in enumerate(zip(said, titles, strict=True)))
    )
    writer = ScriptedWriter({"crews": rf"Orta ({claim})"})
    _, state = research("What did the barge crews of Lake Orta do?", writer, shelf)
    assert any(b.kind == "quotation" for b in state.draft.blocks)
    assert bool(state.conflicts) == is_conflict


@pytest.mark.parametrize(
    ("claim", "other", "alike"),
    [
        ("The toll of Orta is 16 pence.", "The toll of Orta was raised by 2 pence.", False),
        ("The toll of Orta was raised by 3 pence.", "The toll of Orta was raised by about 2 pence.", True),
        ("The toll of Orta is 16 pence.", "The toll of Orta is 2 pence.", True),
        ("The toll was set by Orta at 16 pence.", "The toll was set by Orta at 2 pence.", True),
    ],
)
def test_by_how_much_something_changed_is_not_how_much_it_is(claim: str, other: str, alike: bool) -> None:
    """ "The tariff was raised by 2 pence" once stood against "the tariff (16 pence)" under what sources disagree on."""
    words = spans(claim)
    hole = next(n for n, s in enumerate(words) if s.kind == "NUMBER")
    assert measures_alike(words, hole, other, "2 pence" if "2 pence" in other else "") is alike


def test_a_change_is_no_conflict_with_a_level() -> None:
    shelf = Shelf(
        passage("The toll of the Orta lock is 16 pence.", "Tolls", "2024-01-01"),
        passage("The toll of the Orta lock rose by 2 pence.", "News", "2025-01-01"),
    )
    _, state = research("What is the toll of the Orta lock?", ScriptedWriter({"toll": r"is (16 pence)"}), shelf)
    assert state.conflicts == ()
    assert state.draft.span("q1.answer").text == "16 pence"
