"""Training examples: labelled rows and plain text turned into canvases with typed holes and known fillings.

Only the files of a training folder are read; what evaluates the model lies elsewhere and is never opened here.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..kinds import NOT_ENOUGH, REFUTES, SUPPORTS, VERDICT_SLOT, MaskKind, SlotSpec, kind_of, typed_spans
from .examples import Example, Piece, Row, Target, read_rows

CITE_SLOT = SlotSpec(MaskKind.CITE)
NO_ANSWER = Target(words="[NONE]")
TRIES = 200  # of a drawer that looks for something rare


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


@dataclass(frozen=True)
class Page:
    """A page's title and its paragraphs."""

    title: str
    paragraphs: tuple[str, ...]


@dataclass
class Corpus:
    """The rows of a training folder and the drawers that make examples of them. The same rng draws the same examples."""

    squad: list[Row]
    fever: list[Row]
    feverous: list[Row]
    wiki: list[Page]
    by_title: dict[str, list[str]] = field(default_factory=dict)
    by_name: dict[str, list[int]] = field(default_factory=dict)
    by_page: dict[str, int] = field(default_factory=dict)
    pool: dict[MaskKind, list[str]] = field(default_factory=dict)
    held: Callable[[str], bool] = field(default=lambda text: False)

    @staticmethod
    def load(folder: Path, pages: int = 6000, first: int = 0) -> Corpus:
        """The files of a training folder, pages `first` to `pages` of plain text among them."""
        squad = [
            {**row, "source": name}
            for name in ("squad_train", "qed_train")
            for row in read_rows(folder / f"{name}.jsonl.gz")
        ]
        raw = read_rows(folder / "wikipedia_pages.jsonl.xz", pages)[first:]
        all_pages = [Page(r["title"], tuple(p for _, p in r["paragraphs"] if 120 < len(p) < 1500)) for r in raw]
        corpus = Corpus(
            squad,
            read_rows(folder / "fever_pairs.jsonl.gz"),
            read_rows(folder / "feverous_pairs.jsonl.gz"),
            [page for page in all_pages if len(page.paragraphs) > 1],
        )
        return corpus.indexed()

    @staticmethod
    def of_rows(rows: Mapping[str, list[Row]]) -> Corpus:
        """The corpus of a gathered folder's rows by file."""
        squad = [{**row, "source": name} for name in ("squad_train", "qed_train") for row in rows[name]]
        pages = [
            Page(r["title"], tuple(p for _, p in r["paragraphs"] if len(p) > 120)) for r in rows["wikipedia_pages"]
        ]
        kept = [page for page in pages if len(page.paragraphs) > 1]
        return Corpus(squad, rows["fever_pairs"], rows["feverous_pairs"], kept).indexed()

    def without(self, held: Callable[[str], bool]) -> Corpus:
        """This corpus without rows and paragraphs any of whose texts is `held` back."""

        def kept(rows: Sequence[Row], *names: str) -> list[Row]:
            return [r for r in rows if not any(held(str(r[name])) for name in names)]

        pages = [Page(p.title, tuple(t for t in p.paragraphs if not held(t))) for p in self.wiki]
        corpus = Corpus(
            kept(self.squad, "question", "context"),
            kept(self.fever, "claim", "evidence"),
            kept(self.feverous, "claim"),
            [page for page in pages if len(page.paragraphs) > 1],
            held=held,
        )
        return corpus.indexed()

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each kind."""
        return {
            "questions": len(self.squad),
            "claims": len(self.fever) + len(self.feverous),
            "paragraphs": sum(len(p.paragraphs) for p in self.wiki),
        }

    def indexed(self) -> Corpus:
        """This corpus, its names and titles looked up anew."""
        self.by_title, self.by_name = {}, {}
        for row in self.squad:
            contexts = self.by_title.setdefault(row["title"], [])
            if not contexts or contexts[-1] != row["context"]:
                contexts.append(row["context"])
        for number, row in enumerate(self.fever):
            for start, end, kind in typed_spans(row["claim"]):
                if kind is MaskKind.ENTITY:
                    self.by_name.setdefault(row["claim"][start:end], []).append(number)
        self.by_page = {page.title: number for number, page in enumerate(self.wiki)}
        self.pool = {MaskKind.ENTITY: [], MaskKind.NUMBER: []}
        for row in self.fever:
            for start, end, kind in typed_spans(row["evidence"]):
                if kind in self.pool:
                    self.pool[kind].append(row["evidence"][start:end])
        return self

    def hold_out(self, articles: int) -> Corpus:
        """Take the SQuAD questions of the last `articles` titles away from this corpus and return them as one of their own."""
        titles = set(sorted(self.by_title)[-articles:])
        held = [r for r in self.squad if r["title"] in titles]
        self.squad = [r for r in self.squad if r["title"] not in titles]
        if not self.squad:
            raise ValueError(f"holding out {articles} titles leaves no question to train on; hold out fewer")
        other = Corpus(held, [], [], [])
        return other.indexed()

    # Question answering ------------------------------------------------------------------------------------------

    def question(self, rng: random.Random) -> Example:
        row = rng.choice(self.squad)
        answer = _answers(row)[0]
        context, roll = row["context"], rng.random()
        if roll < 0.26:
            return self._unanswerable(row, rng)
        places = find_all(context, answer)
        if not places or len(answer) > 70:
            return self.question(rng)
        many = roll < 0.42
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
            row["source"],
        )

    def _unanswerable(self, row: Row, rng: random.Random) -> Example:
        """The right question over a text without the answer, or, as a twin, another question over the right text."""
        answer, context = _answers(row)[0], row["context"]
        twin = self._twin(row["question"], context, rng) if rng.random() < 0.5 else None
        if twin and answer in context:
            start = context.index(answer)
            shown = window(context, start, start + len(answer), 850, rng)
            return Example(
                (twin,),
                (shown,),
                (_answer_slot(answer, rng), " ", CITE_SLOT),
                (NO_ANSWER, Target()),
                "none",
                row["source"],
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
            row["source"],
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
        return Example((claim,), tuple(evidence), (VERDICT_SLOT,), (Target(words=verdict),), "stance")

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
            wrong = wrong or [self.same_kind(answer, kind, rng)]
            return self._stance(f"{row['question'].strip()} {rng.choice(wrong)}", [text], REFUTES)
        others = [c for c in self.by_title[row["title"]] if answer not in c] or [self.squad[0]["context"]]
        return self._stance(
            f"{row['question'].strip()} {answer}", [window(rng.choice(others), 0, 1, 420, rng)], NOT_ENOUGH
        )

    def same_kind(self, words: str, kind: MaskKind, rng: random.Random) -> str:
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
        wrong = self.same_kind(claim[start:end], kind, rng)
        if rng.random() < 0.5:
            return self._stance(claim[:start] + wrong + claim[end:], [paragraph], REFUTES)
        changed = paragraph.replace(claim[start:end], wrong)
        verdict = REFUTES if changed != paragraph else SUPPORTS
        return self._stance(claim, [changed], verdict)

    def contrast(self, rng: random.Random) -> Example:
        """A supported claim whose evidence is changed in one value: the same claim, now refuted."""
        claim, evidence, (start, end, kind) = self._shared(rng)
        changed = evidence.replace(claim[start:end], self.same_kind(claim[start:end], kind, rng))
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
        value = old = claim[start:end]
        if rng.random() < 0.5:
            value = self.same_kind(value, kind, rng)
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
            target, cite = Target(spans=spans, now=old if old != value else ""), Target(spans=((place, -1, -1),))
        return Example(pieces[:-1], tuple(shown), pieces, (target, cite), "repair")

    def logic(self, rng: random.Random) -> Example:
        """A sentence whose relation word is a hole, beside the paragraph it stands in without it."""
        sentence, paragraph, _ = self._sentence(rng)
        spans = [s for s in typed_spans(sentence) if s[2] is MaskKind.LOGIC and " " not in sentence[s[0] : s[1]]]
        if not spans:
            return self.logic(rng)
        start, end, kind = rng.choice(spans)
        pieces = tuple(p for p in (sentence[:start], SlotSpec(kind), sentence[end:]) if p)
        around = paragraph.replace(sentence, " ")
        return Example(pieces, (around[:500],), pieces, (Target(words=sentence[start:end]),), "logic")

    # Drafts with several holes -----------------------------------------------------------------------------------

    def statement(self, rng: random.Random) -> Example:
        """A sentence with up to four holes and its paragraph, in which some values have changed since the sentence was written."""
        claim, evidence, found = self._claim(rng)
        picked = sorted(rng.sample(found, min(len(found), rng.randint(2, 4))))
        now = {}
        for start, end, kind in picked:
            old = claim[start:end]
            new = self.same_kind(old, kind, rng)
            apart = all(old not in claim[s:e] for s, e, _ in picked if s != start)
            if rng.random() < 0.4 and apart and new not in claim:
                now[start], evidence = new, evidence.replace(old, new)
        return self._holes(claim, evidence, picked, now, "statement", rng) or self.statement(rng)

    def outline(self, rng: random.Random) -> Example:
        """What a paragraph is about, as a coarse slot, then a sentence whose holes wait for it (HDLM's order, arXiv 2510.08632)."""
        for _ in range(TRIES):
            claim, evidence, found = self._claim(rng)
            named = Counter(evidence[s:e] for s, e, k in typed_spans(evidence) if k is MaskKind.ENTITY)
            topic, times = named.most_common(1)[0] if named else ("", 0)
            places = find_all(evidence, topic)
            picked = sorted(rng.sample(found, min(len(found), rng.randint(1, 2))))
            made = self._holes(claim, evidence, picked, {}, "outline", rng) if times > 1 and places else None
            if made:
                spans = tuple((made.targets[0].spans[0][0], s, e) for s, e in places)
                detail = tuple(p if isinstance(p, str) else replace(p, after=(0,)) for p in made.draft)
                draft: tuple[Piece, ...] = (SlotSpec(MaskKind.OUTLINE), ": ", *detail)
                return replace(made, draft=draft, targets=(Target(spans=spans), *made.targets))
        return self.statement(rng)

    def bridge(self, rng: random.Random) -> Example:
        """What to look up next: a question about a page, and the paragraph of another page that names it among others."""
        for _ in range(TRIES):
            page = rng.choice(self.wiki)
            text = rng.choice(page.paragraphs)
            names = [s for s in typed_spans(text) if s[2] is MaskKind.ENTITY and text[s[0] : s[1]] in self.by_page]
            names = [s for s in names if text[s[0] : s[1]] != page.title]
            if not names:
                continue
            start, end, _ = rng.choice(names)
            target = text[start:end]
            first = text.rfind(". ", 0, start) + 1
            last = text.find(". ", end) + 1 or len(text)
            clause = text[first:start].strip()
            question: tuple[Piece, ...] = (f"{clause} ", SlotSpec(MaskKind.ENTITY), text[end:last])
            other = window(rng.choice(rng.choice(self.wiki).paragraphs), 0, 1, 400, rng)
            shown = [window(text, start, end, 600, rng), other]
            rng.shuffle(shown)
            spans = tuple((i, s, e) for i, t in enumerate(shown) for s, e in find_all(t, target))
            if not spans:
                continue
            asked = f"What is to be read next about {page.title}? "
            pieces: tuple[Piece, ...] = (SlotSpec(MaskKind.ENTITY), " ", CITE_SLOT)
            cited = tuple((i, -1, -1) for i in sorted({i for i, _, _ in spans}))
            pieces_asked = tuple(p for p in (asked, *question) if p)
            return Example(pieces_asked, tuple(shown), pieces, (Target(spans=spans), Target(spans=cited)), "bridge")
        return self.question(rng)

    def _claim(self, rng: random.Random) -> tuple[str, str, list[tuple[int, int, MaskKind]]]:
        """A thinned sentence, its paragraph, and the two or more names and figures of the sentence."""
        while True:
            sentence, evidence, _ = self._sentence(rng)
            claim = _thin(sentence, rng)
            found = [s for s in typed_spans(claim) if s[2] in self.pool and find_all(evidence, claim[s[0] : s[1]])]
            if len(found) > 1:
                return claim, evidence, found

    def _holes(
        self,
        claim: str,
        evidence: str,
        picked: Sequence[tuple[int, int, MaskKind]],
        now: dict[int, str],
        task: str,
        rng: random.Random,
    ) -> Example | None:
        """The claim with the picked places open; `now` maps the start of a changed one to its new words. None if some are not found."""
        shown, place = [evidence], 0
        if rng.random() < 0.3:
            shown.append(rng.choice(self.fever)["evidence"][:400])
            rng.shuffle(shown)
            place = shown.index(evidence)
        pieces: list[Piece] = []
        targets, at = [], 0
        for start, end, kind in picked:
            words = now.get(start, claim[start:end])
            spans = tuple((place, s, e) for s, e in find_all(evidence, words))
            if not spans or (start in now and any(claim[start:end] in text for text in shown)):
                return None
            pieces += [claim[at:start], SlotSpec(kind if rng.random() < 0.7 else MaskKind.TEXT)]
            targets.append(Target(spans=spans, now=claim[start:end] if start in now else ""))
            at = end
        claim_pieces = tuple(p for p in (*pieces, claim[at:]) if p)
        cite = Target(spans=((place, -1, -1),))
        return Example(claim_pieces, tuple(shown), (*claim_pieces, " ", CITE_SLOT), (*targets, cite), task)

    def _sentence(self, rng: random.Random) -> tuple[str, str, list[str]]:
        """A sentence, about 500 characters of its paragraph, and the other paragraphs of the page."""
        while True:
            page = rng.choice(self.wiki).paragraphs
            paragraph = rng.choice(page)
            sentences = [s for s in paragraph.split(". ") if 40 < len(s) < 220]
            if sentences:
                sentence = rng.choice(sentences)
                at = paragraph.find(sentence)
                shown = window(paragraph, at, at + len(sentence), 500, rng)
                return sentence, shown, [p for p in page if p is not paragraph]

    def draw(self, rng: random.Random) -> Example:
        """One example of the mix; where a drawer happened on words that are held back, another."""
        name = rng.choices(list(MIX), list(MIX.values()))[0]
        example: Example = getattr(self, name)(rng)
        asked = "".join(p for p in example.question if isinstance(p, str))
        if any(map(self.held, (asked, *example.passages))):
            return self.draw(rng)
        return example if example.source else replace(example, source=SOURCES[name])


MIX = {  # the share of each drawer
    "question": 0.43,
    "fever_stance": 0.13,
    "feverous_stance": 0.03,
    "answer_stance": 0.07,
    "wiki_stance": 0.05,
    "contrast": 0.07,
    "repair": 0.07,
    "logic": 0.02,
    "statement": 0.08,
    "outline": 0.03,
    "bridge": 0.02,
}
SOURCES = {  # the data set that each drawer takes its words from
    "question": "squad_train",
    "fever_stance": "fever_pairs",
    "feverous_stance": "feverous_pairs",
    "answer_stance": "squad_train",
    "wiki_stance": "wikipedia_pages",
    "contrast": "fever_pairs",
    "repair": "wikipedia_pages",
    "logic": "wikipedia_pages",
    "statement": "wikipedia_pages",
    "outline": "wikipedia_pages",
    "bridge": "wikipedia_pages",
}


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
