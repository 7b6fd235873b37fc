"""The writing of a store: arrays that grow, and a journal from which an interrupted run continues.

Until it is complete, a store lies in the hidden folder `.NAME.part` beside it: `store/` and `journal.jsonl`. The first
line of the journal has the arguments and the archive that the store is made of. Every other line stands for a slab of
frames on disk, and is written after the slab.
"""

import contextlib
import io
import json
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from predjax.files import flush_folder, open_own
from predjax.locks import LOCK, hold
from predjax.radar.store.reading import FORMAT, INDEX, VERSION, is_store
from predjax.radar.store.removal import refuse_foreign, refuse_link, remove_store

JOURNAL, OLD = "journal.jsonl", "old"


class GrowingArray:
    """A .npy file that grows along its first axis; before `finish` its header says that there are no rows."""

    def __init__(self, path: pathlib.Path, dtype: str, shape: tuple[int, ...], rows: int):
        """Open the file, or make it, and keep only its first `rows` rows. `dtype` and `shape` are those of one row."""
        self.path, self._dtype, self._shape, self._rows = path, np.dtype(dtype), tuple(shape), rows
        self._file = open(path, "r+b" if path.exists() else "x+b", buffering=0, opener=open_own)  # noqa: SIM115
        if rows == 0:
            self._file.truncate(0)
            self._write_header(0)
        else:
            self._file.seek(0)
            np.lib.format.read_magic(self._file)
            np.lib.format.read_array_header_1_0(self._file)
        self._begin = self._file.tell()
        size = self._begin + rows * self._dtype.itemsize * int(np.prod(self._shape))
        if os.fstat(self._file.fileno()).st_size < size:
            self._file.close()
            raise ValueError(f"{path}: shorter than its journal says: delete {path.parents[2]} to start anew")
        self._file.truncate(size)
        self._file.seek(size)

    def append(self, rows: np.ndarray) -> None:
        """Write rows to disk."""
        if not len(rows):
            return
        with _named(self.path):
            _write(self._file, np.ascontiguousarray(rows, self._dtype).data)
            os.fsync(self._file.fileno())
        self._rows += len(rows)

    def finish(self) -> int:
        """Write the header and close the file; return its size in bytes."""
        with _named(self.path):
            self._write_header(self._rows)
            if self._file.tell() != self._begin:
                raise ValueError(f"{self.path}: the header does not fit")  # numpy leaves room for any number of rows
            os.fsync(self._file.fileno())
        self._file.close()
        return self.path.stat().st_size

    def close(self) -> None:
        """Close the file; the rows in it stay."""
        self._file.close()

    def _write_header(self, rows: int) -> None:
        self._file.seek(0)
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (rows, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


class Journal:
    """The hidden folder of one store, open for this process alone; a context manager.

    Attributes:
      store: the folder to write to.
      slabs: the lines of the journal of every grid, in order.
    """

    def __init__(self, output: pathlib.Path, arguments: dict, archive: list[list], overwrite: bool):
        """Continue the journal of the same arguments and archive, or begin a new one.

        Args:
          output: where the store will be.
          arguments: JSON values by name.
          archive: [file, size, time of change in ns] of every file.
          overwrite: begin anew where arguments or archive differ from the journal.

        Errors: ValueError, which names the first difference; another process writes this store; the hidden folder holds
        files that are no part of a store.
        """
        self.folder = output.with_name(f".{output.name}.part")
        self.store = self.folder / "store"
        self.slabs: dict[int, list[dict]] = {}
        refuse_link(self.folder)
        self._held = contextlib.ExitStack()
        self._held.enter_context(hold(self.folder))
        try:
            foreign = sorted(set(os.listdir(self.folder)) - {JOURNAL, LOCK, self.store.name, OLD})
            if foreign:
                raise ValueError(f"{self.folder / foreign[0]} is no part of a store in the making: move it away first")
            refuse_foreign(self.store)
            self._file = open(self.folder / JOURNAL, "a+b", buffering=0, opener=open_own)  # noqa: SIM115
            self._held.callback(self._file.close)
            if is_store(output):
                remove_store(self.folder / OLD)  # of a process that was killed at its very end
            lines, end = self._read()
            difference = _find_difference(lines[0], arguments, archive) if len(lines) > 1 else ""
            if difference and not overwrite:
                raise ValueError(f"{self.folder} was begun {difference}: --overwrite starts anew")
            if difference or len(lines) < 2 or not self.store.is_dir():
                remove_store(self.store)
                lines, end = [], 0
            self._file.truncate(end)
            if not lines:
                self._write({"version": VERSION, "arguments": arguments, "archive": archive})
            for line in lines[1:]:
                self.slabs.setdefault(line["grid"], []).append(line)
            self.store.mkdir(exist_ok=True)
        except BaseException:
            self._held.close()
            raise

    def _read(self) -> tuple[list[dict], int]:
        """Return the complete lines, and the position in bytes of the end of the last one."""
        self._file.seek(0)
        lines, end = [], 0
        for line in self._file.read().splitlines(keepends=True):
            try:
                lines.append(json.loads(line))
            except ValueError:
                break  # cut off
            end += len(line)
        return lines, end

    @property
    def resumed(self) -> bool:
        """Whether there was a journal with at least one slab."""
        return bool(self.slabs)

    def add(self, line: dict) -> None:
        """Add a line for a slab of the grid `line["grid"]` that is on disk."""
        self._write(line)
        self.slabs.setdefault(line["grid"], []).append(line)

    def _write(self, line: dict) -> None:
        with _named(self.folder / JOURNAL):
            _write(self._file, (json.dumps(line) + "\n").encode())
            os.fsync(self._file.fileno())

    def finish(self, output: pathlib.Path, index: dict) -> None:
        """Write the index and give the store its name; an older store of that name is replaced.

        Errors: ValueError, the older store holds other files; it stays, and so does the new one under its hidden name.
        """
        path = self.store / INDEX
        with _named(path), open(path, "wb", opener=open_own) as file:
            file.write(_format_index(index).encode())
            file.flush()
            os.fsync(file.fileno())
        for folder in (*(self.store / grid["folder"] for grid in index["grids"]), self.store):
            flush_folder(folder)
        old = self.folder / OLD
        if is_store(output):
            refuse_foreign(output)
            os.rename(output, old)
        os.rename(self.store, output)
        flush_folder(output.parent)
        remove_store(old)
        self._remove()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        if not self.slabs:  # nothing to go on with
            with contextlib.suppress(ValueError, OSError):
                self._remove()
        self._held.close()

    def _remove(self) -> None:
        """Remove the hidden folder, which is not needed any more."""
        remove_store(self.store)
        self._held.close()
        (self.folder / JOURNAL).unlink(missing_ok=True)
        self.folder.rmdir()


def write_values(path: pathlib.Path, values: np.ndarray) -> int:
    """Save a small array; return the size of the file in bytes."""
    with _named(path), open(path, "wb", opener=open_own) as file:
        np.save(file, values)
        file.flush()
        os.fsync(file.fileno())
    return path.stat().st_size


def _find_difference(first: dict, arguments: dict, archive: list[list]) -> str:
    """Return in words how arguments and archive differ from the first line of a journal, or ""."""
    if first.get("version") != VERSION:
        return f"by another version of {FORMAT}"
    for name, value in arguments.items():
        if first["arguments"].get(name) != value:
            return f"with {name} {first['arguments'].get(name)!r}, now it is {value!r}"
    before, now = ({file: state for file, *state in files} for files in (first["archive"], archive))
    for words, files in (("without", now.keys() - before.keys()), ("with", before.keys() - now.keys())):
        if files:
            return f"{words} {min(files)}" + (f" and {len(files) - 1} more files" if len(files) > 1 else "")
    changed = [file for file in now if now[file] != before[file]]
    if changed:
        return f"before {changed[0]} changed"
    return "" if list(before) == list(now) else "with the files in another order"


def _format_index(index: dict) -> str:
    """Return JSON with one line for each value, two levels deep."""

    def lines(values: dict, indent: str) -> str:
        return ",\n".join(f"{indent}{json.dumps(name)}: {json.dumps(value)}" for name, value in values.items())

    grids = ",\n".join("  {\n" + lines(grid, "   ") + "\n  }" for grid in index["grids"])
    rest = {name: value for name, value in index.items() if name != "grids"}
    return "{\n" + lines(rest, " ") + ',\n "grids": [\n' + grids + "\n ]\n}\n"


@contextlib.contextmanager
def _named(path: pathlib.Path) -> Iterator[None]:
    """Add the name of the file, and the advice to run the command again, to errors of writing in this block."""
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}; the same command goes on from here"
        raise OSError(error.errno, reason, str(path)) from None


def _write(file: io.FileIO, data: bytes | memoryview) -> None:
    """Write all of the data: an unbuffered file may take only a part at a time."""
    view = memoryview(data).cast("B")
    while len(view):
        view = view[file.write(view) :]
