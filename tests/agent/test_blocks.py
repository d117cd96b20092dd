from __future__ import annotations

import pytest

from palimpsest.agent import blocks
from palimpsest.agent.draft import Support
from palimpsest.agent.evidence_text import form, overlap, parts, sentence_at, slice_of
from palimpsest.agent.hypotheses import Edge, Hypothesis, HypothesisGraph, Relation
from palimpsest.agent.questions import subquestions
from palimpsest.agent.state import Conflict, ResearchState, Revision
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec

from .world import passage, report

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
    draft = blocks.skeleton(state())
    assert [b.kind for b in draft.blocks] == ["heading", "heading", "heading", "answer", "heading", "answer"]
    assert [s.id for s in draft.spans() if s.status == "open" and s.role == "words"] == ["q1.answer", "q2.answer"]
    shown = report(state().model_copy(update={"draft": draft}))
    assert f"# {QUESTION}\n\n## Answer\n\n### What is the fastest barge?\n\n**▢▢▢**\n\n" in shown
    assert draft.span("q2.answer").kind == "NUMBER"
    assert [s.id for s in draft.spans() if s.depends_on == ("q1.answer",)] == ["q1.cite", "q1.standing"]


def test_a_single_question_needs_no_heading_of_its_own() -> None:
    draft = blocks.skeleton(state("Who dug the canal?"))
    assert [b.level for b in draft.blocks if b.kind == "heading"] == [1, 2]


def test_one_part_of_a_question_is_headed_by_what_it_asks() -> None:
    """ "Not established" stood right under a question of two parts, the second of which had sections."""
    whole = state("Who built the Marisa, and how does it sail?")
    drawn = blocks.skeleton(whole.model_copy(update={"questions": whole.questions[:1]}))
    assert "### Who built the Marisa?" in report(whole.model_copy(update={"draft": drawn}))


def test_a_quotation_is_its_words_and_a_citation_of_the_whole() -> None:
    block = blocks.quotation("c1", "findings", parts(OLD.text, 100), OLD, "c1")
    assert block.text == OLD.text
    assert all(
        s.support[0].quote == s.text and s.support[0].end - s.support[0].start == len(s.text) for s in block.words
    )
    cited = block.span("citation")
    assert cited is not None
    assert cited.depends_on == tuple(s.id for s in block.words)
    assert cited.support[0] == Support(passage=OLD.id, quote=OLD.text, start=100, end=100 + len(OLD.text))


def test_the_turns_of_a_quotation_are_counted_in_its_spans() -> None:
    words = parts(OLD.text, 0)
    assert blocks.turn_of(blocks.quotation("c1", "findings", words, OLD, "c1")) == 0
    assert blocks.turn_of(blocks.quotation("c1", "findings", words, OLD, "c1", turn=3)) == 3


def test_a_conflict_names_both_sources_and_both_dates() -> None:
    kept, other = (Support(passage=p.id, quote=p.text, start=0, end=len(p.text)) for p in (OLD, NEW))
    conflict = Conflict(
        id="conflict.1", hypothesis="c1", kept=kept, other=other, reason="Kept: what was written first."
    )
    shown = report(blocks.put(state(), [blocks.conflict(state(), conflict)]))
    assert (
        "- Barges of 2024 (2024-05-01) [2]: “Marisa reaches 12 knots.”\n"
        "  against Barges of 2026 (undated) [1]: “Marisa reaches 17 knots.”\n"
        "  Kept: what was written first.\n"
    ) in shown


@pytest.mark.parametrize(
    ("evidence", "line"),
    [
        (NEW.id, "- “12” → “17”: contradicted by Barges of 2026 (undated) [1].\n"),
        (None, "- “12” → “17”: contradicted.\n"),
    ],
)
def test_a_revision_says_why_and_shows_no_number_that_was_not_measured(evidence: str | None, line: str) -> None:
    change = Revision(
        version=2, span="c1.1", reopened=("c1.1",), old="12", new="17", reason="contradicted", evidence=evidence,
        before=0.2, after=0.9,
    )  # fmt: skip
    whole = state().model_copy(update={"revisions": (change,)})
    assert line in report(blocks.put(whole, [blocks.revision(1)]))


def test_a_section_opens_once_and_takes_a_block_once() -> None:
    whole = state().model_copy(update={"draft": blocks.skeleton(state())})
    once = blocks.put(whole, [blocks.source(1, NEW.source)])
    twice = blocks.put(once, [blocks.source(1, NEW.source), blocks.source(2, OLD.source)])
    shown = report(twice)
    assert shown.count("## Sources") == 1
    assert shown.count("1. Barges of 2026. Undated.") == 1
    assert "2. Barges of 2024. 2024-05-01." in shown
    found = blocks.put(twice, [blocks.quotation("c1", "findings", parts(OLD.text, 0), OLD, "c1")])
    assert report(found).index("## Findings") < report(found).index("## Sources")
    assert blocks.put(found, []) == found


def test_what_is_taken_back_takes_its_heading_with_the_last_entry() -> None:
    both = blocks.put(state(), [blocks.line(f"open.{q}.1", "open", f"{q} is open") for q in ("q1", "q2")])
    one, gone = blocks.take_back(both, "q1")
    assert gone == ["open.q1.1.text"]
    none, gone = blocks.take_back(one, "q2")
    assert gone == ["open.title", "open.q2.1.text"]
    assert none.draft.blocks == ()


def test_a_form_opens_the_named_places() -> None:
    words = [(p.text, p.kind) for p in parts(OLD.text, 0)]
    assert form(words, [0, 2]) == [
        SlotSpec(MaskKind.ENTITY, required=True),
        " reaches ",
        SlotSpec(MaskKind.NUMBER, required=True),
        ".",
    ]


def test_a_sentence_is_found_by_its_place_in_the_source() -> None:
    text = "One is here. Marisa reaches 12 knots. Three."
    part = OLD.model_copy(update={"text": text, "start": 50, "end": 94, "sentences": ((50, 62), (63, 87), (88, 94))})
    start, end = sentence_at(part, 63, 69)
    cut = slice_of(part, start, end)
    assert (cut.text, cut.start, cut.end, cut.id) == ("Marisa reaches 12 knots.", 63, 87, OLD.id)
    assert sentence_at(part, 63, 94) == (63, 94), "words that run over the sentence's end take the next one too"


def test_overlap_is_the_share_of_the_wanted() -> None:
    assert overlap({"barge", "knot"}, "Barges are slow") == 0.5
    assert overlap(set(), "anything") == 0.0


def test_putting_a_hypothesis_again_replaces_it_in_its_place() -> None:
    nodes = [Hypothesis(id=n, question="q", text=n, kind="claim", support=()) for n in "ab"]
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
    whole = state().model_copy(update={"draft": blocks.skeleton(state())})
    assert ResearchState.model_validate_json(whole.model_dump_json()) == whole
