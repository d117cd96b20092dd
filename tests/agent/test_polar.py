"""Questions to be answered by yes or no, held against sentences that say it, contradict it, or speak of something else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from palimpsest.agent import balance, blocks, polar
from palimpsest.agent.draft import moved
from palimpsest.agent.loop import amend
from palimpsest.agent.questions import claimed
from palimpsest.agent.sentences import Chosen, Sentence
from palimpsest.agent.state import ResearchState, SubQuestion, Tools, Verdict
from palimpsest.agent.steering import Steering
from palimpsest.agent.writer import ModelWriter
from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.retrieval.types import Passage

from .lake import TopicReader
from .world import NUMBERS, ScriptedWriter, Shelf, drained, finish, passage, report

YES, NO = Verdict(supports=0.95, refutes=0.02, silent=0.03), Verdict(supports=0.02, refutes=0.95, silent=0.03)
SILENT = Verdict(supports=0.1, refutes=0.1, silent=0.8)
ASKED = "Is the Selm viaduct built of brick?"
BRICK = passage("The Selm viaduct is built of brick. Salt cargo crosses it daily.", "Selm viaduct", "2020")
STONE = passage("The Selm viaduct was built of stone and not of brick. The wind is strong there.", "Viaducts", "2021")
OTHER = passage("The Orta viaduct is built of brick. Its crew lives in Orta.", "Orta viaduct", "2019")


class Verdicts(ScriptedWriter):
    """Says of texts what the first of `says` whose words they hold says; of all others nothing."""

    def __init__(self, says: dict[str, Verdict]) -> None:
        super().__init__({})
        self.says = says

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        self.history += [claim for claim, _ in pairs]
        return [next((v for words, v in self.says.items() if words in text), SILENT) for _, text in pairs]


WORLD = {"of brick. Salt": SILENT, "is built of brick.": YES, "of stone": NO}


def run(*held: Passage, question: str = ASKED, says: dict[str, Verdict] = WORLD) -> ResearchState:
    tools = Tools(Verdicts(says), Shelf(*held), NUMBERS, TopicReader(form="balance"))
    return finish(ResearchState(question=question), tools)[1]


def test_a_claim_is_the_question_without_its_auxiliary() -> None:
    assert claimed(ASKED) == "is the Selm viaduct built of brick."
    assert claimed("Does Canale own a mill?") == "does Canale own a mill."
    assert [claimed(q) for q in ("Who owns the mill?", "Is it brick or stone?", "Is?", "")] == ["", "", "", ""]


@pytest.mark.parametrize(
    ("text", "speaks"),
    [
        ("The Selm viaduct is built of brick.", True),
        ("If it had been dearer, the Selm viaduct would have been built of stone.", False),
        ("Many ask whether the Selm viaduct is built of brick.", False),
    ],
)
def test_what_is_supposed_or_asked_says_nothing(text: str, speaks: bool) -> None:
    """ "If glass fell to 18p it would not pay at all" made a no of "Does it pay?"."""
    says = {text: YES}
    assert bool(polar.judged(Verdicts(says), NUMBERS, ASKED, [passage(text, "Selm")])) is speaks


def test_of_what_is_asked_of_both_each_is_held_against_its_own_claim() -> None:
    """ "Are Medici and Senet both board games?": no sentence holds both names."""
    held = [passage(f"{name} is a game of chance for two players.", name) for name in ("Orta", "Como")]
    found = [polar.Judged("for", Sentence(p, 0, len(p.text), 1), n, 0.9) for n, p in enumerate(held)]
    far = polar.Judged("for", Sentence(OTHER, 0, len(OTHER.text), 1), 0, 0.9)
    able = Tools(ScriptedWriter({}), Shelf(), NUMBERS, words=HashEmbedder(512).words)
    kept = balance._near([*found, far], able, "Are Orta and Como both games of chance?", [*held, OTHER])
    assert kept == found


def test_what_is_asked_of_both_is_claimed_of_each() -> None:
    found = polar.claims("Are Orta and Como both mills?")
    assert found == ["is Orta mills.", "is Como mills."]
    assert len(polar.claims("Are Orta and Como in the same valley?")) == 1
    assert polar.claims("Where are Orta and Como?") == []


def test_the_answer_stands_first_with_the_sentence_that_decides() -> None:
    shown = report(run(BRICK, OTHER))
    short = shown.split("## In short")[1].split("## ")[0]
    assert "It reads as yes: one source says it, and none was read as contradicting it." in short
    assert short.index("It reads as yes: ") < short.index("The Selm viaduct is built of brick.")
    assert "Orta viaduct" not in short


def test_a_contradiction_makes_no_and_both_make_a_dispute() -> None:
    assert "It reads as no: one source contradicts it, and none was read as saying it." in report(run(STONE))
    assert "It reads both ways: one source says it, one source contradicts it." in report(run(STONE, BRICK))


def test_within_one_source_the_sentence_that_holds_more_of_what_is_asked_outweighs() -> None:
    """That buffers do not reduce phosphorus was once a no to whether they reduce nitrate, beside the sentence that they do."""
    near = Verdict(supports=0.65, refutes=0.25, silent=0.1)
    says = {"of brick": near, "of iron": NO}
    iron = "The Selm viaduct is not built of iron alone."
    both = passage(f"{iron} The Selm viaduct is built of brick. Wind.", "Selm viaduct")
    assert "reads as" not in report(run(both, says=says))
    parted = [passage(f"{iron} Wind.", "A walk"), BRICK]
    assert "It reads as no" in report(run(*parted, says=says)), "another source may contradict it"


def test_copies_of_one_text_are_one_source() -> None:
    words = "The Selm viaduct is built of brick. It is the oldest bridge of the valley that still carries salt."
    twice = [passage(f"{words} Copy {n}.", f"Selm viaduct {n}") for n in range(2)]
    shown = report(run(*twice))
    assert "It reads as yes: one source says it" in shown
    assert shown.count("- The Selm viaduct is built of brick.") == 1
    assert "- The Selm viaduct is built of brick. [1] [2]" in shown
    two = [BRICK, passage("As all know, the Selm viaduct is built of brick. Wind.", "A walk to the viaduct")]
    assert "It reads as yes: two independent sources say it" in report(run(*two))


def test_a_sentence_about_something_else_decides_nothing() -> None:
    """It holds most of the question's words and not what is asked about; and what was meant to be found out is no answer."""
    asked = "Do salt tolls raise the price of bread on the lake?"
    other = passage("The late frost may raise the price of bread on the lake. Nobody likes wind.", "Frost")
    aim = passage("We mean to ask whether salt tolls raise the price of bread on the lake. Nobody likes wind.", "Aims")
    tolls = passage("Tolls raise the price of bread on the lake. Nobody likes wind.", "Tolls")
    says = {"bread": YES}
    assert "It reads as yes" not in report(run(other, aim, question=asked, says=says))
    assert "It reads as yes: one source says it" in report(run(other, aim, tolls, question=asked, says=says))


def test_a_reply_to_another_question_decides_nothing() -> None:
    """ "No. … But the toll …" below "Do I have to pay?" was read as a no to whether the toll falls."""
    words = "No. All cross freely. But the Selm viaduct is built of brick."
    cut = ((0, 21), (22, len(words)))
    held = passage(words, "Selm viaduct").model_copy(update={"sentences": cut, "path": ("Do I have to pay?",)})
    says = {"is built of brick.": NO}
    assert "reads as" not in report(run(held, says=says))
    own = held.model_copy(update={"path": ("Is the viaduct built of brick?",)})
    assert "It reads as no" in report(run(own, says=says))


def test_what_nothing_decides_is_said_to_be_open() -> None:
    shown = report(run(OTHER, passage("The Selm viaduct carries salt.", "Trade")))
    assert "No one sentence that was read settles whether it is so" in shown
    assert "reads as" not in shown


def test_where_nothing_decides_what_speaks_of_it_stands_first() -> None:
    unsure = Verdict(supports=0.5, refutes=0.45, silent=0.05)
    shown = report(run(BRICK, OTHER, says={"is built of brick.": unsure}))
    short = shown.split("## In short")[1].split("## ")[0]
    assert short.strip().startswith("- The Selm viaduct is built of brick. [1]")
    assert "reads as" not in shown


def test_of_both_each_must_be_said() -> None:
    mills = [passage(f"{n} is a mill of salt.", n) for n in ("Orta", "Como")]
    question = "Are Orta and Como both a mill of salt?"
    says = {"is a mill": YES}
    assert "It reads as yes: one source says it of each" in report(run(*mills, question=question, says=says))
    assert "reads as" not in report(run(mills[0], question=question, says=says))


def test_a_bound_is_arithmetic_once_the_sentence_gives_the_figure() -> None:
    limit = polar.bound("does the Selm viaduct carry more than 1,000 trains in 30 days.")
    assert limit is not None
    assert (limit.relation, limit.limit.low) == ("above", 1000)
    assert polar.bound("is it of 1890.") is None
    more = passage("The Selm viaduct carries 1,109 trains each month. Salt.", "Selm viaduct")
    less = passage("The Selm viaduct carries 737 trains each month. Salt.", "Viaducts")
    for asked, held, side in (
        ("more than 1,000", more, "for"), ("more than 1,000", less, "against"), ("at most 737", less, "for"),
        ("less than 737", less, "against"), ("over 1,109", more, "against"), ("at least 1,109", more, "for"),
    ):  # fmt: skip
        question = f"Does the Selm viaduct carry {asked} trains each month?"
        found = polar.judged(Verdicts({"carries": YES}), NUMBERS, question, [held])
        assert [j.side for j in found] == [side], question
    found = polar.judged(
        Verdicts({"carries": SILENT}), NUMBERS, "Does the Selm viaduct carry over 9 trains each month?", [more]
    )
    assert found == []


def test_a_figure_that_the_sentence_bounds_itself_is_a_reach() -> None:
    """ "It carries more than 1,000" was once read as a no to "does it carry more than 1,000?"."""
    question = "Does the Selm viaduct carry more than 1,000 trains each month?"
    for said, side in (
        ("more than 1,000", "for"), ("at least 1,200", "for"), ("over 900", ""), ("900 to 1,100", ""), ("at most 1,000", "against"),
        ("less than 800", "against"), ("1,000", "against"), ("up to 1,500", ""),
    ):  # fmt: skip
        held = passage(f"The Selm viaduct carries {said} trains each month.")
        found = polar.judged(Verdicts({"carries": YES}), NUMBERS, question, [held])
        assert [j.side for j in found] == [side], said


def test_a_bound_is_found_in_names_whose_capitals_fold_longer() -> None:
    claim = "does the Maßstraße in Großbach carry over 300 trains."
    limit = polar.bound(claim)
    assert limit is not None
    assert claim[limit.start : limit.end] == "over 300"


def test_two_of_which_one_is_none_are_no_dispute() -> None:
    mills = [passage(f"{n} is a mill of salt.", n) for n in ("Orta", "Como")]
    says = {"Orta is a mill": YES, "Como is a mill": NO}
    shown = report(run(*mills, question="Are Orta and Como both a mill of salt?", says=says))
    assert "It reads as no: one source contradicts it of one of them" in shown
    assert polar.claims("Do Orta and Como both have mills?") == ["does Orta have mills.", "does Como have mills."]


def test_several_questions_are_no_claim() -> None:
    assert claimed("Was the mill closed? Why did it close?") == ""
    assert claimed("May 2024 prices?") == ""


def test_what_is_brought_later_turns_the_answer_in_the_same_version() -> None:
    tools = Tools(Verdicts(WORLD), Shelf(BRICK), NUMBERS, TopicReader(form="balance"))
    state = finish(ResearchState(question=ASKED), tools)[1]
    stone = STONE.model_copy(update={"source": STONE.source.model_copy(update={"date": None})})
    shown = report(finish(amend(state, [stone]), tools)[1])
    short = shown.split("## In short")[1].split("\n## ")[0]
    assert "It reads both ways: one source says it, one source contradicts it." in short
    assert "built of stone" in short
    assert "It reads as yes" not in short


def test_one_that_lies_outside_contradicts_no_other() -> None:
    small, great = passage("The Selm viaduct has 12 arches."), passage("The Orta viaduct has 60 arches.")
    for held, sides in ((small, [""]), (great, ["for"])):
        asked = "Are there viaducts with more than 50 arches?"
        assert [j.side for j in polar.judged(Verdicts({"arches": YES}), NUMBERS, asked, [held])] == sides


def test_only_figures_of_one_kind_are_compared() -> None:
    says = {"viaduct": YES}
    for asked, said, sides in (
        ("open before 1900", "The Selm viaduct of 1,109 bricks did open in 1884.", ["for"]),
        ("open before 1900", "The Selm viaduct did open with 12 arches.", []),
        ("carry over 300 trains", "The Selm viaduct did carry 400 tons.", []),
        ("rise over 300 metres", "The Selm viaduct did rise 0.4 km.", ["for"]),
        ("rise over 300 metres", "The Selm viaduct did rise for 400 years.", []),
    ):
        found = polar.judged(Verdicts(says), NUMBERS, f"Did the Selm viaduct {asked}?", [passage(said)])
        assert [j.side for j in found] == sides, said


def test_of_several_figures_the_one_that_the_model_reads_counts() -> None:
    held = passage("The Selm mill, which opened in 1854, burned down in 1871.", "Selm mill")
    found = polar.judged(ModelWriter("embedded"), NUMBERS, "Did the Selm mill open before 1860?", [held])
    assert [j.side for j in found] == ["for"]


def test_the_answer_follows_the_quotation_that_goes() -> None:
    """Without its only sentence a yes is no more: the verdict is taken back when the source is banned."""
    held = polar.judged(Verdicts(WORLD), NUMBERS, ASKED, [BRICK])
    assert polar.answer(ASKED, held).text.startswith("It reads as yes")
    assert polar.answer(ASKED, []).text == ""


def sources_of_verdict(state: ResearchState) -> list[str]:
    block = state.draft.block("verdict")
    cited = block.span("citation") if block else None
    return [state.passage(s.passage).source.title for s in cited.support] if cited else []


WALK = passage("As all know, the Selm viaduct is built of brick. Wind.", "A walk to the viaduct")


def test_the_verdict_cites_what_it_was_read_from() -> None:
    shown = report(run(BRICK, OTHER))
    assert "none was read as contradicting it. [1]" in shown
    assert sources_of_verdict(run(BRICK, OTHER)) == ["Selm viaduct"]
    both = run(STONE, BRICK)
    assert sorted(sources_of_verdict(both)) == ["Selm viaduct", "Viaducts"]
    assert "one source contradicts it. [1] [2]" in report(both)


def test_what_says_the_same_as_a_quotation_counts_and_is_cited() -> None:
    tools = Tools(Verdicts(WORLD), Shelf(BRICK), NUMBERS, TopicReader(form="balance"))
    asked = SubQuestion(id="q1", text=ASKED, asked=ASKED, form="balance")
    one, same = (Sentence(p, p.start, p.start + p.text.index(".") + 1, 1) for p in (BRICK, WALK))
    found = balance.decisive(tools, asked, [BRICK, WALK])
    said = balance.verdict(tools, asked, [Chosen((one,), 1.0, also=(same,))], found)
    assert said.text.startswith("It reads as yes: two independent sources say it")
    assert {s.passage.id for s in said.read} == {BRICK.id, WALK.id}
    alone = balance.verdict(tools, asked, [Chosen((one,), 1.0)], found)
    assert alone.text.startswith("It reads as yes: one source says it")


def test_the_verdict_loses_the_sources_that_a_person_bans() -> None:
    tools = Tools(Verdicts(WORLD), Shelf(BRICK, WALK), NUMBERS, TopicReader(form="balance"))
    state = finish(ResearchState(question=ASKED), tools)[1]
    assert sorted(sources_of_verdict(state)) == ["A walk to the viaduct", "Selm viaduct"]
    after = finish(amend(state, [], steering=Steering(ban=(WALK.source.id,))), tools)[1]
    assert sources_of_verdict(after) == ["Selm viaduct"]
    assert "one source says it" in report(after)
    (said,) = [r for r in after.revisions if r.span.startswith("verdict.")]
    assert (said.reason, said.old[:40]) == ("dependent", "It reads as yes: two independent sources")
    none = finish(amend(after, [], steering=Steering(ban=(BRICK.source.id,))), tools)[1]
    assert none.draft.block("verdict") is None


def test_where_a_ban_leaves_nothing_the_report_is_written_of_what_was_brought() -> None:
    tools = Tools(Verdicts(WORLD), Shelf(BRICK), NUMBERS, TopicReader(form="balance"))
    state = finish(ResearchState(question=ASKED), tools)[1]
    after = finish(amend(state, [WALK], steering=Steering(ban=(BRICK.source.id,))), tools)[1]
    short = report(after).split("## In short")[1].split("## ")[0]
    assert "It reads as yes: one source says it, and none was read as contradicting it. [2]" in short
    assert "- As all know, the Selm viaduct is built of brick. [2]" in short
    bare = finish(amend(state, [], steering=Steering(ban=(BRICK.source.id,))), tools)[1]
    assert "## In short" not in report(bare)
    assert "Nothing that was found answers this." in report(bare)


def test_a_verdict_of_the_same_words_cites_what_it_is_read_from_now() -> None:
    """In a later version that is a revision: `verify` once said that it changed though nothing had opened it."""
    state = run(BRICK, WALK)
    said = state.draft.block("verdict")
    assert said is not None
    held = [Sentence(p, p.start, p.start + p.text.index(".") + 1, 1) for p in state.evidence if p.id == WALK.id]
    now = polar.Answer(said.text, tuple(held))
    _, after = drained(balance.restated(state, "verdict", blocks.SHORT, now))
    assert sources_of_verdict(after) == ["A walk to the viaduct"]
    assert after.revisions == state.revisions
    later = state.model_copy(update={"version": 2})
    _, after = drained(balance.restated(later, "verdict", blocks.SHORT, now))
    assert sources_of_verdict(after) == ["A walk to the viaduct"]
    (stands,) = after.revisions
    assert (stands.old, stands.new, stands.reason) == (said.text, said.text, "dependent")
    assert not moved(state.draft, after.draft, stands.reopened)
    _, same = drained(balance.restated(after, "verdict", blocks.SHORT, now))
    assert same.revisions == after.revisions


def test_a_ban_of_one_of_two_copies_leaves_the_words_of_the_verdict() -> None:
    words = "The Selm viaduct is built of brick. It is the oldest bridge of the valley that still carries salt."
    twice = [passage(f"{words} Copy {n}.", f"Selm viaduct {n}") for n in range(2)]
    tools = Tools(Verdicts(WORLD), Shelf(*twice), NUMBERS, TopicReader(form="balance"))
    state = finish(ResearchState(question=ASKED), tools)[1]
    assert sorted(sources_of_verdict(state)) == ["Selm viaduct 0", "Selm viaduct 1"]
    after = finish(amend(state, [], steering=Steering(ban=(twice[1].source.id,))), tools)[1]
    assert sources_of_verdict(after) == ["Selm viaduct 0"]
    assert not moved(state.draft, after.draft, [s for r in after.revisions for s in r.reopened])
    assert "It reads as yes: one source says it" in report(after)


def test_without_a_fitted_number_nothing_is_judged() -> None:
    writer = Verdicts(WORLD)
    assert polar.judged(writer, NUMBERS.model_copy(update={"says": 0.0}), ASKED, [BRICK]) == []
    assert writer.history == []


@pytest.mark.parametrize(
    ("question", "said", "side"),
    [
        ("Was the Selm viaduct opened in 1890?", "The Selm viaduct was opened on 4 March 1890.", "for"),
        ("Was the Selm viaduct opened in 1890?", "The Selm viaduct was opened in May 1912.", "against"),
        ("Was the Selm viaduct opened in 1890?", "The Tay viaduct was opened in 1890.", ""),
        ("Was the Selm viaduct opened in 1890?", "The Selm viaduct carries two tracks.", ""),
    ],
)
def test_the_model_decides_plain_facts(question: str, said: str, side: str) -> None:
    found = polar.judged(ModelWriter("embedded"), NUMBERS, question, [passage(said)])
    assert [j.side for j in found] == ([side] if side else [])


def test_a_study_decides_nothing_and_what_speaks_of_it_stands_first() -> None:
    """ "Vitamin D intake decreased exacerbation" was read as a no to whether it helps."""
    trial = passage("The Selm viaduct is built of brick. Wind.", "A trial of viaducts")
    assert "It reads as yes" in report(run(passage(trial.text, "A walk")))
    shown = report(run(trial))
    assert "reads as" not in shown
    assert "No one sentence that was read settles whether it is so" in shown
    assert shown.split("## In short")[1].strip().startswith("- The Selm viaduct is built of brick. [1]")
    both = report(run(trial, STONE))
    assert "It reads as no: one source contradicts it" in both


def test_of_what_decides_two_a_side_stand_ahead_and_of_what_does_not_four() -> None:
    held = [passage(f"The Selm viaduct is built of brick {n}. Wind.", f"Walk {n}") for n in range(6)]
    for side, most in (("for", balance.EACH_WAY), ("against", balance.EACH_WAY), ("", balance.UNDECIDED)):
        found = [polar.Judged(side, Sentence(p, p.start, p.start + p.text.index(".") + 1, 1), 0, 0.9) for p in held]
        assert len(balance.ahead(found, [])) == most
    assert (balance.EACH_WAY, balance.UNDECIDED) == (2, 4)


def test_a_figure_of_a_study_is_held_against_a_bound() -> None:
    held = passage("The Selm viaduct carries 1,109 trains each month. Salt.", "Selm viaduct")
    question = "Does the Selm viaduct carry more than 1,000 trains each month?"
    found = polar.judged(Verdicts({"carries": YES}), NUMBERS, question, [held], {held.source.id})
    assert [j.side for j in found] == ["for"]
