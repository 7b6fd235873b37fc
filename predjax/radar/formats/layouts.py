"""The layout of an array, found from its shape or the name of its file where these leave one choice."""

import math
import os
from collections.abc import Callable

import numpy as np

from predjax.radar.config import LAYOUTS
from predjax.radar.formats.disk_array import DiskArray

# Moving MNIST and its variants (Srivastava et al. 2015; Tan et al. 2023): 20 frames of 10,000 movies.
PUBLISHED = {
    "mnist_test_seq.npy": "time,movie,y,x",
    "fmnist_test_seq.npy": "time,movie,y,x",
    "mnist_cifar_test_seq.npy": "time,movie,y,x,channel",
}
_CHANNELS = range(1, 5)  # usual numbers of channels
_ALIKE = 2.0  # the largest ratio of height and width of frames that is usual
_NEARLY = 1.2  # where two axes are so alike, they may be height and width
# A layout is in doubt where neighbours along the first axis differ less than this fraction of what they do along the
# second. The fractions are 1.9 to 3.3 for movies and time in nine radar archives, and 0.9 to 1.8 for y and x.
_DOUBTS = {("movie", "time"): 0.8, ("y", "x"): 1 / 3, ("x", "y"): 1 / 3, ("feature", "time"): 0.8}
_PLACES = 8  # looked at, evenly spread
_FEWEST = 2**14  # numbers of an array that is large enough to tell


def find_layout(array: np.ndarray | DiskArray, file: str | os.PathLike) -> tuple[str, list[str]]:
    """Return the layout of an array, and a remark on where it was taken from.

    The name of a published file decides it, else the shape. Some frames are compared: they never choose a layout, but a
    layout that they contradict is refused.

    Errors: ValueError, two layouts fit; names them and the flag.
    """
    shape, published = array.shape, PUBLISHED.get(os.path.basename(os.fspath(file)), "")
    if published and len(published.split(",")) == len(shape):
        return published, [f"axes {shape} taken as {published}, as in the published file of this name"]
    layout = infer_layout(shape, file)
    if doubt := _find_doubt(array, layout):
        raise ValueError(f"{file}: the shape {shape} looks like {layout}, but {doubt}")
    return layout, [f"axes {shape} taken as {layout}"]


def infer_layout(shape: tuple[int, ...], file: str | os.PathLike = "array") -> str:
    """Return the only layout that the shape of an array fits.

    Equal sizes are y and x; 1 to 4 are channels; a movie has more than one frame. Two axes are time,feature. Three are
    time,y,x if y and x differ by a factor of two at most, and the first two axes are less alike.

    >>> infer_layout((3000, 40, 40, 5)), infer_layout((3000, 5, 40, 40)), infer_layout((200, 10, 1, 64, 64))
    ('movie,y,x,time', 'movie,time,y,x', 'movie,time,channel,y,x')

    Errors: ValueError, the shape fits no layout, or more than one; lists the choices.
    """
    if not 2 <= len(shape) <= 5:
        raise ValueError(f"{file}: an array needs 2 to 5 axes ({'; '.join(LAYOUTS[1:])}), its shape is {shape}")
    fits: tuple[Callable[..., list[str]], ...] = (_fit_two, _fit_three, _fit_four, _fit_five)
    choices = fits[len(shape) - 2](*shape)
    if len(choices) > 1:
        raise ValueError(f"{file}: the shape {shape} does not tell the axes: give --layout {' or '.join(choices)}")
    return choices[0]


def _fit_two(*_: int) -> list[str]:
    return ["time,feature"]


def _fit_three(first: int, second: int, third: int) -> list[str]:
    rows, pixels = _ratio(first, second), _ratio(second, third)
    if pixels <= _ALIKE and not rows <= min(pixels, _NEARLY):
        return ["time,y,x"]
    return ["time,y,x", "y,x,time", "movie,time,feature"]


def _ratio(one: int, other: int) -> float:
    return max(one, other) / min(one, other)


def _fit_four(_: int, second: int, third: int, fourth: int) -> list[str]:
    if (second == third) == (third == fourth):
        return ["movie,y,x,time", "movie,time,y,x"]
    if third == fourth:
        return ["movie,time,y,x" if second > 1 else "time,channel,y,x"]
    return ["movie,y,x,time" if fourth > 1 else "time,y,x,channel"]


def _fit_five(*shape: int) -> list[str]:
    if math.prod(shape[2:]) == 1:
        return ["movie,time,y,x,channel"]  # as the others would be
    points = {}
    for layout in ("movie,time,y,x,channel", "movie,time,channel,y,x", "movie,channel,time,y,x"):
        sizes = dict(zip(layout.split(","), shape))
        square = sizes["y"] == sizes["x"]
        if square or layout != "movie,channel,time,y,x":
            points[layout] = 2 * square + (sizes["channel"] in _CHANNELS) + (sizes["time"] > 1)
    return [layout for layout, count in points.items() if count == max(points.values())]


def _find_doubt(array: np.ndarray | DiskArray, layout: str) -> str:
    """Return in words how the frames contradict a layout; "" where they do not, or are too few to tell."""
    axes = layout.split(",")
    sizes = dict(zip(axes, array.shape))
    if array.size < _FEWEST or ("feature" in axes and sizes["feature"] <= sizes["time"]):
        return ""
    for (one, other), fraction in _DOUBTS.items():
        if {one, other} <= sizes.keys():
            calm, rough = axes.index(one), axes.index(other)
            first, second = _measure_changes(array, axes, [calm, rough])
            if first < fraction * second:
                choices = " or ".join([layout, *_list_with_time(axes, calm, rough)])
                found = f"neighbours along axis {calm} differ less than along axis {rough}, as if axis {calm} were time"
                return f"{found}: give --layout {choices}"
    return ""


def _list_with_time(axes: list[str], time: int, other: int) -> list[str]:
    """Return the usual layouts with time at the axis `time`; without any, `axes` with `time` and `other` swapped."""
    usual = [one for one in LAYOUTS if one.count(",") == len(axes) - 1 and one.split(",")[time] == "time"]
    swapped = list(axes)
    swapped[time], swapped[other] = axes[other], axes[time]
    return usual or [",".join(swapped)]


@np.errstate(all="ignore")
def _measure_changes(array: np.ndarray | DiskArray, axes: list[str], places: list[int]) -> list[float]:
    """Return the mean difference of neighbours along each of two axes, in some frames."""
    found: list[list[np.ndarray]] = [[], []]
    for part in np.linspace(0, 1, _PLACES):
        starts = [int(part * max(size - 2, 0)) for size in array.shape]
        key = [
            slice(start, start + 2) if name in ("movie", "time") else slice(None) for name, start in zip(axes, starts)
        ]
        block = np.asarray(array[tuple(key)], np.float64)
        for changes, axis in zip(found, places):
            changes.append(np.abs(np.diff(block, axis=axis)).ravel())
    finite = [change[np.isfinite(change)] for change in map(np.concatenate, found)]
    return [float(change.mean()) if change.size else math.nan for change in finite]
