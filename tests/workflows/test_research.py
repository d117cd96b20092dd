"""The main job: a report that answers, is the same each time, and is revised only where new evidence contradicts it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers import LangChainTracer
from langchain_core.tracers.context import tracing_v2_enabled
from langsmith import Client, tracing_context
from langsmith.utils import get_env_var, tracing_is_enabled

from palimpsest.agent.draft import moved
from palimpsest.workflows import research
from palimpsest.workflows.audit import verify
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.runs import Run
from tests.workflows import scripted


def brought(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def but_for_its_head(file: Path) -> str:
    """A file without the head of the log, which tells of the run's id and time."""
    return re.sub(r"\b[0-9a-f]{64}\b", "HEAD", file.read_text(encoding="utf-8"))


def body(run: Run) -> str:
    return run.report.read_text(encoding="utf-8").split("\n---\n", 1)[1]


def test_a_run_leaves_a_folder_with_every_file(config: Config) -> None:
    events = list(research.research(f"  {scripted.QUESTION}\n", config))
    assert events[-1].kind == "finished"
    run = Run(Path(events[-1].data["folder"]))
    names = {str(p.relative_to(run.folder)) for p in run.folder.rglob("*") if p.is_file()}
    wanted = "run.json events.jsonl checkpoint.sqlite revisions.jsonl report.md report.html references.bib"
    assert names >= {*wanted.split(), "drafts/1.json", "evidence/sources.json", "evidence/passages.jsonl"}
    assert not [n for n in names if n.endswith(".part")]
    assert run.record().question == scripted.QUESTION
    assert events[-1].data["report"] == str(run.report)
    assert [e["kind"] for e in run.events()] == [*(e.kind for e in events), "sealed"]
    assert "**Marisa** [1]" in body(run)
    assert "> The fastest barge on Lake Orta is Marisa, which reaches 12 knots. [1]" in body(run)


def test_the_same_question_documents_and_seed_give_the_same_bytes(config: Config) -> None:
    scripted.lay_documents(config.docs[0], {"rival.md": scripted.RIVAL})
    one = scripted.finished(config)
    other = scripted.finished(config.model_copy(update={"index": config.out.parent / "another index"}))
    assert one.folder != other.folder
    for name in ("report.md", "report.html", "references.bib", "evidence/passages.jsonl", "revisions.jsonl"):
        assert but_for_its_head(one.folder / name) == but_for_its_head(other.folder / name)


def test_a_newer_document_reopens_only_what_it_contradicts(config: Config, tmp_path: Path) -> None:
    run = scripted.finished(config)
    before = body(run)
    list(research.revise(run, [brought(tmp_path, "newer.md", scripted.NEWER)]))
    after, old, new = body(run), run.state(1), run.state(2)

    opened = [s for r in new.revisions for s in r.reopened]
    assert moved(old.draft, new.draft, opened) == []
    stands = {s.id: s for s in new.draft.spans()}
    changed = {s.id for s in old.draft.spans() if stands.get(s.id) != s}
    assert {s.split(".")[0] for s in changed} == {"c1", "q1", "q2"}, "the quotation, and the answers read in it"
    assert changed <= set(opened)

    quote = "The fastest barge on Lake Orta is Marisa, which reaches {} knots. [{}]"
    assert quote.format(12, 1) in before
    assert quote.format(17, 3) in after
    text, sources = before.split("## Sources")[0], before.split("## Sources")[1]
    gone = sorted(set(text.splitlines()) - set(after.splitlines()))
    assert [line.split(" (")[0] for line in gone] == ["**12** [1]", "**Marisa** [1]", "> " + quote.format(12, 1)]
    kept = [line for line in text.splitlines() if line and line not in gone]
    assert [line for line in after.splitlines() if line in kept][: len(kept)] == kept
    assert sources.strip() in after

    section = after.split("## Where sources disagree")[1].split("##")[0]
    assert "Barges of 2026 (2026-03-01) [3]" in section
    assert "Barges of 2024 (2024-05-01) [1]" in section
    assert verify(run) == []


def test_an_older_document_is_listed_and_changes_no_claim(config: Config, tmp_path: Path) -> None:
    run = scripted.finished(config)
    list(research.revise(run, [brought(tmp_path, "older.md", scripted.NEWER.replace("2026-03", "2019-03"))]))
    old, new = run.state(1), run.state(2)
    changed = {s.id for s in old.draft.spans() if new.draft.span(s.id) != s}
    assert changed <= {"q1.standing", "q2.standing"}
    assert {r.span for r in new.revisions} == changed
    assert len(new.conflicts) == 1
    assert "(2019-03-01) [3]" in body(run).split("## Where sources disagree")[1]


def test_an_unrelated_document_changes_nothing_but_the_version(config: Config, tmp_path: Path) -> None:
    run = scripted.finished(config)
    before = but_for_its_head(run.report)
    list(research.revise(run, [brought(tmp_path, "garden.md", scripted.UNRELATED)]))
    assert but_for_its_head(run.report) == before.replace('version: "1"', 'version: "2"')
    assert verify(run) == []


def test_a_pinned_span_withstands_a_newer_document(config: Config, tmp_path: Path) -> None:
    run = scripted.finished(config)
    list(research.revise(run, [brought(tmp_path, "newer.md", scripted.NEWER)], pin=["c1.5", "q2.answer"]))
    assert "reaches 12 knots. [1]" in body(run)
    assert "**12** [1]" in body(run)


def test_what_contradicts_a_pinned_span_is_listed(config: Config, tmp_path: Path) -> None:
    run = scripted.finished(config)
    list(research.revise(run, [brought(tmp_path, "newer.md", scripted.NEWER)], pin=["c1.5", "q2.answer"]))
    assert "## Where sources disagree" in body(run)


def test_a_span_that_a_person_reopens_is_filled_again_from_evidence(config: Config) -> None:
    run = scripted.finished(config)
    list(research.revise(run, reopen=["c1.5"]))
    new = run.state(2)
    assert [(r.span, r.reason, r.version) for r in new.revisions] == [("c1.5", "person", 2)]
    assert new.draft.span("c1.5").status == "filled"
    assert verify(run) == []


def test_an_older_version_stays_readable_after_a_revision(config: Config, tmp_path: Path) -> None:
    run = scripted.finished(config)
    first = (run.folder / "drafts" / "1.json").read_bytes()
    list(research.revise(run, [brought(tmp_path, "newer.md", scripted.NEWER)]))
    assert (run.folder / "drafts" / "1.json").read_bytes() == first
    assert [v.number for v in run.record().versions] == [1, 2]


def test_a_spent_budget_still_gives_a_report(config: Config) -> None:
    run = scripted.finished(config.model_copy(update={"budget": 1e-6}))
    assert run.state(1).finished == "budget"
    assert run.state(1).round == 1
    assert "## Answer" in body(run)
    assert verify(run) == []


def test_a_question_that_nothing_answers_says_so(config: Config) -> None:
    run = scripted.finished(config, "How many pipes has the organ?")
    assert "**Not established**" in body(run)
    assert "## Not established" in body(run)
    assert "▢" not in body(run)
    assert verify(run) == []


@pytest.mark.parametrize(
    ("verb", "message"), [("nothing", "nothing to revise with"), ("twice", "two evidence files have the same name")]
)
def test_a_revision_that_cannot_start_leaves_the_run_as_it_was(
    config: Config, tmp_path: Path, verb: str, message: str
) -> None:
    run = scripted.finished(config)
    files = []
    if verb == "twice":
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            files.append(brought(tmp_path / name, "same.md", scripted.NEWER))
    with pytest.raises(ResearchError, match=message) as error:
        research.revise(run, files)
    assert error.value.code == 2
    assert len(run.record().versions) == 1


def test_a_finished_run_is_not_resumed(config: Config) -> None:
    run = scripted.finished(config)
    with pytest.raises(ResearchError, match="is finished; see it with"):
        research.resume(run)


def test_settings_given_beside_a_config_override_it(config: Config) -> None:
    last = list(research.research("Who baked the bread?", config, seed=7))[-1]
    assert Run(Path(last.data["folder"])).record().config.seed == 7
    with pytest.raises(ResearchError, match="unknown setting 'sed'"):
        research.research("Who baked the bread?", config, sed=7)


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What would be sent to LangSmith, in a shell where another project turned it on before langsmith was first asked."""
    sent: list[str] = []
    client = Client(api_key="none", auto_batch_tracing=False)
    monkeypatch.setattr(Client, "create_run", lambda self, name, *arguments, **more: sent.append(name))
    monkeypatch.setattr(Client, "update_run", lambda *arguments, **more: None)
    monkeypatch.setattr("langchain_core.tracers.langchain.get_client", lambda: client)
    monkeypatch.delenv("RESEARCH_TRACING", raising=False)
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    get_env_var.cache_clear()
    assert tracing_is_enabled()
    yield sent
    get_env_var.cache_clear()


STEPS = {"plan", "search", "weigh", "revise", "check", "finish"}


def test_a_run_is_not_traced_though_langsmith_remembers_the_environment(config: Config, posted: list[str]) -> None:
    scripted.finished(config)
    assert "LANGSMITH_TRACING" not in os.environ
    assert posted == []


@pytest.mark.parametrize("inside", [lambda: tracing_context(enabled=True), tracing_v2_enabled])
def test_a_run_is_not_traced_inside_a_callers_trace(
    config: Config, posted: list[str], inside: Callable[[], AbstractContextManager[Any]]
) -> None:
    with inside():
        scripted.finished(config)
        assert tracing_is_enabled(), "the caller's own context is as it was"
    assert posted == []


def test_a_run_started_by_a_traced_tool_is_not_part_of_its_trace(config: Config, posted: list[str]) -> None:
    tool = RunnableLambda(lambda question: scripted.finished(config, question))
    tool.invoke(scripted.QUESTION, {"callbacks": [LangChainTracer()], "run_name": "tool"})
    assert posted == ["tool"]


def test_a_run_is_traced_when_a_person_asks(config: Config, posted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEARCH_TRACING", "1")
    scripted.finished(config)
    assert set(posted) >= STEPS


def test_the_true_model_gives_the_same_bytes_twice_and_after_a_stop(tmp_path: Path) -> None:
    """What it answers is its own affair; that it answers the same, and from its sources, is ours."""
    docs = scripted.lay_documents(tmp_path / "docs", {**scripted.DOCS, "rival.md": scripted.RIVAL})
    config = Config(docs=(docs,), out=tmp_path / "runs", index=tmp_path / "index", effort=2)
    one = scripted.finished(config)
    stopped = config.model_copy(update={"out": tmp_path / "stopped"})
    events = research.research(scripted.QUESTION, stopped)
    for _ in range(3):
        next(events)
    events.close()  # type: ignore[attr-defined]
    other = scripted.only_run(stopped)
    list(research.resume(other))
    assert but_for_its_head(other.report) == but_for_its_head(one.report)
    assert scripted.stories(other) == scripted.stories(one)
    list(research.revise(one, [brought(tmp_path, "newer.md", scripted.NEWER)]))
    assert verify(one) == verify(other) == []
