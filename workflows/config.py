"""One frozen Config: defaults < ./research.toml < RESEARCH_* variables < arguments. The only file that reads os.environ.

A research.toml that merely lies in the working folder may have been written by somebody else: it may not send evidence or a token
to a host, nor lead what is written out of its folder. One that is named with --config may.
"""

from __future__ import annotations

import os
import re
import reprlib
import stat
import tomllib
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from palimpsest.agent.state import Budget, PlanItem
from palimpsest.retrieval.loaders.limits import Limits

from .errors import USAGE, ResearchError

_EFFORT = {  # rounds of search, passages a query, findings a sub-question
    1: (1, 4, 1),
    2: (2, 6, 2),
    3: (3, 8, 3),
    4: (4, 10, 4),
    5: (5, 12, 6),
}
YEAR = 366 * 24 * 3600.0  # seconds, the longest budget
LONGEST_FILE = 100_000  # bytes of a file of settings
LEAST_MEMORY = 200 * 2**20  # bytes with which the process that reads files starts
LARGEST = 2**40  # of any limit of reading, in its unit
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)?")


class Config(BaseModel):
    """Settings of a run. `docs` empty asks the bundled library; `model` is "embedded", a folder, a Hugging Face id or a server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    docs: tuple[Path, ...] = ()
    model: str = "embedded"
    writer: str = ""  # URL#MODEL of a chat endpoint that writes prose between anchors; "" leaves it to a model that can
    denoising: Literal["steady", "fast", "careful"] = "steady"  # how a hosted model denoises what it writes
    effort: int = Field(default=3, ge=1, le=5)
    budget: float = Field(default=0.0, ge=0, le=YEAR, description='seconds, or "90s", "5m", "1h"; 0 for no limit')
    out: Path = Path("runs")
    index: Path | None = None  # folder of cached indexes; None for the user's cache folder
    seed: int = Field(default=0, ge=-(2**63), lt=2**63)  # what a generator of numbers takes
    threads: int | None = Field(default=None, ge=1, le=1024)
    web: str = ""  # names of services with commas between, or "all"; "" asks nobody
    offline: bool = False  # nothing leaves this machine, whatever `web` says
    since: int | None = Field(default=None, ge=1000, le=9999)  # the year of the oldest source wanted of services
    type: str | None = None  # one kind of service: paper, encyclopaedia, name or web
    contact: str = ""  # an e-mail address that services are told, as their etiquette asks
    services: dict[str, str] = Field(default_factory=dict)  # a person's own services: their addresses by name
    proxy: str | None = None  # of fetched pages; names are then resolved by it
    replay: bool = False  # services answer from the cache of earlier runs, whatever its age; nobody is asked
    approve_queries: bool = False  # every query waits for a person before it goes to a service
    reading: Limits = Limits()  # how much of a file is read; what they leave out is named in the report
    plan: tuple[PlanItem, ...] = ()  # what is to be found out, as a person approved it; () plans the question

    @field_validator("budget", mode="before")
    @classmethod
    def _duration(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = _SECONDS.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{value!r} is no length of time; write 90s, 5m or 1h")
        return float(match[1]) * {"s": 1, "m": 60, "h": 3600, None: 1}[match[2]]

    @field_validator("services", "reading", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [pair.partition("=") for pair in value.split(",") if pair.strip()]
        if not all(name.strip() and given.strip() for name, _, given in pairs):
            raise ValueError("write name=value, with commas between several")
        return {name.strip(): given.strip() for name, _, given in pairs}

    @field_validator("reading")
    @classmethod
    def _within_reason(cls, value: Limits) -> Limits:
        for name, most in asdict(value).items():
            least, largest = LEAST_MEMORY if name == "memory_bytes" else 1, YEAR if name == "seconds" else LARGEST
            if not least <= most <= largest:
                raise ValueError(f"{name} lies between {least:,} and {largest:,.0f}")
        return value

    @field_validator("writer")
    @classmethod
    def _names_a_model(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s#]+#\S+", value):
            raise ValueError("write URL#MODEL, such as http://127.0.0.1:11434/v1#qwen3")
        return value

    @field_validator("services", "proxy", "writer")
    @classmethod
    def _without_logins(cls, value: Any) -> Any:
        """Settings are written into every run: a password would lie there for good."""
        for address in value.values() if isinstance(value, dict) else (value or "",):
            if "://" in address and "@" in address:
                raise ValueError("an address here may hold no login; settings are written into every run")
        return value

    @field_validator("docs", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | Path) else value

    @field_validator("docs", "out", "index", "model")
    @classmethod
    def _nameable(cls, value: Any) -> Any:
        for name in value if isinstance(value, tuple) else (value,):
            if not is_text(str(name)):
                raise ValueError("the name holds bytes that are no text here; rename it, or set LC_ALL=C.UTF-8")
        return value

    @property
    def limits(self) -> Budget:
        rounds, passages, claims = _EFFORT[self.effort]
        return Budget(rounds=rounds, passages=passages, claims=claims, seconds=self.budget)

    def seen_from(self, folder: Path) -> Config:
        """These settings with relative paths taken from `folder`, so that a run goes on from wherever it is resumed."""
        is_folder = self.model != "embedded" and (folder / self.model).exists()
        model = str(folder / self.model) if is_folder else self.model
        docs = tuple(folder / path for path in self.docs)
        return self.model_copy(update={"docs": docs, "model": model, "index": self.index and folder / self.index})

    @property
    def hosts(self) -> frozenset[str]:
        """The addresses, beyond those of services that the program knows, to which a run of these settings sends something."""
        named = (self.model, self.writer.partition("#")[0], self.proxy or "", *self.services.values())
        return frozenset(address.rstrip("/") for address in named if "://" in address)

    @staticmethod
    def load(folder: Path = Path(), file: Path | None = None, **arguments: Any) -> Config:
        """The merged settings; `arguments` that are None count as not given. ResearchError names a bad key or value.

        `file` is trusted; without it the research.toml of `folder` is read, if there is one, and is not.
        """
        given = {k: v for k, v in arguments.items() if v is not None}
        written = _from_file(file, required=True) if file else _from_stranger(folder / "research.toml")
        return make({**written, **_from_environment(), **given})


def default_folder() -> Path:
    """Where indexes are cached when nobody says where."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("palimpsest")) / "indexes"


def is_text(name: str) -> bool:
    """Whether a name can be written down: no bytes that are not UTF-8 (which Python keeps as lone surrogates), no NUL."""
    return not any("\ud800" <= letter <= "\udfff" or letter == "\0" for letter in name)


def make(values: dict[str, Any]) -> Config:
    try:
        return Config(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            known = ", ".join(sorted(Config.model_fields if len(first["loc"]) == 1 else asdict(Limits())))
            raise ResearchError(f"unknown setting {key!r}; the settings are {known}", USAGE) from error
        reason = str(first["msg"]).removeprefix("Value error, ")
        given = "…" if "login" in reason else reprlib.repr(first["input"])
        raise ResearchError(f"bad value {given} for {key}: {reason}", USAGE) from error


def _from_stranger(path: Path) -> dict[str, Any]:
    """The settings of a file that was found, not named; ResearchError for one that leads out of its folder or to a host."""
    found = _from_file(path)
    for key, value in found.items():
        if why := _leads_out(key, value, path.parent):
            raise ResearchError(
                f"{path}, which was found here, sets {key} to {value!r}, {why}; if you trust it: --config {path}", USAGE
            )
    return found


_HOSTS = ("proxy", "services")  # settings that name hosts, however they are written


def _leads_out(key: str, value: Any, folder: Path) -> str:
    names = [str(name) for name in (value if isinstance(value, list) else [value])]
    if key in _HOSTS or any("://" in name for name in names):
        return "another host"
    if key in ("web", "services", "proxy", "contact") and value:
        return "hosts on the web"
    if key not in ("out", "index"):
        return ""
    try:
        inside = all((folder / name).resolve().is_relative_to(folder.resolve()) for name in names)
    except (OSError, RuntimeError, ValueError):  # links in a circle, or no name at all
        inside = False
    return "" if inside else "a place outside this folder"


def _from_file(path: Path, required: bool = False) -> dict[str, Any]:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # a pipe would be waited for
            raise ResearchError(f"{path} is no file; move it away, or name a file of settings with --config", USAGE)
        with path.open("rb") as opened:
            text = opened.read(LONGEST_FILE + 1)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not required:
            return {}
        raise ResearchError(f"{path} cannot be read ({error.strerror}); mend or remove it", USAGE) from error
    if len(text) > LONGEST_FILE:
        raise ResearchError(f"{path} is longer than {LONGEST_FILE:,} bytes: no file of settings; remove it", USAGE)
    try:
        return tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, UnicodeDecodeError, a number too long to be read
        raise ResearchError(f"{path} is not valid TOML ({error}); mend or remove it", USAGE) from error


def _from_environment() -> dict[str, Any]:
    found = {
        n.removeprefix("RESEARCH_").lower(): v
        for n, v in os.environ.items()
        if n.startswith("RESEARCH_") and n not in ("RESEARCH_TRACING", "RESEARCH_SERVE_TOKEN", "RESEARCH_WRITER_TOKEN")
    }
    if "docs" in found:
        return {**found, "docs": tuple(found["docs"].split(os.pathsep))}
    return dict(found)


KEYS = (
    "OPENALEX_API_KEY",
    "SEMANTIC_SCHOLAR_API_KEY",
    "S2_API_KEY",
    "CORE_API_KEY",
    "BRAVE_API_KEY",
    "TAVILY_API_KEY",
)
RING = "palimpsest"  # under this name a key ring keeps them: keyring set palimpsest BRAVE_API_KEY


def service_keys() -> dict[str, str]:
    """Keys of services, from the environment or a key ring: they stand in no file of settings, run or log."""
    found = {name: value for name in KEYS if (value := _secret(name))}
    if "S2_API_KEY" in found:
        found.setdefault("SEMANTIC_SCHOLAR_API_KEY", found["S2_API_KEY"])
    return found


def serve_token() -> str | None:
    """The token that `research serve` asks for and `--model http://...` sends; None when there is none."""
    return _secret("RESEARCH_SERVE_TOKEN")


def _secret(name: str) -> str | None:
    """A variable of the environment, else what the key ring keeps under its name. ResearchError for a ring that does not open."""
    if os.environ.get(name) or find_spec("keyring") is None:
        return os.environ.get(name) or None
    import keyring
    from keyring.errors import KeyringError, NoKeyringError

    try:
        return keyring.get_password(RING, name) or None
    except NoKeyringError:  # the library is there and no ring is
        return None
    except KeyringError as error:
        raise ResearchError(
            f"the key ring did not give {name} ({error}); unlock it, or set {name} as a variable"
        ) from error


def writer_token() -> str | None:
    """The token that `--writer URL#MODEL` sends; None when there is none. It stands in no file of settings, run or log."""
    return _secret("RESEARCH_WRITER_TOKEN")


def may_trace() -> bool:
    """LangGraph can post whole runs to LangSmith; a person's research leaves the machine only with RESEARCH_TRACING=1."""
    return os.environ.get("RESEARCH_TRACING") == "1"


def keep_tracing_off() -> None:
    """Take away, for this process, the variables that turn LangSmith on."""
    if not may_trace():
        for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"):
            os.environ.pop(name, None)
