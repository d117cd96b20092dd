"""Questions: their answers or that there is none, what leads on to them, their parts, their kind, and what passages are about."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from ..kinds import (
    BRIDGE_PROMPT,
    BRIDGE_SLOT,
    COLUMN_PROMPT,
    COLUMN_SLOT,
    COMPARE,
    DEBATE,
    DIRECT,
    FACT,
    HEADING_PROMPT,
    HEADING_QUESTION,
    HEADING_SLOT,
    HOW,
    KIND_PROMPT,
    KIND_SLOT,
    POLAR,
    REASON,
    ROW_PROMPT,
    SCOPE_PROMPT,
    SCOPE_SLOT,
    SEVERAL,
    STEP_PROMPTS,
    STEP_SLOT,
    SURVEY,
    SlotSpec,
)
from .corpus import CITE_SLOT, NO_ANSWER, _answer_slot, _thin, find_all, window
from .examples import Example, Piece, Row, Target
from .material import Drawer, Material, content_words, cut, names_in, sentences

PASSAGE_LETTERS = 850


def asked(
    question: str, passages: Sequence[str], answer: str | None, source: str, rng: random.Random, task: str = "question"
) -> Example | None:
    """An answer slot and its citation; without an `answer`, [NONE]. None where the passages do not hold the answer."""
    slot = _answer_slot(answer or "x", rng)
    draft: tuple[Piece, ...] = (slot, " ", CITE_SLOT)
    if answer is None:
        return Example((question.strip(),), tuple(passages), draft, (NO_ANSWER, Target()), "none", source)
    spans = tuple((i, s, e) for i, text in enumerate(passages) for s, e in find_all(text, answer))
    if not spans or len(answer) > 70:
        return None
    cited = tuple((i, -1, -1) for i in sorted({i for i, _, _ in spans}))
    return Example(
        (question.strip(),), tuple(passages), draft, (Target(spans=spans), Target(spans=cited)), task, source
    )


def twin(m: Material, rng: random.Random) -> Example | None:
    """A real question that the paragraph does not answer, or the one beside it that it does."""
    row = m.row("unanswerable_pairs", rng)
    answer, context = row["answers"][0], row["context"]
    at = max(context.find(answer), 0)
    shown = [window(context, at, at + len(answer), 850, rng)]
    if rng.random() < 0.62:
        return asked(row["unanswerable_question"], shown, None, "unanswerable_pairs", rng)
    return asked(row["question"], shown, answer, "unanswerable_pairs", rng)


def span(m: Material, rng: random.Random) -> Example | None:
    row = m.row("span_qa", rng)
    title = row["title"].replace("_", " ")
    question = f"{title}: {row['question']}" if title and rng.random() < 0.5 else row["question"]
    if not row["answerable"]:
        return asked(question, [cut(row["context"], PASSAGE_LETTERS)], None, "span_qa", rng)
    if not row["answers"]:
        return None
    at = max(row["context"].find(row["answers"][0]), 0)
    shown = [window(row["context"], at, at + len(row["answers"][0]), PASSAGE_LETTERS, rng)]
    return asked(question, shown, row["answers"][0], "span_qa", rng)


def _shown(paragraph: Row) -> str:
    return cut(f"{paragraph['title']}. {' '.join(paragraph['sentences'])}", PASSAGE_LETTERS)


def hops(m: Material, rng: random.Random) -> Example | None:
    """A question of several hops among its paragraphs and others; without one of its own, [NONE]."""
    row = m.row("multihop_qa", rng)
    if row["answer"].lower() in ("yes", "no"):
        return None
    gold = [p for p in row["paragraphs"] if p["gold"]]
    others = [p for p in row["paragraphs"] if not p["gold"]]
    answer: str | None = row["answer"]
    if row["gold_complete"] is False:
        answer = None
    elif rng.random() < 0.35 and len(gold) > 1:
        gold.remove(rng.choice(gold))
        answer = None
    kept = [*gold, *rng.sample(others, min(len(others), rng.choice([0, 2, 4, 6])))]
    rng.shuffle(kept)
    passages = [_shown(p) for p in kept]
    if answer is None:
        return asked(row["question"], passages, None, "multihop_qa", rng) if passages else None
    made = asked(row["question"], passages, answer, "multihop_qa", rng, "hops")
    if made is None:
        return None
    is_gold = [p["gold"] for p in kept]
    spans = tuple(s for s in made.targets[0].spans if is_gold[s[0]])
    cited = tuple((n, -1, -1) for n, g in enumerate(is_gold) if g and any(s[0] == n for s in spans))
    return replace(made, targets=(Target(spans=spans), Target(spans=cited))) if spans else None


def dated(m: Material, rng: random.Random) -> Example | None:
    """What held at a time, with other times in the text."""
    row = m.row("time_qa", rng)
    question = rng.choice(row["questions"])
    if not question["answerable"]:
        return asked(question["question"], [cut(p, 500) for p in row["paragraphs"][:4]], None, "time_qa", rng)
    answer = question["answers"][0]
    near = range(max(answer["paragraph"] - 2, 0), min(answer["paragraph"] + 3, len(row["paragraphs"])))
    shown = []
    for n in near:
        text = row["paragraphs"][n]
        inside = n == answer["paragraph"]
        shown.append(window(text, answer["start"], answer["end"], 500, rng) if inside else cut(text, 400))
    passages = [f"{row['page']}. {' '.join(shown)}"[:950]] if rng.random() < 0.4 else shown
    return asked(question["question"], passages, answer["text"], "time_qa", rng)


def cell(m: Material, rng: random.Random) -> Example | None:
    """A value looked up in the rows of a table; a key that it lacks has none."""
    row = m.row("table_nli", rng)
    pairs = [r.split(":", 1) for r in row["rows"] if ":" in r]
    if len(pairs) < 3:
        return None
    key, value = rng.choice(pairs)
    question = rng.choice(("What is the {k} of {t}?", "{t}: {k}?", "Which {k} does {t} have?")).format(
        k=key.lower(), t=row["title"]
    )
    if rng.random() < 0.3:
        rest = [": ".join(p) for p in pairs if p[0] != key]
        return asked(question, [". ".join([row["title"], *rest])], None, "table_nli", rng)
    answer = value.strip().split(",")[0].strip()
    return (
        asked(question, [". ".join([row["title"], *row["rows"]])], answer, "table_nli", rng, "cell")
        if len(answer) > 1
        else None
    )


def column(m: Material, rng: random.Random) -> Example | None:
    """Which column, or row, of a table a question asks of."""
    row = m.row("table_nli", rng)
    keys = list(dict.fromkeys(r.split(":", 1)[0].strip() for r in row["rows"] if ":" in r))
    values = dict(r.split(":", 1) for r in row["rows"] if ":" in r)
    if len(keys) < 3:
        return None
    rng.shuffle(keys)
    keys = keys[:14]
    said = content_words(row["hypothesis"]) - content_words(row["title"])
    hits = [k for k in keys if said & (content_words(k) | content_words(values.get(k, "")))]
    if len(hits) == 1 and rng.random() < 0.7:
        key, question = hits[0], row["hypothesis"]
    else:
        key = rng.choice(keys)
        asks = ("What is the {k} of {t}?", "{k} of {t}", "How does {t} stand in {k}?", "List the {k}.", "Which {k}?")
        question = rng.choice(asks).format(k=key.lower(), t=row["title"])
    passages = (
        [f"{k}: {values[k].strip()[:40]}" for k in keys]
        if rng.random() < 0.3 and all(k in values for k in keys)
        else keys
    )
    draft = (COLUMN_PROMPT if rng.random() < 0.5 else ROW_PROMPT, COLUMN_SLOT)
    target = Target(spans=((keys.index(key), -1, -1),))
    return Example((question,), tuple(passages), draft, (target,), "column", "table_nli")


def bridge(m: Material, rng: random.Random) -> Example | None:
    """The name in the first paragraph of a chain that leads to the second; none where only other paragraphs are shown."""
    row = m.row("multihop_qa", rng)
    gold = [p for p in row["paragraphs"] if p["gold"]]
    others = [p for p in row["paragraphs"] if not p["gold"]]
    draft: tuple[Piece, ...] = (BRIDGE_PROMPT, BRIDGE_SLOT, " ", CITE_SLOT)
    if rng.random() < 0.2 and others:
        shown = tuple(_shown(p) for p in rng.sample(others, min(len(others), 3)))
        return Example((row["question"],), shown, draft, (NO_ANSWER, Target()), "bridge", "multihop_qa")
    for first in gold:
        for second in gold:
            name = re.sub(r"\s*\(.*\)$", "", second["title"])
            text = _shown(first)
            if first is second or name in row["question"] or not find_all(text, name):
                continue
            kept = [first, *rng.sample(others, min(len(others), rng.randint(0, 3)))]
            rng.shuffle(kept)
            place = kept.index(first)
            spans = tuple((place, s, e) for s, e in find_all(_shown(first), name))
            targets = (Target(spans=spans), Target(spans=((place, -1, -1),)))
            return Example((row["question"],), tuple(map(_shown, kept)), draft, targets, "bridge", "multihop_qa")
    return None


def steps(m: Material, rng: random.Random) -> Example | None:
    """The inner part of a question of several hops, or the two things it compares; nothing of a plain one."""
    roll = rng.random()
    if roll < 0.25:
        row = m.row("squad_train", rng)
        return _steps(row["question"].strip(), None, None, "squad_train")
    row = m.row("decomposition", rng)
    question, parts = row["question"], [s.split(" >> ") for s in row["steps"]]
    if any(len(p) != 2 for p in parts[:2]) or len(parts) < 2:
        return None
    if row.get("type") == "comparison":
        one, two = (_place(question, p[0]) for p in parts[:2])
        return _steps(question, one, two, "decomposition") if one and two and one != two else None
    found = _phrase(question, parts[0][0], parts[0][1])
    return _steps(question, found, None, "decomposition") if found else None


def _steps(question: str, one: tuple[int, int] | None, two: tuple[int, int] | None, source: str) -> Example:
    draft: tuple[Piece, ...] = (STEP_PROMPTS[0], STEP_SLOT, STEP_PROMPTS[1], STEP_SLOT)
    targets = tuple(Target(spans=((0, *part),)) if part else NO_ANSWER for part in (one, two))
    return Example((question,), (question,), draft, targets, "steps", source)


def _place(question: str, name: str) -> tuple[int, int] | None:
    at = question.lower().find(name.lower())
    return (at, at + len(name)) if at >= 0 and name else None


def _phrase(question: str, name: str, relation: str) -> tuple[int, int] | None:
    """The shortest stretch of the question with the name and a word of the relation in it."""
    place = _place(question, name)
    if place is None:
        return None
    words = [w for w in content_words(relation) if len(w) > 3]
    spots = [(f.start(), f.end()) for w in words for f in re.finditer(rf"\b{re.escape(w)}\w*", question, re.I)]
    spots = [s for s in spots if s[1] <= place[0] or s[0] >= place[1]]
    if not spots:
        return None
    start, end = min(spots, key=lambda s: max(place[0] - s[1], s[0] - place[1]))
    found = min(start, place[0]), max(end, place[1])
    return found if found[1] - found[0] < 0.8 * len(question) else None


_INSTEAD = {
    COMPARE: (
        "What is the difference between {a} and {b}?",
        "How does {a} compare with {b}?",
        "{a} versus {b}: which is better?",
        "Compare {a} and {b}.",
        "How do {a} and {b} differ?",
        "What are the advantages of {a} over {b}?",
    ),
    SURVEY: (
        "What is known about {a}?",
        "What does research say about {a}?",
        "What are the effects of {a}?",
        "How does {a} work?",
        "What is the evidence on {a}?",
        "Give an overview of {a}.",
        "Describe {a}.",
        "What is the role of {a} in {b}?",
        "How has {a} changed over time?",
    ),
    REASON: (
        "Why is {a} so important for {b}?",
        "Why did {a} fail?",
        "What causes {a}?",
        "Why does {a} matter?",
        "What is the reason for {a}?",
    ),
    HOW: (
        "How do I use {a}?",
        "How can I get to {a}?",
        "How to set up {a}?",
        "What steps are needed to build {a}?",
        "How do you make {a}?",
        "How should one prepare for {a}?",
        "What is the best way to learn about {a}?",
    ),
    DEBATE: (
        "Should {a} be banned?",
        "Is {a} overrated?",
        "What do you think about {a}?",
        "Who is the best, {a} or {b}?",
        "What are the arguments for and against {a}?",
        "Is {a} good or bad for {b}?",
        "Does {a} deserve its reputation?",
    ),
}
_WHY = re.compile(
    r"^why\b|\bwhy (?:did|does|do|is|are|was|were)\b|what (?:caused|causes|is the reason|was the reason)", re.I
)


def kind(m: Material, rng: random.Random) -> Example | None:
    """What kind of question it is."""
    wanted = rng.choice(KIND_SLOT.allowed)
    found = None
    while found is None:
        found = _question_of(wanted, m, rng)
    question, source = found
    draft = (KIND_PROMPT, KIND_SLOT)
    return Example((question,), (), draft, (Target(words=wanted),), "kind", source)


def _question_of(wanted: str, m: Material, rng: random.Random) -> tuple[str, str] | None:
    made = wanted in _INSTEAD and rng.random() < 0.5
    if made:
        one, two = m.row("wikipedia_pages", rng)["title"], m.row("wikipedia_pages", rng)["title"]
        if rng.random() < 0.5:
            one, two = m.row("medquad", rng)["focus"].lower(), m.row("medquad", rng)["focus"].lower()
        return rng.choice(_INSTEAD[wanted]).format(a=one, b=two), "wikipedia_pages"
    if wanted == FACT:
        name = rng.choice(["squad_train", "qed_train"])
        question = m.row(name, rng)["question"]
        return None if _WHY.search(question) or question.lower().startswith("how do") else (question.strip(), name)
    if wanted == POLAR:
        return m.row("boolean_qa", rng)["question"], "boolean_qa"
    if wanted == COMPARE:
        row = m.row("multihop_qa", rng)
        return (row["question"], "multihop_qa") if row.get("type") == "comparison" else None
    if wanted == REASON:
        row = m.row("squad_train", rng)
        if rng.random() < 0.1:
            row = m.row("medquad", rng)
            return (row["question"], "medquad") if row["qtype"] == "causes" else None
        return (row["question"].strip(), "squad_train") if _WHY.search(row["question"]) else None
    if wanted == DEBATE:
        claim = m.row("stance_pairs", rng)["claim"].strip(" .")
        return rng.choice(("{c}?", "Is it true that {c}?", "Do you agree that {c}?", "{c}, yes or no?")).format(
            c=claim
        ), "stance_pairs"
    row = m.row("medquad", rng)
    if wanted == HOW:
        return (row["question"], "medquad") if row["qtype"] in ("treatment", "prevention", "exams and tests") else None
    return (row["question"], "medquad") if row["qtype"] in ("information", "symptoms", "outlook", "research") else None


def scope(m: Material, rng: random.Random) -> Example | None:
    """Whether a question takes one look, a chain of them, or several beside each other."""
    wanted = rng.choice(SCOPE_SLOT.allowed)
    if wanted == DIRECT:
        source = rng.choice(["squad_train", "qed_train", "answer_sentences"])
        question = m.row(source, rng)["question"]
    else:
        source = rng.choice(["multihop_qa", "decomposition"])
        row = m.row(source, rng)
        is_several = row.get("type") in ("comparison", "bridge_comparison")
        if (not row.get("type") and source == "multihop_qa") or is_several != (wanted == SEVERAL):
            return None
        question = row["question"]
    return Example((question.strip(),), (), (SCOPE_PROMPT, SCOPE_SLOT), (Target(words=wanted),), "scope", source)


def heading(m: Material, rng: random.Random) -> Example | None:
    """What one or several passages are about: words of theirs that stand in the heading or the title."""
    roll = rng.random()
    if roll < 0.15:
        row = m.row("medquad", rng)
        name, passages, source = row["focus"], [row["answer"]], "medquad"
    else:
        page = m.row("wikipedia_pages", rng)
        picked = rng.sample(page["paragraphs"], min(len(page["paragraphs"]), rng.randint(1, 3)))
        heads = {h for h, _ in picked}
        name = picked[0][0] if len(heads) == 1 and picked[0][0] and rng.random() < 0.7 else page["title"]
        passages, source = [t for _, t in picked], "wikipedia_pages"
    name = re.sub(r"\s*\(.*\)$", "", name)
    passages = [cut(p, 700) for p in passages]
    spans = tuple((n, at, at + len(name)) for n, p in enumerate(passages) for at in _all_places(p, name))
    if not spans or not 2 < len(name) < 50:
        return None
    draft = (HEADING_PROMPT, HEADING_SLOT)
    return Example((HEADING_QUESTION,), tuple(passages), draft, (Target(spans=spans),), "heading", source)


def _all_places(text: str, words: str) -> list[int]:
    return [f.start() for f in re.finditer(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.I)]


def long_draft(m: Material, rng: random.Random) -> Example | None:
    """A draft of many sentences over several passages, of which a few say what was true before."""
    page = m.row("wikipedia_pages", rng)
    picked = rng.sample(page["paragraphs"], min(len(page["paragraphs"]), rng.randint(1, 6)))
    passages = [cut(text, PASSAGE_LETTERS) for _, text in picked]
    stated = [(n, s) for n, text in enumerate(passages) for s in sentences(text) if 40 < len(s) < 260]
    if len(stated) < 3:
        return None
    stated = stated[: rng.randint(3, 22)]
    pieces: list[Piece] = []
    targets: list[tuple[int, str, str]] = []  # passage, words now, words before
    for n, sentence in stated:
        claim = _thin(sentence, rng)
        spans = [s for s in names_in(claim) if find_all(passages[n], claim[s[0] : s[1]])]
        if not spans or rng.random() < 0.5:
            pieces.append(f"{claim} ")
            continue
        start, end, kind_ = rng.choice(spans)
        old = claim[start:end]
        new = m.corpus.same_kind(old, kind_, rng) if rng.random() < 0.4 else old
        passages[n] = passages[n].replace(old, new)
        pieces += [p for p in (claim[:start], SlotSpec(kind_), claim[end:] + " ") if p]
        targets.append((n, new, old if new != old else ""))
    made = [Target(spans=tuple((n, s, e) for s, e in find_all(passages[n], new)), now=old) for n, new, old in targets]
    if not made or not all(t.spans for t in made) or any(old and old in passages[n] for n, _, old in targets):
        return None
    return Example((page["title"],), tuple(passages), _joined(pieces), tuple(made), "long_draft", "wikipedia_pages")


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The pieces with neighbouring words made one."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and isinstance(piece, str) and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)


def older(name: str) -> Drawer:
    """A drawer of the first generation over the same rows."""

    def draw(m: Material, rng: random.Random) -> Example | None:
        made: Example = getattr(m.corpus, name)(rng)
        return made

    return draw
