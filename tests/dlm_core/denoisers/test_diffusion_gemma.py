"""DiffusionGemma by transformers' own class, tiny and random: the native logits, an exact prefix, and pinned words that never move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.cache.span_cache import NO_CACHE, SPAN_CACHE, SpanCache
from palimpsest.dlm_core.canvas.canvas import Canvas, State
from palimpsest.dlm_core.decoding.rules import entropy_bound, fixed_schedule
from palimpsest.dlm_core.decoding.sampler import denoise
from palimpsest.dlm_core.denoisers.diffusion_gemma import GemmaDenoiser, Step, _conditioning
from palimpsest.dlm_core.denoisers.open import open_denoiser
from palimpsest.dlm_core.kinds import VERDICT_SLOT, MaskKind, SlotSpec
from palimpsest.dlm_core.models.diffusion_gemma import load_gemma
from palimpsest.dlm_core.models.errors import ModelError

from ...agent.world import Shelf, passage, research
from ..models.checkpoints import write_tokenizer

FREE = SlotSpec(MaskKind.TEXT, 8, free=True)
NUMBER = SlotSpec(MaskKind.NUMBER, 4)
PASSAGES = [("p0", "The barge Marisa of Orta reached 12 knots in 1901.")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

    made = tmp_path_factory.mktemp("gemma")
    torch.manual_seed(0)
    text = {
        "vocab_size": 320,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "layer_types": ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"],
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_global_key_value_heads": 1,
        "head_dim": 8,
        "global_head_dim": 16,
        "sliding_window": 1024,
        "num_experts": 4,
        "top_k_experts": 2,
        "moe_intermediate_size": 16,
        "max_position_embeddings": 2048,
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
    }
    config = DiffusionGemmaConfig(text_config=text, vision_config={**vision, "head_dim": 8}, canvas_length=128)
    model = DiffusionGemmaForBlockDiffusion(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.1)
    model.save_pretrained(made)
    write_tokenizer(made / "tokenizer.json")
    return made


@pytest.fixture(scope="module")
def denoiser(folder: Path) -> GemmaDenoiser:
    opened = open_denoiser(folder)
    assert isinstance(opened, GemmaDenoiser)
    return opened


def built(denoiser: GemmaDenoiser, draft: tuple[Any, ...] = ("It reached ", NUMBER, " knots, ", FREE, ".")) -> Canvas:
    return denoiser.build(["How fast is it?"], PASSAGES, draft)


def test_all_that_is_drawn_is_drawn_from_the_seed(denoiser: GemmaDenoiser) -> None:
    """Ranks, verdicts and the lengths of slots are read off a canvas of noise too."""
    canvas, judged = built(denoiser, ("It reached ", NUMBER)), built(denoiser, (VERDICT_SLOT,))

    def read(seed: int) -> tuple[list[float], list[float], Canvas]:
        (ranks,) = denoiser.rank([canvas], 0, 3, seed)
        (verdict,) = denoiser.choices([judged], 0, seed)
        return [r.probability for r in ranks], verdict, denoiser.resize(denoiser, canvas, NO_CACHE, 0, seed)

    (ranks, verdict, sized), again, *others = (read(seed) for seed in (7, 7, 8, 9, 10))
    assert (ranks, verdict, len(sized)) == (again[0], again[1], len(again[2]))
    assert all(ranks != other and verdict != judgement for other, judgement, _ in others)
    assert len({len(c) for _, _, c in others} | {len(sized)}) > 1


def test_logits_equal_the_native_forward(denoiser: GemmaDenoiser) -> None:
    """One call of transformers' own model on prompt and canvas, with and without self-conditioning."""
    model = denoiser.model
    prompt, canvas = torch.arange(5, 45), torch.arange(100, 120)
    with torch.inference_mode():
        prefix = model.prefix(prompt.tolist())
        first = model.logits(canvas, prefix)
        native = model.model(input_ids=prompt[None], decoder_input_ids=canvas[None]).logits[0]
        torch.testing.assert_close(first, native, atol=1e-5, rtol=1e-4)
        again = model.logits(canvas, prefix, first)
        native = model.model(
            input_ids=prompt[None], decoder_input_ids=canvas[None], self_conditioning_logits=first[None]
        )
        torch.testing.assert_close(again, native.logits[0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(first, again)


def test_evidence_behind_the_prefix_computes_no_old_token(denoiser: GemmaDenoiser) -> None:
    model, tokens = denoiser.model, list(range(5, 60))
    with torch.inference_mode():
        whole = model.prefix(tokens)
        part = model.prefix(tokens[:40])
        grown = model.prefix(tokens, part)
        assert (part.encoded, grown.encoded, model.prefix(tokens, grown).encoded) == (40, 15, 0)
        assert model.prefix([*tokens[:39], 7], part).encoded == 40  # another beginning is another prefix
        canvas = torch.arange(100, 120)
        torch.testing.assert_close(model.logits(canvas, grown), model.logits(canvas, whole), atol=1e-5, rtol=1e-4)
        before = model.logits(canvas, part)
        model.prefix(tokens, part)
        assert torch.equal(model.logits(canvas, part), before)  # what is gone on from is not written to


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 50), st.integers(1, 8), st.booleans())
def test_pinned_words_never_move(folder: Path, seed: int, steps: int, bounded: bool) -> None:
    denoiser = open_denoiser(folder)
    assert isinstance(denoiser, GemmaDenoiser)
    canvas = built(denoiser)
    fixed = canvas.state == State.FIXED
    commit = entropy_bound(0.1) if bounded else fixed_schedule(steps)
    frames = list(denoise(denoiser, canvas, schedule=steps, commit=commit, seed=seed))
    for one, two in zip([canvas, *[f.canvas for f in frames]], [f.canvas for f in frames], strict=False):
        kept = (one.state != State.OPEN) & (two.state != State.OPEN)
        assert torch.equal(one.tokens[kept], two.tokens[kept])
        assert torch.equal(two.tokens[fixed], canvas.tokens[fixed])
    assert not frames[-1].canvas.open.any()


def test_only_open_places_are_noised_anew_at_every_step(denoiser: GemmaDenoiser) -> None:
    canvas = built(denoiser)
    one, two = denoiser._noised(canvas, 1), denoiser._noised(canvas, 2)
    assert torch.equal(one[~canvas.open], canvas.tokens[~canvas.open])
    assert not torch.equal(one[canvas.open], two[canvas.open])
    assert torch.equal(one, denoiser._noised(canvas, 1))


def test_the_same_seed_writes_the_same_words(denoiser: GemmaDenoiser) -> None:
    last_canvases = [
        list(denoise(denoiser, built(denoiser), schedule=6, commit=fixed_schedule(6), seed=s))[-1].canvas
        for s in (1, 1, 2)
    ]
    assert torch.equal(last_canvases[0].tokens, last_canvases[1].tokens)
    assert not torch.equal(last_canvases[0].tokens, last_canvases[2].tokens)


def test_exact_equals_no_cache_and_the_prefix_is_kept_otherwise(denoiser: GemmaDenoiser) -> None:
    canvas = built(denoiser)
    (plain,), _ = denoiser.guess([canvas], [NO_CACHE], [3])
    (exact,), (kept,) = denoiser.guess([canvas], [SpanCache(exact=True)], [3])
    assert torch.equal(plain.prob, exact.prob)
    assert kept is not None
    assert kept.kept is None
    (first,), (kept,) = denoiser.guess([canvas], [SPAN_CACHE], [3])
    assert torch.equal(first.prob, plain.prob)
    (second,), (kept,) = denoiser.guess([canvas], [kept], [3])
    assert not torch.equal(second.prob, first.prob)  # conditioned on the first
    assert kept is not None
    assert kept.report.recomputed == canvas.segments[-1].end - canvas.segments[-1].start


def test_another_question_is_encoded_from_the_first_word_that_differs(denoiser: GemmaDenoiser) -> None:
    """The chat's opening stays; a new passage behind the old one costs its own words and the frame behind it."""
    canvas = built(denoiser)
    draft = canvas.segments[-1]
    (_,), (kept,) = denoiser.guess([canvas], [SPAN_CACHE], [3])
    other = denoiser.build(["How long is it?"], PASSAGES, ("It reached ", NUMBER, " knots, ", FREE, "."))
    start = other.segments[-1].start
    same = next(i for i in range(start) if other.tokens[i] != canvas.tokens[i])
    assert same > 5
    (_,), (after,) = denoiser.guess([other], [kept], [3])
    assert after is not None
    assert after.report.recomputed == start - same + draft.end - draft.start


def test_the_hint_is_tempered_and_is_of_every_row_or_none(denoiser: GemmaDenoiser) -> None:
    canvas = built(denoiser)
    ids = canvas.ids[canvas.segments[-1].start :]
    logits = torch.randn(len(ids), 320)
    step = Step(denoiser.model.prefix([5, 6]), ids, logits, 12)
    assert _conditioning(ids, None) is None
    hint = _conditioning(ids.flip(0), step)
    assert hint is not None
    torch.testing.assert_close(hint, logits.flip(0) / 0.7)  # 0.4 + 0.4 * (48 - 12) / 48
    assert _conditioning(torch.cat([ids, ids.max()[None] + 1]), step) is None
    (_,), (kept,) = denoiser.guess([canvas], [SPAN_CACHE], [3])
    (_,), (kept,) = denoiser.guess([canvas], [kept], [3])
    assert kept is not None
    assert kept.kept.count == 1


def test_a_draft_longer_than_the_canvas_is_refused(denoiser: GemmaDenoiser) -> None:
    with pytest.raises(ValueError, match="longer than this model's canvas of 128"):
        denoiser.guess([built(denoiser, ("many words " * 12, FREE))])


def test_a_checkpoint_that_lacks_something_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if path.suffix == ".json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match="cannot be read as DiffusionGemma"):
        load_gemma(tmp_path)


def test_the_loop_runs_on_it(folder: Path) -> None:
    shelf = Shelf(passage("The fastest barge on Lake Orta is Marisa, which reaches 12 knots.", "Barges", "2024-05-01"))
    events, state = research("How many knots does it reach?", ModelWriter(folder), shelf, rounds=1)  # type: ignore[arg-type]
    assert events[-1].kind == "finished"
    held = {p.id: p.text for p in state.evidence}
    for span in state.draft.spans():
        for support in span.support:
            assert support.quote in held[support.passage]
