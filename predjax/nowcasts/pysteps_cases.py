"""Methods of pysteps for frames in any layout: they get each case and channel alone, in their units, without output.

A case that pysteps cannot forecast, such as one without rain, becomes persistence, and a line of the log says so.
"""

import contextlib
import importlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from predjax.nowcasts.persistence import persist
from predjax.units import RAIN_UNITS, dbz_to_rain_rate, rain_rate_to_dbz

LOG = logging.getLogger("predjax")
RAIN = 0.1  # mm/h; less is dry, as in pysteps' examples
THRESHOLD, DRY = -10.0, -15.0  # RAIN, and the value of dry pixels, in dB of 1 mm/h
MOTION_FRAMES = 4


class Task(NamedTuple):
    """The settings that all cases of a call share; `needed` is the least number of observed frames."""

    name: str
    units: str
    needed: int = 2
    members: tuple[int, ...] = ()


Forecast = Callable[[np.ndarray, Any], np.ndarray]  # (frames (T, H, W), rain rates or None) to ([E,] num_steps, H, W)


def forecast_all(task: Task, observed: np.ndarray, num_steps: int, forecast: Forecast) -> np.ndarray:
    """Return the forecast of every case and channel: (B, [E,] num_steps, H, W, C)."""
    observed = np.asarray(observed)
    last = persist(observed, num_steps)  # checks the shapes
    if observed.shape[1] < task.needed:
        raise ValueError(f"{task.name} needs at least {task.needed} observed frames, got {observed.shape[1]}")
    check_units(task.name, task.units)
    require_pysteps(task.name)
    batch, steps, height, width, channels = last.shape
    result = np.empty((batch, *task.members, steps, height, width, channels), observed.dtype)
    reasons = []
    for case, channel in np.ndindex(batch, channels):
        frames = observed[case, -MOTION_FRAMES:, ..., channel].astype(np.float64)
        try:
            with silence():
                rates = _find_rain_rates(frames, task.units)
                result[case, ..., channel] = _check_forecast(forecast(frames, rates))
        except MemoryError:
            raise
        except Exception as error:  # pysteps may raise anything about one case; the other cases go on
            result[case, ..., channel] = last[case, ..., channel]
            reasons.append(" ".join(str(error).split()) or type(error).__name__)
    if reasons:
        LOG.info("%s: %d of %d cases are persistence (%s)", task.name, len(reasons), batch * channels, reasons[0])
    return result


def _find_rain_rates(frames: np.ndarray, units: str) -> Any:
    """Return the frames in mm/h; None where the units are not of rain."""
    if units == "dBZ":
        return dbz_to_rain_rate(frames)
    return frames if units == "mm/h" else None


def refuse_dry(rates: np.ndarray) -> None:
    if not (rates >= RAIN).any():
        raise ValueError("no rain")


def find_order(rates: Any) -> int:
    """Return the order of the autoregression: one less than the number of last frames that all have rain, at most 2.

    Errors: ValueError, there is no rain, or only in the last frame.
    """
    wet = (rates[-3:] >= RAIN).any(axis=(1, 2))
    count = int(np.cumprod(wet[::-1]).sum())
    if count < 2:
        raise ValueError("rain in the last frame only" if count else "no rain")
    return count - 1


def _check_forecast(frames: np.ndarray) -> np.ndarray:
    if not np.isfinite(frames).any():
        raise ValueError("nothing of the forecast is known")
    return frames


def find_motion(frames: np.ndarray, is_rain: bool = True) -> np.ndarray:
    """Return the motion (2, H, W), x and y, in pixels a step.

    Pixels without coverage stay NaN: otherwise the edge of the coverage would be tracked like rain.
    """
    return find_method("motion", "LK")(to_decibels(frames) if is_rain else frames)


def to_decibels(rates: np.ndarray) -> np.ndarray:
    """Return 10 log10(R / (1 mm/h)), DRY below RAIN, NaN without coverage."""
    decibels = np.where(rates >= RAIN, 10.0 * np.log10(np.maximum(rates, RAIN)), DRY)
    return np.where(np.isnan(rates), np.nan, decibels)


def from_decibels(decibels: np.ndarray, frames: np.ndarray, units: str) -> np.ndarray:
    rates = np.where(decibels < THRESHOLD, 0.0, 10.0 ** (decibels / 10.0))
    return rates if units == "mm/h" else to_reflectivity(rates, frames)


def to_reflectivity(rates: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return dBZ; dry pixels get the smallest observed value, which stands for no echo in the data."""
    return np.where(rates == 0, np.nanmin(frames), rain_rate_to_dbz(rates))


def check_units(name: str, units: str) -> None:
    if name != "pysteps_lk" and units not in RAIN_UNITS:
        raise ValueError(f"baseline {name} is for rain in {' or '.join(RAIN_UNITS)}, the frames are in {units!r}")


def require_pysteps(name: str) -> None:
    try:
        _import_pysteps()
        importlib.import_module("cv2")  # without OpenCV pysteps has no Lucas-Kanade motion
    except ImportError as error:
        raise ValueError(f"baseline {name} needs the extra: pip install 'predjax[pysteps]'") from error


def _import_pysteps() -> ModuleType:
    with silence():
        return importlib.import_module("pysteps")


def find_method(module: str, name: str) -> Callable[..., np.ndarray]:
    return getattr(_import_pysteps(), module).get_method(name)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Hide the output of pysteps at import and at each step, and its warnings of divisions by zero outside the rain."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
