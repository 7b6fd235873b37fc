"""The nowcasts of pysteps: Lucas-Kanade extrapolation, S-PROG, ANVIL, and the STEPS ensemble (extra `pysteps`).

All of them move the rain by the Lucas-Kanade motion of the last four frames and use the defaults of pysteps, one case
and channel at a time. Pixels whose rain comes from outside the frame or its coverage are NaN. A case that pysteps
cannot forecast, such as one without rain, becomes persistence, and a line of the log says so.

  extrapolate   the last frame, moved (semi-Lagrangian, linear interpolation)
  run_sprog     fine scales fade as fast as they lose their memory: Seed (2003), J. Appl. Meteor. 42, 381-388
  run_anvil     each scale goes on to grow or decay: Pulkkinen et al. (2020), doi 10.1109/TGRS.2020.2984594
  run_steps     S-PROG with noise in place of faded scales: Bowler et al. (2006), Q. J. R. Meteorol. Soc. 132, 2127

pysteps: Pulkkinen et al. (2019), Geosci. Model Dev. 12, 4185-4219.
"""

import contextlib
import functools
import importlib
import io
import logging
import warnings
import zlib
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
CASCADE_LEVELS = 6


class Sampling(NamedTuple):
    """The size of a pixel in km and the time step in minutes."""

    pixel_km: float = 1.0
    step_minutes: float = 5.0


SAMPLING = Sampling()


class _Task(NamedTuple):
    """The settings that all cases of a call share; `needed` is the least number of observed frames."""

    name: str
    units: str
    needed: int = 2
    members: tuple[int, ...] = ()


_Forecast = Callable[[np.ndarray, Any], np.ndarray]  # (frames (T, H, W), rain rates or None) to ([E,] num_steps, H, W)


def make_pysteps(name: str, units: str) -> Callable[..., np.ndarray]:
    """Return the nowcast of one of the names in NOWCASTS or ENSEMBLES, for frames in `units`.

    Raises:
      ValueError: an unknown name, units in which the method makes no sense, pysteps is not installed.
    """
    if name not in _METHODS:
        raise ValueError(f"baseline {name!r} is not one of {', '.join(_METHODS)}")
    _check_units(name, units)
    _require_pysteps(name)
    return functools.partial(_METHODS[name], units=units)


def extrapolate(observed: np.ndarray, num_steps: int, *, units: str = "mm/h") -> np.ndarray:
    """Extrapolate the last observed frame along its motion: (B, T_in >= 2, H, W, C) to (B, num_steps, H, W, C).

    Args:
      observed: frames in `units`, NaN = no coverage.
      num_steps: the number of frames to forecast.
      units: "mm/h", "dBZ", or any other; in other units the motion is estimated from the frames as they are.

    Raises:
      ValueError: too few frames, num_steps below 1, pysteps is not installed.
    """

    def forecast(frames: np.ndarray, rates: Any) -> np.ndarray:
        if rates is not None:
            _refuse_dry(rates)
        velocity = _find_motion(frames if rates is None else rates, is_rain=rates is not None)
        return _method("nowcasts", "extrapolation")(frames[-1], velocity, num_steps)

    return _forecast_all(_Task("pysteps_lk", units), observed, num_steps, forecast)


def run_sprog(observed: np.ndarray, num_steps: int, *, units: str = "mm/h") -> np.ndarray:
    """Forecast by S-PROG from observed (B, T_in >= 2, H, W, C): (B, num_steps, H, W, C).

    The cascade has six levels; the autoregression is of order 2, or of order 1 where only the last two frames have
    rain. Pixels below 0.1 mm/h are dry: 0 mm/h, or the smallest observed value in dBZ. Arguments and errors are as in
    `extrapolate`; the frames must be in mm/h or dBZ.
    """

    def forecast(frames: np.ndarray, rates: Any) -> np.ndarray:
        order = _find_order(rates)
        result = _method("nowcasts", "sprog")(
            _to_decibels(rates)[-order - 1 :],
            _find_motion(rates),
            num_steps,
            precip_thr=THRESHOLD,
            n_cascade_levels=CASCADE_LEVELS,
            ar_order=order,
        )
        return _from_decibels(result, frames, units)

    return _forecast_all(_Task("pysteps_sprog", units), observed, num_steps, forecast)


def run_anvil(observed: np.ndarray, num_steps: int, *, units: str = "mm/h") -> np.ndarray:
    """Forecast by ANVIL from observed (B, T_in >= 3, H, W, C): (B, num_steps, H, W, C).

    It works on rain rates; the autoregression is of order 2, or of order 1 with three frames. Arguments and errors are
    as in `run_sprog`.
    """

    def forecast(frames: np.ndarray, rates: Any) -> np.ndarray:
        _refuse_dry(rates[-1])
        order = min(2, len(rates) - 2)
        result = _method("nowcasts", "anvil")(
            rates[-order - 2 :],
            _find_motion(rates),
            num_steps,
            n_cascade_levels=CASCADE_LEVELS,
            ar_order=order,
        )
        return result if units == "mm/h" else _to_reflectivity(np.where(result < RAIN, 0.0, result), frames)

    return _forecast_all(_Task("pysteps_anvil", units, needed=3), observed, num_steps, forecast)


def run_steps(
    observed: np.ndarray,
    num_steps: int,
    *,
    units: str = "mm/h",
    members: int = 24,
    seed: int = 0,
    sampling: Sampling = SAMPLING,
) -> np.ndarray:
    """Forecast a STEPS ensemble from observed (B, T_in >= 2, H, W, C): (B, members, num_steps, H, W, C).

    The noise of a case depends on `seed` and on the last frame of the case, not on its batch. Where pysteps cannot
    forecast a case, all members are persistence.

    Args:
      observed, num_steps, units: as in `run_sprog`.
      members: size of the ensemble, at least 2.
      seed: the seed of the noise.
      sampling: turns the errors of the motion, which pysteps knows in km/h, into pixels a step.

    Raises:
      ValueError: as in `run_sprog`.
    """
    if members < 2:
        raise ValueError(f"an ensemble needs at least 2 members, not {members}")

    def forecast(frames: np.ndarray, rates: Any) -> np.ndarray:
        order = _find_order(rates)
        kept = np.random.get_state()  # pysteps seeds numpy's global generator
        try:
            result = _method("nowcasts", "steps")(
                _to_decibels(rates)[-order - 1 :],
                _find_motion(rates),
                num_steps,
                n_ens_members=members,
                n_cascade_levels=CASCADE_LEVELS,
                precip_thr=THRESHOLD,
                kmperpixel=sampling.pixel_km,
                timestep=sampling.step_minutes,
                ar_order=order,
                seed=(seed + zlib.crc32(frames[-1].tobytes())) % 2**32,
            )
        finally:
            np.random.set_state(kept)
        return _from_decibels(result, frames, units)

    return _forecast_all(_Task("pysteps_steps", units, members=(members,)), observed, num_steps, forecast)


NOWCASTS = {"pysteps_lk": extrapolate, "pysteps_sprog": run_sprog, "pysteps_anvil": run_anvil}
ENSEMBLES = {"pysteps_steps": run_steps}
_METHODS = NOWCASTS | ENSEMBLES


def _forecast_all(task: _Task, observed: np.ndarray, num_steps: int, forecast: _Forecast) -> np.ndarray:
    """Return the forecast of every case and channel: (B, [E,] num_steps, H, W, C)."""
    observed = np.asarray(observed)
    last = persist(observed, num_steps)  # checks the shapes
    if observed.shape[1] < task.needed:
        raise ValueError(f"{task.name} needs at least {task.needed} observed frames, got {observed.shape[1]}")
    _check_units(task.name, task.units)
    _require_pysteps(task.name)
    batch, steps, height, width, channels = last.shape
    result = np.empty((batch, *task.members, steps, height, width, channels), observed.dtype)
    reasons = []
    for case, channel in np.ndindex(batch, channels):
        frames = observed[case, -MOTION_FRAMES:, ..., channel].astype(np.float64)
        try:
            with _silence():
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


def _refuse_dry(rates: np.ndarray) -> None:
    if not (rates >= RAIN).any():
        raise ValueError("no rain")


def _find_order(rates: Any) -> int:
    """Return the order of the autoregression: one less than the number of last frames that all have rain, at most 2."""
    wet = (rates[-3:] >= RAIN).any(axis=(1, 2))
    count = int(np.cumprod(wet[::-1]).sum())
    if count < 2:
        raise ValueError("rain in the last frame only" if count else "no rain")
    return count - 1


def _check_forecast(frames: np.ndarray) -> np.ndarray:
    if not np.isfinite(frames).any():
        raise ValueError("nothing of the forecast is known")
    return frames


def _find_motion(frames: np.ndarray, is_rain: bool = True) -> np.ndarray:
    """Return the motion (2, H, W), x and y, in pixels a step.

    Pixels without coverage stay NaN: otherwise the edge of the coverage would be tracked like rain.
    """
    return _method("motion", "LK")(_to_decibels(frames) if is_rain else frames)


def _to_decibels(rates: np.ndarray) -> np.ndarray:
    """Return 10 log10(R / (1 mm/h)), DRY below RAIN, NaN without coverage."""
    decibels = np.where(rates >= RAIN, 10.0 * np.log10(np.maximum(rates, RAIN)), DRY)
    return np.where(np.isnan(rates), np.nan, decibels)


def _from_decibels(decibels: np.ndarray, frames: np.ndarray, units: str) -> np.ndarray:
    rates = np.where(decibels < THRESHOLD, 0.0, 10.0 ** (decibels / 10.0))
    return rates if units == "mm/h" else _to_reflectivity(rates, frames)


def _to_reflectivity(rates: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return dBZ; dry pixels get the smallest observed value, which stands for no echo in the data."""
    return np.where(rates == 0, np.nanmin(frames), rain_rate_to_dbz(rates))


def _check_units(name: str, units: str) -> None:
    if name != "pysteps_lk" and units not in RAIN_UNITS:
        raise ValueError(f"baseline {name} is for rain in {' or '.join(RAIN_UNITS)}, the frames are in {units!r}")


def _require_pysteps(name: str) -> None:
    try:
        _import_pysteps()
        importlib.import_module("cv2")  # without OpenCV pysteps has no Lucas-Kanade motion
    except ImportError as error:
        raise ValueError(f"baseline {name} needs the extra: pip install 'predjax[pysteps]'") from error


def _import_pysteps() -> ModuleType:
    with _silence():
        return importlib.import_module("pysteps")


def _method(module: str, name: str) -> Callable[..., np.ndarray]:
    return getattr(_import_pysteps(), module).get_method(name)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Hide what pysteps prints at import and at every step, and its warnings of divisions by zero outside the rain."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
