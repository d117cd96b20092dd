from __future__ import annotations

from dataclasses import replace

import torch

from palimpsest.dlm_core.cache.span_cache import SPAN_CACHE
from palimpsest.dlm_core.canvas.canvas import Canvas, Role
from palimpsest.dlm_core.models.embedded import Batch, Strip

from ..world import CITE, TEXT, sheet, small_denoiser, small_model

PASSAGES = ("It runs at 12 knots.", "Another passage says that it runs at 15 knots now.")


def changed_by(canvas: Canvas, place: int) -> set[int]:
    """The segments whose hidden states move when the token at `place` is another."""
    model = small_model()
    tokens = canvas.tokens.clone()
    tokens[place] = 5000
    with torch.inference_mode():
        before, after = (model(Batch.of([c]))[0] for c in (canvas, replace(canvas, tokens=tokens)))
    moved = (before - after).abs().amax(-1) > 1e-6
    return {int(b) for b in canvas.block[moved]}


def test_who_sees_whom() -> None:
    """Question: itself. A passage: the question and itself. The draft: everything. Nothing sees the draft but the draft."""
    canvas = sheet(passages=PASSAGES)
    question, first, second, draft = canvas.segments
    assert changed_by(canvas, question.start + 1) == {0, 1, 2, 3}
    assert changed_by(canvas, first.start + 1) == {1, 3}
    assert changed_by(canvas, second.start + 1) == {2, 3}
    assert changed_by(canvas, draft.start) == {3}


def test_cached_evidence_equals_the_plain_pass() -> None:
    """The twin of design.md 9: a draft over cached keys and values has the hidden states of the whole canvas."""
    canvases = [sheet(passages=PASSAGES), sheet("Why?", PASSAGES[:1], ("Because ", TEXT, CITE))]
    denoiser = small_denoiser()
    (plain_ones, _), (cached_ones, kept) = denoiser.guess(canvases), denoiser.guess(canvases, [SPAN_CACHE] * 2)
    again, _ = denoiser.guess(canvases, kept)
    for plain, cached in [*zip(plain_ones, cached_ones, strict=True), *zip(plain_ones, again, strict=True)]:
        assert torch.equal(plain.token, cached.token)
        assert torch.equal(plain.source, cached.source)
        torch.testing.assert_close(plain.prob, cached.prob, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(plain.entropy, cached.entropy, atol=1e-4, rtol=1e-4)


def test_a_strip_in_one_pass_equals_the_plain_pass_and_passes_over_what_was_kept() -> None:
    """Question, passages and draft, each looking at parts of the same pass; then the draft alone over what stayed."""
    canvas, model = sheet(passages=PASSAGES), small_model()
    parts = [(canvas, [s]) for s in canvas.segments]
    sight = [[], [0], [0], [0, 1, 2]]
    with torch.inference_mode():
        plain = model(Batch.of([canvas]))[0]
        states, kept = model.rows(Strip.of(parts), sight)
        later, _ = model.rows(Strip.of(parts[3:]), [kept[:3]])
    torch.testing.assert_close(states, plain, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(later, states[-len(later) :], atol=1e-5, rtol=1e-4)


def test_padding_changes_nothing() -> None:
    short, long = sheet("Why?", PASSAGES[:1]), sheet(passages=PASSAGES)
    model = small_model()
    with torch.inference_mode():
        alone, together = model(Batch.of([short]))[0], model(Batch.of([short, long]))[0, : len(short)]
    assert torch.isfinite(together).all()
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-4)


def test_joint_is_a_distribution_over_spans_of_one_block() -> None:
    model = small_model()
    torch.manual_seed(1)
    start, end = torch.randn(1, 7), torch.randn(1, 7)
    allowed = torch.tensor([[-1, 1, 1, -1, 2, 2, 2]])
    joint = model.joint(start, end, allowed, 3)[0]
    expected = torch.full((7, 3), -torch.inf)
    for j in range(7):
        for length in range(3):
            run = allowed[0, j : j + length + 1]
            if len(run) == length + 1 and run[0] >= 0 and (run == run[0]).all():
                expected[j, length] = start[0, j] + end[0, j + length]
    torch.testing.assert_close(joint.exp(), (expected - expected.flatten().logsumexp(0)).exp())
    assert abs(float(joint.exp().sum()) - 1) < 1e-5


def test_some_rows_of_the_vocabulary_have_the_logits_that_they_have_in_the_whole() -> None:
    model, rows = small_model(), torch.tensor([7, 3, 20])
    with torch.inference_mode():
        states = model(Batch.of([sheet(passages=PASSAGES)]))[0]
        torch.testing.assert_close(model.chosen(states, rows), model.vocabulary(states)[:, rows])


def test_roles_follow_the_segments() -> None:
    canvas = sheet(passages=PASSAGES)
    assert canvas.roles[0] == Role.QUESTION
    assert canvas.roles[-1] == Role.DRAFT
    assert (canvas.roles == Role.EVIDENCE).sum() == sum(s.end - s.start for s in canvas.segments[1:3])
