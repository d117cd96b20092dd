"""The one door to the model, with tiny random weights: what it copies is its passage's, whatever the weights say."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from palimpsest.agent.asking import KINDS
from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.denoisers import embedded_weights
from palimpsest.dlm_core.kinds import (
    BRIDGE_PROMPT,
    BRIDGE_SLOT,
    MaskKind,
    SlotSpec,
)
from palimpsest.dlm_core.models.embedded import EmbeddedConfig, EmbeddedModel
from palimpsest.dlm_core.training.minilm import package_folder
from palimpsest.retrieval.types import Passage

from .world import passage


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> ModelWriter:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    model = EmbeddedModel(EmbeddedConfig(width=32, layers=2, heads=4, feed_forward=48))
    embedded_weights.save(model, package_folder() / "tokenizer.json", folder, {})
    return ModelWriter(folder)


def cut(text: str, start: int) -> Passage:
    """A passage that begins `start` characters into its source."""
    return passage(text).model_copy(update={"start": start, "end": start + len(text)})


PASSAGES = [cut("Marisa reached 1,288 knots in 1901, said Pietro Canale.", 700), cut("Tolomeo made 12 knots.", 31)]


def holds(place: Passage, text: str, start: int, end: int) -> bool:
    return place.text[start - place.start : end - place.start] == text


@pytest.mark.parametrize("kind", ["TEXT", "ENTITY", "NUMBER"])
def test_answers_point_into_their_sources(writer: ModelWriter, kind: str) -> None:
    found = writer.answers("How fast was it?", kind, PASSAGES, 2)
    assert [p.id for p in PASSAGES for c in found if c.passage == p.id] == [c.passage for c in found]
    assert {c.passage for c in found} == {p.id for p in PASSAGES}
    for c in found:
        assert holds(next(p for p in PASSAGES if p.id == c.passage), c.text, c.start, c.end)
        assert 0 < c.probability <= 1
        assert kind != "NUMBER" or any(letter.isdigit() for letter in c.text)


def test_a_long_passage_is_read_to_its_end(writer: ModelWriter) -> None:
    """Figures stand only behind the first 254 tokens; offsets count from the start of the source, not of a window."""
    long = cut("word and word again, " * 90 + "Tolomeo made 12 knots.", 40)
    (first, *_) = writer.answers("How fast?", "NUMBER", [long], 1)
    assert "12" in first.text
    assert holds(long, first.text, first.start, first.end)


def test_filled_places_are_quotes_and_one_a_slot(writer: ModelWriter) -> None:
    form = [SlotSpec(MaskKind.ENTITY, required=True), " made ", SlotSpec(MaskKind.NUMBER, required=True), " knots"]
    filled_forms = writer.fill([(form, PASSAGES), (form[2:], PASSAGES[1:])])
    assert [len(f) for f in filled_forms] == [2, 1]
    for filled in (f for fills in filled_forms for f in fills):
        held = next(p for p in PASSAGES if p.id == filled.passage)
        assert holds(held, filled.text, filled.start, filled.end)
        assert 1 <= filled.steps <= 2
    assert filled_forms[1][0].passage == PASSAGES[1].id


def test_nothing_to_copy_is_no_passage_and_no_words(writer: ModelWriter) -> None:
    (filled,) = writer.fill([([SlotSpec(MaskKind.NUMBER, required=True), " knots"], [passage("no figure in it")])])[0]
    assert (filled.text, filled.passage, filled.start, filled.end) == ("", None, -1, -1)


def test_the_joint_reading_names_one_of_the_shown(writer: ModelWriter) -> None:
    with torch.no_grad():
        writer.denoiser.model.gate.bias.fill_(20.0)  # sure that an answer is to be copied
    chosen = writer.choose("How fast was it?", "NUMBER", PASSAGES)
    assert chosen.passage in {p.id for p in PASSAGES}
    assert holds(next(p for p in PASSAGES if p.id == chosen.passage), chosen.text, chosen.start, chosen.end)
    with torch.no_grad():
        writer.denoiser.model.gate.bias.fill_(-20.0)
    silent = writer.choose("How fast was it?", "NUMBER", PASSAGES)
    assert silent.passage is None
    assert silent.none > 0.99


def test_verdicts_are_distributions_in_the_order_asked(writer: ModelWriter) -> None:
    pairs = [("It is fast. " * n, "A text of words. " * (9 - n)) for n in (1, 8, 3)]
    judged = writer.verdicts(pairs)
    for pair, verdict in zip(pairs, judged, strict=True):
        assert verdict.supports + verdict.refutes + verdict.silent == pytest.approx(1, abs=1e-5)
        assert writer.verdicts([pair])[0].supports == pytest.approx(verdict.supports, abs=1e-5)
    assert writer.verdicts([]) == []


def test_a_very_long_sentence_ends_no_run(writer: ModelWriter) -> None:
    """A quote is a whole sentence however long it is; held against a rival it was laid as a draft, and the run died."""
    form = ["the canal of the lake " * 60, SlotSpec(MaskKind.NUMBER, required=True), " knots"]
    (alone,) = writer.fill([(form, PASSAGES)])
    (near,) = writer.fill([([form[0][-1000:], *form[1:]], PASSAGES)])  # type: ignore[index]
    assert len(alone) == 1
    assert alone == near


def test_the_seed_reaches_the_model_in_every_question_put_to_it(
    monkeypatch: pytest.MonkeyPatch, writer: ModelWriter
) -> None:
    seeds: list[int] = []
    denoiser = writer.denoiser
    guess, rank, choices = denoiser.guess, denoiser.rank, denoiser.choices
    monkeypatch.setattr(denoiser, "guess", lambda c, k=None, s=None: (seeds.extend(s or [0]), guess(c, k, s))[1])
    monkeypatch.setattr(denoiser, "rank", lambda c, slot, k, s=0: (seeds.append(s), rank(c, slot, k, s))[1])
    monkeypatch.setattr(denoiser, "choices", lambda c, slot, s=0: (seeds.append(s), choices(c, slot, s))[1])
    monkeypatch.setattr(writer, "seed", 12345)
    writer.choose("Who?", "TEXT", PASSAGES)
    writer.answers("Who?", "TEXT", PASSAGES, 1)
    writer.verdicts([("It runs.", "It runs.")])
    writer.fill([(["It made ", SlotSpec(MaskKind.NUMBER)], PASSAGES)])
    assert len(seeds) >= 4
    assert min(seeds) >= 12345


def test_the_kinds_of_a_question_are_one_distribution(writer: ModelWriter) -> None:
    probabilities = writer.kinds("Why did the pier fall?")
    assert tuple(probabilities) == KINDS
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-4)


def test_what_leads_on_is_asked_as_it_was_learnt_and_only_of_a_model_that_learnt_it(
    monkeypatch: pytest.MonkeyPatch, writer: ModelWriter
) -> None:
    titled = [(p.id, f"{p.source.title}. {p.text}") for p in PASSAGES]
    slot = replace(BRIDGE_SLOT, max_length=writer.calibration.length(MaskKind.ENTITY))
    canvas = writer.denoiser.build(["Who?"], titled, [BRIDGE_PROMPT, slot, " ", SlotSpec(MaskKind.CITE)])
    learnt = [r.fill.text for r in writer.denoiser.rank([canvas], 0, 3)[0] if r.fill]
    names = writer.answers("Who?", "ENTITY", PASSAGES, 3)
    likeliest_first = [c.text for c in sorted(names, key=lambda c: -c.probability)]
    assert writer.bridges("Who?", PASSAGES, 3) == list(dict.fromkeys(likeliest_first))
    monkeypatch.setattr(writer, "calibration", replace(writer.calibration, measured={"bridge_cases": 60}))
    assert writer.knows("bridge")
    assert writer.bridges("Who?", PASSAGES, 3) == list(dict.fromkeys(learnt))


def test_rivals_of_one_blank_share_one_distribution(writer: ModelWriter) -> None:
    """What each rival is given, nothing and other words make one; two writings of one answer count once, for the first."""
    found = writer.posteriors(
        "Who spoke of it?", "TEXT", PASSAGES, ["Pietro Canale", "12 knots", "canale, pietro", "an oar"]
    )
    assert found is not None
    assert sum(found.rivals) + found.nothing + found.other == pytest.approx(1.0, abs=1e-4)
    assert found.rivals[2] == found.rivals[3] == 0.0
    alone = writer.posteriors("Who spoke of it?", "TEXT", PASSAGES, ["12 knots"])
    assert alone is not None
    assert alone.rivals[0] == pytest.approx(found.rivals[1])


def test_a_living_writer_says_the_same_and_computes_less(writer: ModelWriter) -> None:
    living = writer.living()
    assert writer.rows is None
    for one in (writer, living):
        one.answers("How fast was it?", "NUMBER", PASSAGES, 2)
    first = living.rows
    said = [
        (o.choose("How fast was it?", "NUMBER", PASSAGES), o.verdicts([("It made 12 knots.", PASSAGES[1].text)] * 2))
        for o in (writer, living)
    ]
    assert said[0][0].text == said[1][0].text
    assert said[0][1][0].supports == pytest.approx(said[1][1][0].supports, abs=1e-4)
    again = living.seeded(4)
    before = living.rows
    again.answers("How fast was it?", "NUMBER", PASSAGES, 2)
    after = living.rows
    assert first
    assert before
    assert after
    assert first.computed < first.anew
    assert after.computed == before.computed
    assert after.anew > before.anew
