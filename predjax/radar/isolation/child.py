"""A process that reads files for its parent: it waits for requests and answers each, within limits.

It imports no jax. A file that makes it crash, hang or ask for memory ends this process alone.
"""

import collections
import contextlib
import dataclasses
import fcntl
import gc
import json
import logging
import math
import os
import pathlib
import re
import resource
import signal
import sys
from typing import Any, BinaryIO

import numpy as np

from predjax.radar.formats.catalogue import Reading, read_labels
from predjax.radar.formats.labels import Header
from predjax.radar.formats.netcdf_lock import NETCDF_LOCK
from predjax.radar.formats.open_files import OPEN_FILES
from predjax.radar.formats.other_files import load_compressions
from predjax.radar.isolation.encoding import Place, encode

_MOST_HEADERS = 64  # that are kept
_MOST_AHEAD = 2**22  # bytes of a frame that is sent with the labels
_LATER = 5.0  # seconds after the deadline of the parent at which a child whose parent has died ends by itself


class Server:
    """The labels of the files that were read last, which are needed to read the numbers of these files."""

    def __init__(self) -> None:
        self._headers: collections.OrderedDict[str, Header] = collections.OrderedDict()

    def answer(self, request: dict[str, Any]) -> Any:
        """Return the answer to a request: the labels of a file and its only frame, or a part of one of its arrays.

        The arrays in the labels are `Place`s. The request has the folder of a relative path, the path, the fields of
        `Reading`, whether the frame is wanted, and for a part the number of the array and the key of each of its axes:
        a number, or start, stop and step.
        """
        os.chdir(request["folder"])
        file, fields = request["file"], {**request["reading"], "forcings": tuple(request["reading"]["forcings"])}
        name = json.dumps([request["folder"], file, fields])
        if "key" not in request:
            OPEN_FILES.close()  # others may want to change them
            self._headers.pop(name, None)
        if name not in self._headers:
            self._headers[name] = read_labels(file, Reading(**fields))
        self._headers.move_to_end(name)
        while len(self._headers) > _MOST_HEADERS:
            self._headers.popitem(last=False)
        header = self._headers[name]
        if "key" not in request:
            return _place_arrays(header), _read_only_frame(header) if request["frame"] else None
        array = (*header.fields, *header.forcings)[request["number"]].array
        key = tuple(slice(*one) if isinstance(one, list) else one for one in request["key"])
        with NETCDF_LOCK:
            return np.asarray(array.read(key))


def _place_arrays(header: Header) -> Header:
    """Return a header that can be sent, in which a `Place` stands for each array."""
    places: list[Any] = []
    for number, field in enumerate((*header.fields, *header.forcings)):
        array: Any = getattr(field.array, "variable", field.array)
        place: Any = Place(number, field.array.name, tuple(array.shape), array.dtype.str)
        places.append(field._replace(array=place))
    count = len(header.fields)
    return dataclasses.replace(header, fields=tuple(places[:count]), forcings=tuple(places[count:]))


def _read_only_frame(header: Header) -> np.ndarray | None:
    """Return the array of a file that has one frame, because it is asked for next. None for other or damaged files."""
    if header.movies != 1 or header.length != 1 or len(header.fields) != 1:
        return None
    array: Any = getattr(header.fields[0].array, "variable", header.fields[0].array)
    if math.prod(array.shape) * array.dtype.itemsize > _MOST_AHEAD:
        return None
    with contextlib.suppress(Exception), NETCDF_LOCK:
        return np.asarray(header.fields[0].array.read((slice(None),) * len(array.shape)))
    return None


def _measure_unused() -> int:
    """Return the bytes of address space without memory, which libraries reserve for each core; 0 if unknown."""
    try:
        size, used = pathlib.Path("/proc/self/statm").read_text().split()[:2]
    except OSError:
        return 0
    return (int(size) - int(used)) * resource.getpagesize()


def _is_full(memory: int) -> bool:
    """Return whether most of the memory was in use at some time, as libraries may leak it. False if unknown."""
    try:
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        return False
    peak = re.search(r"^VmHWM:\s*(\d+) kB", status, re.M)  # `ru_maxrss` begins with the memory of the parent
    return peak is not None and int(peak[1]) * 1024 > 0.75 * memory


def _describe(error: Exception, full: bool) -> dict[str, Any]:
    """Return an error in the form from which the parent raises it again."""
    if full or isinstance(error, MemoryError):
        return {"memory": True}
    if isinstance(error, OSError) and error.strerror:
        return {"system": [error.errno, error.strerror, error.filename]}
    return {"error": [type(error).__name__, str(error)]}


class _Lines(logging.Handler):
    """A handler that collects the logged lines, for the parent to log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[list] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append([record.levelno, record.getMessage()])


def serve(requests: BinaryIO, answers: BinaryIO, seconds: float, memory: int) -> None:
    """Answer requests, each a line of JSON, until there are no more or most of the memory is used."""
    server, log = Server(), _Lines()
    logger = logging.getLogger("predjax")
    logger.addHandler(log)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    answers.writelines(encode("ready"))
    answers.flush()
    fcntl.fcntl(requests, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(requests, fcntl.F_GETFL)
    for line in requests:
        signal.setitimer(signal.ITIMER_REAL, seconds + _LATER)
        fcntl.fcntl(requests, fcntl.F_SETFL, flags | os.O_ASYNC)  # SIGIO ends this process with its parent
        try:
            parts = encode({"answer": server.answer(json.loads(line)), "log": log.lines})
        except Exception as error:  # whatever a file causes is said to the parent
            parts = encode({**_describe(error, _is_full(memory)), "log": log.lines})
        fcntl.fcntl(requests, fcntl.F_SETFL, flags)
        log.lines.clear()
        answers.writelines(parts)
        answers.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)
        if _is_full(memory):
            break


def main(seconds: float, memory: int, follow_links: bool) -> None:
    """Serve the parent on stdin and stdout, with a limit on memory in bytes."""
    for ending in (signal.SIGALRM, signal.SIGIO):
        signal.signal(ending, signal.SIG_DFL)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):  # what a library prints is no answer
        os.dup2(nothing, number)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "darwin":  # where such a limit cannot be set
        most = memory + _measure_unused()
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    OPEN_FILES.alone = not follow_links
    load_compressions()
    gc.freeze()  # what is imported stays
    serve(requests, answers, seconds, memory)
