"""Rival answers as charts: what speaks for and against each as a graph, belief in them as lines. Plain values for the chart library."""

from __future__ import annotations

from textwrap import shorten
from typing import Any

from palimpsest.agent.blocks import Source
from palimpsest.agent.hypotheses import Hypothesis, Relation
from palimpsest.agent.state import ResearchState
from palimpsest.workflows.rendering.text import title_of, visible
from palimpsest.workflows.watching import Watched

RIVALS = 4  # answers of a question that are drawn
STANDS, RIVAL, GIVEN_UP = "#2d7f79", "#3b78bd", "#6c756f"
COLOURS = ["#2d7f79", "#b5731a", "#7a54b3", "#b0445e", "#3b78bd", "#6c756f"]


def described(state: ResearchState) -> str:
    answers = sum(h.kind == "answer" for h in state.graph.hypotheses)
    return f"{len(state.questions)} questions, {answers} rival answers and the sources for and against them; a list below says it too"


def chosen(state: ResearchState, question: str) -> list[Hypothesis]:
    """The rivals that are drawn: what the report says and what is believed before what is open or given up; each wording once."""
    cited = {span.hypothesis for span in state.draft.spans()}
    ranks = {"held": 1, "open": 2, "refuted": 3}
    found = sorted(state.graph.answers(question), key=lambda h: 0 if h.id in cited else ranks[h.status])
    once = {" ".join(h.text.casefold().split()): h for h in reversed(found)}
    return [h for h in found if h in once.values()][:RIVALS]


def _colour(state: ResearchState, rival: Hypothesis) -> str:
    """Of an answer: that stands in the report, that was given up, or neither."""
    if any(span.hypothesis == rival.id for span in state.draft.spans()):
        return STANDS
    return GIVEN_UP if rival.status == "refuted" else RIVAL


def height(state: ResearchState) -> int:
    return max(260, 64 * sum(max(1, len(chosen(state, q.id))) for q in state.questions))


def graph(state: ResearchState) -> dict[str, Any]:
    """Questions at the left, rival answers in the middle, sources at the right; what refutes is drawn in dashes."""
    nodes: dict[str, dict[str, Any]] = {}
    links: list[dict[str, Any]] = []
    row = 0
    for question in state.questions:
        rivals = chosen(state, question.id)
        nodes[question.id] = _node(question.asked, 0, row + max(0, len(rivals) - 1) / 2, COLOURS[2], 16, 104)
        for rival in rivals:
            nodes[rival.id] = _node(rival.text, 1, row, _colour(state, rival), 12, 124)
            links.append(_link(question.id, rival.id, False))
            row += 1
        row += not rivals
    _add_sources(state, nodes, links, max(row, 1))
    order = {name: n for n, name in enumerate(nodes)}
    numbered = [{**link, "source": order[link["source"]], "target": order[link["target"]]} for link in links]
    data = [{**node, "id": str(n)} for n, node in enumerate(nodes.values())]
    label = {"formatter": "{b}", "overflow": "break", "fontSize": 12, "lineHeight": 14}
    series = {
        "type": "graph", "coordinateSystem": "cartesian2d", "data": data, "links": numbered,
        "label": {"show": True, **label},
        "emphasis": {"focus": "adjacency"},
    }  # fmt: skip
    hidden = {"type": "value", "show": False, "min": 0}
    return {
        "tooltip": {"renderMode": "richText", "formatter": "{b}"},
        "grid": {"left": 60, "right": 150, "top": 46, "bottom": 30},
        "xAxis": {**hidden, "max": 2},
        "yAxis": {**hidden, "max": max(row, 1), "inverse": True},
        "series": [series],
        "animation": False,
    }


def _node(words: str, column: float, row: float, colour: str, size: int, width: int = 0) -> dict[str, Any]:
    """A point with its words: `width` pixels of them above or below it, where lines lead on to the right, else beside it."""
    name = shorten(visible(words), 58, placeholder=" …")
    place = (
        {"position": "top" if column else "bottom", "width": width} if width else {"position": "right", "width": 136}
    )
    return {"name": name, "value": [column, row], "symbolSize": size, "itemStyle": {"color": colour}, "label": place}


def _link(source: str, target: str, is_against: bool) -> dict[str, Any]:
    line = {
        "type": "dashed" if is_against else "solid",
        "color": COLOURS[3] if is_against else COLOURS[0],
        "width": 1.6,
        "opacity": 0.7,
    }
    return {"source": source, "target": target, "lineStyle": {**line, "curveness": 0.08}}


def _add_sources(state: ResearchState, nodes: dict[str, Any], links: list[dict[str, Any]], rows: int) -> None:
    """The sources of which an edge leads to a drawn hypothesis, or in which it was read; each once."""
    drawn = [h for h in state.graph.hypotheses if h.id in nodes]
    pairs = [(source, h.id, sign) for h in drawn for sign, found in enumerate(sides(state, h)) for source in found]
    wanted = {source.id: source for source, _, _ in pairs}
    for n, source in enumerate(wanted.values()):
        nodes[f"source {source.id}"] = _node(title_of(source), 2, n * rows / len(wanted), COLOURS[1], 9)
    links += [_link(target, f"source {source.id}", bool(against)) for source, target, against in pairs]


def sides(state: ResearchState, rival: Hypothesis) -> tuple[list[Source], list[Source]]:
    """The sources that say an answer, and those that speak against it. One that says it is not against its own words."""
    held = {p.id: p.source for p in state.passages}
    edges = [e for e in state.graph.edges if e.target == rival.id and e.source in held]
    says = [held[s.passage] for s in rival.support if s.passage in held]
    says += [held[e.source] for e in edges if e.relation is Relation.SUPPORTS]
    supporters = {s.id: s for s in says}
    against = {held[e.source].id: held[e.source] for e in edges if e.relation is Relation.REFUTES}
    return list(supporters.values()), [s for name, s in against.items() if name not in supporters]


Curve = list[tuple[int, float]]


def beliefs(seen: Watched) -> dict[str, Curve]:
    """For each rival that is drawn, the belief told of it, by the number of the event."""
    names = {h.id: h.text for q in seen.state.questions for h in chosen(seen.state, q.id)}
    curves: dict[str, Curve] = {}
    for number, event in enumerate(seen.events):
        data = event.get("data", {})
        if event.get("kind") == "believed" and data.get("hypothesis") in names:
            curves.setdefault(str(data["hypothesis"]), []).append((number, float(data["probability"])))
    return curves


def over_time(seen: Watched, curves: dict[str, Curve]) -> dict[str, Any]:
    """A line for each rival, over the events of the run."""
    names = {h.id: shorten(visible(h.text), 24, placeholder=" …") for h in seen.state.graph.hypotheses}
    last = len(seen.events)
    series = [
        {
            "type": "line",
            "name": names[h],
            "step": "end",
            "symbolSize": 6,
            "data": [*points, (last, points[-1][1])],
            "lineStyle": {"width": 2.5},
        }
        for h, points in curves.items()
    ]
    return {
        "color": COLOURS,
        "legend": {"type": "scroll", "bottom": 0},
        "tooltip": {"trigger": "item", "renderMode": "richText", "formatter": "{a}"},
        "grid": {"left": 8, "right": 16, "top": 12, "bottom": 64, "containLabel": True},
        "xAxis": {
            "type": "value",
            "name": "what was read, in order",
            "nameLocation": "middle",
            "nameGap": 22,
            "max": last,
            "axisLabel": {"show": False},
            "axisTick": {"show": False},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            "max": 1,
            "axisLabel": {"show": False},
        },
        "series": series,
    }
