"""The agent's reader: how a question is asked, and which sentences belong in its report, by weights fitted beside the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from palimpsest.agent import (
    asking,
    choosing,
    describing,
    naming,
    phrases,
    questions,
    selection,
    speech,
    thresholds,
    weighing,
    whole,
    wording,
)
from palimpsest.agent.numbers import log_odds
from palimpsest.agent.selection import Scored
from palimpsest.agent.sentences import Chosen, Sentence, overlapping, sentences_of
from palimpsest.agent.state import Form, Side, SubQuestion
from palimpsest.agent.weighing import NO_EFFECT, ReportWeights
from palimpsest.retrieval.chunks import sentences
from palimpsest.retrieval.types import Hit, Passage, Source, Words

AIM = "aim"  # the label of what was meant to be done, of the classifier that tells the parts of an abstract
REMEMBERED = 20_000  # vectors, 30 MB
REMEMBERED_WORDS = 250  # passages, 40 MB
NEAREST = 5  # texts whose mean nearness to a question is looked at with and without one of its names
FORMS: dict[asking.AskedKind, Form] = {
    "fact": "open", "yes-no": "balance", "effect": "balance", "comparison": "comparison", "list": "list", "open": "open",
}  # fmt: skip


class Embeds(Protocol):
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...
    def words(self, texts: Sequence[str]) -> list[Words]: ...


def _asking_one(facts: Sequence[SubQuestion]) -> list[SubQuestion]:
    """The questions that one answer can answer: none that asks for several things, nor what rests on one or goes on with it."""
    kept: list[SubQuestion] = []
    for before, question in zip([None, *facts], facts, strict=False):
        stands = before is None or before in kept or not _goes_on(question)
        if stands and set(question.depends_on) <= {q.id for q in kept} and not asking.asks_several(question.text):
            kept.append(question)
    return kept


def _goes_on(part: SubQuestion) -> bool:
    """Whether a part has no verb and so asks with that of the part ahead: "and which against it?"."""
    return not speech.is_clause(part.text)


def _remainder(parts: Sequence[SubQuestion], answered: Sequence[str]) -> str:
    """What is asked beside the parts that are answered by themselves; "" where none is, or where something left rests on them."""
    left = [q for q in parts if q.id not in answered]
    stands = all(questions.is_asked(q.text) and not q.depends_on and not wording.leans(q.text) for q in left)
    return " ".join(q.text for q in left) if answered and stands else ""


class SelectingReader:
    """Plans by the wording of the question and chooses sentences with an embedder; it needs no model that writes.

    Where a model's slot for kinds was measured, `kinds` asks it: what the wording leaves unsure is a fact where the slot is sure of it.
    """

    def __init__(self, embedder: Embeds, fitted: ReportWeights, kinds: asking.Classify | None = None):
        self._embedder, self._fitted, self._kinds = embedder, fitted, kinds
        self._known: dict[str, NDArray[np.float32]] = {}
        self._words: dict[str, Words] = {}
        self._classify = asking.by_wording(fitted.kinds, self.vectors if fitted.kinds.meaning else None)

    def plan(self, question: str) -> list[SubQuestion]:
        """The parts that ask for a fact, and an open question for the whole where one does not; where that is unsure, both.

        What documents cannot answer, and what is answered by yes or no, has no answer to be filled in.
        """
        parts = questions.subquestions(question)
        is_polar = bool(questions.claimed(question)) and len(parts) == 1
        is_open = is_polar or bool(self.beyond(question))
        openness = dict.fromkeys((q.id for q in parts), 1.0) if is_open else self._part_opennesses(parts)
        facts = [q for q in parts if openness[q.id] < thresholds.SHIPPED.surely_open]
        unsure = {q for q, value in openness.items() if value >= thresholds.SHIPPED.maybe_open}
        if not unsure:
            return facts
        asked = asking.asked(question, self._classify)
        compares = asked.kind == "comparison" and not questions.alternatives(
            question
        )  # one answer would be one thing's
        one = [q for q in _asking_one(facts) if not (compares and q.id in unsure)]
        written = [q.model_copy(update={"tentative": q.id in unsure}) for q in one]
        form = "balance" if is_polar and asked.kind == "fact" else FORMS[asked.kind]
        if form == "balance" and not any(map(questions.is_turned, describing.asking(question))):
            form = "open"  # "how fair is it" says nothing that a source could support
        whole = SubQuestion(
            id=f"q{len(parts) + 1}",
            text=question,
            asked=question,
            form=form,
            things=asked.things,
            attributes=asked.attributes,
            remainder=_remainder(parts, [q.id for q in written if not q.tentative]),
        )
        return [*written, whole]

    def _part_opennesses(self, parts: Sequence[SubQuestion]) -> dict[str, float]:
        """Of each part; one that goes on with the part ahead of it is as open as that."""
        found: list[float] = []
        for part in parts:
            found.append(found[-1] if found and _goes_on(part) else self._part_openness(part))
        return {part.id: value for part, value in zip(parts, found, strict=True)}

    def _part_openness(self, part: SubQuestion) -> float:
        """The most of its clauses; what is answered by yes or no asks for no fact."""
        return 1.0 if questions.claimed(part.text) else max(map(self._openness, describing.asking(part.asked)))

    def _openness(self, clause: str) -> float:
        """The probability that a clause does not ask for a fact; one that asks for a figure does."""
        if questions.asked_kind(clause) == "NUMBER":
            return 0.0
        kinds = self._classify(clause)
        worded = 1.0 - kinds["fact"]
        likeliest = max(kinds, key=lambda kind: kinds[kind])  # the slot takes "what drove the cost up" for a fact
        is_unsure = thresholds.SHIPPED.maybe_open <= worded and likeliest == "fact"
        return 0.0 if is_unsure and self._is_fact(clause) else worded

    def _is_fact(self, clause: str) -> bool:
        """Whether the model's slot for kinds is sure that a clause asks for a fact."""
        return self._kinds is not None and self._kinds(clause)["fact"] >= thresholds.SHIPPED.slot_fact

    def beyond(self, question: str) -> str:
        """FUTURE or OPINION where the question asks for what no document holds; "" where that is not likely, or nothing was fitted."""
        fitted = self._fitted.limits
        if fitted is None:
            return ""
        asked = [asking.plain_question(question)]
        found = fitted.probabilities(asked, self.vectors(asked))[0]
        best = int(found.argmax())
        is_likely = found[best] >= thresholds.SHIPPED.sure_kind and fitted.labels[best] != weighing.DOCUMENTS
        return fitted.labels[best] if is_likely else ""

    def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        """The sentences of the report, best first, with the sentence before where one leans on it."""
        return self._quoted(self._scored(question, found), characters, self._fitted.selection.thrift)

    def nearest(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        """The sentences that come near to the question or a clause of it, scored by how near in the place of how likely they belong."""
        scored = self._scored(question, found)
        if not scored:
            return []
        asked = self.vectors(describing.asking(question))
        near = (np.array([s.vector for s in scored]) @ asked.T).max(axis=1)
        kept = [
            replace(s, score=log_odds(float(n)))
            for s, n in zip(scored, near, strict=True)
            if n >= thresholds.SHIPPED.near_part
        ]
        return self._quoted(kept, characters, thrift=0.0)

    def _quoted(self, scored: Sequence[Scored], characters: int, thrift: float) -> list[Chosen]:
        chosen = selection.select(scored, characters, self._fitted.selection.stop, thrift, _quotable)
        return whole.told_once([whole.standing(c, sentences) for c in chosen])

    def _scored(self, question: str, found: Sequence[Hit]) -> list[Scored]:
        """Every sentence of the passages found, with its score as a sentence of the report."""
        pieces = sentences_of(found, sentences)
        if not pieces:
            return []
        vectors = describing.embedded(question, pieces, self.vectors, self.words)
        table = describing.described(question, pieces, vectors, self._fitted.parts)
        scores = weighing.scores(table, pieces, vectors.alone, self._fitted.selection)
        scores -= self._unlikely(pieces)
        scored = [Scored(p, float(s), v) for p, s, v in zip(pieces, scores, vectors.alone, strict=True)]
        return selection.telling(question, scored)

    def sides(self, question: str, chosen: Sequence[Chosen]) -> list[Side]:
        """Which way each quotation speaks of the effect asked about, by its wording: only what comes near to the question and states a
        finding of a study, and clearly one.

        Nothing is without effect that denies nothing. A passage that is too short to tell a study takes no side: conclusions apart from
        their results were read wrongly too often.
        """
        effects = self._fitted.effects
        if effects is None or not chosen:
            return [""] * len(chosen)
        texts = [c.text for c in chosen]
        none = effects.probabilities(texts)[:, effects.labels.index(NO_EFFECT)]
        near = self.vectors(texts) @ self.vectors([question])[0] >= thresholds.SHIPPED.near_part
        states = near & (self._states(texts) >= thresholds.SHIPPED.stated)
        return [
            side
            if is_stated
            and self.studies([c.sentences[0].passage])
            and ((side := _side(float(n))) != "against" or wording.denials(c.text))
            else ""
            for n, is_stated, c in zip(none, states, chosen, strict=True)
        ]

    def studies(self, read: Sequence[Passage]) -> set[str]:
        """The sources that tell of a study, by what was read of each; of few sentences that is not said."""
        texts: dict[str, list[str]] = {}
        for passage in read:
            places = [passage.text[a - passage.start : b - passage.start] for a, b in passage.sentences]
            texts.setdefault(passage.source.id, []).extend(places)
        many = {source: found for source, found in texts.items() if len(found) >= thresholds.SHIPPED.least_read}
        return {source for source, found in many.items() if self._told(found)[0] >= thresholds.SHIPPED.study}

    def _told(self, texts: Sequence[str]) -> tuple[float, float]:
        """The probabilities that texts of one source tell of a study, and of one that is planned; 0 where nothing was fitted."""
        fitted = self._fitted.studies
        if fitted is None:
            return 0.0, 0.0
        found = dict(zip(fitted.labels, map(float, fitted.probabilities([" ".join(texts)])[0]), strict=True))
        return 1.0 - found[weighing.OTHER], found[weighing.PLANNED]

    def cells(
        self, things: Sequence[str], attributes: Sequence[str], found: Sequence[Hit]
    ) -> dict[tuple[str, str], Chosen]:
        """For each thing and attribute the sentence about that thing that is nearest to both, each sentence once, where one is near.

        How near it is to the attribute alone counts as much: any sentence of a thing's own text is near to the thing.
        """
        every = choosing.stating([Chosen((p,), 0.0) for p in sentences_of(found, sentences)])
        aims = self.aims(every, [hit.passage for hit in found])
        told = [c.sentences[0] for c, is_aim in zip(every, aims, strict=True) if not is_aim]
        pieces = [p for p in told if not p.text.rstrip().endswith("?")]
        names = [(thing, attribute) for thing in things for attribute in attributes]
        if not pieces or not names:
            return {}
        named = self.vectors([f"{thing}: {attribute}" for thing, attribute in names])
        sides = self.vectors([attribute for _, attribute in names])
        near = (
            named @ self.vectors(list(map(describing.titled, pieces))).T
            + sides @ self.vectors([p.text for p in pieces]).T
        ) / 2
        spoken = "\n".join(describing.titled(p) for p in pieces)
        said = {thing: naming.as_said(thing, spoken, things) for thing in things}
        texts: dict[str, list[str]] = {}
        for p in pieces:
            texts.setdefault(p.passage.source.id, []).append(p.text)
        spoken_in = {source: "\n".join(own) for source, own in texts.items()}
        others = list(said.values())
        about = np.array(
            [
                [naming.speaks_of(said[thing], p, others, spoken_in[p.passage.source.id]) for p in pieces]
                for thing, _ in names
            ]
        )
        rival = near.reshape(len(things), len(attributes), -1).max(
            axis=1
        )  # of each thing and sentence, over its attributes
        fits = near >= np.repeat(rival, len(attributes), axis=0) - thresholds.SHIPPED.shared_cell
        near = np.where(about & fits, near, -1.0)
        taken: dict[tuple[str, str], Chosen] = {}
        for flat in np.argsort(-near, axis=None, kind="stable"):
            row, column = divmod(int(flat), len(pieces))
            if near[row, column] < thresholds.SHIPPED.near_cell:
                break
            piece = Chosen((pieces[column],), float(near[row, column]))
            is_free = names[row] not in taken and not any(overlapping(piece, other) for other in taken.values())
            if is_free and not wording.leans(piece.text):
                taken[names[row]] = piece
        return taken

    def is_near(self, words: str, texts: Sequence[str]) -> bool:
        """Whether one of the texts comes near to a part of a question."""
        return (
            bool(texts)
            and float((self.vectors(texts) @ self.vectors([words])[0]).max()) >= thresholds.SHIPPED.near_part
        )

    def is_topic(self, question: str, *names: str) -> bool:
        """Whether a question without these names asks about something else, by as much for each of them as one must move it alone."""
        bare = question
        for name in names:
            bare = bare.replace(name, "")
        whole, rest = self.vectors([question, bare])
        return 1.0 - float(whole @ rest) >= len(names) * thresholds.SHIPPED.topic

    def is_apart(self, question: str, name: str, texts: Sequence[str]) -> bool:
        """Whether the NEAREST texts are nearer to the question without this name: they speak of the rest alone."""
        if not texts:
            return False
        near = self.vectors(texts) @ self.vectors([question, question.replace(name, "")]).T
        whole, rest = np.sort(near, axis=0)[-NEAREST:].mean(axis=0)
        return float(rest - whole) >= thresholds.SHIPPED.apart

    def unreported(self, question: str, found: Sequence[Hit]) -> list[Source]:
        """Sources near to the question that tell of a study which is planned, the nearest first."""
        pieces = sentences_of(found, sentences)
        near = self.vectors(list(map(describing.titled, pieces))) @ self.vectors([question])[0] if pieces else []
        held: dict[str, list[tuple[float, str, Source]]] = {}
        for piece, value in zip(pieces, near, strict=True):
            held.setdefault(piece.passage.source.id, []).append((float(value), piece.text, piece.passage.source))
        plans = [
            rows
            for rows in held.values()
            if len(rows) >= thresholds.SHIPPED.least_read
            and self._told([r[1] for r in rows])[1] >= thresholds.SHIPPED.planned
        ]
        best = sorted(((max(r[0] for r in rows), rows[0][2]) for rows in plans), key=lambda b: -b[0])
        return [source for value, source in best if value >= thresholds.SHIPPED.near_plan]

    def _part(self, texts: Sequence[str], label: str) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self._fitted.parts.probabilities(texts)[:, self._fitted.parts.labels.index(label)]
        return found

    def aims(self, chosen: Sequence[Chosen], read: Sequence[Passage]) -> list[bool]:
        """Whether each quotation, by its wording, tells what was meant to be done or, of a study, how.

        The parts are those of abstracts of studies: of another text only what it says of itself is told by them.
        """
        told = [(c.text, c.sentences[0].passage.source.id) for c in chosen]
        return [bool(p >= thresholds.SHIPPED.stated) for p in self._meant(told, self.studies(read))]

    def _meant(self, told: Sequence[tuple[str, str]], studies: set[str]) -> NDArray[np.float64]:
        """[n], the probability that a text of a source tells what was meant to be done or, of a study, how."""
        if not told:
            return np.zeros(0)
        texts = [text for text, _ in told]
        aim, method = self._part(texts, AIM), self._part(texts, describing.METHOD)
        of_study = np.array([source in studies for _, source in told])
        return np.where(of_study, aim + method, aim * [wording.speaks_of_itself(text) for text in texts])

    def _unlikely(self, pieces: Sequence[Sentence]) -> NDArray[np.float64]:
        """[n], log-odds that sentences lose for telling surely what was meant to be done, or how, and not what was found."""
        studies = self.studies(list({p.passage.id: p.passage for p in pieces}.values()))
        meant = self._meant([(p.text, p.passage.source.id) for p in pieces], studies)
        return np.where(meant >= thresholds.SHIPPED.meant, thresholds.SHIPPED.meant_cost, 0.0)

    def _states(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """[n], the probability that each text states what was found or what that comes to."""
        return self._part(texts, describing.RESULT) + self._part(texts, describing.CONCLUSION)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Rows of length 1; what was embedded lately is remembered, for the same sentences come in every round."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        if len(self._known) + len(fresh) > REMEMBERED:
            self._known, fresh = {}, list(dict.fromkeys(texts))
        if fresh:
            self._known.update(zip(fresh, self._embedder.embed(fresh), strict=True))
        return np.array([self._known[text] for text in texts], dtype=np.float32)

    def words(self, texts: Sequence[str]) -> list[Words]:
        """The words of each text; those of the passages that were read lately are remembered."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._words]
        if len(self._words) + len(fresh) > REMEMBERED_WORDS:
            self._words, fresh = {}, list(dict.fromkeys(texts))
        if fresh:
            self._words.update(zip(fresh, self._embedder.words(fresh), strict=True))
        return [self._words[text] for text in texts]

    def wholeness(self, texts: Sequence[str]) -> dict[str, float]:
        return phrases.wholeness(texts, self._fitted.phrases) if self._fitted.phrases else {}


def _quotable(sentence: Sentence) -> Sequence[Sentence]:
    return whole.quoted_with(sentence, sentences)


def _side(none: float) -> Side:
    return "against" if none >= thresholds.SHIPPED.sided else "for" if none <= 1 - thresholds.SHIPPED.sided else ""
