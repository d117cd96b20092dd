from __future__ import annotations

import json

import pytest

from palimpsest.agent import report
from palimpsest.agent.draft import Support
from palimpsest.agent.forms import form, overlap, parts, sentence_at, slice_of, subquestions
from palimpsest.agent.hypotheses import Edge, Hypothesis, HypothesisGraph, Relation
from palimpsest.agent.state import Conflict, ResearchState, Revision
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from .world import passage

OLD = passage("Marisa reaches 12 knots.", "Barges of 2024", "2024-05-01")
NEW = passage("Marisa reaches 17 knots.", "Barges of 2026")
QUESTION = "What is the fastest barge, and how many knots does it reach?"


def state(question: str = QUESTION) -> ResearchState:
    return ResearchState(
        question=question,
        questions=tuple(subquestions(question)),
        evidence=(OLD, NEW),
        references=(NEW.source.id, OLD.source.id),
    )


def test_the_skeleton_is_open_where_nothing_is_known() -> None:
    draft = report.skeleton(state())
    assert [s.id for s in draft.spans() if s.status == "open" and s.kind != "CITE" and "answer" in s.id] == [
        "q1.answer",
        "q2.answer",
    ]
    assert draft.text.startswith(f"# {QUESTION}\n\n## Answer\n\n### What is the fastest barge?\n\n**▢▢▢**\n\n")
    assert "### How many knots does it reach?" in draft.text
    assert draft.span("q2.answer").kind == "NUMBER"
    assert draft.dependents(["q1.answer"]) == ["q1.cite", "q1.conf"]


def test_a_single_question_needs_no_heading_of_its_own() -> None:
    assert "###" not in report.skeleton(state("Who dug the canal?")).text


def test_the_number_of_a_citation_is_the_place_of_its_source() -> None:
    assert report.cite_text(state(), NEW.source) == " [1]"
    assert report.cite_text(state(), OLD.source) == " [2]"


def test_front_matter_survives_quotes_and_lines() -> None:
    text = report.front_matter({"question": 'Who said "go\\no"?\nAnd when?'})
    line = text.splitlines()[1].removeprefix("question: ")
    assert text.startswith("---\n")
    assert text.endswith("---\n\n")
    assert json.loads(line) == 'Who said "go\\no"? And when?'  # a double-quoted YAML string of this kind is JSON


def test_a_claim_is_its_words_a_citation_and_a_tail() -> None:
    words = parts(OLD.text, 100)
    spans = report.claim_spans("c1", words, OLD, " [2]", quote=False, confidence=0.654)
    assert "".join(s.text for s in spans) == "- Marisa reaches 12 knots. [2] (confidence 0.65)\n"
    assert all(
        s.support[0].quote == s.text and s.support[0].end - s.support[0].start == len(s.text) for s in spans[1:-2]
    )
    copied = tuple(s.id for s in spans[1:-2])
    assert spans[-2].kind == "CITE"
    assert spans[-2].depends_on == spans[-1].depends_on == copied
    assert spans[-2].support[0] == Support(passage=OLD.id, quote=OLD.text, start=100, end=100 + len(OLD.text))
    quoted = report.claim_spans("c2", words, OLD, " [2]", quote=True, confidence=0.5)
    assert "".join(s.text for s in quoted) == "> Marisa reaches 12 knots. [2]\n\n"


def test_a_conflict_names_both_sources_and_both_dates() -> None:
    conflict = Conflict(
        id="conflict.1", hypothesis="c1", kept=OLD.text, kept_passage=OLD.id, other=NEW.text, other_passage=NEW.id,
        reason="Kept: what was written first.",
    )  # fmt: skip
    (span,) = report.conflict_spans(state(), conflict)
    assert span.text == (
        "- Barges of 2024 (2024-05-01) [2]: “Marisa reaches 12 knots.”\n"
        "  against Barges of 2026 (undated) [1]: “Marisa reaches 17 knots.”\n"
        "  Kept: what was written first.\n"
    )


@pytest.mark.parametrize(
    ("evidence", "before", "told"),
    [
        (NEW.id, 0.2, "- “12” → “17”: contradicted by Barges of 2026 (undated) [1]; probability 0.20 → 0.90.\n"),
        (None, None, "- “12” → “17”: contradicted.\n"),
    ],
)
def test_a_revision_says_why(evidence: str | None, before: float | None, told: str) -> None:
    change = Revision(
        version=2, span="c1.1", reopened=("c1.1",), old=" 12 ", new="17", reason="contradicted", evidence=evidence,
        before=before, after=0.9,
    )  # fmt: skip
    assert report.revision_span(state(), 1, change).text == told


def test_a_section_opens_once_and_takes_a_span_once() -> None:
    told = state().model_copy(update={"draft": report.skeleton(state())})
    once = report.append(told, "sources", [report.source_span(1, NEW.source)])
    twice = report.append(once, "sources", [report.source_span(1, NEW.source), report.source_span(2, OLD.source)])
    assert twice.draft.text.count("## Sources") == 1
    assert twice.draft.text.count("1. Barges of 2026. Undated.") == 1
    assert "2. Barges of 2024. 2024-05-01." in twice.draft.text
    found = report.append(twice, "findings", [report.source_span(9, OLD.source)])
    assert found.draft.text.index("## Findings") < found.draft.text.index("## Sources")
    assert report.append(found, "conflicts", []) == found


def test_a_form_opens_the_named_places() -> None:
    words = [(p.text, p.kind) for p in parts(OLD.text, 0)]
    assert form(words, [0, 2]) == [
        SlotSpec(MaskKind.ENTITY, required=True),
        " reaches ",
        SlotSpec(MaskKind.NUMBER, required=True),
        " knots.",
    ]


def test_a_sentence_is_found_by_its_place_in_the_source() -> None:
    part = OLD.model_copy(update={"text": "One is here. Marisa reaches 12 knots. Three.", "start": 50, "end": 94})
    start, end = sentence_at(part, 63, 69)
    cut = slice_of(part, start, end)
    assert (cut.text, cut.start, cut.end, cut.id) == ("Marisa reaches 12 knots.", 63, 87, OLD.id)
    assert sentence_at(part, 63, 94)[1] == 94  # words that run over the sentence's end stay whole


def test_overlap_is_the_share_of_the_wanted() -> None:
    assert overlap({"barge", "knot"}, "Barges are slow") == 0.5
    assert overlap(set(), "anything") == 0.0


def test_putting_a_hypothesis_again_replaces_it_in_its_place() -> None:
    nodes = [Hypothesis(id=n, question="q", text=n, kind="claim", belief=0.0, support=()) for n in "ab"]
    graph = HypothesisGraph().put(*nodes).put(nodes[0].model_copy(update={"text": "new"}))
    assert [h.text for h in graph.claims("q")] == ["new", "b"]
    assert graph.answers("q") == []


def test_edges_to_things_without_belief_are_kept_and_move_nothing() -> None:
    node = Hypothesis(id="h", question="q", text="x", kind="answer", belief=1.0, support=())
    edges = (
        Edge(source="h", relation=Relation.ANSWERS, target="q", weight=5.0),
        Edge(source="p", relation=Relation.REFUTES, target="h", weight=-0.5),
        Edge(source="p", relation=Relation.SUPPORTS, target="h", weight=0.25),
    )
    graph = HypothesisGraph().put(node).link(*edges)
    assert graph.get("h").belief == 0.75
    assert graph.edges == edges


def test_a_state_survives_its_json() -> None:
    """Checkpoints and resume rest on this."""
    whole = state().model_copy(update={"draft": report.skeleton(state())})
    assert ResearchState.model_validate_json(whole.model_dump_json()) == whole
