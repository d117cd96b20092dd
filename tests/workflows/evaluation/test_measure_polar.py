"""What verdicts on studies are worth, counted."""

from __future__ import annotations

from palimpsest.workflows.evaluation.measure_polar import BOTH, Worth, questions, told, worth
from tests.agent.lake import TopicReader
from tests.agent.test_polar import NUMBERS, YES, Verdicts

ROW = {
    "pmid": "7",
    "QUESTION": "Does salt raise the price of bread?",
    "CONTEXTS": ["Bread was dear on the lake. We mean to ask whether salt does raise the price of bread."],
    "LONG_ANSWER": "Salt does raise the price of bread on the lake.",
    "final_decision": "yes",
}


def test_only_claims_are_asked_beside_their_abstract() -> None:
    found = list(questions([ROW, ROW | {"QUESTION": "What raises the price of bread?"}]))
    (one,) = found
    assert (one.answer, "".join(p.text for p in one.passages)[:11]) == ("yes", "Bread was d")
    assert "on the lake." in one.passages[-1].text


def test_a_verdict_is_read_off_unless_the_text_is_of_a_study() -> None:
    (asked,) = questions([ROW])
    writer, reader = Verdicts({"Salt does raise": YES}), TopicReader()
    assert told(writer, reader, NUMBERS, asked, frozenset()) == "yes"
    assert told(writer, reader, NUMBERS, asked, {"7"}) == ""
    assert told(Verdicts({}), reader, NUMBERS, asked, frozenset()) == ""


def test_neither_maybe_nor_both_ways_is_right() -> None:
    assert worth(["yes", "no", BOTH, "", "yes"], ["yes", "yes", "maybe", "no", "maybe"]) == Worth(5, 4, 1)
