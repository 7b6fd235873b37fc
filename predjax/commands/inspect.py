"""`predjax inspect`: say what predjax understands of files before anything is trained."""

import dataclasses
from collections.abc import Sequence

from predjax.commands import one_line_errors
from predjax.flags import Command, Group, flag, parse, select
from predjax.jobs.options import InspectOptions
from predjax.messages import show_wait
from predjax.radar.config import READING, DataConfig, Trust
from predjax.radar.isolation.process import MOST_PROCESSES, count_cores, start_early


@dataclasses.dataclass(frozen=True)
class Flags:
    """The data to inspect."""

    data_path: tuple[str, ...] = flag((), "files, folders, globs", metavar="PATH", kind="paths", positional="+")


COMMAND = Command(
    "predjax inspect",
    "Says what predjax understands of files: format, variable, unit, times and gaps, grid, coverage, values, windows; "
    "what was taken for what; which files cannot be read, and why. Writes nothing but the picture that is asked for.",
    (
        Group("data", Flags),
        Group("data", InspectOptions),
        Group("reading", DataConfig, READING),
        Group("reading", Trust),
        Group("windows", DataConfig, ("window_stride", "crop", "crop_mode")),
    ),
)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: exit code 2 where no file can be read. Errors: see `one_line_errors`."""
    values = parse(COMMAND, arguments)
    options, config = InspectOptions(**select(InspectOptions, values)), DataConfig(**select(DataConfig, values))
    trust = Trust(**select(Trust, values))
    start_early(trust, values["data_path"], min(count_cores(), MOST_PROCESSES))
    with show_wait("starting"):
        from predjax.jobs.inspect import run_inspection

    found = run_inspection(values["data_path"], options, config, trust)
    print(found)
    return 0 if found.sources else 2
