"""Every fitted number is pinned: a figure computed by hand, or a decision just on either side of it. A fifth more or less fails.

`PINS` take the numbers, so that the last test can put changed ones in the place of those that are shipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from palimpsest.agent import (
    balance,
    belief,
    beside,
    blocks,
    checking,
    denials,
    drafting,
    hops,
    listing,
    loop,
    polar,
    premises,
    rivals,
    steps,
)
from palimpsest.agent.draft import Block, Draft, Span, Support
from palimpsest.agent.evidence_text import parts
from palimpsest.agent.hypotheses import Edge, Hypothesis, HypothesisGraph, Relation
from palimpsest.agent.numbers import UNCALIBRATED, Numbers, log_odds, probability
from palimpsest.agent.questions import subquestions
from palimpsest.agent.sentences import Sentence
from palimpsest.agent.state import Candidate, Filled, ResearchState, SubQuestion, Together, Tools, Verdict
from palimpsest.agent.writer import CITE
from palimpsest.retrieval.types import Passage, Words, WordsOf

from .world import NUMBERS, ScriptedWriter, Shelf, passage

QUESTION = "How many knots does the barge Marisa reach?"
ON_TOPIC = passage("The barge Marisa can reach 12 knots.", "The barge Marisa")
OFF_TOPIC = passage("Bread rises in 12 hours.", "A kitchen")
Pin = Callable[[Numbers], None]


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


def state(*held: Passage, question: str = QUESTION) -> ResearchState:
    planned = ResearchState(question=question, questions=tuple(subquestions(question)), evidence=held)
    return planned.model_copy(update={"draft": blocks.skeleton(planned)})


def candidate(held: Passage, probability: float = 0.9, text: str = "12") -> Candidate:
    start = held.text.index(text)
    return Candidate(text=text, passage=held.id, start=start, end=start + len(text), probability=probability)


def asked(found: ResearchState) -> SubQuestion:
    return found.questions[0]


def plain(numbers: Numbers) -> Tools:
    return Tools(ScriptedWriter({}), Shelf(), numbers)


def believed(numbers: Numbers, held: Passage, probability: float = 0.9, question: str = QUESTION) -> float:
    found = state(held, question=question)
    return belief.hypothesis(found, plain(numbers), asked(found), candidate(held, probability)).belief


def answer(odds: float, name: str = "q1.h1") -> Hypothesis:
    return Hypothesis(id=name, question="q1", text=name, kind="answer", belief=odds, support=())


def with_answers(*rivals: Hypothesis) -> ResearchState:
    found = state(ON_TOPIC)
    return found.model_copy(update={"graph": found.graph.put(*rivals)})


def decides(on: bool, off: bool) -> None:
    """Just on one side of a threshold it decides so, just on the other side it does not."""
    assert on
    assert not off


def pin_a_reading(n: Numbers) -> None:
    assert believed(n, ON_TOPIC) == near(-2.138 + 0.555 * log_odds(0.9))


def pin_what_is_off_topic(n: Numbers) -> None:
    assert believed(n, OFF_TOPIC, 0.5) == near(-2.138 - 2.5)
    assert believed(n, OFF_TOPIC, 0.5, "how long does it rise?") == near(-2.138)


def pin_the_kind_of_figure(n: Numbers) -> None:
    unlikely = replace(plain(n), suits=lambda question, read: [-2.0 for _ in read])
    found = state(ON_TOPIC)
    assert belief.hypothesis(found, unlikely, asked(found), candidate(ON_TOPIC, 0.5)).belief == near(-2.138 - 0.286 * 2)


def words_as_near_as(shares: dict[str, float]) -> WordsOf:
    """One word for all of a text, as near to the question's as is said of the words that the text ends with."""

    def one(text: str) -> Words:
        cosine = next((share for end, share in shares.items() if text.endswith(end)), 1.0)
        row = np.array([[cosine, math.sqrt(1 - cosine**2)]], dtype=np.float16)
        return Words(np.array([hash(text)]), np.array([[len(text) - 1, len(text)]]), row)

    return lambda texts: [one(text) for text in texts]


def pin_where_an_answer_stands(n: Numbers) -> None:
    """Its sentence holds half of what is asked, its passage half less than the nearest; what it had before is taken back."""
    found = state(ON_TOPIC, OFF_TOPIC)
    tools = replace(plain(n), words=words_as_near_as({OFF_TOPIC.text: 0.5}))
    read = tuple(f"q1/{p.id}" for p in (ON_TOPIC, OFF_TOPIC))
    found = found.model_copy(update={"read": read})
    alone = belief.hypothesis(found, tools, asked(found), candidate(OFF_TOPIC))
    (placed,) = belief.placed(found, tools, asked(found), [alone])
    assert placed.belief - alone.belief == pytest.approx(3.298 * 0.5 - 15.797 * 0.5, abs=1e-3)
    assert belief.placed(found, tools, asked(found), [placed]) == [placed]
    again = belief.hypothesise(found, tools, asked(found), [candidate(OFF_TOPIC)])
    assert again.graph.answers("q1")[0].belief == placed.belief


def pin_agreement(n: Numbers) -> None:
    other = passage("It is 12 knots that Marisa makes.", "Another")
    found = state(ON_TOPIC, other)
    found = belief.hypothesise(found, plain(n), asked(found), [candidate(ON_TOPIC)])
    before = found.graph.answers("q1")[0].belief
    after = belief.agree(found, n, asked(found), [candidate(other, 0.5)]).graph.answers("q1")[0].belief
    assert after - before == near(0.437 * 0.5)
    heard = [
        belief.agree(found, n, asked(found), [candidate(other, p)]).graph.answers("q1")[0].belief > before
        for p in (0.155, 0.145)
    ]
    decides(*heard)


def pin_a_verdict(n: Numbers) -> None:
    def weight(supports: float) -> float:
        verdict = Verdict(supports=supports, refutes=1 - supports, silent=0.0)
        return belief.verdict_edge("p", answer(0.0), verdict, n).weight

    assert weight(0.7) == near(0.073 * log_odds(0.7))
    assert weight(0.99) == near(0.22)
    assert weight(0.01) == near(-0.22)


def pin_a_denial(n: Numbers) -> None:
    """Without "not" the support of both wordings rises from even odds by 3.2 in all, or by 2.8."""
    held = passage("The Marisa is not 12 knots fast.", "Marisa")

    def is_denied(gain: float) -> bool:
        writer = ScriptedWriter({})
        bare = probability(gain / 2)
        both = [Verdict(supports=p, refutes=1 - p, silent=0.0) for p in (0.5, bare)]
        writer.enqueue(*both, *both)
        return bool(denials.denied(writer, n, QUESTION, [(candidate(held), held)]))

    decides(is_denied(3.2), is_denied(2.8))


def pin_a_premise(n: Numbers) -> None:
    """The sentence holds three of the claim's four words; of a longer claim two of three."""
    asked_, held = "Why did the Orta mill close in 1990?", passage("The Orta mill stood in 1990.")

    def found(supports: float, refutes: float, question: str = asked_) -> bool:
        writer = ScriptedWriter({})
        writer.enqueue(Verdict(supports=supports, refutes=refutes, silent=0.0))
        return premises.contradiction(writer, n, question, [held]) is not None

    decides(found(0.1, 0.61), found(0.1, 0.59))
    decides(found(0.39, 0.9), found(0.41, 0.9))
    decides(found(0.1, 0.9), found(0.1, 0.9, "Why did the Orta mill close?"))


def pin_an_entry_of_a_list(n: Numbers) -> None:
    def listed(probability: float) -> bool:
        writer = ScriptedWriter({"": r"barge (Marisa)"}, sure={"Marisa": probability})
        question = SubQuestion(id="q1", text="List the boats.", asked="List the boats.", form="list")
        return bool(listing._things(Tools(writer, Shelf(), n), question, [ON_TOPIC]))

    decides(listed(0.31), listed(0.29))


def pin_the_end_of_a_chain(n: Numbers) -> None:
    middle, end = passage("The winner rowed on Lake Orta.", "Race"), passage("It is 12 m deep.", "Lake Orta (lake)")
    found = state(middle, end, question="How deep is it where the winner rowed?")
    rows = [candidate(middle, 0.9, "Lake Orta"), candidate(end, 0.9, "12 m")]
    found = belief.hypothesise(found, plain(n), asked(found), rows)
    first, other = found.graph.answers("q1")
    assert first.text == "Lake Orta"
    after = steps._end_of_chain(found, n, asked(found), found.question)
    assert after.graph.get(other.id).belief - other.belief == near(1.191)
    assert after.graph.get(first.id).belief == first.belief
    assert steps._end_of_chain(after, n, asked(after), found.question).graph.get(other.id).belief == near(
        other.belief + 1.191
    )
    named = steps._end_of_chain(found, n, asked(found), "How deep is Lake Orta?")
    assert named.graph.get(other.id).belief == other.belief


def pin_what_is_read_of_all_hops(n: Numbers) -> None:
    """Of p = .5 there are 4.595 units above nothing; the next reading takes its place; where nothing is as likely, it is said."""
    found = state(ON_TOPIC)
    found = belief.hypothesise(found, plain(n), asked(found), [candidate(ON_TOPIC)])
    (before,) = found.graph.answers("q1")
    for turn, likely, gained in ((1, 0.5, 4.742164), (2, 0.99, 9.484327), (2, 0.99, 9.484327)):
        read = Together(answers=(candidate(ON_TOPIC, likely),), none=0.1)
        found = hops.weighed(found.model_copy(update={"round": turn}), n, asked(found), read)
        assert found.graph.get(before.id).belief - before.belief == near(gained)
    assert not found.graph.nothing("q1")
    none = hops.weighed(found.model_copy(update={"round": 3}), n, asked(found), Together(none=0.1))
    assert none.graph.get(before.id).belief == near(before.belief)
    assert none.graph.nothing("q1")


def pin_what_a_chain_speaks_of(n: Numbers) -> None:
    """An answer of several hops stands where its passage and a linked one hold four of ten words asked, not three of eight."""
    linked = passage("Rope and tar are sold beside the Marisa.", "Pella")
    own = passage("In Pella salt, cork and wool are sold, 12 tons.", "Marisa")
    found = state(own, linked)
    found = belief.hypothesise(found, plain(n), asked(found), [candidate(own)])

    def stands(*words: str) -> bool:
        return not hops.held(found, n, asked(found), " ".join(words)).graph.nothing("q1")

    said, unsaid = ("salt", "cork", "rope", "tar"), ("ink", "iron", "silk", "paper", "glass", "lead")
    decides(stands(*said, *unsaid), stands(*said[1:], *unsaid[1:]))


def pin_what_is_doubted(n: Numbers) -> None:
    found = state(ON_TOPIC)

    def words(probability: float) -> str:
        start = ON_TOPIC.text.index("12")
        support = (Support(passage=ON_TOPIC.id, quote="12", start=start, end=start + 2),)
        place = Span(id="q1.answer", text="12", kind="NUMBER", status="filled", support=support, confidence=probability)
        return loop._how(found, n, answer(3.0).model_copy(update={"support": support}), place)

    decides("more likely wrong" in words(0.49), "more likely wrong" in words(0.51))
    other = passage("Marisa, a barge, was seen to reach 12 knots in autumn.", "Another")
    agreeing = Edge(source=other.id, relation=Relation.SUPPORTS, target="q1.h1")
    found = state(ON_TOPIC, other).model_copy(update={"graph": found.graph.link(agreeing)})
    assert words(0.49) == "two independent sources"


def pin_what_is_named_beside(n: Numbers) -> None:
    """Another figure from .25 on; a passage that names the answer too from what is written on."""
    other = passage("Of the Marisa they tell of 15 knots.", "News")
    both = passage("Not 12 knots, they tell: Marisa made 15 knots.", "News")

    def named(held: Passage, chance: float) -> bool:
        found = state(ON_TOPIC, held)
        read_ones = [answer(3.0), answer(log_odds(chance), "q1.h2")]
        places = [(ON_TOPIC, "12 knots"), (held, "15 knots")]
        rivals = [
            h.model_copy(update={"text": text, "support": (Support(passage=p.id, quote=text, start=at, end=at + 8),)})
            for h, (p, text) in zip(read_ones, places, strict=True)
            for at in [p.text.index(text)]
        ]
        found = found.model_copy(update={"graph": found.graph.put(*rivals)})
        return bool(beside.named(drafting.write_answer(found, asked(found), rivals[0]), n, asked(found)))

    decides(named(other, 0.26), named(other, 0.24))
    decides(named(both, 0.16), named(both, 0.14))


def pin_what_is_read_together(n: Numbers) -> None:
    other = passage("It is 15 knots that Marisa makes.", "Another")

    class Chooser(ScriptedWriter):
        def choose(self, question: str, kind: str, passages: object) -> Filled:
            return Filled(text="15", passage=other.id, start=6, end=8, probability=0.5, none=0.0, steps=1)

    found = state(ON_TOPIC, other)
    found = belief.hypothesise(found, plain(n), asked(found), [candidate(ON_TOPIC), candidate(other, 0.9, "15")])
    before = {h.text: h.belief for h in found.graph.answers("q1")}
    after = steps._together(found, Tools(Chooser({}), Shelf(), n), asked(found), QUESTION)
    assert {h.text: h.belief - before[h.text] for h in after.graph.answers("q1")} == {
        "15": near(0.1985),
        "12": near(0.0),
    }


def pin_what_is_written(n: Numbers) -> None:
    decides(*[bool(drafting.best_answer(with_answers(answer(log_odds(p))), n, asked(state()))) for p in (0.16, 0.14)])


def pin_what_gives_way(n: Numbers) -> None:
    held = with_answers(answer(0.0))
    slot = Span(id="q1.answer", text="x", kind="NUMBER", status="filled", hypothesis="q1.h1")
    block = blocks.answer(asked(held), "answer.q1").model_copy(update={"spans": (slot,)})
    held = held.model_copy(update={"draft": Draft(blocks=(block,))})
    decides(*[drafting._stays(held, n, asked(held), answer(odds, "q1.h2")) for odds in (0.83, 0.84)])


def pin_a_bridge(n: Numbers) -> None:
    near_by = passage("The winner rowed for the club of Omegna.", "Race")
    found = state(near_by, question="Where does the winner live?").model_copy(update={"fresh": (near_by.id,)})

    def bridges(probability: float) -> bool:
        support = Support(passage=near_by.id, quote="club", start=25, end=29)
        rival = answer(log_odds(probability)).model_copy(update={"support": (support,)})
        held = found.model_copy(update={"graph": found.graph.put(rival)})
        writer = ScriptedWriter({"winner": r"club of (\w+)"}, sure={"Omegna": 0.01})
        writer.enqueue(Verdict(supports=0.5, refutes=0.5, silent=0.0))
        tools = Tools(writer, Shelf(), n)
        reading = steps.read(held, tools, asked(held), "Where does the winner live?", [near_by])
        while True:
            try:
                next(reading)
            except StopIteration as stop:
                return any(q.reason == "bridge" for q in stop.value.queries)

    decides(bridges(0.49), bridges(0.51))


def pin_the_least_candidate(n: Numbers) -> None:
    decides(*[steps._is_news(candidate(ON_TOPIC, p), QUESTION, n) for p in (0.041, 0.039)])


BARGE = "The fastest barge on Lake Orta is Marisa, which reaches 12 knots."
RIVAL = passage("The fastest barge on Lake Orta is Marisa, which reaches 17 knots.", "News")


def spans(text: str) -> list[Span]:
    return [Span(id=f"c.{n}", text=p.text, kind=p.kind, status="filled") for n, p in enumerate(parts(text, 0))]


class Reader(ScriptedWriter):
    """Reads 17 with a probability, and gives one verdict on all."""

    def __init__(self, probability: float, supports: float) -> None:
        super().__init__({})
        self.probability, self.supports = probability, supports

    def fill(self, forms: object) -> list[list[Filled]]:
        at = RIVAL.text.index("17")
        sure = self.probability
        return [[Filled(text="17", passage=RIVAL.id, start=at, end=at + 2, probability=sure, none=0.0, steps=1)]]

    def verdicts(self, pairs: object) -> list[Verdict]:
        return [Verdict(supports=self.supports, refutes=1 - self.supports, silent=0.0)]


def pin_a_dispute(n: Numbers) -> None:
    rival = rivals.find_rival(spans(BARGE), RIVAL, n)
    assert rival is not None
    assert [spans(BARGE)[h].text for h in rival.holes] == ["12 knots"]

    def disputed(probability: float, supports: float) -> bool:
        claim = Block(id="c", kind="quotation", section="findings", spans=tuple(spans(BARGE)))
        return checking._disputed(Tools(Reader(probability, supports), Shelf(), n), claim, rival)

    decides(disputed(0.31, 0.1), disputed(0.29, 0.1))
    decides(disputed(0.9, 0.79), disputed(0.9, 0.81))


def pin_what_speaks_of_the_same_thing(n: Numbers) -> None:
    """The claim has seven words beside its places; a sentence must hold five of them, four are not enough."""
    claim = "cargo boats carry salt weekly past Orta with 12 times."
    decides(
        rivals.find_rival(spans(claim), passage("cargo boats carry salt weekly by Orta with 15 hours."), n) is not None,
        rivals.find_rival(spans(claim), passage("cargo boats carry salt by Orta with 15 hours."), n) is not None,
    )


def pin_the_subject(n: Numbers) -> None:
    """Two of three words in common ahead of the difference are enough, three of five are not."""

    def same(claim: str, text: str) -> bool:
        words = spans(claim)
        hole = next(i for i, s in enumerate(words) if s.text == "12")
        return rivals.same_subject(words, hole, text, "15", n)

    decides(
        same("barge salt cargo 12.", "barge salt 15."), same("barge salt cargo lake 12.", "barge salt cargo grain 15.")
    )


def pin_the_chance_of_answers_of_several_hops(n: Numbers) -> None:
    """Believed at 0 and at 2 log-odds: right in 37 and in 40 of a hundred cases."""
    edge = Edge(source=f"q1 {hops.TOGETHER}1", relation=Relation.SUPPORTS, target="q1.h1")
    found = state().model_copy(update={"graph": HypothesisGraph(edges=(edge,))})
    assert hops.chance(found, n, "q1", 0.0) == pytest.approx(0.3705, abs=1e-4)
    assert hops.chance(found, n, "q1", 2.0) == pytest.approx(0.3956, abs=1e-4)


def pin_findings(n: Numbers) -> None:
    """A sentence with all of the answer's words and none of the question's is a finding; one with two thirds of both is not."""
    said = passage("Pietro Canale kept seven white horses there.", "A")
    found = state(said, question="Who built the big barge?")
    found = found.model_copy(update={"read": (f"q1/{said.id}",)})

    def score(text: str) -> float:
        (ranked,) = drafting._ranked_sentences(found, n, asked(found), answer(0.0).model_copy(update={"text": text}))
        return ranked[0]

    assert score("Pietro Canale") == near(0.6)
    assert score("Pietro Rossi") == near(0.3)

    def written(text: str) -> bool:
        graph = found.graph.put(answer(3.0).model_copy(update={"text": text}))
        steps_ = drafting._findings(found.model_copy(update={"graph": graph}), n, asked(found))
        return bool(list(steps_))

    nine = "Pietro Canale kept seven white horses there Rossi"  # all but one of its seven words: 0.6 * 6 / 7 = 0.514
    decides(written(nine), written(f"{nine} Bianchi"))


def pin_what_says_the_same(n: Numbers) -> None:
    ten = "barge salt cargo lake crew sail seven wind rope mast"
    other = "barge salt cargo lake crew sail seven {} {} {}"
    decides(
        drafting._alike(ten, other.format("ocho", "nueve", "diez"), n.alike),
        drafting._alike(ten, other.format("ocho", "nueve", "diez").replace("seven", "siete"), n.alike),
    )


def pin_a_yes_or_no(n: Numbers) -> None:
    """Of the question's seven words a sentence must hold four, three are not enough; and the verdict must be sure."""

    def sides(supports: float, text: str) -> list[str]:
        question = "Do barges carry salt, grain, wool, oak and slate?"
        return [j.side for j in polar.judged(Reader(0.0, supports), n, question, [passage(text)])]

    four = "The old barges carry salt and grain."
    decides(sides(0.71, four) == ["for"], sides(0.69, four) == ["for"])
    decides(sides(0.29, four) == ["against"], sides(0.31, four) == ["against"])
    decides(bool(sides(0.95, four)), bool(sides(0.95, "The old barges carry salt and crew.")))


def pin_how_near_a_yes_or_no_must_be(n: Numbers) -> None:
    """What holds nine tenths of what the nearest sentence holds decides; less only speaks of it."""

    def sides(share: float) -> list[str]:
        far = polar.Judged("for", Sentence(OFF_TOPIC, 0, len(OFF_TOPIC.text), 1), 0, 0.9)
        tools = replace(plain(n), words=words_as_near_as({OFF_TOPIC.text: share * 0.8, ON_TOPIC.text: 0.8}))
        return [j.side for j in balance._near([far], tools, "Is bread risen?", [ON_TOPIC, OFF_TOPIC])]

    decides(sides(0.91) == ["for"], sides(0.89) == ["for"])


PINS: list[Pin] = [value for name, value in sorted(globals().items()) if name.startswith("pin_")]
FITTED = sorted(NUMBERS.model_fields_set - {"fitted_on"})


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: pin.__name__)
def test_the_numbers_decide_as_they_were_fitted(pin: Pin) -> None:
    pin(NUMBERS)


@pytest.mark.parametrize("factor", [0.8, 1.2])
@pytest.mark.parametrize("name", FITTED)
def test_a_number_changed_by_a_fifth_fails_a_test(name: str, factor: float) -> None:
    """Seven of 21 changed constants once survived all tests."""
    changed = NUMBERS.model_copy(update={name: getattr(NUMBERS, name) * factor})
    survived = []
    for pin in PINS:
        try:
            pin(changed)
        except AssertionError:
            return
        survived.append(pin.__name__)
    pytest.fail(f"{name} times {factor} fails none of {survived}")


def test_every_number_of_the_agent_is_fitted_and_says_on_what() -> None:
    assert set(FITTED) == set(Numbers.model_fields) - {"fitted_on"}
    assert NUMBERS.fitted_on


def test_a_model_without_a_calibration_runs_without_anybodys_numbers() -> None:
    assert believed(UNCALIBRATED, ON_TOPIC) == believed(UNCALIBRATED, OFF_TOPIC) == near(log_odds(0.9))
    assert (
        belief.verdict_edge("p", answer(0.0), Verdict(supports=0.9, refutes=0.1, silent=0.0), UNCALIBRATED).weight == 0
    )
    assert CITE.kind.name == "CITE"
