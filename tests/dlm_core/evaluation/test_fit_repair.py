"""When words that stand are doubted, and when an edit is made that nobody asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from palimpsest.dlm_core.denoisers import embedded_weights
from palimpsest.dlm_core.denoisers.embedded import LIFT, lift
from palimpsest.dlm_core.denoisers.slot_calibration import Calibration
from palimpsest.dlm_core.evaluation import correction, fit_repair
from palimpsest.dlm_core.evaluation.fit_repair import Place
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.dlm_core.training.material import Material

from ..world import sheet, small_denoiser

ROW = {"wrong": "Marisa made 9 knots in 1901", "right": "Marisa made 12 knots in 1901", "evidence": "x"}


def place(may_stay: bool, lift: float, quality: float, mended: str, turn: float) -> Place:
    return Place(may_stay, lift, quality, mended, turn)


MENDED = place(False, -20.0, 0.4, "Marisa made 12 knots in 1901", 6.0)
SPOILT = place(True, -0.1, 0.3, "Orla made 9 knots in 1901", 2.0)


def test_the_edit_that_turns_the_verdict_furthest_is_made_from_the_turn_on() -> None:
    assert fit_repair.mended([ROW], [[SPOILT, MENDED]], 0.0) == (100.0, 100.0)
    assert fit_repair.mended([ROW], [[SPOILT]], 0.0) == (0.0, 80.0)
    assert fit_repair.mended([ROW], [[SPOILT]], 2.1) == (0.0, 100.0)


def test_the_turn_is_the_least_that_leaves_right_words_alone_and_the_better_sign_is_taken() -> None:
    rows, found = [ROW] * 4, [[MENDED, replace(SPOILT, turn=0.0)]] * 3 + [[SPOILT]]
    fitted = fit_repair.fit(rows, found, Calibration())
    assert fitted.turn == 6.0  # the steps are those that were seen
    assert fitted.sign == LIFT
    assert fitted.measured["repair_lift_auroc"] == 1.0
    assert fitted.measured["repair_quality_auroc"] == 0.0
    assert fitted.measured["repair_kept"] == 100.0
    assert fitted.lift[0] > 0


def test_one_name_of_a_claim_is_exchanged_and_every_place_is_read(
    monkeypatch: pytest.MonkeyPatch, material: Material
) -> None:
    monkeypatch.setattr(type(material.corpus), "same_kind", lambda *_: "Zurich")
    rows = fit_repair.wrong_claims(material, 3, 0)
    assert rows
    assert all(r["wrong"] != r["right"] for r in rows)
    found = fit_repair.places(small_denoiser(), rows)
    assert len(found) == len(rows)
    assert all(any(not p.may_stay for p in some) for some in found)  # the exchanged one
    assert all(p.lift <= 0 and 0 <= p.quality <= 1 for some in found for p in some)


def test_a_lift_is_nothing_for_what_is_open_and_little_for_what_the_evidence_does_not_hold() -> None:
    denoiser = small_denoiser()
    canvas = sheet(passages=("Marisa made 12 knots.",), draft=(SlotSpec(MaskKind.TEXT, 4),))
    written = canvas.write(0, denoiser.tokenizer.encode("Zebra").ids)
    with torch.inference_mode():
        for held, wanted in ((canvas, 0.0), (written, -30.0)):
            score = denoiser._score([held], [None])[0][0][0]
            assert score.spans is not None
            found = float(lift(held, held.slots[0], score.spans, score.none))
            assert found == wanted if wanted == 0.0 else found < -10.0


def test_a_calibration_that_asks_for_the_lift_gives_it_as_quality(tmp_path: Path) -> None:
    found = Calibration(sign=LIFT, lift=(0.5, 1.0), turn=2.5)
    found.save(tmp_path / "c.json")
    denoiser = small_denoiser()
    denoiser.calibration = Calibration.load(tmp_path / "c.json")
    assert denoiser.calibration == found
    canvas = sheet(passages=("Marisa made 12 knots.",), draft=(SlotSpec(MaskKind.TEXT, 4),))
    for held, wanted in ((canvas, 1.0), (canvas.write(0, denoiser.tokenizer.encode("Zebra").ids), None)):
        (guess,), _ = denoiser.guess([held])
        assert guess.quality is not None
        sure = float(guess.quality[held.slots[0].start])
        assert sure == pytest.approx(1 / (1 + 2.718281828**-1.0), abs=1e-4) if wanted else sure < 0.1


def test_an_edit_of_a_stale_draft_must_turn_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict turns by one unit at every edit: enough for a turn of one, too little for two."""
    denoiser = small_denoiser()
    denoiser.calibration = replace(denoiser.calibration, doubt=2.0)  # every slot is doubted
    with torch.no_grad():
        denoiser.model.gate.bias.fill_(20.0)  # sure that an answer is to be copied
    row = {
        "wrong": "Marisa made 9 knots.",
        "right": "Marisa made 12 knots.",
        "evidence": "Marisa made 12 knots in Orta.",
    }

    def support(_: object, claims: list[str], __: object) -> list[tuple[float, bool]]:
        return [(0.0 if claim == row["wrong"] else 1.0, False) for claim in claims]

    monkeypatch.setattr(correction, "support_of", support)
    changed = {}
    for turn in (1.0, 2.0):
        denoiser.calibration = replace(denoiser.calibration, turn=turn)
        changed[turn] = correction.stale_drafts(denoiser, [row], rounds=1)["changed"]
    assert changed == {1.0: 100.0, 2.0: 0.0}


def test_what_is_shipped_is_what_was_fitted() -> None:
    """Another number is another fit: it comes with its figures in calibration.json and a new line here."""
    held = embedded_weights.load().calibration
    assert (held.sign, held.turn, held.doubt, held.several) == (LIFT, 4.0, pytest.approx(0.4), 0.2)
    assert held.lift == pytest.approx((0.1194, 2.8125), abs=1e-3)
    assert held.measured["repair_kept"] >= fit_repair.KEPT
    assert held.measured["repair_lift_auroc"] > held.measured["repair_quality_auroc"]
    assert held.measured["several_complete"] > 0
