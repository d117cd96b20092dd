"""The model: what is loaded, what it can do, how far its figures can be trusted, and a canvas to play on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import streamlit as st

from palimpsest.workflows.calibration import EMBEDDED

from . import graphs, navigation, playground, settings
from .look import KINDS
from .markup import element, escape, text

CAN = {
    "ENTITY": "copies a name that stands in the evidence, or says that none does",
    "NUMBER": "copies a figure or date with its unit",
    "TEXT": "copies a stretch of words",
    "CITE": "points to the passage that says it",
    "CHOICE": "chooses one of listed answers: supported, refuted, not said",
    "OUTLINE": "names what passages are about, in words of theirs",
    "LOGIC": "chooses a relation word",
}
AUROC = "area under the curve: 1 is always, 0.5 is by chance"
ECE = "expected calibration error: 0 is never; 0.1 is ten in a hundred"
DIAGRAM = "Each point is a group of cases: how sure the model was, and how many of them were right. On the dashed line both agree."
ASKED = {  # what the model was asked, by the name of the curve
    "verdict": "Does this passage support the claim?",
    "relevance": "Is this sentence about the question?",
    "kind": "What kind of question is this?",
    "scope": "How many steps does the question take?",
}
MEASURES = {
    "answer_there_auroc": ("Tells questions with an answer from those without", AUROC),
    "answer_there_ece": ("… and is off in that by", ECE),
    "answer_right_auroc": ("Tells its right answers from its wrong ones", AUROC),
    "answer_right_ece": ("… and is off in that by", ECE),
    "verdict_accuracy": ("Verdicts that are right, in a hundred", "three ways: supported, refuted, not said"),
    "verdict_auroc": ("Tells its right verdicts from its wrong ones", AUROC),
    "verdict_ece": ("… and is off in that by", ECE),
    "relevance_auroc": ("Tells sentences about the question from others", AUROC),
    "relevance_ece": ("… and is off in that by", ECE),
}


def show() -> None:
    st.html(
        text("h1", "Model", class_="pp-title") + text("p", loaded(settings.current().config.model), class_="pp-soft")
    )
    playground.show()
    left, right = st.columns(2, gap="large")
    with left:
        st.html(text("h2", "What it can do", class_="pp-title") + _abilities())
    with right:
        st.html(text("h2", "How far its figures can be trusted", class_="pp-title"))
        navigation.guarded(_measured)
    _curves(settings.current().config.model)


def loaded(model: str) -> str:
    """What runs of this folder are written by, in a sentence."""
    if model != "embedded":
        return f"Runs of this folder are written by {model}."
    facts = json.loads((EMBEDDED / "config.json").read_text(encoding="utf-8"))
    size = sum(p.stat().st_size for p in EMBEDDED.glob("*.safetensors")) / 2**20
    return (
        f"Runs of this folder are written by the embedded model: {facts['model']['layers']} layers, {size:.0f} MB, on this "
        f"machine's processor. It began as {facts['base']}. Licence: {facts['licence']}."
    )


def _abilities() -> str:
    rows = "".join(
        f'<li><i class="pp-key-{kind}"></i><span><b>{escape(KINDS[kind])}</b>: {escape(words)}</span></li>'
        for kind, words in CAN.items()
    )
    return f'<div class="pp-card"><ul class="pp-legend" style="flex-direction:column">{rows}</ul></div>'


def folder_of(model: str) -> Path:
    return EMBEDDED if model == "embedded" else Path(model)


def calibration(model: str) -> dict[str, Any]:
    """What the calibration file beside the weights says was measured; nothing where there is no such file."""
    return dict(_read(folder_of(model) / "calibration.json").get("measured", {}))


def reliability(model: str) -> dict[str, list[list[float]]]:
    """Rows of [probability said, share that was right, how many] of each kind of question that was measured."""
    return _read(folder_of(model) / "reliability.json")


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _measured() -> None:
    model = settings.current().config.model
    measured = calibration(model)
    if not measured:
        navigation.empty(
            "Nothing was measured of this model; the figures on the canvas are its raw output. Calibrate it to see more."
        )
        return
    held = ((words, measured.get(key)) for key, words in MEASURES.items())
    rows = "".join(_measure(*words, value) for words, value in held if isinstance(value, int | float))
    counted = f"On {measured.get('answers', '?')} answers and {measured.get('verdicts', '?')} verdicts that it had not been fitted on."
    st.html(element("div", f"<table>{rows}</table>" + text("p", counted, class_="pp-soft"), class_="pp-card"))


def _curves(model: str) -> None:
    """A reliability diagram for each kind of question that was measured."""
    curves = reliability(model)
    if not curves:
        return
    st.html(text("h2", "Said, and right", class_="pp-title") + text("p", DIAGRAM, class_="pp-soft pp-small"))
    for place, (name, bins) in zip(st.columns(len(curves)), curves.items(), strict=True):
        asked = ASKED.get(name, name)
        alt = f"{asked} " + "; ".join(f"said {said:.2f}, right {right:.2f} of {cases}" for said, right, cases in bins)
        with place:
            st.html(text("p", asked, class_="pp-small"))
            st.echarts_chart(diagram(bins), height=230, key=f"reliability-{name}", alt=alt)


def _measure(name: str, unit: str, value: float) -> str:
    said = element("td", f"{escape(name)}<br>{text('span', unit, class_='pp-soft')}")
    return element("tr", said + element("td", text("b", f"{value:.3g}"), class_="pp-tight"))


def diagram(bins: list[list[float]]) -> dict[str, Any]:
    """What was said against what happened; on the diagonal they agree, and a point is as large as it is frequent."""
    most = max((b[2] for b in bins), default=1)
    points = [{"value": [b[0], b[1]], "symbolSize": 4 + 10 * (b[2] / most) ** 0.5} for b in bins]
    axis = {"type": "value", "min": 0, "max": 1}
    return {
        "tooltip": {"renderMode": "richText", "formatter": "{c}"},
        "grid": {"left": 8, "right": 16, "top": 24, "bottom": 30, "containLabel": True},
        "xAxis": {**axis, "name": "said", "nameLocation": "middle", "nameGap": 24},
        "yAxis": {**axis, "name": "right", "nameTextStyle": {"align": "left"}},
        "series": [
            {
                "type": "line",
                "data": [[0, 0], [1, 1]],
                "symbol": "none",
                "lineStyle": {"type": "dashed", "opacity": 0.5},
                "silent": True,
            },
            {"type": "scatter", "data": points, "itemStyle": {"color": graphs.COLOURS[0], "opacity": 0.75}},
        ],
    }
