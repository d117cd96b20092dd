"""Where words stand in their source, and what is chosen by a click."""

from __future__ import annotations

from palimpsest.agent.blocks import Passage, Source
from palimpsest.agent.draft import Block, Draft, Span, Support
from palimpsest.agent.hypotheses import Edge, Hypothesis, Relation, Rivalry
from palimpsest.agent.state import HypothesisGraph, ResearchState
from palimpsest.retrieval.types import Cell
from palimpsest.ui.workbench import diffs, graphs, hypotheses, places, sheets, steps

SOURCE = Source(id="s", uri="rows.csv", title="Rows", sha256="0" * 64, media_type="text/csv")
CELLS = (("Name", 6, 9), ("Age", 16, 18), ("Name", 25, 27), ("Age", 34, 36))
ROWS = "Name: Ann; Age: 31\nName: Bo; Age: 42"
TABLE = Passage(
    id="s-10",
    text=ROWS,
    source=SOURCE,
    start=10,
    end=10 + len(ROWS),
    cells=tuple(Cell(name=n, start=10 + a, end=10 + b) for n, a, b in CELLS),
)


def support(start: int, end: int) -> Support:
    return Support(passage="s-10", quote=ROWS[start:end], start=10 + start, end=10 + end)


def quotation() -> Block:
    words = (
        Span(id="c.0", text="Name: Bo; Age: ", kind="TEXT", status="filled", support=(support(19, 34),)),
        Span(id="c.1", text="42", kind="NUMBER", status="filled", support=(support(34, 36),)),
    )
    cited = Span(id="c.cite", text="", kind="CITE", role="citation", support=(support(19, 36),))
    return Block(id="c", kind="quotation", section="section.1", spans=(*words, cited))


def test_the_row_of_a_value_is_the_line_on_which_it_stands() -> None:
    assert places.row_of(TABLE, support(34, 36)) == [("Name", (35, 37)), ("Age", (44, 46))]
    assert [start for _, (start, _) in places.row_of(TABLE, support(6, 9))] == [16, 26]


def test_a_value_is_marked_within_its_sentence_and_in_its_row() -> None:
    block = quotation()
    (found,) = places.chosen(block, block.spans[1], block.spans[1].support)
    shown = places.shown(TABLE, found, places.sentence(block, found), "")
    assert '<mark class="pp-around">Name: Bo; Age: </mark><mark>42</mark>' in shown
    assert "<th>Name</th><td>Bo</td>" in shown
    assert "<th>Age</th><td><mark>42</mark></td>" in shown
    assert "Ann" not in shown.partition("The row")[2]


def test_words_between_the_places_of_a_quotation_choose_its_sentence() -> None:
    block = quotation()
    assert places.chosen(block, block.spans[0], block.spans[0].support) == block.spans[2].support
    assert sheets.chosen_by(block) == "c.0"


def test_the_keyboard_stops_at_what_can_be_changed_by_itself() -> None:
    state = ResearchState(question="?")
    drawn = sheets.sheet(state, [quotation()])
    assert {s["id"]: s["stop"] for s in drawn["blocks"][0]["spans"]} == {"c.0": False, "c.1": True}
    assert sheets.sheet(state, [quotation()], still=True)["still"]


def test_the_draft_says_whose_words_a_we_is() -> None:
    """The report names the source behind "we found"; the draft of the workbench left the reader with "we"."""
    said = "We found that barges leak."
    source = SOURCE.model_copy(update={"title": "The barge study"})
    held = Passage(id="s-10", text=said, source=source, start=10, end=10 + len(said))
    whole = Support(passage="s-10", quote=said, start=10, end=10 + len(said))
    words = Span(id="c.0", text=said, kind="TEXT", status="filled", support=(whole,))
    cited = Span(id="c.cite", text="", kind="CITE", role="citation", support=(whole,))
    block = Block(id="c", kind="quotation", section="section.1", spans=(words, cited))
    state = ResearchState(question="?", evidence=(held,), references=("s",))
    assert sheets.sheet(state, [block])["blocks"][0]["speaker"] == "The barge study"
    assert sheets.sheet(state, [quotation()])["blocks"][0]["speaker"] == ""
    assert (
        sheets.sheet(ResearchState(question="?"), [block])["blocks"][0]["speaker"] == ""
    )  # a frame may be ahead of its state


def test_cells_are_apart_in_a_line() -> None:
    cells = tuple(Span(id=f"t.{n}", text=t) for n, t in enumerate(("Cost", "", "29,500")))
    open_cell = Span(id="t.3", text="", kind="NUMBER", status="open")
    table = Block(
        id="t", kind="table", section="table", spans=(*cells, open_cell), rows=(("t.0", "t.1"), ("t.2", "t.3"))
    )
    assert diffs.words_of(table) == "Cost · 29,500 · ▢▢▢"


def test_a_source_that_says_an_answer_is_not_drawn_against_it() -> None:
    rival = Hypothesis(id="h", question="q1", kind="answer", text="42", support=(support(34, 36),))
    other = TABLE.model_copy(update={"id": "o-0", "source": SOURCE.model_copy(update={"id": "o"})})
    edges = tuple(Edge(source=p, target="h", relation=Relation.REFUTES) for p in ("s-10", "o-0"))
    state = ResearchState(
        question="?", evidence=(TABLE, other), graph=HypothesisGraph(hypotheses=(rival,), edges=edges)
    )
    says, against = graphs.sides(state, rival)
    assert ([s.id for s in says], [s.id for s in against]) == (["s"], ["o"])


def test_rivals_laid_side_by_side_say_their_shares() -> None:
    rivals = [
        Hypothesis(id=f"q1.h{n}", question="q1", text=words, kind="answer", support=())
        for n, words in enumerate(("12", "<15>"))
    ]
    graph = HypothesisGraph(hypotheses=tuple(rivals)).compare(
        Rivalry(question="q1", passages=("a", "b"), posteriors={"q1.h0": 0.2, "q1.h1": 0.6}, nothing=0.15, other=0.05)
    )
    said = hypotheses._shares(ResearchState(question="?", graph=graph), "q1")
    assert "2 passages on one canvas: &lt;15&gt; 60%; 12 20%; nothing 15%; other words 5%." in said
    assert hypotheses._shares(ResearchState(question="?"), "q1") == ""


def test_what_the_report_says_is_drawn_before_its_rivals_and_each_wording_once() -> None:
    """A question with more rivals than are drawn: the one that stands is among them, however little it is believed."""
    beliefs = {"one": 4.0, "two": 3.0, "Two ": 2.5, "three": 2.0, "four": 1.0, "five": -1.0}
    rivals = tuple(
        Hypothesis(id=f"h{n}", question="q", text=words, kind="answer", support=(), belief=belief)
        for n, (words, belief) in enumerate(beliefs.items())
    )
    answer = Span(id="q.answer", text="five", kind="TEXT", status="filled", hypothesis="h5")
    draft = Draft(blocks=(Block(id="a", kind="answer", section="answer", spans=(answer,)),))
    state = ResearchState(question="?", draft=draft, graph=HypothesisGraph(hypotheses=rivals))
    assert [h.text for h in graphs.chosen(state, "q")] == ["five", "one", "two", "three"]


def test_a_step_gives_its_reason_in_the_words_of_the_page() -> None:
    data = {"reason": "dependent"}
    shown = steps.entry({"kind": "revised", "text": "“a” → “b” (dependent)", "data": data})
    assert shown.endswith("“a” → “b” (what it rests on changed)</li>")
    assert "dependent heating" in steps.entry({"kind": "wrote", "text": "dependent heating", "data": {}})
