"""The model: what is loaded, what it can do, how far its figures can be trusted, and a canvas to play on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import streamlit as st

from palimpsest.workflows.calibration import EMBEDDED, numbers_of

from . import navigation, playground, settings
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


def calibration() -> dict[str, Any]:
    """What the calibration file beside the weights says was measured; nothing where there is no such file."""
    model = settings.current().config.model
    folder = EMBEDDED if model == "embedded" else Path(model)
    path = folder / "calibration.json"
    return dict(json.loads(path.read_text(encoding="utf-8")).get("measured", {})) if path.is_file() else {}


def _measured() -> None:
    measured = calibration()
    if not measured:
        navigation.empty(
            "Nothing was measured of this model; the figures on the canvas are its raw output. Calibrate it to see more."
        )
        return
    held = ((words, measured.get(key)) for key, words in MEASURES.items())
    rows = "".join(_measure(*words, value) for words, value in held if isinstance(value, int | float))
    counted = f"On {measured.get('answers', '?')} answers and {measured.get('verdicts', '?')} verdicts that it had not been fitted on."
    fitted = numbers_of(settings.current().config.model).fitted_on
    st.html(
        element("div", f"<table>{rows}</table>" + text("p", f"{counted} {fitted}", class_="pp-soft"), class_="pp-card")
    )
    for name, bins in reliability(measured).items():
        st.echarts_chart(
            diagram(name, bins),
            height=280,
            key=f"reliability-{name}",
            alt=f"Reliability of {name}: said against happened",
        )


def _measure(name: str, unit: str, value: float) -> str:
    said = element("td", f"{escape(name)}<br>{text('span', unit, class_='pp-soft')}")
    return element("tr", said + text("td", f"{value:.3g}", class_="pp-tight"))


def reliability(measured: dict[str, Any]) -> dict[str, list[list[float]]]:
    """Rows of [probability said, share that was right, how many] for each measure of which the calibration file holds them."""
    found = measured.get("reliability", {})
    return {str(name): bins for name, bins in found.items()} if isinstance(found, dict) else {}


def diagram(name: str, bins: list[list[float]]) -> dict[str, Any]:
    """What was said against what happened; on the diagonal they agree, and a point is as large as it is frequent."""
    most = max((b[2] for b in bins), default=1)
    points = [{"value": [b[0], b[1]], "symbolSize": 6 + 18 * (b[2] / most) ** 0.5} for b in bins]
    axis = {"type": "value", "min": 0, "max": 1}
    return {
        "title": {"text": name, "textStyle": {"fontSize": 13}},
        "tooltip": {"renderMode": "richText", "formatter": "{c}"},
        "grid": {"left": 8, "right": 16, "top": 40, "bottom": 30, "containLabel": True},
        "xAxis": {**axis, "name": "probability said", "nameLocation": "middle", "nameGap": 24},
        "yAxis": {**axis, "name": "share right"},
        "series": [
            {
                "type": "line",
                "data": [[0, 0], [1, 1]],
                "symbol": "none",
                "lineStyle": {"type": "dashed", "opacity": 0.5},
                "silent": True,
            },
            {"type": "scatter", "data": points},
        ],
    }
