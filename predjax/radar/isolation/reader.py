"""The reading of files of strangers by another process, so that a damaged or malicious file ends only that process."""

import contextlib
import dataclasses
import itertools
import json
import logging
import math
import os
import select
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from predjax.messages import warn_once
from predjax.radar.formats.catalogue import Reading
from predjax.radar.formats.labels import Header
from predjax.radar.isolation.arrays import ProcessArray
from predjax.radar.isolation.encoding import HEAD, decode
from predjax.radar.isolation.process import Limits, start_process

_LOG = logging.getLogger("predjax")
_STARTING = 120.0  # seconds that the process may take to import what it needs
_TICK = 200  # milliseconds until a signal is heard
_MOST_LABELS = 2**28  # bytes of the labels of a file
_OF_PARTS = {"RuntimeError": RuntimeError, "OSError": OSError, "IndexError": IndexError}


class Stopped(BaseException):
    """Reading ended because it was told to stop. Like KeyboardInterrupt, this is not an error of a file."""


class _Ended(ValueError):
    """The process ended, or asked for too much memory."""


class FileReader:
    """A process that reads files: `read_unsaid`, `survey_files` and `Feed` take it as their option `reader`.

    Whatever a file does to the process (any exception, a crash, more time or memory than the limits) becomes an error
    of one line with the name of the file, and a new process reads the next file. The process starts when it is needed,
    locks no file, and ends with this object.

    While `stopped` returns true, which is asked 5 times a second, reading ends with `Stopped`.
    """

    def __init__(self, limits: Limits | None = None, stopped: Callable[[], bool] = lambda: False) -> None:
        self._limits, self._stopped = limits or Limits(), stopped
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._finish: Callable[[], object] = lambda: None
        self._ready = False  # whether it has said that it is
        self._served = 0  # requests
        self._ahead: tuple[Any, Any] = None, None  # the request of the last labels, and the frame that came with them
        self._next: dict[str, str] = {}  # the file whose labels are asked for after those of a file
        self._sent: dict[str, Any] | None = None  # the request without an answer
        self._kept: tuple[Any, Any] = None, None  # a request that was sent ahead, and the message that answers it

    def start(self) -> None:
        """Start the process unless it runs; it prepares itself while this process does something else."""
        if self._process is not None:
            return
        self._process = start_process(self._limits)
        self._finish = weakref.finalize(self, _finish, self._process)
        self._ready, self._served = False, 0

    def close(self) -> None:
        """End the process; the next request starts another one."""
        self._finish()
        self._process = self._sent = None
        self._kept = None, None

    def expect(self, files: Sequence[str]) -> None:
        """Announce that the labels of these files are asked for next, in this order.

        The process reads the labels of a file while this process works with those of the file before.
        """
        with self._lock:
            if self._sent is not None:
                self._keep_answer()
            self._kept = None, None  # of the files as they were before
            self._next = dict(itertools.pairwise(files))

    def ask_ahead(self, file: str, reading: Reading) -> None:
        """Ask for the labels of the first expected file, so that the process has read them when they are needed."""
        with self._lock:
            if self._sent is None:
                self.start()
                self._send_ahead(self._make_request(file, reading))

    def read_labels(self, file: str, reading: Reading, numbers: "FileReader | None" = None) -> Header:
        """Read the labels of a file as `catalogue.read_labels` does. This process also reads its numbers.

        With `numbers`, that process reads the numbers instead.
        """
        request = self._make_request(file, reading)
        answer = self._ask("open", request, _MOST_LABELS)
        try:
            header, frame = answer
            self._ahead = request, frame
            fields, forcings = (
                tuple(one._replace(array=ProcessArray(numbers or self, request, one.array)) for one in part)
                for part in (header.fields, header.forcings)
            )
            return dataclasses.replace(header, file=file, fields=fields, forcings=forcings)
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"{file}: the process that reads it gave no labels") from None

    def read_numbers(self, array: ProcessArray, key: tuple) -> np.ndarray:
        """Read a part of an array; see `ProcessArray.read`."""
        shape = tuple(len(range(size)[one]) for one, size in zip(key, array.shape) if isinstance(one, slice))
        (request, found), self._ahead = self._ahead, (None, None)
        if request is array.request and found is not None:
            found = found[key] if found.shape == array.shape else None
        else:
            parts = [[one.start, one.stop, one.step] if isinstance(one, slice) else int(one) for one in key]
            asked = array.request | {"number": array.place.number, "key": parts}
            found = self._ask("read", asked, math.prod(shape) * array.dtype.itemsize)
        if not isinstance(found, np.ndarray | np.generic) or (found.shape, found.dtype) != (shape, array.dtype):
            raise ValueError(f"{array.request['file']}: has another shape or type than before: was it replaced?")
        return np.asarray(found)

    def _make_request(self, file: str, reading: Reading) -> dict[str, Any]:
        """Return the request for the labels of a file, and for its only frame unless another file is expected next."""
        fields = reading._replace(reader=None)._asdict()
        return {"folder": os.getcwd(), "file": file, "reading": fields, "frame": file not in self._next}

    def _ask(self, task: str, request: dict[str, Any], most: int) -> Any:
        """Return the answer to a request, with at most `most` bytes of numbers. Errors: see the class."""
        file = request["file"]
        with self._lock:
            try:
                answer = self._exchange(task, request, most)
            except _Ended:
                if self._served == 1:
                    raise
                answer = self._exchange(task, request, most)  # a file before may have been the reason
        for level, text in answer["log"]:
            if level >= logging.WARNING:
                warn_once(text)
            else:
                _LOG.log(level, "%s", text)
        if "system" in answer:
            raise OSError(*answer["system"])
        if "error" in answer:
            name, text = answer["error"]
            if task == "read" and name in _OF_PARTS:
                raise _OF_PARTS[name](text)  # which tell the frame that cannot be read
            if name in ("ValueError", "OSError"):
                raise ValueError(text if file in text else f"{file}: {text}")
            raise ValueError(f"{file}: cannot be read ({name}: {text}): is the file damaged?")
        return answer["answer"]

    def _exchange(self, task: str, request: dict[str, Any], most: int) -> dict[str, Any]:
        """Send a request and receive the answer. End the process unless the answer is complete."""
        file, limits = request["file"], self._limits
        try:
            if self._sent not in (None, request):
                self._keep_answer()
            self.start()
            self._served += 1
            self._wait_until_ready()
            end = time.monotonic() + limits.seconds
            kept, message = self._kept
            if kept != request:
                if self._sent is None:
                    self._send(request)
                message, self._sent = self._take_message(end, file, most), None
            else:
                self._kept = None, None
            if task == "open" and file in self._next:
                following = self._next[file]
                self._send_ahead({**request, "file": following, "frame": following not in self._next})
            answer = _decode_message(file, *message)
            if "memory" in answer:
                raise _Ended(f"{file}: asked for more than {limits.memory / 2**30:g} GiB")
            return answer
        except TimeoutError:
            self.close()
            raise ValueError(f"{file}: took more than {limits.seconds:g} s to {task}") from None
        except (EOFError, BrokenPipeError):
            raise _Ended(f"{file}: {self._find_end(task)}") from None
        except BaseException:
            self.close()
            raise

    def _find_end(self, task: str) -> str:
        """End the process; return in words that it ended, and how."""
        process = self._process
        assert process, "it was started"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
        code = process.poll()
        self.close()
        how = signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
        return f"the process that was to {task} it ended with {how}: is the file damaged?"

    def _send(self, request: dict[str, Any]) -> None:
        """Send a request. Errors: BrokenPipeError."""
        assert self._process and self._process.stdin, "it was started"
        self._sent = request
        self._process.stdin.write(json.dumps(request).encode() + b"\n")

    def _send_ahead(self, request: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # which the next request finds out
            self._send(request)

    def _wait_until_ready(self) -> None:
        """Wait for the first message of the process: that it has started."""
        if not self._ready:
            self._take_message(time.monotonic() + _STARTING, "", 0)
            self._ready = True

    def _keep_answer(self) -> None:
        """Receive the answer to a request that was sent ahead; end a process that does not give it."""
        try:
            self._wait_until_ready()
            self._kept = self._sent, self._take_message(time.monotonic() + self._limits.seconds, "", _MOST_LABELS)
            self._sent = None
        except (TimeoutError, EOFError, ValueError):
            self.close()
        except BaseException:  # in the middle of a message
            self.close()
            raise

    def _take_message(self, end: float, file: str, most: int) -> tuple[bytearray, bytearray]:
        """Receive the text and the numbers of the next message. Errors: TimeoutError, EOFError, Stopped; ValueError."""
        texts, numbers = HEAD.unpack(self._take(HEAD.size, end))
        if texts > _MOST_LABELS or numbers > most:
            raise ValueError(f"{file}: labels of {texts + numbers} bytes are not possible")
        return self._take(texts, end), self._take(numbers, end)

    def _take(self, count: int, end: float) -> bytearray:
        """Receive the next `count` bytes of the process."""
        assert self._process and self._process.stdout, "it was started"
        pipe: Any = self._process.stdout  # without a buffer
        ready = select.poll()
        ready.register(pipe, select.POLLIN)
        taken = bytearray(count)
        view = memoryview(taken)
        while view:
            if self._stopped():
                raise Stopped
            if ready.poll(_TICK):
                got = pipe.readinto(view)
                if not got:
                    raise EOFError
                view = view[got:]
            elif time.monotonic() > end:
                raise TimeoutError
        return taken


def _decode_message(file: str, text: bytearray, numbers: bytearray) -> Any:
    """Return the value of a message. Errors: ValueError."""
    try:
        return decode(text, numbers)
    except Exception as error:
        raise ValueError(f"{file}: the process that reads it sent no labels ({type(error).__name__})") from None


def _finish(process: subprocess.Popen) -> None:
    """End a process in any state."""
    process.kill()
    for pipe in filter(None, (process.stdin, process.stdout)):
        pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):  # inside the operating system, on a disk that does not answer
        process.wait(1)
