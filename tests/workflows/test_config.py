"""Settings come from defaults, then research.toml, then RESEARCH_ variables, then arguments; a bad one is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from palimpsest.retrieval.loaders import Limits
from palimpsest.workflows.config import (
    KEYS,
    LONGEST_FILE,
    Config,
    keep_tracing_off,
    serve_token,
    service_keys,
    writer_token,
)
from palimpsest.workflows.errors import ResearchError


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("RESEARCH_")]:
        monkeypatch.delenv(name)


def test_each_source_of_settings_outranks_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Config.load(tmp_path).seed, Config.load(tmp_path).effort) == (0, 3)
    (tmp_path / "research.toml").write_text('seed = 1\neffort = 1\nbudget = "90s"\ndocs = "notes"\n')
    assert (Config.load(tmp_path).seed, Config.load(tmp_path).budget) == (1, 90.0)
    assert Config.load(tmp_path).docs == (Path("notes"),)
    monkeypatch.setenv("RESEARCH_SEED", "2")
    monkeypatch.setenv("RESEARCH_EFFORT", "2")
    monkeypatch.setenv("RESEARCH_DOCS", os.pathsep.join(["a", "b"]))
    loaded = Config.load(tmp_path, seed=3, effort=None)
    assert (loaded.seed, loaded.effort, loaded.budget) == (3, 2, 90.0)
    assert loaded.docs == (Path("a"), Path("b"))


@pytest.mark.parametrize(
    ("written", "seconds"), [("5m", 300), ("90s", 90), ("1h", 3600), ("45", 45), ("1.5 m", 90), (7, 7), (0, 0)]
)
def test_a_budget_is_a_length_of_time(written: object, seconds: float) -> None:
    loaded = Config.load(Path("/nowhere"), budget=written)
    assert loaded.budget == seconds
    assert loaded.limits.seconds == seconds


def test_more_effort_means_more_reading() -> None:
    limits = [Config(effort=n).limits for n in range(1, 6)]
    for less, more in pairwise(limits):
        assert less.rounds < more.rounds
        assert less.passages < more.passages
        assert less.claims <= more.claims


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("budget", "soon", "'soon' for budget: 'soon' is no length of time; write 90s, 5m or 1h"),
        ("budget", "-5m", "no length of time"),
        ("budget", -1, "bad value -1 for budget"),
        ("effort", 6, "bad value 6 for effort"),
        ("effort", "much", "bad value 'much' for effort"),
        ("threads", 0, "bad value 0 for threads"),
        ("threads", 10**12, "bad value 1000000000000 for threads"),
        ("seed", 10**30, "bad value 1000000000000000000000000000000 for seed"),
        ("budget", "9" * 400, "for budget"),
        ("out", "runs\udcff", "the name holds bytes that are no text here"),
        ("docs", ("a", "b\udcff"), "the name holds bytes that are no text here"),
        ("index", "a\0b", "the name holds bytes that are no text here"),
        ("colour", "red", "unknown setting 'colour'; the settings are approve_queries, budget, contact"),
    ],
)
def test_a_bad_setting_is_named(key: str, value: object, expected: str) -> None:
    with pytest.raises(ResearchError) as error:
        Config.load(Path("/nowhere"), **{key: value})
    assert expected in str(error.value)
    assert error.value.code == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"efort = 4\n", "unknown setting 'efort'"),
        (b"effort = \n", "is not valid TOML"),
        (b"model = '\xff'\n", "is not valid TOML"),
    ],
)
def test_a_bad_file_of_settings_is_named(tmp_path: Path, text: bytes, expected: str) -> None:
    (tmp_path / "research.toml").write_bytes(text)
    with pytest.raises(ResearchError, match=expected) as error:
        Config.load(tmp_path)
    assert error.value.code == 2


DEEP = b"x = " + b"[" * 5000 + b"]" * 5000
LONG = b"x = " + b"1" * 5000  # more digits than Python reads


@pytest.mark.parametrize("text", [DEEP, LONG, b"# " + b"x" * LONGEST_FILE])
def test_a_file_that_would_exhaust_its_reader_is_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "research.toml").write_bytes(text)
    with pytest.raises(ResearchError, match=r"research\.toml") as error:
        Config.load(tmp_path)
    assert error.value.code == 2


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("lay", "expected"), [(_fifo, "is no file"), (_folder, "is no file"), (_loop, "cannot be read")]
)
@pytest.mark.parametrize("named", [False, True])
def test_what_is_no_file_of_settings_is_named_and_not_waited_for(
    tmp_path: Path, lay: Callable[[Path], None], expected: str, named: bool
) -> None:
    path = tmp_path / "research.toml"
    lay(path)
    with pytest.raises(ResearchError, match=expected) as error:
        Config.load(tmp_path, file=path if named else None)
    assert error.value.code == 2


LEADING_OUT = {  # what a stranger's file could ask for
    "a host": 'model = "http://127.0.0.1:9"',
    "a host, in capitals": 'model = "HTTP://127.0.0.1:9"',
    "a host in a list": 'docs = ["notes", "https://example.org/x"]',
    "a proxy": 'proxy = "elsewhere:3128"',
    "a service": '[services]\nmine = "elsewhere/mcp"',
    "an absolute folder": 'out = "/tmp/elsewhere"',
    "a folder above": 'out = "../elsewhere"',
    "through a link": 'out = "link/runs"',
    "an index elsewhere": 'index = "/tmp/elsewhere"',
    "no name at all": 'out = "a\\u0000b"',
    "a link in a circle": 'out = "circle/runs"',
}


@pytest.mark.parametrize("name", LEADING_OUT)
def test_a_file_that_was_only_found_leads_nowhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("/tmp")
    (tmp_path / "circle").symlink_to("circle")
    path = tmp_path / "research.toml"
    path.write_text(LEADING_OUT[name], encoding="utf-8")
    with pytest.raises(ResearchError, match=r"found here.*if you trust it: --config") as error:
        Config.load(tmp_path)
    assert error.value.code == 2


def test_a_file_that_was_named_may_lead_anywhere(tmp_path: Path) -> None:
    (tmp_path / "research.toml").write_text('model = "http://127.0.0.1:9"\nout = "/tmp/elsewhere"\n')
    loaded = Config.load(tmp_path, file=tmp_path / "research.toml")
    assert (loaded.model, loaded.out) == ("http://127.0.0.1:9", Path("/tmp/elsewhere"))


def test_a_file_that_was_found_may_name_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "research.toml").write_text(
        'model = "weights"\nout = "reports/new"\nindex = "cache"\ndocs = "../notes"\n'
    )
    loaded = Config.load(tmp_path)
    assert (loaded.model, loaded.out, loaded.docs) == ("weights", Path("reports/new"), (Path("../notes"),))


def test_a_named_file_must_be_there_and_stands_in_for_the_found_one(tmp_path: Path) -> None:
    (tmp_path / "research.toml").write_text("seed = 1\n")
    (tmp_path / "other.toml").write_text("effort = 2\n")
    assert (Config.load(tmp_path, file=tmp_path / "other.toml").seed, Config.load(tmp_path).seed) == (0, 1)
    with pytest.raises(ResearchError, match=r"nothing\.toml cannot be read"):
        Config.load(tmp_path, file=tmp_path / "nothing.toml")


def test_a_variable_of_the_person_may_name_a_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEARCH_MODEL", "http://127.0.0.1:9")
    assert Config.load(tmp_path).model == "http://127.0.0.1:9"


def test_an_unknown_variable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEARCH_EFORT", "4")
    with pytest.raises(ResearchError, match="unknown setting 'efort'"):
        Config.load(tmp_path)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().seed = 4  # type: ignore[misc]


TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")


@pytest.mark.parametrize(("asked", "left"), [("", 0), ("0", 0), ("1", 4)])
def test_a_run_is_traced_only_when_a_person_asks(monkeypatch: pytest.MonkeyPatch, asked: str, left: int) -> None:
    """LangGraph posts whole states to LangSmith when one of these is set in the shell for another project."""
    for name in TRACING:
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("RESEARCH_TRACING", asked)
    keep_tracing_off()
    assert sum(name in os.environ for name in TRACING) == left
    assert Config.load(Path("/nowhere")).seed == 0, "RESEARCH_TRACING is no setting"


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    import keyring

    for name in (*KEYS, "RESEARCH_SERVE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    held: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(keyring, "get_password", lambda service, name: held.get((service, name)))
    return held


def test_secrets_come_from_the_environment_or_a_key_ring(
    ring: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service_keys() == {}
    assert serve_token() is None
    ring |= {("palimpsest", "BRAVE_API_KEY"): "of the ring", ("palimpsest", "S2_API_KEY"): "s2"}
    ring |= {("other", "TAVILY_API_KEY"): "another's", ("palimpsest", "RESEARCH_SERVE_TOKEN"): "t"}
    ring[("palimpsest", "RESEARCH_WRITER_TOKEN")] = "w"
    monkeypatch.setenv("BRAVE_API_KEY", "of the environment")
    assert service_keys() == {
        "BRAVE_API_KEY": "of the environment", "S2_API_KEY": "s2", "SEMANTIC_SCHOLAR_API_KEY": "s2",
    }  # fmt: skip
    assert serve_token() == "t"
    assert writer_token() == "w"


def test_a_key_ring_that_does_not_open_is_told_and_one_that_is_not_there_is_none(
    ring: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import keyring
    from keyring.errors import KeyringLocked, NoKeyringError

    def failing(error: Exception) -> None:
        def get(service: str, name: str) -> str:
            raise error

        monkeypatch.setattr(keyring, "get_password", get)

    failing(NoKeyringError("no backend"))
    assert service_keys() == {}
    failing(KeyringLocked("locked"))
    with pytest.raises(ResearchError, match=r"the key ring did not give OPENALEX_API_KEY \(locked\); unlock it"):
        service_keys()


def test_limits_of_reading_are_settings_from_a_file_or_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "research.toml").write_text("[reading]\npages = 20\nnesting = 7\n")
    found = Config.load(tmp_path).reading
    assert (found.pages, found.nesting, found.characters) == (20, 7, Limits().characters)
    monkeypatch.setenv("RESEARCH_READING", "pages=30, seconds=2.5")
    found = Config.load(tmp_path).reading
    assert (found.pages, found.seconds, found.nesting) == (30, 2.5, Limits().nesting)
    kept = Config.model_validate_json(Config.load(tmp_path).model_dump_json())
    assert kept.reading == found, "a run keeps them"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("pages", "write name=value"),
        ("pages=many", "reading.pages"),
        ({"leaves": 3}, "unknown setting 'reading.leaves'; the settings are cells, characters"),
        ("pages=0", "pages lies between 1"),
        ("seconds=inf", "seconds lies between 1"),
        ("memory_bytes=1000", "memory_bytes lies between 209,715,200"),
    ],
)
def test_a_limit_that_is_none_is_named(given: object, expected: str) -> None:
    with pytest.raises(ResearchError, match=expected):
        Config.load(Path("/nowhere"), reading=given)
