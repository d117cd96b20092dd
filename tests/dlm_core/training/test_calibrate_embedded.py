"""Calibration, the quality head and the command that fits both, on a tiny model and made-up rows."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.canvas.tokenizer import CONTROL
from palimpsest.dlm_core.decoding.sampler import denoise
from palimpsest.dlm_core.denoisers import embedded_weights
from palimpsest.dlm_core.denoisers.embedded import Denoiser
from palimpsest.dlm_core.denoisers.slot_calibration import Calibration, KindCalibration, best_temperature, platt
from palimpsest.dlm_core.evaluation import ablate
from palimpsest.dlm_core.kinds import VERDICT_SLOT, VERDICTS, MaskKind
from palimpsest.dlm_core.metrics import auroc
from palimpsest.dlm_core.models.embedded import EmbeddedModel
from palimpsest.dlm_core.models.quality import NUM_FEATURES, standing
from palimpsest.dlm_core.training import calibrate_embedded as calibrate
from palimpsest.dlm_core.training import schedule
from palimpsest.dlm_core.training import train_embedded as trainer
from palimpsest.dlm_core.training.masking import Masking, masked, realise
from palimpsest.dlm_core.training.minilm import package_folder

from ..conftest import write
from ..world import CITE, SMALL, TEXT, sheet, small_denoiser, small_model, tokenizer
from .test_masking import EXAMPLE

FITTED = Calibration(
    steps=3,
    commit=0.7,
    doubt=0.4,
    kinds={MaskKind.TEXT: KindCalibration(2.0, 0.5, 1.0, 6), MaskKind.CHOICE: KindCalibration(temperature=4.0)},
    measured={"examples": 5},
)


def judging_denoiser(calibration: Calibration = Calibration()) -> Denoiser:  # noqa: B008
    torch.manual_seed(0)
    return Denoiser(EmbeddedModel(replace(SMALL, quality=16)), tokenizer(), calibration)


def test_a_calibration_is_the_same_after_a_file(tmp_path: Path) -> None:
    FITTED.save(tmp_path / "c.json")
    assert Calibration.load(tmp_path / "c.json") == FITTED


@pytest.mark.parametrize("spoilt", ["{", "[]", '{"kinds": {"NAME": {}}}', '{"kinds": {"TEXT": {"heat": 1}}}'])
def test_a_spoilt_calibration_is_named(tmp_path: Path, spoilt: str) -> None:
    embedded_weights.save(small_model(), package_folder() / "tokenizer.json", tmp_path, {})
    (tmp_path / "calibration.json").write_text(spoilt)
    with pytest.raises(ValueError, match="damaged"):
        Calibration.load(tmp_path / "calibration.json")
    with pytest.raises(embedded_weights.WeightsError):  # and its checksum is wrong
        embedded_weights.load(tmp_path)


def test_weights_bring_their_calibration(tmp_path: Path) -> None:
    model = EmbeddedModel(replace(SMALL, quality=16))
    embedded_weights.save(model, package_folder() / "tokenizer.json", tmp_path, {}, FITTED)
    loaded = embedded_weights.load(tmp_path)
    assert loaded.calibration == FITTED
    assert loaded.model.quality is not None


def test_the_temperature_is_that_of_the_draws() -> None:
    """Answers drawn from cooler distributions than the logits say ask for that temperature."""
    torch.manual_seed(0)
    logits = torch.randn(900, 12) * 3
    right = torch.multinomial((logits / 2.0).softmax(-1), 1)[:, 0]
    assert best_temperature(list(logits), [[int(r)] for r in right]) == pytest.approx(2.0, abs=0.31)


def test_platt_finds_slope_and_offset() -> None:
    torch.manual_seed(0)
    log_odds = torch.randn(20_000) * 2
    right = torch.rand(20_000) < torch.sigmoid(0.6 * log_odds - 1.1)
    slope, offset = platt(log_odds, right)
    assert slope == pytest.approx(0.6, abs=0.05)
    assert offset == pytest.approx(-1.1, abs=0.08)


def test_platt_of_log_odds_that_are_far_too_sure_stays_finite() -> None:
    noise = torch.Generator().manual_seed(0)
    right = torch.arange(400) % 4 > 0
    log_odds = 12 * torch.randn(400, generator=noise) + torch.where(right, 8.0, -3.0)
    slope, offset = platt(log_odds, right)
    assert 0.03 < slope < 0.3
    assert abs(offset) < 3


def test_platt_of_parted_rows_is_finite() -> None:
    slope, offset = platt(torch.tensor([-3.0, -2.0, 2.0, 3.0]), torch.tensor([0, 0, 1, 1]))
    assert math.isfinite(slope + offset)
    assert 1 < slope < 5


def test_calibrated_probabilities_keep_their_order_and_sum_to_one() -> None:
    canvas = sheet()
    plain, fitted = judging_denoiser(), judging_denoiser(FITTED)
    fitted.model.load_state_dict(plain.model.state_dict())
    one, two = (d.rank([canvas], 0, 3)[0] for d in (plain, fitted))
    spans = [[r.fill for r in ranks if r.fill] for ranks in (one, two)]
    assert spans[0] == spans[1]
    with torch.inference_mode():
        scored, _ = fitted._score([canvas], [None])
    total = torch.cat([scored[0][0].spans.flatten(), scored[0][0].none[None]]).logsumexp(0)  # type: ignore[union-attr]
    assert float(total) == pytest.approx(0, abs=1e-4)


def test_a_temperature_flattens_verdicts() -> None:
    canvas = sheet(draft=(VERDICT_SLOT,))
    plain, fitted = judging_denoiser(), judging_denoiser(FITTED)
    sharp, flat = (d.choices([canvas], 0)[0] for d in (plain, fitted))
    by_hand = torch.tensor(sharp).log() / 4
    assert flat == pytest.approx(by_hand.softmax(0).tolist(), abs=1e-5)


def test_words_that_stand_have_the_probability_of_all_spans_that_read_so() -> None:
    evidence = torch.tensor([7, 8, 7, 8, 9])
    spans = torch.full((5, 2), -torch.inf)
    spans[0, 1], spans[2, 1], spans[1, 0] = math.log(0.2), math.log(0.3), math.log(0.5)
    log = standing(spans, torch.tensor(-torch.inf), evidence, torch.tensor([7, 8]), False)
    assert float(log.exp()) == pytest.approx(0.5)
    assert float(standing(spans, torch.tensor(-0.1), evidence, torch.tensor([3]), True)) == pytest.approx(-0.1)
    assert float(standing(spans, torch.tensor(-0.1), evidence, torch.tensor([9, 9]), False)) == -30


def test_quality_is_told_of_open_and_filled_places_and_depends_on_what_stands() -> None:
    denoiser = judging_denoiser()
    canvas = sheet(draft=(TEXT, CITE))
    frames = list(denoise(denoiser, canvas, schedule=1))
    (guess,), _ = denoiser.guess([frames[-1].canvas])
    first = frames[0].guess.quality
    assert first is not None
    assert guess.quality is not None
    slot = canvas.slots[0]
    assert ((first > 0) & (first < 1))[slot.start : slot.end].all()
    assert not torch.equal(first[slot.start : slot.end], guess.quality[slot.start : slot.end])
    assert guess.quality[: slot.start].eq(0).all()


def test_a_model_without_the_head_tells_no_quality() -> None:
    (guess,), _ = small_denoiser().guess([sheet()])
    assert guess.quality is None


def test_the_head_learns_what_its_inputs_tell() -> None:
    torch.manual_seed(0)
    states, features = torch.randn(2000, 8), torch.rand(2000, NUM_FEATURES)
    features[:, 0] = (features[:, 0] > 0.5).float()
    right = (states[:, 1] + features[:, 2] > 0.3).float()
    head, figures = calibrate.fit_quality(calibrate.Judged(states, features, right), 4, seed=0)
    assert figures["auroc_standing"] > 0.85
    assert figures["auroc_to_be_written"] > 0.85
    assert 0 < figures["doubt"] < 1
    with torch.no_grad():
        assert auroc(head(states, features).tolist(), right.tolist()) > 0.85


def test_a_recorder_reads_what_the_denoiser_says() -> None:
    recorder, denoiser = calibrate.Recorder(small_model(), tokenizer()), small_denoiser()
    (read,) = recorder.read([masked(EXAMPLE)])
    assert set(read) == {0, 1, 2}, "a citation is not a filling"
    canvas, _ = realise(masked(EXAMPLE), tokenizer(), 16)
    best = next(r for r in denoiser.rank([canvas], 0, 1)[0] if r.fill)
    assert best.fill
    assert read[0].words == best.fill.text
    assert float(read[0].spans.flatten().logsumexp(0)) == pytest.approx(0, abs=1e-4)
    (again,) = recorder.read([Masking(EXAMPLE, ("Karl Benz", None, None, None))])
    assert float(again[0].features[0]) == 1
    assert float(again[1].features[0]) == 0


@pytest.fixture
def small_world(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of two steps of a tiny model."""
    for module in (trainer, calibrate, ablate):
        monkeypatch.setattr(module, "EmbeddedConfig", lambda: SMALL)
    monkeypatch.setattr(trainer, "start_from_minilm", lambda model, tokens, seed: None)
    monkeypatch.setattr(schedule, "POOL", 24)
    list(trainer.train(trainer.TrainConfig(folder, tmp_path / "run", tokens=1000, held_out=1, pages=2, steps=2)))
    return tmp_path / "run" / "checkpoint.pt"


def test_the_command_writes_weights_that_judge(
    small_world: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "weights"
    options = {"--examples": 160, "--held-out": 2, "--pages": 2}
    arguments = ["--data", folder, "--checkpoint", small_world, "--out", out]
    arguments += [part for option in options.items() for part in option]
    monkeypatch.setattr(sys, "argv", ["calibrate", *map(str, arguments)])
    calibrate.main()
    found = embedded_weights.load(out)
    assert found.calibration.kinds[MaskKind.CHOICE].length == 1
    assert found.calibration.kinds[MaskKind.TEXT].length >= 4
    assert 0 < found.calibration.doubt < 1
    assert abs(found.calibration.measured["int8_loss"]) <= 100
    (guess,), _ = found.guess([sheet()])
    assert guess.quality is not None
    writer = ModelWriter(out)
    assert (writer.steps, writer.plan.schedule) == (found.calibration.steps, found.calibration.steps)
    slot = writer._canvas(["Who?"], [], [TEXT.__class__(MaskKind.TEXT)]).slots[0]
    assert slot.end - slot.start == found.calibration.length(MaskKind.TEXT)


def test_ablations_run_every_arm_once(
    small_world: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    held = tmp_path / "eval"
    held.mkdir()
    answers = [{"text": "Como1"}]
    write(held / "squad_v1_dev.jsonl.gz", [{"question": "Where?", "context": "In Como1.", "answers": answers}] * 2)
    claims = [{"claim": "It is.", "evidence": "It is so.", "label": label} for label in ("SUPPORTS", "REFUTES")]
    write(held / "fever_symmetric_claims_dev.jsonl.gz", claims)
    options = {"--steps": 2, "--tokens": 800, "--pages": 4, "--limit": 2, "--held-out": 1}
    arguments = ["--data", folder, "--eval", held, "--out", tmp_path / "abl"]
    arguments += [part for option in options.items() for part in option]
    monkeypatch.setattr(sys, "argv", ["ablate", *map(str, arguments)])
    monkeypatch.setattr(ablate, "unseen", lambda data, held_out, pages: ablate.Corpus.load(data))
    ablate.main()
    printed = capsys.readouterr().out
    assert all(f"| {name} |" in printed for name in ablate.ARMS)
    monkeypatch.setattr(ablate, "train", lambda config: pytest.fail("an arm that is finished ran again"))
    ablate.main()
    assert capsys.readouterr().out == printed


def test_verdict_rows_are_the_control_rows() -> None:
    assert list(schedule.ROWS_OF) == list(VERDICTS)
    assert {v: CONTROL[v] for v in VERDICTS} == schedule.ROWS_OF


def test_the_weights_in_the_repository_lose_nothing_as_int8_and_are_small() -> None:
    """What was measured when they were stored; the checksums say that it was of these files."""
    embedded_weights.check()
    files = list(embedded_weights.BUNDLED.iterdir())
    assert sum(f.stat().st_size for f in files) < 35 * 2**20
    measured = Calibration.load(embedded_weights.BUNDLED / "calibration.json").measured
    assert measured["f1_fp32"] > 60
    assert measured["int8_loss"] < 0.3
