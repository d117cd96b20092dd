"""What a person does to a run: each is a version whose diff is told, everything else is byte-identical, and the run verifies."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.agent.plans import Plan
from palimpsest.agent.state import Event
from palimpsest.workflows import corpus, research, steering
from palimpsest.workflows.amending import Evidence, amend
from palimpsest.workflows.audit import verify
from palimpsest.workflows.changes import diff, untouched
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import USAGE, ResearchError
from palimpsest.workflows.runs import Run
from tests.workflows import scripted

QUOTE = "The fastest barge on Lake Orta is Marisa, which reaches 12 knots."
RIVAL = "The fastest barge on Lake Orta is Marisa, which reaches 12 knots, says the harbour."


@pytest.fixture
def run(config: Config) -> Run:
    return scripted.finished(config)


def body(run: Run) -> str:
    return run.report.read_text(encoding="utf-8").split("\n---\n", 1)[1]


def kinds(events: list[Event]) -> list[str]:
    return [e.kind for e in events]


def assert_holds(run: Run) -> None:
    """Everything that was not opened stands, and every word has its source or its author."""
    assert verify(run) == []
    found = untouched(run)
    assert found.broken == ()
    assert found.kept > 0


def test_a_reopened_block_is_denoised_again(run: Run) -> None:
    events = list(steering.reopen(run, "c1"))
    assert "revised" in kinds(events)
    assert {c.revision.reason for c in diff(run)} == {"person", "dependent"}
    assert events[-1].data["untouched"] == untouched(run).model_dump(exclude={"broken"})
    assert_holds(run)


def test_what_is_pinned_withstands_evidence_until_it_is_let_go(run: Run, tmp_path: Path) -> None:
    (tmp_path / "newer.md").write_text(scripted.NEWER, encoding="utf-8")
    assert "pinned" in kinds(list(steering.pin(run, "c1", "q1.answer", "q2.answer")))
    list(steering.add_evidence(run, files=[tmp_path / "newer.md"]))
    assert QUOTE in body(run)
    assert "unpinned" in kinds(list(steering.unpin(run, "c1", "q1.answer", "q2.answer")))
    list(steering.add_evidence(run, texts=[scripted.NEWER.split("---\n")[2].replace("17", "18")]))
    assert "reaches 18 knots" in body(run)
    assert_holds(run)


def test_a_persons_words_stand_in_a_sentence_marked_and_pinned(run: Run, tmp_path: Path) -> None:
    events = list(steering.edit(run, "c1.5", "thirteen knots"))
    edited = next(e for e in events if e.kind == "edited")
    assert (edited.data["old"], edited.data["new"]) == ("12 knots", "thirteen knots")
    assert "which reaches thirteen knots. [1] *(a person's words: “thirteen knots”)*" in body(run)
    span = run.state(2).draft.span("c1.5")
    assert (span.person, span.status, span.support) == (True, "pinned", ())
    assert "(a person's words)" in (run.folder / "report.html").read_text(encoding="utf-8")
    assert_holds(run)
    (tmp_path / "newer.md").write_text(scripted.NEWER, encoding="utf-8")
    list(steering.add_evidence(run, files=[tmp_path / "newer.md"]))
    assert "reaches thirteen knots" in body(run), "evidence changes no words of a person"
    assert_holds(run)


def test_an_answer_and_the_quotation_under_it_agree_when_a_person_writes_over_that(run: Run) -> None:
    list(steering.edit(run, "c1", "The barges were all sold in 1999."))
    shown = body(run)
    assert "The barges were all sold in 1999. *(a person's words:" in shown
    assert shown.index("**Marisa**") < shown.index(f"> {QUOTE} [1]"), (
        "the answers rest on their source's sentence still"
    )
    assert_holds(run)
    list(steering.reopen(run, "c1"))
    assert "sold in 1999" not in body(run).split("## What was revised")[0], "who opens their own words takes them back"
    assert_holds(run)


def test_a_persons_answer_takes_the_place_of_one_that_was_read(run: Run) -> None:
    list(steering.edit(run, "q2.answer", "about thirteen"))
    assert "**about thirteen** *(a person's words: “about thirteen”)*" in body(run)
    assert_holds(run)
    list(steering.reopen(run, "q2.answer"))
    assert "**12** [1]" in body(run)
    assert not any(s.person for s in run.state(3).draft.spans())
    assert_holds(run)


def test_words_that_nobody_wrote_are_no_persons(run: Run) -> None:
    """A draft that says of words that they are a person's is believed only as far as the record goes."""
    list(steering.edit(run, "c1.5", "thirteen knots"))
    path = run.folder / "drafts" / "2.json"
    path.write_text(path.read_text(encoding="utf-8").replace("thirteen", "fourteen"), encoding="utf-8")
    assert any("knows nothing of a person's words 'fourteen knots'" in p for p in verify(run))


@pytest.mark.parametrize("name", ["1", "[1]", "Barges of 2024"])
def test_a_banned_source_bears_nothing_any_more(run: Run, name: str) -> None:
    events = list(steering.ban(run, name))
    assert "banned" in kinds(events)
    state = run.state(2)
    assert QUOTE not in body(run).split("## What was revised")[0]
    assert all(
        state.passage(s.passage).source.id not in state.banned for span in state.draft.spans() for s in span.support
    )
    assert "**Not established**" in body(run)
    assert "banned by a person; nothing rests on it" in body(run)
    assert {c.revision.reason for c in diff(run)} >= {"ban"}
    assert_holds(run)


def test_what_another_source_says_too_is_quoted_from_there(config: Config) -> None:
    again = scripted.DOCS["barges.md"].replace("Barges of 2024", "The log of Orta").replace("2024-05-01", "2023-09-01")
    scripted.lay_documents(config.docs[0], {"log.md": again.replace("12 knots.", "12 knots, says the pilot.")})
    run = scripted.finished(config)
    source = run.state(1).passage(run.state(1).draft.span("c1.cite").support[0].passage).source
    list(steering.ban(run, source.uri))
    assert "**12**" in body(run)
    assert "**Marisa**" in body(run)
    assert source.title not in body(run).split("## What was revised")[0]
    assert_holds(run)


def test_a_banned_source_stays_banned_in_later_versions(run: Run) -> None:
    list(steering.ban(run, "1"))
    list(steering.ask(run, "How many knots does Marisa reach?"))
    assert "**12**" not in body(run)
    assert_holds(run)


def test_a_follow_up_is_answered_from_what_the_run_holds(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []

    def search(self: corpus.Corpus, queries: list[str], k: int) -> None:
        searched.extend(queries)
        raise AssertionError("the evidence of the run answers this")

    monkeypatch.setattr(corpus.Corpus, "search", search)
    events = list(steering.ask(run, "How many knots does it reach?"))
    asked = next(e for e in events if e.kind == "asked")
    assert asked.data["resolved"] == "How many knots does Marisa reach?", "the pronoun is the run's"
    assert "## How many knots does it reach?\n\n**12** [1]" in body(run)
    assert searched == []
    assert_holds(run)


def test_a_follow_up_that_the_run_does_not_answer_is_searched(config: Config) -> None:
    (config.docs[0] / "barges.md").unlink()
    run = scripted.finished(config, "Who built the harbour?")
    scripted.lay_documents(config.docs[0])
    events = list(steering.ask(run, "What is the fastest barge on Lake Orta?"))
    assert "searched" in kinds(events)
    assert "**Marisa**" in body(run)
    assert_holds(run)


def test_an_unanswerable_follow_up_is_named(run: Run) -> None:
    list(steering.ask(run, "Who bakes the bread of Omegna?"))
    assert "## Who bakes the bread of Omegna?\n\n**Not established**" in body(run)
    assert_holds(run)


def test_what_a_person_brings_joins_the_sections_of_an_open_report(config: Config) -> None:
    run = scripted.finished(config, "How are the barges and the harbour of Lake Orta used?")
    message = "The harbour of Lake Orta is used by barges that carry salt and guests."
    list(steering.add_evidence(run, texts=[f"{message} Tulips want a sunny bed."]))
    shown = body(run).split("## Sources")[0]
    assert f"- {message} [" in shown
    assert "Tulips" not in shown
    assert diff(run) == []
    assert_holds(run)


def test_several_wishes_make_one_version(run: Run) -> None:
    wish = steering.Steering(pin=("q1.answer",), edits=(steering.Edit(span="q2.answer", words="a dozen"),))
    list(steering.revise(run, Evidence(texts=("Bread is best warm.",)), steering=wish))
    assert len(run.record().versions) == 2
    assert "**a dozen**" in body(run)
    assert_holds(run)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (steering.Steering(reopen=("c9",)), "there is no span or block 'c9'"),
        (steering.Steering(pin=("q1.cite",)), "span 'q1.cite' is fixed"),
        (steering.Steering(edits=(steering.Edit(span="c1.5", words="  "),)), "cannot be empty"),
        (steering.Steering(edits=(steering.Edit(span="c1.5", words="\ud800"),)), "bytes that are no text"),
        (steering.Steering(ban=("9",)), "no source '9' in use; the sources are [1] Barges of 2024"),
        (steering.Steering(), "nothing to revise with"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_begun(run: Run, wish: steering.Steering, message: str) -> None:
    with pytest.raises(ResearchError) as error:
        amend(run, wish)
    assert message in str(error.value)
    assert error.value.code == USAGE
    assert len(run.record().versions) == 1


def test_an_address_is_not_fetched_by_a_run_that_is_offline(config: Config) -> None:
    run = scripted.finished(config.model_copy(update={"offline": True}))
    with pytest.raises(ResearchError, match="was not fetched: --offline"):
        amend(run, evidence=Evidence(urls=("https://example.org/x",)))


@pytest.mark.parametrize("field", ["model", "proxy"])
def test_a_folder_of_somebody_else_sends_nothing_to_a_host_of_its_own(run: Run, field: str) -> None:
    """A stranger's run.json once got the token of whoever resumed it."""
    record = run.record()
    settings = record.config.model_copy(update={field: "http://127.0.0.1:9/"})
    first = record.current.model_copy(update={"done": False})
    run.save(record.model_copy(update={"config": settings, "versions": (first,)}))
    for own in (None, Config(), Config(model="http://127.0.0.1:8")):
        with pytest.raises(ResearchError, match=r"names http://127.0.0.1:9 in its folder"):
            research.resume(run, own=own)
    research.resume(run, own=Config(**{field: "http://127.0.0.1:9"})).close()


def test_a_plan_is_shown_changed_and_followed(config: Config) -> None:
    plan = steering.plan(scripted.QUESTION, config)
    words = [i.words for i in plan.items]
    assert words[:2] == ["What is the fastest barge on Lake Orta?", "How many knots does it reach?"]
    for _ in words[1:]:
        plan = plan.without(1)
    chosen = plan.plus("Who built the harbour of Lake Orta?", "fact").moved(1, 0)
    events = list(research.research(scripted.QUESTION, config, plan=chosen))
    planned = events[0]
    assert planned.data["approved"] is True
    assert [q["asked"] for q in planned.data["questions"]] == [
        "Who built the harbour of Lake Orta?",
        "What is the fastest barge on Lake Orta?",
    ]
    run = scripted.only_run(config)
    assert run.record().config.plan == chosen.items
    assert verify(run) == []


def test_a_plan_that_nobody_changed_gives_the_run_that_no_plan_gives(config: Config) -> None:
    plain = scripted.finished(config)
    planned = list(research.research(scripted.QUESTION, config, plan=steering.plan(scripted.QUESTION, config)))[-1]
    assert scripted.report(Run(Path(planned.data["folder"]))) == scripted.report(plain)


def test_places_of_a_plan_that_are_not_there(config: Config) -> None:
    plan = Plan().plus("Who built it?")
    with pytest.raises(ValueError, match="at least one thing"):
        plan.without(0)
    with pytest.raises(IndexError, match="no item 3; the plan has 1"):
        plan.edited(2, "x")
    with pytest.raises(ValueError, match="there is no form 'sonnet'"):
        plan.typed(0, "sonnet")
    with pytest.raises(ValueError, match="needs words"):
        plan.edited(0, " ")
