"""A canvas to play on: a text with masks, evidence, and what the model does with them, one place a step, the surest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from palimpsest.agent.draft import Kind
from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.canvas.canvas import Canvas
from palimpsest.dlm_core.decoding.sampler import Frame, begin, denoise, threshold
from palimpsest.dlm_core.kinds import VERDICTS, MaskKind, SlotSpec
from palimpsest.retrieval.types import Frozen

from .config import Config
from .corpus import open_model
from .errors import USAGE, ResearchError

NEVER = threshold(2.0)  # no probability reaches it: a step settles the surest place alone
MOST_PLACES, MOST_LETTERS = 12, 20_000
VERDICT_WORDS = ("supported", "refuted", "not said")


class Mask(Frozen):
    """An open place of a text."""

    kind: Kind


class Option(Frozen):
    """What a place might become; no words are "nothing of it stands in the evidence"."""

    words: str
    probability: float


class Place(Frozen):
    """A place at one step: what it might become, and, once it is settled, what it became and how surely."""

    kind: Kind
    options: tuple[Option, ...] = ()
    words: str | None = None
    probability: float = 0.0
    step: int = 0  # in which it was settled, from 1


class Turn(Frozen):
    """The places after a step of denoising, in the order of the text; step 0 is before the first."""

    step: int
    places: tuple[Place, ...]


@lru_cache(maxsize=1)
def _writer(model: str, threads: int | None) -> ModelWriter:
    return open_model(Config(model=model, threads=threads))


def writer_of(config: Config) -> ModelWriter:
    """The model that plays, opened once for the process. ResearchError for one that is at an address: it shows no canvas."""
    if config.model.startswith(("http://", "https://")):
        raise ResearchError(f"the model at {config.model} shows no canvas; start with a model of this machine", USAGE)
    return _writer(config.model, config.threads)


def play(config: Config, text: Sequence[str | Mask], evidence: Sequence[str]) -> list[Turn]:
    """Every step of denoising the masks of a text from evidence. ResearchError for a text without masks, or too much of either."""
    masks = [m for m in text if isinstance(m, Mask)]
    held = [e.strip() for e in evidence if e.strip()]
    if not masks or not held:
        raise ResearchError("mark at least one mask, and give evidence to fill it from", USAGE)
    if len(masks) > MOST_PLACES or sum(map(len, (*held, *(t for t in text if isinstance(t, str))))) > MOST_LETTERS:
        raise ResearchError(
            f"that is too much for one canvas; at most {MOST_PLACES} masks and {MOST_LETTERS:,} letters", USAGE
        )
    return list(_turns(writer_of(config), masks, text, held))


def _turns(
    writer: ModelWriter, masks: Sequence[Mask], text: Sequence[str | Mask], evidence: Sequence[str]
) -> Iterator[Turn]:
    canvas = _canvas(writer, text, evidence)
    places = tuple(Place(kind=m.kind) for m in masks)
    frame = begin(canvas, None).frame
    yield (turn := Turn(step=0, places=_weighed(writer, frame, places)))
    for frame in denoise(writer.denoiser, canvas, seed=writer.seed, schedule=len(masks) + 1, commit=NEVER):
        turn = Turn(step=turn.step + 1, places=_settled(writer, frame, turn))
        yield turn


def _canvas(writer: ModelWriter, text: Sequence[str | Mask], evidence: Sequence[str]) -> Canvas:
    """The text with slots of the lengths that were measured for the model, and as much evidence as fits."""
    denoiser = writer.denoiser
    pieces = denoiser.shorten([_slot(writer, p) if isinstance(p, Mask) else p for p in text if p])
    named = [(str(n), words) for n, words in enumerate(evidence, 1)]
    return denoiser.build(pieces, named[: max(1, denoiser.fit(pieces, named, pieces))], pieces)


def _slot(writer: ModelWriter, mask: Mask) -> SlotSpec:
    kind = MaskKind[mask.kind]
    spec = SlotSpec(kind, allowed=VERDICTS if kind is MaskKind.CHOICE else ())
    return replace(spec, max_length=writer.calibration.length(kind))


def _settled(writer: ModelWriter, frame: Frame, before: Turn) -> tuple[Place, ...]:
    """The places after a step: what it settled has words, what is still open has what it might become now."""
    places = []
    for number, place in enumerate(before.places):
        if place.words is None and frame.canvas.is_settled(number):
            slot = frame.canvas.slots[number]
            found = {"words": _words(writer, frame.canvas, number), "probability": float(frame.guess.prob[slot.start])}
            place = place.model_copy(update={**found, "step": before.step + 1})
        places.append(place)
    return _weighed(writer, frame, tuple(places))


def _weighed(writer: ModelWriter, frame: Frame, places: tuple[Place, ...]) -> tuple[Place, ...]:
    return tuple(
        p if p.words is not None else p.model_copy(update={"options": _options(writer, frame.canvas, n, p.kind)})
        for n, p in enumerate(places)
    )


def _options(writer: ModelWriter, canvas: Canvas, slot: int, kind: Kind) -> tuple[Option, ...]:
    """What a place might become, the likeliest first; of a relation only the best word is known."""
    if kind == "CHOICE":
        probabilities = writer.denoiser.choices([canvas], slot, writer.seed)[0]
        found = [Option(words=w, probability=p) for w, p in zip(VERDICT_WORDS, probabilities, strict=True)]
    elif kind == "LOGIC":
        guess = writer.denoiser.guess([canvas])[0][0]
        found = [_guessed(writer, canvas, slot, guess)]
    else:
        ranks = writer.denoiser.rank([canvas], slot, 5, writer.seed)[0]
        found = [Option(words=_named(r.fill, kind), probability=r.probability) for r in ranks]
    return tuple(sorted(found, key=lambda o: -o.probability)[:6])


def _guessed(writer: ModelWriter, canvas: Canvas, slot: int, guess: Any) -> Option:
    where = canvas.slots[slot]
    kept = [t for t in guess.token[where.start : where.end].tolist() if t != canvas.marks.delete]
    return Option(words=writer.denoiser.tokenizer.decode(kept).strip(), probability=float(guess.prob[where.start]))


def _named(fill: Any, kind: Kind) -> str:
    if fill is None:
        return ""
    return f"[{fill.name}]" if kind == "CITE" else str(fill.text)


def _words(writer: ModelWriter, canvas: Canvas, slot: int) -> str:
    """The words that stand in a settled place."""
    spec = canvas.slots[slot].spec
    fill = canvas.fill(slot, writer.denoiser.tokenizer)
    if spec.kind is MaskKind.CHOICE and fill is not None and fill.text in VERDICTS:
        return VERDICT_WORDS[VERDICTS.index(fill.text)]
    return _named(fill, spec.kind.name)  # type: ignore[arg-type]
