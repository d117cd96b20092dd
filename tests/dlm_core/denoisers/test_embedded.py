from __future__ import annotations

import itertools

import pytest
import torch

from palimpsest.dlm_core.cache.span_cache import NO_CACHE
from palimpsest.dlm_core.decoding.sampler import denoise, denoise_all
from palimpsest.dlm_core.decoding.slot_scores import limits
from palimpsest.dlm_core.kinds import VERDICT_SLOT, VERDICTS, MaskKind, SlotSpec

from ..world import CITE, ENTITY, NUMBER, TEXT, sheet, small_denoiser, tokenizer

PASSAGES = ("Marisa reached 1,288 knots in 1901, said Pietro Canale.", "no names or figures stand in this one at all")


@pytest.mark.parametrize("seed", range(12))
def test_a_random_model_still_fills_every_slot_with_its_kind(seed: int) -> None:
    """Constraints hold whatever the weights say: a figure in a NUMBER, a capital in an ENTITY, whole words, held passages."""
    draft = (NUMBER, " ", ENTITY, " ", SlotSpec(MaskKind.TEXT, 4, required=True), " ", CITE, " ", VERDICT_SLOT)
    canvas = sheet(passages=PASSAGES, draft=draft)
    settled = list(denoise(small_denoiser(seed), canvas, schedule=2))[-1].canvas
    number, entity, text, cite, verdict = (settled.fill(n, tokenizer()) for n in range(5))
    assert number
    assert entity
    assert text
    assert cite
    assert verdict
    assert number.name is None or any(c.isdigit() for c in number.text)
    assert entity.name is None or any(c.isupper() or c.isdigit() for c in entity.text.split()[0])
    assert text.name is not None
    for fill in (f for f in (number, entity, text) if f.name):
        source = PASSAGES[int(fill.name[1:])]  # type: ignore[index]
        assert source[fill.start : fill.end] == fill.text
        assert fill.text not in ("288", "1", "1,", ",288")
        assert not (source[fill.start - 1 : fill.start].isalnum() and fill.text[0].isalnum())
    assert cite.text in ("p0", "p1")
    assert verdict.text in VERDICTS


def test_a_slot_that_is_not_required_may_stay_empty_and_a_required_one_may_not() -> None:
    denoiser = small_denoiser()
    with torch.no_grad():
        denoiser.model.gate.bias.fill_(-20.0)  # the model is sure that nothing is to be copied
    for required in (False, True):
        canvas = sheet(passages=PASSAGES, draft=(SlotSpec(MaskKind.TEXT, 4, required=required),))
        fill = list(denoise(denoiser, canvas))[-1].canvas.fill(0, tokenizer())
        assert fill is not None
        assert (fill.name is not None) == required


def test_a_required_slot_with_nothing_legal_to_copy_stays_empty() -> None:
    """A required NUMBER over a passage without a figure once took token 0, the question's, as its source, and the run died."""
    canvas = sheet(passages=("no figure stands here",), draft=(SlotSpec(MaskKind.NUMBER, 4, required=True),))
    frame = list(denoise(small_denoiser(), canvas))[-1]
    fill = frame.canvas.fill(0, tokenizer())
    assert fill is not None
    assert fill.name is None
    assert fill.text == "[NONE]"
    assert float(frame.guess.prob[canvas.slots[0].start]) == 0.0


def test_ranked_spans_do_not_overlap_and_are_sorted() -> None:
    (ranked,) = small_denoiser().rank([sheet(passages=PASSAGES, draft=(TEXT,))], 0, 5)
    places = sorted(r.place for r in ranked if r.place)
    assert len(places) == 5
    assert all(a[1] < b[0] for a, b in itertools.pairwise(places))
    assert [r.probability for r in ranked] == sorted((r.probability for r in ranked), reverse=True)
    assert sum(r.fill is None for r in ranked) == 1


def test_choices_are_a_distribution_over_the_allowed() -> None:
    (answers,) = small_denoiser().choices([sheet(draft=(VERDICT_SLOT,))], 0)
    assert len(answers) == 3
    assert abs(sum(answers) - 1) < 1e-5


def test_batched_and_uncached_frames_equal_one_at_a_time() -> None:
    """Twins: one canvas at a time and a batch; no cache and cached evidence."""
    canvases = [
        sheet("Who?", PASSAGES, (ENTITY, CITE)),
        sheet("How fast is the barge?", PASSAGES[:1], (NUMBER, " ", TEXT, CITE)),
    ]
    denoiser = small_denoiser(3)
    batched = list(denoise_all(denoiser, canvases, schedule=3))[-1]
    for canvas, frame in zip(canvases, batched, strict=True):
        for cache in ({}, {"cache": NO_CACHE}):
            alone = list(denoise(denoiser, canvas, schedule=3, **cache))[-1].canvas
            assert torch.equal(alone.tokens, frame.canvas.tokens)
            assert torch.equal(alone.source, frame.canvas.source)


def test_a_citation_with_nothing_to_cite_copies_nothing() -> None:
    """Its source became token 0, the question's [CLS], and its probability NaN."""
    canvas = sheet(passages=(), draft=(CITE,))
    frame = list(denoise(small_denoiser(), canvas))[-1]
    assert not torch.isnan(frame.guess.prob).any()
    assert int(frame.canvas.source[canvas.slots[0].start]) == -1


def test_a_name_begins_with_its_own_capital() -> None:
    """Over a line break "of", because of the M of the next line, might open an ENTITY."""
    canvas = sheet(passages=("boat of\nMarisa",))
    evidence, allowed = canvas.segments[1], limits(canvas, len(canvas))
    places = canvas.characters[evidence.start : evidence.end].tolist()
    opens = {a for i, (a, _) in enumerate(places, evidence.start) if a >= 0 and allowed.start[i] and allowed.capital[i]}
    assert opens == {8}


def test_a_figure_does_not_run_on_to_a_name() -> None:
    """A date once took the builder's name behind it: "1905 by Karl Benz"."""
    text = "Made on 4 May 1905 by Karl Benz for 2 GB and 3 million US dollars."
    canvas = sheet(passages=(text,), draft=(SlotSpec(MaskKind.NUMBER, max_length=16),))
    for seed in range(4):
        fills = [r.fill.text for r in small_denoiser(seed).rank([canvas], 0, 60)[0] if r.fill]
        assert not any("Karl" in f and "1905" in f for f in fills)
    scored, _ = small_denoiser()._score([canvas], [None])
    assert scored[0][0].spans is not None
    first, more = (scored[0][0].spans > -1e30).nonzero().unbind(1)
    words = {
        text[int(canvas.characters[a, 0]) : int(canvas.characters[a + n, 1])] for a, n in zip(first, more, strict=True)
    }
    assert {"4 May 1905", "2 GB", "3 million US dollars"} <= words
    assert not any("1905" in w and "Karl" in w for w in words)
