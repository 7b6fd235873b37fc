"""Processes that read files: one for a few files, several side by side for a long archive."""

from collections.abc import Callable, Sequence

from predjax.radar.config import Trust
from predjax.radar.formats.catalogue import Reading
from predjax.radar.formats.labels import Header
from predjax.radar.isolation.process import MOST_PROCESSES, Limits, count_cores, find_limits
from predjax.radar.isolation.reader import FileReader

_MANY = 500  # files, whose labels take longer than the start of another process


def open_reader(trust: Trust, stopped: Callable[[], bool] = lambda: False) -> "ReaderPool | None":
    """Return the processes that read files, by how far they are trusted; None if this process reads, as on Windows."""
    limits = find_limits(trust)
    return ReaderPool(limits, stopped) if limits else None


class ReaderPool:
    """Processes that read files; `read_unsaid`, `survey_files` and `Feed` take it as `reader`, like a `FileReader`.

    The first process reads all numbers, and the labels of a few files. If many files are expected, up to four
    processes, one for each core, read the labels in turn: the first process those of the first file, the second process
    those of the second file, and so on. The further processes end with the last of these files.
    """

    def __init__(self, limits: Limits, stopped: Callable[[], bool] = lambda: False) -> None:
        self._readers = [FileReader(limits, stopped) for _ in range(min(count_cores(), MOST_PROCESSES))]
        self._turns: dict[str, FileReader] = {}  # the further processes, by the file whose labels they read
        self._first: list[str] = []  # of the further processes, until they are asked for
        self._last = ""

    def start(self) -> None:
        """Start the first process unless it runs."""
        self._readers[0].start()

    def close(self) -> None:
        """End all processes; the next request starts one again."""
        for reader in self._readers:
            reader.close()

    def expect(self, files: Sequence[str]) -> None:
        """Announce that the labels of these files are asked for next, in this order; see `FileReader.expect`."""
        count = len(self._readers) if len(files) >= _MANY else 1
        self._readers[0].expect(files[::count])
        self._turns, self._first, self._last = {}, list(files[1:count]), files[-1] if files else ""
        for number, reader in enumerate(self._readers[1:count], 1):
            reader.expect(files[number::count])
            self._turns |= dict.fromkeys(files[number::count], reader)

    def read_labels(self, file: str, reading: Reading) -> Header:
        """Read the labels of a file as `catalogue.read_labels` does. Errors: see `FileReader`."""
        for one in self._first:
            self._turns[one].ask_ahead(one, reading)
        self._first = []
        try:
            return self._turns.get(file, self._readers[0]).read_labels(file, reading, numbers=self._readers[0])
        finally:
            if file == self._last:
                for reader in set(self._turns.values()):
                    reader.close()
