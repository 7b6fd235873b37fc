"""Options of data: how to read them, cut them into windows, and hold parts of them out."""

import dataclasses
import datetime

from predjax.flags import flag
from predjax.messages import suggest
from predjax.unit_names import is_known, read_duration

LAYOUTS = ("auto", "movie,y,x,time", "movie,time,y,x", "movie,time,y,x,channel", "time,y,x")
LAYOUTS += ("time,movie,y,x", "movie,time,channel,y,x", "movie,channel,time,y,x", "time,y,x,channel")
LAYOUTS += ("time,channel,y,x", "y,x,time")
LAYOUTS += ("movie,time,feature", "time,feature")  # series
_FRAMES, _SERIES = {"time", "y", "x"}, {"time", "feature"}  # the axes that frames and series must have
UNITS = ("file", "mm/h", "dBZ")
CROP_MODES = ("random", "grid", "centre")
SPLITS = ("auto", "movie", "time")
ON_BAD_WINDOW = ("stop", "skip")
TIMES = ("auto", "none")
# Of how files are read.
READING = ("layout", "variable", "units", "source_units", "accumulation_period", "forcings", "path_length", "engine")
READING += ("time", "time_pattern", "step")
# Of reading frames that arrive.
FEED_OPTIONS = ("layout", "variable", "units", "source_units", "accumulation_period", "path_length", "engine")
FEED_OPTIONS += ("time", "time_pattern", "step")


def read_step(step: str) -> float | None:
    """Return the seconds of a time step such as "5min", "300s" or "1h"; None for "". Errors: ValueError."""
    seconds = read_duration(step) if step else None
    if step and not seconds:
        raise ValueError(f"step must be a time such as 5min, 300s or 1h, not {step!r}")
    return seconds


def check_time_options(time: str, time_pattern: str, step: str) -> None:
    """Raise a ValueError for an unknown choice, a pattern without a day, or a step that is not a duration."""
    if time not in TIMES:
        raise ValueError(f"time must be one of {', '.join(map(repr, TIMES))}, not {time!r}")
    if time_pattern and time == "none":
        raise ValueError(f"time none ignores times, and time_pattern {time_pattern!r} reads them: give one of them")
    if time_pattern:
        date = datetime.datetime(2001, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
        try:
            known = datetime.datetime.strptime(date.strftime(time_pattern), time_pattern).date() == date.date()
        except ValueError:
            known = False
        if not known:
            text = "of year, month and day, such as %Y%m%d%H%M"
            raise ValueError(f"time_pattern must be a pattern {text}, not {time_pattern!r}")
    read_step(step)


def check_unit_options(source_units: str, accumulation_period: str) -> None:
    """Raise a ValueError for a unit that is neither of rain nor reflectivity, or a period that is not a duration."""
    if source_units and not is_known(source_units):
        raise ValueError(f"source_units must be like mm/h, mm, mm/5min, kg m-2 s-1 or dBZ, not {source_units!r}")
    if accumulation_period and read_duration(accumulation_period) is None:
        raise ValueError(f"accumulation_period must be a time such as 5min, 1h or day, not {accumulation_period!r}")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Options of reading, windows and splits; every field is a command line flag.

    Errors: ValueError, a value outside its choices or its range.
    """

    layout: str = flag(
        "auto",
        f"axes of arrays in their order: {'; '.join(LAYOUTS[1:])} ... (default auto: by the shape where one fits)",
        metavar="AXES",
    )
    variable: str = flag(
        "",
        "name (group/name inside a group) or quantity of the frames (default: the only one there is)",
        metavar="NAME",
    )
    units: str = flag("file", "unit of the frames: as in the file, mm/h or dBZ (by the file's own Z-R)", choices=UNITS)
    source_units: str = flag(
        "", "unit of rain or reflectivity in data that state none, such as mm/5min (default: --units)", metavar="UNIT"
    )
    accumulation_period: str = flag(
        "", "period of sums of rain, such as 60min (default: what the files state, else the time step)", metavar="TIME"
    )
    forcings: tuple[str, ...] = flag(
        (), "netCDF variables that are known ahead (default: none)", metavar="NAME,NAME,..."
    )
    path_length: int = flag(
        0, "lines of a path in tables of strains and stresses (.txt, .dat); needed for these alone", metavar="LINES"
    )
    engine: str = flag(
        "", "engine of xarray to open the files with, such as cfgrib (default: by their content)", metavar="NAME"
    )
    time: str = flag("auto", "how frames are dated: as the files say, or not at all (they are numbered)", choices=TIMES)
    time_pattern: str = flag(
        "", "date in the names of files without times, such as %Y%m%d%H%M (default: none)", metavar="PATTERN"
    )
    step: str = flag("", "time step of the frames, such as 5min (default: by their times)", metavar="TIME")
    crop: int = flag(0, "side of square crops in pixels; 0 takes whole frames", metavar="PIXELS")
    crop_mode: str = flag("random", "where training crops lie in the frame", choices=CROP_MODES)
    window_stride: int = flag(1, "frames between the starts of two windows", metavar="FRAMES")
    min_coverage: float = flag(
        0.5, "smallest fraction of valid pixels in a training window, 0 to 1", metavar="FRACTION"
    )
    importance: float = flag(
        0.0,
        "mean of 1 - exp(-R h/mm) from which a training window is always taken; drier ones are taken in proportion to "
        "theirs; 0 takes all",
        metavar="RAIN",
    )
    on_bad_window: str = flag(
        "stop", "on windows of damaged files: stop, or leave them out and count", choices=ON_BAD_WINDOW
    )
    split: str = flag("auto", "hold out whole movies, or the end of the time line", choices=SPLITS)
    valid_fraction: float = flag(0.15, "fraction of the data to validate on, 0 to 1", metavar="FRACTION")
    test_fraction: float = flag(0.15, "fraction of the data to verify on at the end, 0 to 1", metavar="FRACTION")

    def __post_init__(self) -> None:
        check_layout(self.layout)
        choices: dict[str, tuple[str, ...]] = {"units": UNITS, "crop_mode": CROP_MODES}
        choices |= {"split": SPLITS, "on_bad_window": ON_BAD_WINDOW}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                rule, hint = f"one of {', '.join(map(repr, known))}", suggest(str(getattr(self, name)), known)
                raise ValueError(f"{name} must be {rule}, not {getattr(self, name)!r}{hint}")
        check_unit_options(self.source_units, self.accumulation_period)
        check_time_options(self.time, self.time_pattern, self.step)
        if self.path_length < 0:
            raise ValueError(f"path_length must be a number of lines, not {self.path_length}")
        if self.crop < 0:
            raise ValueError(f"crop must be 0 (whole frames) or a number of pixels, not {self.crop}")
        if self.window_stride < 1:
            raise ValueError(f"window_stride must be at least 1 frame, not {self.window_stride}")
        for name in ("min_coverage", "importance", "valid_fraction", "test_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")
        if self.valid_fraction + self.test_fraction >= 1:
            held_out = f"valid_fraction {self.valid_fraction} and test_fraction {self.test_fraction}"
            raise ValueError(f"{held_out} leave nothing for training")


@dataclasses.dataclass(frozen=True)
class Trust:
    """Whether files are trusted. No file of flags sets it."""

    trust_files: bool = flag(
        False, "opens files without limits of time and memory, in this process", switch=True, place=True, typed=True
    )
    follow_links: bool = flag(
        False, "HDF5 files may refer to other files, which are read as well", switch=True, place=True, typed=True
    )


def check_layout(layout: str) -> None:
    """Raise a ValueError unless a layout is "auto" or names each axis once, in any order.

    Frames have time, y and x, and may have movie and channel; series have time and feature, and may have movie.
    """
    axes = layout.split(",")
    complete = any(
        needed <= set(axes) <= needed | more for needed, more in ((_FRAMES, {"movie", "channel"}), (_SERIES, {"movie"}))
    )
    if layout != "auto" and not (complete and len(set(axes)) == len(axes)):
        rule, hint = f"one of {', '.join(map(repr, LAYOUTS))}, or their axes in another order", suggest(layout, LAYOUTS)
        raise ValueError(f"layout must be {rule}, not {layout!r}{hint}")
