"""Plain twins of the model's body and heads: transformers' BERT, an uncached pass, and sums written as loops."""

from __future__ import annotations

import random
import warnings

import pytest
import torch
from torch.nn import functional as F

from palimpsest.dlm_core.canvas.canvas import Role
from palimpsest.dlm_core.canvas.tokenizer import CONTROL, FIRST_PASSAGE_ROW, MASK
from palimpsest.dlm_core.denoisers.embedded_layout import build_canvas
from palimpsest.dlm_core.kinds import VERDICT_SLOT, VERDICTS
from palimpsest.dlm_core.models.embedded import Batch, EmbeddedModel, copyable
from palimpsest.dlm_core.training import minilm
from palimpsest.dlm_core.training.losses import WEIGHTS, loss, slots_of, total
from palimpsest.dlm_core.training.masking import Supervision

from .world import CITE, NUMBER, SMALL, TEXT, sheet, small_model, tokenizer

PASSAGES = ("It runs at 12 knots.", "Another passage says that it runs at 15 knots now.", "A third.")
ROWS_OF = {name: CONTROL[name] for name in VERDICTS}


def test_our_body_is_bert(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin of design.md 9: a tiny random BertModel, read in by `start_from_minilm`, has our hidden states."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of transformers' own imports
        from transformers import BertConfig, BertModel

    torch.manual_seed(5)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, layer_norm_eps=1e-12
    )
    theirs, ours = BertModel(config).eval(), EmbeddedModel(SMALL).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    state = {k: v.clone() for k, v in theirs.state_dict().items()}
    monkeypatch.setattr(minilm, "load_file", lambda path: state)
    minilm.start_from_minilm(ours, tokenizer())
    theirs.embeddings.token_type_embeddings.weight.data[0] = ours.role.weight[Role.QUESTION]  # it was given noise
    ids = torch.tensor([tokenizer().encode("The fastest barge on Lake Orta reaches 1,288 knots").ids])
    zeros = torch.zeros_like(ids)
    with torch.inference_mode():
        expected = theirs(input_ids=ids, token_type_ids=zeros).last_hidden_state
        got = ours(Batch(ids, torch.arange(ids.shape[1])[None], zeros, zeros, zeros))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def test_control_rows_are_made_anew_and_words_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """MiniLM was never trained on [MASK] or the unused rows; each gets a row of its own of the vocabulary's usual norm."""
    model, stored = small_model(1), small_model(2)
    theirs = {"embeddings.word_embeddings.weight": stored.words.weight.data}
    theirs["embeddings.position_embeddings.weight"] = stored.place.weight.data
    theirs["embeddings.token_type_embeddings.weight"] = stored.role.weight.data[:2]
    for name in ("weight", "bias"):
        theirs[f"embeddings.LayerNorm.{name}"] = getattr(stored.input_norm, name).data
        for number, layer in enumerate(stored.body):
            for long, short in minilm._LAYER.items():
                theirs[f"encoder.layer.{number}.{long}.{name}"] = getattr(getattr(layer, short), name).data
    monkeypatch.setattr(minilm, "load_file", lambda path: theirs)
    minilm.start_from_minilm(model, tokenizer())
    fresh = [*minilm._ROWS, MASK, *range(FIRST_PASSAGE_ROW, FIRST_PASSAGE_ROW + 16)]
    rows = model.words.weight[fresh]
    assert ((rows.norm(dim=1) - minilm._ROW_NORM).abs() < 0.35).all()
    assert len({tuple(r.tolist()) for r in rows}) == len(fresh)
    kept = torch.ones(SMALL.vocabulary, dtype=torch.bool)
    kept[fresh] = False
    assert torch.equal(model.words.weight[kept], stored.words.weight[kept])
    assert (model.kind.weight[0] == 0).all()
    assert (model.kind.weight[1:].norm(dim=1) > 0).all()


def test_visibility_equals_the_rule_written_as_a_loop() -> None:
    canvases = [sheet(passages=PASSAGES), sheet("Why?", PASSAGES[:1])]
    seen = Batch.of(canvases).visible()[:, 0]
    for number, canvas in enumerate(canvases):
        for query in range(len(canvas)):
            mine = canvas.segments[int(canvas.block[query])]
            for key in range(seen.shape[2]):
                theirs = canvas.segments[int(canvas.block[key])] if key < len(canvas) else None
                may = theirs is not None and (theirs is mine or mine.role is Role.DRAFT or theirs.role is Role.QUESTION)
                assert bool(seen[number, query, key]) == may


@pytest.mark.parametrize("seed", range(6))
def test_joint_equals_a_double_loop(seed: int) -> None:
    """Random blocks, several slots at once, every `longest`; a span of forbidden or mixed tokens has probability zero."""
    rng, model = random.Random(seed), small_model()
    torch.manual_seed(seed)
    size = rng.randint(1, 24)
    allowed = torch.tensor([[rng.choice((-1, 1, 1, 2)) for _ in range(size)] for _ in range(3)])
    allowed[:, 0] = 1  # something is always legal
    start, end = torch.randn(3, size), torch.randn(3, size)
    for longest in (1, 3, None, 40):
        joint = model.joint(start, end, allowed, longest)
        width = min(longest or SMALL.max_span, SMALL.max_span)
        assert joint.shape == (3, size, width)
        for n in range(3):
            weights = torch.zeros(size, width)
            for j in range(size):
                for more in range(min(width, size - j)):
                    run = allowed[n, j : j + more + 1].tolist()
                    # The model compares the two ends; blocks lie in runs, so the ends are enough on a canvas.
                    if run[0] >= 0 and run[0] == run[-1]:
                        weights[j, more] = float((start[n, j] + end[n, j + more]).exp())
            torch.testing.assert_close(joint[n].exp(), weights / weights.sum(), atol=1e-6, rtol=1e-4)
            assert float(joint[n].exp().sum()) == pytest.approx(1, abs=1e-5)


def test_what_may_be_copied_is_the_inside_of_passages_and_markers_are_their_openers() -> None:
    """Literal [SEP] and [MASK] in a document are words of it; its own opener and closer are not."""
    canvas = sheet(passages=("One [SEP] two [MASK].", "Three."))
    inside, openers = (copyable(Batch.of([canvas]), markers=m)[0] for m in (False, True))
    for number, segment in enumerate(canvas.segments):
        for place in range(segment.start, segment.end):
            evidence, first, last = segment.role is Role.EVIDENCE, place == segment.start, place == segment.end - 1
            assert int(inside[place]) == (number if evidence and not first and not last else -1)
            assert int(openers[place]) == (number if evidence and first else -1)


def test_loss_of_a_mixed_batch_equals_loops() -> None:
    """Choice with smoothing 0.05, citation over openers, spans with two right places, each a mean over its own slots."""
    model = small_model(3)
    one = sheet(passages=PASSAGES[:2], draft=(TEXT, " ", CITE))
    two = build_canvas(tokenizer(), ["It runs at 12 knots"], [("p", PASSAGES[0])], [VERDICT_SLOT])
    first, second = one.segments[1], one.segments[2]
    golds = ((first.start + 4, first.start + 4), (second.start + 8, second.start + 9))
    supervised = [
        [Supervision(0, golds, ()), Supervision(1, ((second.start, second.start),), ())],
        [Supervision(0, (), (CONTROL["[REF]"],))],
    ]
    batch = Batch.of([one, two])
    with torch.inference_mode():
        parts = loss(model, batch, slots_of([one, two], supervised, ROWS_OF))
        hidden = model(batch)
        start, end = model.span_scores(hidden[0, one.slots[0].start][None], hidden[:1])
        score = {
            (i, i + more): float(start[0, i] + end[0, i + more])
            for segment in (first, second)
            for i in range(segment.start + 1, segment.end - 1)
            for more in range(min(SMALL.max_span, segment.end - 1 - i))
        }
        everything = torch.tensor(list(score.values())).logsumexp(0)
        right = torch.tensor([score[g] for g in golds]).logsumexp(0)
        assert float(parts["span"]) == pytest.approx(float(everything - right), abs=1e-4)
        start, end = model.span_scores(hidden[0, one.slots[1].start][None], hidden[:1])
        openers = [float(start[0, s.start] + end[0, s.start]) for s in (first, second)]
        assert float(parts["cite"]) == pytest.approx(float(torch.tensor(openers).logsumexp(0)) - openers[1], abs=1e-4)
        logs = model.vocabulary(hidden[1, two.slots[0].start])[[CONTROL[v] for v in VERDICTS]].log_softmax(-1)
        by_hand = -0.95 * logs[1] - 0.05 * logs.mean()
        assert float(parts["choice"]) == pytest.approx(float(by_hand), abs=1e-4)
    assert set(parts) == {"span", "cite", "gate", "choice"}
    assert float(total(parts)) == pytest.approx(sum(WEIGHTS[k] * float(v) for k, v in parts.items()), abs=1e-5)


def test_the_gate_learns_from_both_answers() -> None:
    model, canvas = small_model(), sheet(passages=PASSAGES[:1], draft=(TEXT, " ", NUMBER))
    inside = canvas.segments[1].start + 4
    supervised = [[Supervision(0, ((inside, inside),), ()), Supervision(1, (), (3,))]]
    with torch.inference_mode():
        batch = Batch.of([canvas])
        parts = loss(model, batch, slots_of([canvas], supervised, ROWS_OF))
        gates = model.copy_share(model(batch)[0, [s.start for s in canvas.slots]])
    by_hand = -(F.logsigmoid(gates[0]) + F.logsigmoid(-gates[1])) / 2
    assert float(parts["gate"]) == pytest.approx(float(by_hand), abs=1e-5)
