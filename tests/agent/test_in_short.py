"""What stands ahead of the sections."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.agent import (
    blocks,
    forms,
    in_short,
    outline,
)
from palimpsest.agent.sentences import Chosen, Sentence
from palimpsest.agent.thresholds import SHIPPED

from .lake import (
    CREW,
    MORE_SALT,
    OPEN,
    SALT,
    WIND,
    TopicReader,
    run,
    sentences_with,
)
from .world import passage


def test_what_takes_a_side_is_not_cut_for_what_stands_in_short() -> None:
    """Of "We saw no effect. 49 of them met the criteria." the second alone stood among what was without effect."""
    told = f"Salt cargo does not pay on the lake. Forty-nine crews met the criteria. {'Salt is dear and is sold in May. ' * 15}"
    held = [passage(told, title, "2024") for title in ("A", "B")]
    pieces = tuple(Chosen(tuple(Sentence(p, a, b, 1, 1.0) for a, b in p.sentences), 1.0) for p in held)

    def told_of(heading: str) -> list[str]:
        part = outline.Section(heading, pieces)
        return [c.text for c in in_short._told(TopicReader(), [part], [], list)]

    assert told_of(forms.SIDES["against"]) == []
    assert "Salt cargo does not pay on the lake." in told_of("Salt")


def test_in_short_are_statements_that_stand_alone_and_say_what_is() -> None:
    salt = passage(
        "We mean to weigh salt. Does salt pay? Salt cargo pays on the lake. This salt is white. Salt cargo fills most barges of Orta.",
        "Salt",
    )
    state = run(TopicReader(), salt, WIND, CREW, MORE_SALT)
    short = [b.text for b in state.draft.section(blocks.SHORT) if b.kind == "quotation"]
    assert [text for text in short if "salt" in text.lower()] == [
        "Salt cargo fills most barges of Orta.",
        MORE_SALT.text,
    ]


def test_a_sentence_in_short_may_be_one_of_a_longer_quotation() -> None:
    """Nothing may lean on it, nor it on another, and it must be short."""
    long = f"Salt cargo of Orta {'is heavy and ' * 40}dear."
    text = (
        f"{long} Salt cargo pays on the lake. They pay salt tolls. Salt cargo fills most barges. Salt cargo is white."
    )
    salt = outline.Section(
        "Salt", (sentences_with(passage(text, "Salt"), 3.0, 2.5, 2.0, 1.0, 0.9), sentences_with(MORE_SALT, 0.0))
    )
    wind = outline.Section("Wind", (sentences_with(WIND, 0.5, -2.0), sentences_with(CREW, -2.0, -2.0)))

    def short(*parts: outline.Section) -> list[str]:
        return [c.text for c in in_short.best_short(TopicReader(), OPEN, parts, [])]

    salty = ["Salt cargo fills most barges.", "Salt cargo is white."]
    assert short(salt, wind) == [*salty, "North wind stops barges on the lake."]
    assert short(salt) == salty


def test_where_all_that_is_sure_is_long_a_sentence_of_it_is_said_in_short() -> None:
    """ "Lastly, we compare …" alone once stood ahead of long quotations that answered."""
    said = [f"Salt of the {name} pays well on the lake{' and lasts' * 16}." for name in ("north", "south", "east")]
    long = sentences_with(passage(" ".join(said), "Salt"), 3.0, 2.0, 1.0)
    salt = outline.Section("Salt", (long, sentences_with(WIND, -3.0, -3.0), sentences_with(CREW, -3.0, -3.0)))
    assert len(long.text) > SHIPPED.brief > len(said[0])
    assert [c.text for c in in_short.best_short(TopicReader(), OPEN, [salt], [])] == said[:2]


def test_a_sentence_is_said_where_the_short_quotations_beside_it_hardly_belong() -> None:
    """Why helpers leave stood in a long quotation; a short one beside it that hardly belonged kept it from what is said in short."""
    said = [f"Salt of the {name} pays well on the lake{' and lasts' * 16}." for name in ("north", "south", "east")]
    long = sentences_with(passage(" ".join(said), "Salt"), 3.0, 2.0, 1.0)
    salt = outline.Section("Salt", (long, sentences_with(MORE_SALT, -3.0), sentences_with(CREW, -3.0, -3.0)))
    wind = outline.Section("Wind", tuple(sentences_with(held, 1.0, 1.0) for held in (WIND, CREW, SALT)))
    assert said[0] in [c.text for c in in_short.best_short(TopicReader(), OPEN, [salt, wind], [])]


def test_what_is_hardly_of_the_report_is_not_said_in_short() -> None:
    salt = sentences_with(SALT, 3.0, 1.0)  # .95 and .73
    twice = outline.Section("Salt", (salt, sentences_with(MORE_SALT, 0.0), sentences_with(CREW, -9.0, -9.0)))

    def short(score: float) -> list[str]:
        wind = outline.Section("Wind", (sentences_with(WIND, score, score - 1), sentences_with(CREW, -9.0, -9.0)))
        return [c.text for c in in_short.best_short(TopicReader(), OPEN, [twice, wind], [])]

    assert short(-0.4) == [SALT.text, "North wind stops barges on the lake."]  # .40 of .95
    assert short(-0.6) == [SALT.text]  # .35


def test_in_short_are_the_surest_of_all_sections_and_few_of_one() -> None:
    """The best of a section that hardly belongs once stood ahead of the second best of the one that answers."""
    lines = [
        passage(f"Salt of the {name} pays well on the lake.", name)
        for name in ("north", "south", "east", "west", "sea")
    ]
    salt = outline.Section("Salt", tuple(sentences_with(held, 2.0 - n / 10) for n, held in enumerate(lines)))
    others = tuple(sentences_with(held, n, n) for held, n in ((WIND, -1.0), (CREW, -2.0), (CREW, -3.0)))
    wind = outline.Section("Wind", others)
    assert [c.text for c in in_short.best_short(TopicReader(), OPEN, [wind, salt], [])] == [
        held.text for held in lines[:2]
    ]


def test_in_short_a_quotation_stays_whole_where_its_section_can_spare_it() -> None:
    """Parted, what was found stood apart from what it was found of, and reports recalled fewer facts."""
    held = (sentences_with(SALT, 1.0, 3.0), sentences_with(MORE_SALT, 0.0), sentences_with(CREW, -9.0, -9.0))
    (statement,) = in_short.best_short(TopicReader(), OPEN, [outline.Section("Salt", held)], [])[:1]
    assert statement.text == SALT.text


def test_what_is_far_from_the_question_is_not_said_in_short() -> None:
    """ "The ranking counts only figures with named GPUs" was the first of what was said of energy a token."""

    class Far(TopicReader):
        def is_near(self, words: str, texts: Sequence[str]) -> bool:
            return any("lake" in text for text in texts)

    held = [(p, a, b) for p in (WIND, SALT) for a, b in p.sentences]
    pieces = [Chosen((Sentence(p, a, b, 1, 3.0 - n / 10),), 3.0 - n / 10) for n, (p, a, b) in enumerate(reversed(held))]
    parts = [outline.Section("Salt", tuple(pieces))]
    assert "lake" not in in_short.best_short(TopicReader(), OPEN, parts, [])[0].text
    near = in_short.best_short(Far(), OPEN, parts, [])
    assert near[0].text == "Salt cargo pays well on the lake."
    assert all("lake" in c.text for c in near)


def test_where_nothing_short_comes_near_the_best_quotation_is_said_in_short() -> None:
    """ "The ceremony was to celebrate" stood for how a name came about, and what it comes from in a longer quotation below."""

    class Near(TopicReader):
        def is_near(self, words: str, texts: Sequence[str]) -> bool:
            return any("toll" in text for text in texts)

    long = passage(f"Salt cargo pays a toll {'by day and ' * 40}by night.", "Long")
    pieces = [sentences_with(p, *[score] * len(p.sentences)) for p, score in ((WIND, 3.0), (long, 1.0), (CREW, 0.5))]
    (said,) = in_short.best_short(Near(), OPEN, [outline.Section("Salt", tuple(pieces))], [])
    assert said.text == long.text
    unlikely = [pieces[0], sentences_with(long, -9.0), pieces[2]]
    assert in_short.best_short(Near(), OPEN, [outline.Section("Salt", tuple(unlikely))], [])[0].text != long.text


def test_the_record_of_a_row_is_no_statement_in_short() -> None:
    """ "School year: 2021/22; Take-up: 58 %; Lunches a day: …" stood first under what is said in short."""
    rows = SALT.model_copy(update={"kind": "row"})
    part = outline.Section(
        "Salt", (sentences_with(rows, 3.0, 2.9), sentences_with(MORE_SALT, 1.0), sentences_with(WIND, 0.9, 0.8))
    )
    told = [c.text for c in in_short.best_short(TopicReader(), OPEN, [part], [])]
    assert told
    assert not [text for text in told if text in rows.text]
    plain = outline.Section("Salt", (sentences_with(SALT, 3.0, 2.9), *part.chosen[1:]))
    assert [c.text for c in in_short.best_short(TopicReader(), OPEN, [plain], []) if c.text in SALT.text]
