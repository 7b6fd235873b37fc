"""The journal of a folder of nowcasts: which files were written from which frames, and which of them are whole."""

import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from predjax.files import open_own, write_text
from predjax.jobs.frame_states import Inputs

NAME = ".predjax-nowcasts.jsonl"


class Entry(NamedTuple):
    """The files of one nowcast, by their names in the folder."""

    files: tuple[str, ...]
    whole: bool  # whether all of them were written; else some may be there
    inputs: Inputs = ()  # the frames that the whole nowcast was made from


class Journal:
    """The nowcasts of a folder by the names of their init times; whoever uses it holds the folder (`locks.hold`).

    A line is added before the first file of a nowcast is written, and another one after the last, so that a process
    that is killed in between leaves no file that nobody knows.
    """

    def __init__(self, folder: str | os.PathLike):
        self._path = pathlib.Path(folder) / NAME
        self.entries: dict[str, Entry] = {}
        self._read()

    def _read(self) -> None:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                found = json.loads(line)
                names = tuple(str(name) for name in found["files"] if os.path.basename(name) == name)
                inputs = tuple((_read_time(time), tuple(version)) for time, *version in found.get("inputs", ()))
                self.entries[str(found["init"])] = Entry(names, found["whole"] is True, inputs)
            except (ValueError, TypeError, KeyError):  # the last line of a killed process
                continue

    def shorten(self, most: int) -> None:
        """Forget all but the last `most` nowcasts. Errors: OSError."""
        if self.entries:
            self.forget(list(self.entries)[:-most])

    def begin(self, init: str, files: Iterable[str]) -> None:
        """Note the files that are written from now on. Errors: OSError."""
        before = self.entries.get(init)
        names = dict.fromkeys([*(before.files if before else ()), *files])
        self._add(init, Entry(tuple(names), whole=False))

    def end(self, init: str, inputs: Inputs = ()) -> None:
        """Note that the files of a nowcast are whole, and the frames that it was made from. Errors: OSError."""
        self._add(init, self.entries[init]._replace(whole=True, inputs=inputs))

    def forget(self, inits: Iterable[str]) -> None:
        """Leave out nowcasts whose files are removed. Errors: OSError."""
        for init in inits:
            self.entries.pop(init)
        write_text(self._path, "".join(_line(*one) for one in self.entries.items()))

    def _add(self, init: str, entry: Entry) -> None:
        with open(self._path, "ab", opener=open_own) as file:
            start = file.tell()
            try:
                file.write(_line(init, entry).encode())
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), start)
                raise
        self.entries.pop(init, None)  # the newest comes last
        self.entries[init] = entry


def _line(init: str, entry: Entry) -> str:
    inputs = [[str(time) if isinstance(time, np.datetime64) else int(time), *version] for time, version in entry.inputs]
    # The line break comes first: it ends what a killed process may have left.
    return "\n" + json.dumps({"init": init, "files": entry.files, "whole": entry.whole, "inputs": inputs})


def _read_time(value: str | int) -> Any:
    """Return the time of a frame, or the number of a frame without a date."""
    return np.datetime64(value) if isinstance(value, str) else value
