"""Training examples: labelled rows and plain text turned into canvases with typed holes and known fillings.

Only the files of a training folder are read; what evaluates the model lies elsewhere and is never opened here.
"""

from __future__ import annotations

import gzip
import json
import lzma
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from .canvas import Canvas, Piece
from .kinds import NOT_ENOUGH, REFUTES, SUPPORTS, VERDICT_SLOT, MaskKind, SlotSpec, kind_of, typed_spans
from .layout import lay
from .tokenizer import NONE, Tokenizer

Row = dict[str, Any]
CITE_SLOT = SlotSpec(MaskKind.CITE)


@dataclass(frozen=True)
class Target:
    """The right filling of a slot: spans (passage index, start, end) to copy, or rows of the vocabulary; neither: no loss."""

    spans: tuple[tuple[int, int, int], ...] = ()
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Example:
    """A canvas in words, with a target for each slot of the draft. Tokenizer-free but for `rows`."""

    question: tuple[Piece, ...]
    passages: tuple[str, ...]
    draft: tuple[Piece, ...]
    targets: tuple[Target, ...]
    task: str


NO_ANSWER = Target(rows=(NONE,))


def read_rows(path: Path, limit: int | None = None) -> list[Row]:
    """Rows of a .jsonl, .jsonl.gz or .jsonl.xz file."""
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    opener = openers.get(path.suffix, open)
    with opener(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, limit)]


def find_all(text: str, words: str) -> list[tuple[int, int]]:
    """Offsets of every whole-word occurrence of `words` in `text`."""
    found, at = [], text.find(words)
    while at >= 0 and words:
        end = at + len(words)
        if not (text[at - 1 : at].isalnum() and words[0].isalnum()) and not (
            text[end : end + 1].isalnum() and words[-1].isalnum()
        ):
            found.append((at, end))
        at = text.find(words, at + 1)
    return found


def window(text: str, start: int, end: int, size: int, rng: random.Random) -> str:
    """About `size` characters of `text` around [start, end), cut at spaces, the place of the span at random."""
    if len(text) <= size:
        return text
    first = rng.randint(max(0, end - size), min(start, len(text) - size)) if end - start < size else start
    first = text.rfind(" ", 0, first) + 1
    last = text.find(" ", max(end, first + size))
    return text[first : last if last > 0 else len(text)]


@dataclass
class Corpus:
    """The rows of a training folder and the drawers that make examples of them. The same rng draws the same examples."""

    squad: list[Row]
    fever: list[Row]
    feverous: list[Row]
    wiki: list[list[str]]
    tokenizer: Tokenizer
    by_title: dict[str, list[str]] = field(default_factory=dict)
    by_name: dict[str, list[int]] = field(default_factory=dict)
    pool: dict[MaskKind, list[str]] = field(default_factory=dict)

    @staticmethod
    def load(folder: Path, tokenizer: Tokenizer, pages: int = 6000) -> Corpus:
        squad = [r for name in ("squad_train", "qed_train") for r in read_rows(folder / f"{name}.jsonl.gz")]
        fever = read_rows(folder / "fever_pairs.jsonl.gz")
        feverous = read_rows(folder / "feverous_pairs.jsonl.gz")
        raw = read_rows(folder / "wikipedia_pages.jsonl.xz", pages)
        wiki = [[p for _, p in page["paragraphs"] if 120 < len(p) < 1500] for page in raw]
        corpus = Corpus(squad, fever, feverous, [page for page in wiki if len(page) > 1], tokenizer)
        corpus._index()
        return corpus

    def _index(self) -> None:
        for row in self.squad:
            contexts = self.by_title.setdefault(row["title"], [])
            if not contexts or contexts[-1] != row["context"]:
                contexts.append(row["context"])
        for number, row in enumerate(self.fever):
            for start, end, kind in typed_spans(row["claim"]):
                if kind is MaskKind.ENTITY:
                    self.by_name.setdefault(row["claim"][start:end], []).append(number)
        self.pool = {MaskKind.ENTITY: [], MaskKind.NUMBER: []}
        for row in self.fever:
            for start, end, kind in typed_spans(row["evidence"]):
                if kind in self.pool:
                    self.pool[kind].append(row["evidence"][start:end])

    def hold_out(self, articles: int) -> Corpus:
        """Take the SQuAD questions of the last `articles` titles away from this corpus and return them as one of their own."""
        titles = set(sorted(self.by_title)[-articles:])
        held = [r for r in self.squad if r["title"] in titles]
        self.squad = [r for r in self.squad if r["title"] not in titles]
        other = Corpus(held, [], [], [], self.tokenizer)
        other._index()
        return other

    # Question answering ------------------------------------------------------------------------------------------

    def question(self, rng: random.Random) -> Example:
        row = rng.choice(self.squad)
        answer = _answers(row)[0]
        context, roll = row["context"], rng.random()
        if roll < 0.2:
            return self._unanswerable(row, rng)
        places = find_all(context, answer)
        if not places or len(answer) > 70:
            return self.question(rng)
        many = roll < 0.36
        shown = [window(context, *places[0], 450 if many else 850, rng)]
        if many:
            others = [c for c in self.by_title[row["title"]] if answer not in c]
            others = rng.sample(others, min(len(others), rng.randint(1, 2)))
            shown += [window(c, 0, 1, 450, rng) for c in others]
            rng.shuffle(shown)
        spans = tuple((i, s, e) for i, text in enumerate(shown) for s, e in find_all(text, answer))
        if not spans:
            return self.question(rng)
        passages_with = tuple(sorted({i for i, _, _ in spans}))
        return Example(
            (row["question"].strip(),),
            tuple(shown),
            (_answer_slot(answer, rng), " ", CITE_SLOT),
            (Target(spans=spans), Target(spans=tuple((i, -1, -1) for i in passages_with))),
            "question",
        )

    def _unanswerable(self, row: Row, rng: random.Random) -> Example:
        """The right question over a text without the answer, or, as a twin, another question over the right text."""
        answer, context = _answers(row)[0], row["context"]
        twin = self._twin(row["question"], context, rng) if rng.random() < 0.5 else None
        if twin and answer in context:
            start = context.index(answer)
            shown = window(context, start, start + len(answer), 850, rng)
            return Example(
                (twin,), (shown,), (_answer_slot(answer, rng), " ", CITE_SLOT), (NO_ANSWER, Target()), "none"
            )
        others = [c for c in self.by_title[row["title"]] if answer not in c]
        sentences = context.split(". ")
        without = ". ".join(s for s in sentences if answer not in s)
        text = without if (rng.random() < 0.4 and len(without) > 100) or not others else rng.choice(others)
        if answer in text or len(text) < 50:
            return self.question(rng)
        slot = _answer_slot(answer, rng)
        return Example(
            (row["question"].strip(),),
            (window(text, 0, 1, 850, rng),),
            (slot, " ", CITE_SLOT),
            (NO_ANSWER, Target()),
            "none",
        )

    def _twin(self, question: str, context: str, rng: random.Random) -> str | None:
        """The question with a name or figure that the context holds swapped for one that it does not; None without such a place."""
        places = [(s, e, k) for s, e, k in typed_spans(question) if k in self.pool and question[s:e] in context]
        if not places:
            return None
        start, end, kind = rng.choice(places)
        strangers = [
            w for w in rng.sample(self.pool[kind], min(8, len(self.pool[kind]))) if w not in context and len(w) < 40
        ]
        return f"{question[:start]}{strangers[0]}{question[end:]}".strip() if strangers else None

    # Stance --------------------------------------------------------------------------------------------------------

    def _stance(self, claim: str, evidence: Sequence[str], verdict: str) -> Example:
        return Example(
            (claim,), tuple(evidence), (VERDICT_SLOT,), (Target(rows=(self.tokenizer.row(verdict),)),), "stance"
        )

    def fever_stance(self, rng: random.Random) -> Example:
        number = rng.randrange(len(self.fever))
        row = self.fever[number]
        if rng.random() < 0.22:
            return self._stance(row["claim"], [self._other_evidence(number, rng)], NOT_ENOUGH)
        verdict = SUPPORTS if row["label"] == "entailment" else REFUTES
        return self._stance(row["claim"], [row["evidence"][:700]], verdict)

    def _other_evidence(self, number: int, rng: random.Random) -> str:
        """Evidence of another claim about the same name where there is one: related, and silent on this claim."""
        row = self.fever[number]
        for start, end, _ in typed_spans(row["claim"]):
            rivals = [
                n
                for n in self.by_name.get(row["claim"][start:end], [])
                if self.fever[n]["evidence"] != row["evidence"] and self.fever[n]["claim"] != row["claim"]
            ]
            if rivals and rng.random() < 0.6:
                return str(self.fever[rng.choice(rivals)]["evidence"][:700])
        return str(rng.choice(self.fever)["evidence"][:700])

    def feverous_stance(self, rng: random.Random) -> Example:
        row = rng.choice(self.feverous)
        evidence = " ".join(e["text"] for e in row["evidence"])[:800]
        return self._stance(row["claim"], [evidence], SUPPORTS if row["label"] == "supports" else REFUTES)

    def answer_stance(self, rng: random.Random) -> Example:
        """Is this the answer? The claim is a question with an answer behind it: right, of the same kind but wrong, or unseen."""
        row = rng.choice(self.squad)
        answer = _answers(row)[0]
        places = find_all(row["context"], answer)
        if not places or len(answer) > 70:
            return self.answer_stance(rng)
        text, roll = window(row["context"], *places[0], 420, rng), rng.random()
        if roll < 0.37:
            return self._stance(f"{row['question'].strip()} {answer}", [text], SUPPORTS)
        if roll < 0.74:
            kind = kind_of(answer)
            wrong = [
                text[s:e]
                for s, e, k in typed_spans(text)
                if k is kind and text[s:e] not in answer and answer not in text[s:e]
            ]
            wrong = wrong or [self._same_kind(answer, kind, rng)]
            return self._stance(f"{row['question'].strip()} {rng.choice(wrong)}", [text], REFUTES)
        others = [c for c in self.by_title[row["title"]] if answer not in c] or [self.squad[0]["context"]]
        return self._stance(
            f"{row['question'].strip()} {answer}", [window(rng.choice(others), 0, 1, 420, rng)], NOT_ENOUGH
        )

    def _same_kind(self, words: str, kind: MaskKind, rng: random.Random) -> str:
        """Another value of the kind; half of the time a figure that is only a little off."""
        if kind is MaskKind.NUMBER and rng.random() < 0.6:
            return _shake(words, rng)
        for _ in range(10):
            other = rng.choice(self.pool[kind if kind in self.pool else MaskKind.ENTITY] or [words])
            if other not in words and words not in other:
                return other
        return _shake(words, rng)

    def wiki_stance(self, rng: random.Random) -> Example:
        """A sentence against its paragraph (supported), with one value changed (refuted), or another paragraph (silent)."""
        sentence, paragraph, others = self._sentence(rng)
        claim, roll = _thin(sentence, rng), rng.random()
        if roll < 0.25:
            return self._stance(claim, [window(rng.choice(others), 0, 1, 500, rng)], NOT_ENOUGH)
        if roll < 0.6:
            return self._stance(claim, [paragraph], SUPPORTS)
        span = _pick_span(claim, rng)
        if span is None:
            return self._stance(claim, [paragraph], SUPPORTS)
        start, end, kind = span
        wrong = self._same_kind(claim[start:end], kind, rng)
        if rng.random() < 0.5:
            return self._stance(claim[:start] + wrong + claim[end:], [paragraph], REFUTES)
        changed = paragraph.replace(claim[start:end], wrong)
        verdict = REFUTES if changed != paragraph else SUPPORTS
        return self._stance(claim, [changed], verdict)

    def contrast(self, rng: random.Random) -> Example:
        """A supported claim whose evidence is changed in one value: the same claim, now refuted."""
        claim, evidence, (start, end, kind) = self._shared(rng)
        changed = evidence.replace(claim[start:end], self._same_kind(claim[start:end], kind, rng))
        return self._stance(claim, [changed], REFUTES)

    # Repair --------------------------------------------------------------------------------------------------------

    def _shared(self, rng: random.Random) -> tuple[str, str, tuple[int, int, MaskKind]]:
        """A supported claim, its evidence, and a typed span that stands in both."""
        while True:
            row = rng.choice(self.fever)
            claim, evidence = row["claim"], row["evidence"][:700]
            if row["label"] != "entailment":
                continue
            spans = [s for s in typed_spans(claim) if s[2] in self.pool and find_all(evidence, claim[s[0] : s[1]])]
            if spans:
                return claim, evidence, rng.choice(spans)

    def repair(self, rng: random.Random) -> Example:
        """A claim with a hole and the evidence that fills it, half of the time with a value the claim never had."""
        if rng.random() < 0.5:
            claim, evidence, span = self._shared(rng)
        else:
            sentence, evidence, _ = self._sentence(rng)
            claim = _thin(sentence, rng)
            found = [s for s in typed_spans(claim) if s[2] in self.pool and find_all(evidence, claim[s[0] : s[1]])]
            if not found:
                return self.repair(rng)
            span = rng.choice(found)
        start, end, kind = span
        value = claim[start:end]
        if rng.random() < 0.5:
            value = self._same_kind(value, kind, rng)
            evidence = evidence.replace(claim[start:end], value)
        slot = SlotSpec(kind if rng.random() < 0.7 else MaskKind.TEXT)
        pieces = tuple(p for p in (claim[:start], slot, claim[end:], CITE_SLOT) if p)
        shown, place = [evidence], 0
        if rng.random() < 0.4:
            shown.append(rng.choice(self.fever)["evidence"][:400])
            rng.shuffle(shown)
            place = shown.index(evidence)
        if rng.random() < 0.12:
            shown, target, cite = [rng.choice(self.fever)["evidence"][:600]], NO_ANSWER, Target()
        else:
            spans = tuple((place, s, e) for s, e in find_all(evidence, value))
            if not spans:
                return self.repair(rng)
            target, cite = Target(spans=spans), Target(spans=((place, -1, -1),))
        return Example(pieces[:-1], tuple(shown), pieces, (target, cite), "repair")

    def logic(self, rng: random.Random) -> Example:
        """A sentence whose relation word is a hole, beside the paragraph it stands in without it."""
        sentence, paragraph, _ = self._sentence(rng)
        spans = [s for s in typed_spans(sentence) if s[2] is MaskKind.LOGIC]
        if not spans:
            return self.logic(rng)
        start, end, kind = rng.choice(spans)
        rows = tuple(self.tokenizer.encode(sentence[start:end]).ids)
        pieces = tuple(p for p in (sentence[:start], SlotSpec(kind), sentence[end:]) if p)
        if len(rows) > 2:
            return self.logic(rng)
        around = paragraph.replace(sentence, " ")
        return Example(pieces, (around[:500],), pieces, (Target(rows=rows),), "logic")

    def _sentence(self, rng: random.Random) -> tuple[str, str, list[str]]:
        """A sentence, about 500 characters of its paragraph, and the other paragraphs of the page."""
        while True:
            page = rng.choice(self.wiki)
            paragraph = rng.choice(page)
            sentences = [s for s in paragraph.split(". ") if 40 < len(s) < 220]
            if sentences:
                sentence = rng.choice(sentences)
                at = paragraph.find(sentence)
                shown = window(paragraph, at, at + len(sentence), 500, rng)
                return sentence, shown, [p for p in page if p is not paragraph]

    def draw(self, rng: random.Random) -> Example:
        """One example of the mix."""
        tasks: list[tuple[Callable[[random.Random], Example], float]] = [
            (self.question, 0.52),
            (self.fever_stance, 0.13),
            (self.feverous_stance, 0.03),
            (self.answer_stance, 0.07),
            (self.wiki_stance, 0.05),
            (self.contrast, 0.04),
            (self.repair, 0.13),
            (self.logic, 0.03),
        ]
        makers, weights = zip(*tasks, strict=True)
        return rng.choices(makers, weights)[0](rng)


def _answers(row: Row) -> list[str]:
    return [a if isinstance(a, str) else a["text"] for a in row["answers"]]


def _answer_slot(answer: str, rng: random.Random) -> SlotSpec:
    return SlotSpec(kind_of(answer) if rng.random() < 0.35 else MaskKind.TEXT)


def _shake(words: str, rng: random.Random) -> str:
    """The same words with one digit changed, or doubled words where there is no digit."""
    digits = [i for i, c in enumerate(words) if c.isdigit()]
    if not digits:
        return words[::-1]
    at = rng.choice(digits)
    return words[:at] + rng.choice([d for d in "123456789" if d != words[at]]) + words[at + 1 :]


def _thin(sentence: str, rng: random.Random) -> str:
    """The sentence with some of its lower-case words left out, as a paraphrase would: what is typed stays."""
    words = sentence.split(" ")
    return " ".join(w for w in words if not w.islower() or rng.random() > 0.15)


def _pick_span(text: str, rng: random.Random) -> tuple[int, int, MaskKind] | None:
    spans = [s for s in typed_spans(text) if s[2] is not MaskKind.LOGIC]
    return rng.choice(spans) if spans else None


@dataclass(frozen=True)
class Supervision:
    """What a slot of a laid canvas should become: token spans (first, last) on the canvas, or vocabulary rows."""

    slot: int
    spans: tuple[tuple[int, int], ...]
    rows: tuple[int, ...]


def realise(example: Example, tokenizer: Tokenizer, longest: int) -> tuple[Canvas, list[Supervision]]:
    """Lay an example. Gold spans that a window cut or that are longer than `longest` tokens give no supervision."""
    passages = [(str(i), text) for i, text in enumerate(example.passages)]
    canvas = lay(tokenizer, example.question, passages, example.draft)
    supervised = []
    for number, target in enumerate(example.targets):
        spans = tuple(s for place in target.spans for s in _token_spans(canvas, place) if s[1] - s[0] < longest)
        if spans or target.rows:
            supervised.append(Supervision(number, spans, target.rows))
    return canvas, supervised


def _token_spans(canvas: Canvas, place: tuple[int, int, int]) -> Iterator[tuple[int, int]]:
    passage, start, end = place
    for segment in canvas.segments:
        if segment.name != str(passage):
            continue
        if start < 0:
            yield segment.start, segment.start
            return
        chars = canvas.characters[segment.start : segment.end] + segment.offset
        inside = (
            (chars[:, 0] < end) & (chars[:, 1] > start) & (canvas.characters[segment.start : segment.end, 0] >= 0)
        ).nonzero()
        if inside.numel() and int(chars[inside[0, 0], 0]) <= start and int(chars[inside[-1, 0], 1]) >= end:
            yield segment.start + int(inside[0, 0]), segment.start + int(inside[-1, 0])
