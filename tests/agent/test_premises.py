"""What a question takes for granted, held against documents that say otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from palimpsest.agent.premises import contradiction
from palimpsest.agent.questions import granted
from palimpsest.agent.state import Verdict
from palimpsest.agent.writer import ModelWriter

from .world import NUMBERS, ScriptedWriter, Shelf, passage, report, research

FALSE = [  # a question, and a sentence that contradicts what it takes for granted
    ("Why was the Selm viaduct demolished?", "The Selm viaduct was never demolished."),
    ("How did Greta Holt win the trial?", "Greta Holt lost the trial."),
    ("When did the Carrick mine close?", "The Carrick mine did not close."),
    ("Why did the Orta line shut?", "The Orta line never shut."),
    ("Why did the Lund choir refuse the prize?", "The Lund choir accepted the prize gladly."),
]
TRUE = [
    ("Why was the Selm viaduct demolished?", "The Selm viaduct was demolished in 1971 since its piers had sunk."),
    ("How did Greta Holt win the trial?", "Greta Holt won the trial because her witness was believed."),
    ("When did the Carrick mine close?", "The Carrick mine closed in 1984."),
    ("Who led the Lund choir?", "The Lund choir was led by Karl Moe, though he did not read music."),
    ("When did the Carrick mine open?", "The Carrick canal froze in 1984."),
]
ASKED = "Why did the Orta mill close in 1990?"
OPENED = passage("The Orta mill opened in 1990, close to the lake.", "Orta mill", "2020")
NO, YES = Verdict(supports=0.1, refutes=0.8, silent=0.1), Verdict(supports=0.8, refutes=0.1, silent=0.1)


@pytest.fixture(scope="module")
def model() -> ModelWriter:
    return ModelWriter("embedded")


def test_the_model_sees_some_false_premises_and_no_true_one_as_false(model: ModelWriter) -> None:
    """It sees about half of them; on 345 ordinary questions of three sets it was wrong on 5."""
    seen = [q for q, said in FALSE if contradiction(model, NUMBERS, q, [passage(said)])]
    assert len(seen) >= 4, seen
    assert [q for q, said in TRUE if contradiction(model, NUMBERS, q, [passage(said)])] == []


def test_the_claim_is_the_question_without_its_question_word() -> None:
    assert granted("Why did the mill close in 1990?") == "did the mill close in 1990."
    assert granted("Compare barges and boats.") == ""


def asked(*verdicts: Verdict) -> str:
    writer = ScriptedWriter({})
    writer.enqueue(*verdicts)
    return report(research(ASKED, writer, Shelf(OPENED))[1])


def test_a_contradiction_is_said_with_its_sentence_and_its_source() -> None:
    shown = asked(NO)
    assert f"takes for granted may not hold: “Orta mill” says “{OPENED.text}” [1]" in shown
    assert "1. Orta mill." in shown.split("## Sources")[1]


class Doubter(ScriptedWriter):
    """Refutes what a question takes for granted, and nothing else."""

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        return [NO if claim.startswith("did") else YES for claim, _ in pairs]


def test_the_sentence_that_the_answer_was_read_in_contradicts_nothing() -> None:
    read = report(research(ASKED, Doubter({"close in 1990": r"mill (opened)"}), Shelf(OPENED))[1])
    assert "**opened**" in read
    assert "takes for granted" not in read
    assert "takes for granted" in report(research(ASKED, Doubter({}), Shelf(OPENED))[1])


def test_a_denial_contradicts_where_it_says_it_without_its_words_of_denial() -> None:
    held = passage("The Orta mill did not close in 1990.")
    unsure, sure = Verdict(supports=0.5, refutes=0.4, silent=0.1), Verdict(supports=0.9, refutes=0.0, silent=0.1)
    for bare, found in ((sure, held.text), (unsure, None)):
        writer = ScriptedWriter({})
        writer.enqueue(unsure, bare, unsure)
        said = contradiction(writer, NUMBERS, ASKED, [held])
        assert (said.text if said else None) == found


def test_a_sentence_that_says_it_silences_all_others() -> None:
    writer = ScriptedWriter({})
    writer.enqueue(NO, YES)
    assert contradiction(writer, NUMBERS, ASKED, [OPENED, passage("The Orta mill had to close in 1990.")]) is None


def test_what_does_not_speak_of_the_same_is_not_asked() -> None:
    writer = ScriptedWriter({})
    assert (
        contradiction(writer, NUMBERS, ASKED, [passage("The Como mill did close in 1990."), passage("Orta is a lake.")])
        is None
    )
    assert writer.history == []


def test_a_model_whose_verdicts_were_not_measured_is_not_asked() -> None:
    writer = ScriptedWriter({})
    assert contradiction(writer, NUMBERS.model_copy(update={"premise": 0.0}), ASKED, [OPENED]) is None
    assert writer.history == []


def test_a_reply_to_another_question_contradicts_nothing() -> None:
    text = "No. But the Orta mill did close late in 1990."
    held = passage(text, "Orta mill")
    for heading, kept in (("May I visit?", False), ("Did the Orta mill close in 1990?", True)):
        under = held.model_copy(update={"path": (heading,), "sentences": ((0, 3), (4, len(text)))})
        assert bool(contradiction(Doubter({}), NUMBERS, ASKED, [under])) is kept
