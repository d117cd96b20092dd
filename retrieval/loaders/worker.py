"""The process that parses: a bad file can make it crash, hang or swell, and nothing else.

The parent writes a JSON request a line and reads a JSON answer a line.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from ..types import RetrievalError
from .limits import Limits

_ROOT = str(Path(__file__).parents[3])
_START_SECONDS = 120.0  # a busy machine may take long to start a process
READER = f"{__package__}.reading"
_IDLE_SECONDS = 60.0  # after which a worker without work ends


class Worker:
    """One process, started when first needed and again after it was killed. Safe for threads: one file at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.Queue[bytes] = queue.Queue()
        self._limits: Limits | None = None

    def read(
        self, path: str, limits: Limits, uri: str | None = None, *, reader: str = READER, seconds: float | None = None
    ) -> bytes:
        """The JSON that the function `read` of the module `reader` makes of a file: by default a document's fields.

        Raises RetrievalError, naming the file. `seconds`, if given, is for this file, and for waiting until others are read.
        """
        begun = time.monotonic()
        if not self._lock.acquire(timeout=-1 if seconds is None else max(seconds, 0.0)):
            raise RetrievalError(f"{path} was not read in its time: others were before it.", retryable=True)
        try:
            self._ready(limits)
            left = limits.seconds if seconds is None else max(seconds - (time.monotonic() - begun), 1.0)
            return self._asked({"path": path, "uri": uri, "reader": reader}, limits, min(left, limits.seconds))
        except BaseException as error:
            if not isinstance(error, RetrievalError) or self._process is None:
                self._kill()  # it may still answer to the question that nobody waits for now
            raise
        finally:
            self._lock.release()

    def warm(self, limits: Limits) -> None:
        """Start the process in the background, so that the first file does not wait for it."""

        def start() -> None:
            with self._lock, suppress(RetrievalError):  # whoever needs it then hears why it does not start
                self._ready(limits)

        threading.Thread(target=start, daemon=True).start()

    def close(self) -> None:
        with self._lock:
            self._kill()

    def _asked(self, asked: dict[str, Any], limits: Limits, seconds: float) -> bytes:
        from .reading import printable

        request = json.dumps(asked).encode() + b"\n"
        name = printable(asked["path"])
        try:
            assert self._process is not None, "_ready has started it"
            assert self._process.stdin is not None
            self._process.stdin.write(request)
            self._process.stdin.flush()
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            self._kill()
            raise RetrievalError(
                f"{name} takes longer than {seconds:.3g} s to read; split it or raise reading.seconds."
            ) from None
        except OSError as exc:
            self._kill()
            raise RetrievalError(
                f"{name} could not be read: the reading process ended ({exc.strerror}); try again.", retryable=True
            ) from exc
        if not answer:
            self._kill()
            raise RetrievalError(
                f"{name} is damaged or needs more than {limits.memory_bytes // 2**20} MB to read; "
                "save it again, split it or raise reading.memory_bytes."
            )
        kind, _, rest = answer.partition(b" ")
        if kind == b"document":
            return rest
        raise RetrievalError(str(json.loads(rest)))

    def _ready(self, limits: Limits) -> None:
        if self._process is not None and (self._process.poll() is not None or self._limits != limits):
            self._kill()
        if self._process is None:
            self._start(limits)

    def _start(self, limits: Limits) -> None:
        code = (
            f"import sys; sys.path.insert(0, {_ROOT!r}); from palimpsest.retrieval.loaders.worker import main; main()"
        )
        try:
            # -P: a file json.py in the folder that the user works in is not imported.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", code, json.dumps(asdict(limits))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except OSError as exc:
            raise RetrievalError(
                f"No process could be started to read files in: {exc.strerror}; free some memory."
            ) from exc
        self._limits, self._answers = limits, queue.Queue()
        threading.Thread(target=_gather, args=(self._process.stdout, self._answers), daemon=True).start()
        try:
            ready = self._answers.get(timeout=_START_SECONDS)
        except queue.Empty:
            ready = b""
        if ready != b"ready":
            self._kill()
            raise RetrievalError("The process that reads files did not start; free some memory and try again.")

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
        except (ProcessLookupError, PermissionError):
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                _close(stream)


def _close(stream: Any) -> None:
    with suppress(OSError):  # what was not yet written goes nowhere
        stream.close()


def _gather(stream: Any, answers: queue.Queue[bytes]) -> None:
    with suppress(OSError, ValueError):  # closed under its reader
        for line in stream:
            answers.put(line.rstrip(b"\n"))
    answers.put(b"")


WORKER = Worker()
atexit.register(WORKER.close)


# The other side


def main() -> None:
    """Answer requests until the parent is gone or silent for long."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # threads of their own cost address space
    limits = Limits(**json.loads(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _bound(limits)
    answers.write(b"ready\n")
    answers.flush()
    for line in _requests():
        signal_after(limits.seconds + 15)
        answers.write(_answer(line, limits) + b"\n")
        answers.flush()
        signal_after(0)


def _requests() -> Any:
    import select

    while True:
        if os.name == "posix" and not select.select([0], [], [], _IDLE_SECONDS)[0]:
            return
        line = sys.stdin.buffer.raw.readline() if hasattr(sys.stdin.buffer, "raw") else sys.stdin.buffer.readline()
        if not line:
            return
        yield line


def _answer(line: bytes, limits: Limits) -> bytes:
    from .reading import printable

    request = json.loads(line)
    try:
        read = import_module(request["reader"]).read
        return b"document " + json.dumps(read(request["path"], limits, request["uri"])).encode()
    except RetrievalError as exc:
        return b"error " + json.dumps(str(exc)).encode()
    except MemoryError:
        os._exit(3)  # what is left of the process cannot be relied on
    except RecursionError:
        return (
            b"error "
            + json.dumps(f"{printable(request['path'])} is nested too deeply to be read; flatten it.").encode()
        )
    except Exception as exc:  # noqa: BLE001  any parser may raise anything on a damaged file; the process is the border
        reason = f"{type(exc).__name__}: {' '.join(str(exc).split())[:120]}"
        return b"error " + json.dumps(f"{printable(request['path'])} is damaged ({reason}); save it again.").encode()


def _bound(limits: Limits) -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def signal_after(seconds: float) -> None:
    """Have the system end this process then, also in the midst of a parser's C code: the parent may be dead."""
    if hasattr(signal, "alarm"):
        signal.alarm(int(seconds))
