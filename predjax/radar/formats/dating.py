"""The dates of the frames of a Dataset: from its time labels, or from the name of its file."""

import contextlib
from typing import NamedTuple

import numpy as np
import xarray as xr

from predjax.radar.formats import cf, times
from predjax.radar.formats.time_labels import NotDates, read_dates, read_file_name

HELP = "--time_pattern reads dates in file names, --time none numbers the frames"


class TimeOptions(NamedTuple):
    """The options of times: the fields of the same names in `radar.config.DataConfig`."""

    time: str = "auto"
    time_pattern: str = ""
    step: str = ""


AS_IN_FILE = TimeOptions()


class Dating(NamedTuple):
    """The dates of frames."""

    dates: np.ndarray | None  # (movie, time), or None for frames that are numbered
    variable: str  # the variable that has them, or ""
    remarks: tuple[str, ...]


class FrameLabels(NamedTuple):
    """The frames of a Dataset: their variable, its roles, the sizes by role, and the file."""

    dataset: xr.Dataset
    name: str
    roles: dict[str, str]
    sizes: dict[str, int]
    file: str

    def read(self, variable: str) -> np.ndarray:
        """Return the values (movie, time) of a variable that has both, one or none of these dimensions.

        Texts that are stored as characters are joined.
        """
        one = self.dataset.variables[variable]
        values, dims = np.asarray(one.values), [str(dim) for dim in one.dims]
        if values.dtype == "S1" and dims and self.roles.get(dims[-1]) not in ("movie", "time"):
            values, dims = np.ascontiguousarray(values).view(f"S{values.shape[-1]}")[..., 0], dims[:-1]
        there = [self.roles[dim] for dim in dims if self.roles.get(dim) in ("movie", "time")]
        values = values.reshape([self.sizes[role] for role in there])
        values = values.T if there == ["time", "movie"] else values[:, None] if there == ["movie"] else values
        return np.broadcast_to(values, (self.sizes.get("movie", 1), self.sizes.get("time", 1)))

    def read_dates(self, variable: str) -> tuple[np.ndarray, str]:
        """Return the dates (movie, time) of a variable, and a remark or "". Errors: see `time_labels.read_dates`."""
        attrs = cf.attributes(self.dataset.variables[variable])
        return read_dates(self.read(variable), attrs, f"{self.file}: {variable.rpartition('/')[2]}")


def date_frames(labels: FrameLabels, options: TimeOptions) -> Dating:
    """Return the dates of frames, read from the first label of `cf.find_times`, else from the name of the file.

    Errors: ValueError: times that do not increase; a label that is not understood and does not count frames either; a
    file name without the date that the options ask for, or with another one than the label.
    """
    found = cf.find_times(labels.dataset, labels.name, labels.roles)
    if options.time == "none":
        ignored = ", ".join(name.rpartition("/")[2] for name in found) or "the file has none"
        return Dating(None, "", (f"times are ignored ({ignored}), the frames are numbered (--time none)",))
    dating, unread = Dating(None, "", ()), None
    if found:
        try:
            dates, remark = labels.read_dates(found[0])
        except NotDates as error:
            unread = error
        else:
            times.check_increasing(dates, f"{labels.file}: {found[0].rpartition('/')[2]}")
            dating = Dating(dates, found[0], (remark,) if remark else ())
    if options.time_pattern:
        return _date_by_name(labels, options.time_pattern, dating)
    if unread is not None:
        return _number(labels, found[0], unread)
    if not found and "time" in labels.sizes:
        return Dating(None, "", ("there are no times, the frames are numbered",))
    return dating


def find_init_time(labels: FrameLabels, dates: np.ndarray) -> str:
    """Return the init time of a forecast, whose frames are later than their forecast_reference_time; else ""."""
    for name, one in labels.dataset.variables.items():
        if cf.text_of(one, "standard_name") == "forecast_reference_time":
            with contextlib.suppress(ValueError):  # nothing else is read from it
                init, _ = labels.read_dates(str(name))
                if (dates > init).any():
                    return str(init.min())
    return ""


def _date_by_name(labels: FrameLabels, pattern: str, own: Dating) -> Dating:
    """Return the date in the name of the file, or the file's own dates, which must agree with it."""
    named = read_file_name(labels.file, pattern)
    if own.dates is not None:
        coarse = np.unique(own.dates.astype("datetime64[us]")).astype(object)
        stamps = [date.strftime(pattern) for date in coarse.tolist()]
        if named.astype("datetime64[us]").item().strftime(pattern) not in stamps:
            raise ValueError(
                f"{labels.file}: the name says {named.astype('datetime64[s]')} (--time_pattern {pattern}), "
                f"{own.variable.rpartition('/')[2]} says {own.dates.flat[0].astype('datetime64[s]')}"
            )
        return own
    count = labels.sizes.get("movie", 1) * labels.sizes.get("time", 1)
    if count != 1:
        raise ValueError(f"{labels.file}: holds {count} frames, and --time_pattern {pattern} dates files of one frame")
    return Dating(np.full((1, 1), named), "", (describe_pattern(pattern),))


def describe_pattern(pattern: str) -> str:
    """Return the remark on frames that are dated by the names of their files."""
    return f"dated by the names of files ({pattern})" + ("" if "%z" in pattern else ", taken as UTC")


def _number(labels: FrameLabels, name: str, error: NotDates) -> Dating:
    """Return numbered frames for a label that is no date but counts: one frame, or equally spaced numbers."""
    values, steps = labels.read(name), np.empty(0)
    if values.dtype.kind in "iuf":
        steps = np.diff(values.astype(np.float64)).ravel()
    if values.dtype.kind not in "iuf" or (steps.size and not (steps.min() > 0 and np.ptp(steps) <= 0.01 * steps.min())):
        raise ValueError(f"{error}, and frames may be missing between them: {HELP}")
    why = "they are equally spaced, and " if steps.size else ""
    return Dating(None, "", (f"{str(error).rpartition(': ')[2]}; {why}the frames are numbered: {HELP}",))
