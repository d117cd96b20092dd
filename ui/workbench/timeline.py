"""The sources of a run by their date: when each was written, and whether the report cites it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from palimpsest.agent.blocks import Source
from palimpsest.agent.state import ResearchState
from palimpsest.workflows.rendering.text import visible
from palimpsest.workflows.runs import Run
from palimpsest.workflows.watching import Watched

from . import navigation
from .markup import element, escape, text

COLOURS = ("#2d7f79", "#b5731a")  # cited, and only read
DATES = {
    "year": "{yyyy}",
    "month": "{yyyy}-{MM}",
    "day": "{yyyy}-{MM}-{dd}",
}  # of a mark on the axis, by how fine it is
NAMED = 12  # from so many on, points have no room for titles
ROWS = 6  # heights on which points are spread, so that near dates do not cover each other


def show(run: Run, seen: Watched) -> None:
    st.html(text("h2", "Timeline", class_="pp-title"))
    sources = list({p.source.id: p.source for p in seen.state.evidence}.values())
    dated = sorted((s for s in sources if s.date), key=lambda s: str(s.date))
    if not sources:
        navigation.empty("Sources stand here by their date as soon as some are read.")
        return
    if dated:
        st.echarts_chart(
            chart(seen.state, dated),
            height=90 + 28 * _rows(dated),
            key=f"timeline-{run.folder.name}",
            alt=described(dated),
        )
    with st.expander("The same as a list"):
        st.html(_listed(seen.state, [*dated, *(s for s in sources if not s.date)]))


def _rows(dated: list[Source]) -> int:
    return min(ROWS, len(dated))


def described(dated: list[Source]) -> str:
    return f"{len(dated)} dated sources, from {dated[0].date} to {dated[-1].date}; the list below names them"


def chart(state: ResearchState, dated: list[Source]) -> dict[str, Any]:
    """A point for each source, by its date; those that are cited in another colour."""
    series, is_named = [], len(dated) < NAMED
    for name, cited in (("cited", True), ("read, not cited", False)):
        points = [
            {
                "name": _name(state, s),
                "value": [_day(str(s.date)), n % _rows(dated)],
                "label": _label(state, s, is_named),
            }
            for n, s in enumerate(dated)
            if (s.id in state.references) == cited
        ]
        series.append(
            {
                "type": "scatter",
                "name": name,
                "symbolSize": 13 if cited else 9,
                "data": points,
                "labelLayout": {"hideOverlap": True},
            }
        )
    return {
        "color": COLOURS,
        "grid": {"left": 10, "right": 170 if is_named else 40, "top": 34, "bottom": 24, "containLabel": True},
        "legend": {"top": 0, "left": 0},
        "tooltip": {"trigger": "item", "renderMode": "richText", "formatter": "{b}"},
        "xAxis": {
            "type": "time",
            "position": "bottom",
            "splitNumber": 4,
            "axisLabel": {"hideOverlap": True, "formatter": DATES},
        },
        "yAxis": {"type": "value", "show": False, "min": -0.7, "max": _rows(dated) - 0.3, "inverse": True},
        "series": series,
    }


def _name(state: ResearchState, source: Source) -> str:
    return (
        f"[{state.references.index(source.id) + 1}] {visible(source.title)}"
        if source.id in state.references
        else visible(source.title)
    )


def _label(state: ResearchState, source: Source, is_named: bool) -> dict[str, Any]:
    """What stands beside a point: its title where there is room for all, else the number by which the report cites it."""
    words = {"position": "right", "width": 150, "overflow": "truncate"}
    if is_named:
        return {**words, "show": True, "formatter": "{b}"}
    cited = source.id in state.references
    return {**words, "show": cited, "formatter": f"[{state.references.index(source.id) + 1}]" if cited else ""}


def _day(date: str) -> str:
    """A date as precise as a chart needs it: 2025 and 2025-06 begin on their first day."""
    return {4: f"{date}-01-01", 7: f"{date}-01"}.get(len(date), date)


def _listed(state: ResearchState, sources: list[Source]) -> str:
    rows = (
        f"<tr><td>{escape(s.date or 'undated')}</td><td>{escape(s.title)}</td>"
        f"<td>{'cited as [' + str(state.references.index(s.id) + 1) + ']' if s.id in state.references else 'read'}</td></tr>"
        for s in sources
    )
    head = "<tr><th>Date</th><th>Source</th><th>Use</th></tr>"
    return element("div", f"<table>{head}{''.join(rows)}</table>", class_="pp-card")
