"""The nowcasts of pysteps: Lucas-Kanade extrapolation, S-PROG, ANVIL, and the STEPS ensemble (extra `pysteps`).

All of them move the rain by the Lucas-Kanade motion of the last four frames, and are run with pysteps' own defaults,
one case and channel at a time. What comes from outside the frame or its coverage is NaN. A case that pysteps cannot
do, as one without rain, becomes persistence, and a remark says so.

  extrapolate   the last frame, moved (semi-Lagrangian, linear interpolation)
  run_sprog     fine scales fade as fast as they lose their memory: Seed (2003), J. Appl. Meteor. 42, 381-388
  run_anvil     growth and decay of each scale go on: Pulkkinen et al. (2020), doi 10.1109/TGRS.2020.2984594
  run_steps     S-PROG with noise in the place of what faded: Bowler et al. (2006), Q. J. R. Meteorol. Soc. 132, 2127

pysteps: Pulkkinen et al. (2019), Geosci. Model Dev. 12, 4185-4219.
"""

import contextlib
import functools
import importlib
import io
import logging
import warnings
import zlib
from collections.abc import Callable

import numpy as np

from predjax.nowcasts.persistence import persist
from predjax.units import dbz_to_rain_rate, rain_rate_to_dbz

LOG = logging.getLogger("predjax")
RAIN = 0.1  # mm/h; less is dry, as in pysteps' examples
THRESHOLD, DRY = -10.0, -15.0  # RAIN in dB of 1 mm/h, and what dry pixels are in it
MOTION_FRAMES = 4
CASCADE_LEVELS = 6
RAIN_UNITS = ("mm/h", "dBZ")


def make_pysteps(name: str, units: str) -> Callable:
    """The nowcast of one of the names in NOWCASTS or ENSEMBLES, for frames in `units`.

    Raises:
      ValueError: an unknown name, units that the method has no meaning for, pysteps is not installed.
    """
    if name not in _METHODS:
        raise ValueError(f"baseline {name!r} is not one of {', '.join(_METHODS)}")
    _check_units(name, units)
    _require_pysteps(name)
    return functools.partial(_METHODS[name], units=units)


def extrapolate(observed: np.ndarray, num_steps: int, *, units: str = "mm/h") -> np.ndarray:
    """Lagrangian persistence: observed (B, T_in >= 2, H, W, C) to (B, num_steps, H, W, C).

    Args:
      observed: frames in `units`, NaN = no coverage.
      num_steps: lead times.
      units: "mm/h", "dBZ", or any other; then the motion is that of the frames as they are.

    Raises:
      ValueError: too few frames, num_steps below 1, pysteps is not installed.
    """

    def forecast(frames, rates):
        if rates is not None:
            _refuse_dry(rates)
        velocity = _motion(frames if rates is None else rates, is_rain=rates is not None)
        return _method("nowcasts", "extrapolation")(frames[-1], velocity, num_steps)

    return _forecast_all("pysteps_lk", observed, num_steps, units, 2, forecast)


def run_sprog(observed: np.ndarray, num_steps: int, *, units: str = "mm/h") -> np.ndarray:
    """S-PROG of observed (B, T_in >= 2, H, W, C): (B, num_steps, H, W, C).

    Six cascade levels and an autoregressive model of order 2, or 1 where rain was seen in two frames only. Pixels
    below 0.1 mm/h are dry: 0 mm/h, or the smallest observed value in dBZ. Arguments and errors as in `extrapolate`,
    with units of rain only.
    """

    def forecast(frames, rates):
        order = _find_order(rates)
        result = _method("nowcasts", "sprog")(
            _decibels(rates)[-order - 1 :],
            _motion(rates),
            num_steps,
            precip_thr=THRESHOLD,
            n_cascade_levels=CASCADE_LEVELS,
            ar_order=order,
        )
        return _from_decibels(result, frames, units)

    return _forecast_all("pysteps_sprog", observed, num_steps, units, 2, forecast)


def run_anvil(observed: np.ndarray, num_steps: int, *, units: str = "mm/h") -> np.ndarray:
    """ANVIL of observed (B, T_in >= 3, H, W, C): (B, num_steps, H, W, C).

    Works on rain rates; of order 2, or 1 with three frames. Arguments and errors as in `run_sprog`.
    """

    def forecast(frames, rates):
        _refuse_dry(rates[-1])
        order = min(2, len(rates) - 2)
        result = _method("nowcasts", "anvil")(
            rates[-order - 2 :],
            _motion(rates),
            num_steps,
            n_cascade_levels=CASCADE_LEVELS,
            ar_order=order,
        )
        return result if units == "mm/h" else _to_reflectivity(np.where(result < RAIN, 0.0, result), frames)

    return _forecast_all("pysteps_anvil", observed, num_steps, units, 3, forecast)


def run_steps(
    observed: np.ndarray,
    num_steps: int,
    *,
    units: str = "mm/h",
    members: int = 24,
    seed: int = 0,
    pixel_km: float = 1.0,
    step_minutes: float = 5.0,
) -> np.ndarray:
    """The STEPS ensemble of observed (B, T_in >= 2, H, W, C): (B, members, num_steps, H, W, C).

    The noise of a case depends on `seed` and on its last frame, not on the batch that it is in. Persistence in the
    place of a failed case is the same in all members.

    Args:
      observed, num_steps, units: as in `run_sprog`.
      members: size of the ensemble, at least 2.
      seed: of the noise.
      pixel_km, step_minutes: size of a pixel and the time step; errors of the motion are known in km/h.

    Raises:
      ValueError: as in `run_sprog`.
    """
    if members < 2:
        raise ValueError(f"an ensemble needs at least 2 members, not {members}")

    def forecast(frames, rates):
        order = _find_order(rates)
        kept = np.random.get_state()  # pysteps seeds numpy's global generator
        try:
            result = _method("nowcasts", "steps")(
                _decibels(rates)[-order - 1 :],
                _motion(rates),
                num_steps,
                n_ens_members=members,
                n_cascade_levels=CASCADE_LEVELS,
                precip_thr=THRESHOLD,
                kmperpixel=pixel_km,
                timestep=step_minutes,
                ar_order=order,
                seed=(seed + zlib.crc32(frames[-1].tobytes())) % 2**32,
            )
        finally:
            np.random.set_state(kept)
        return _from_decibels(result, frames, units)

    return _forecast_all("pysteps_steps", observed, num_steps, units, 2, forecast, (members,))


NOWCASTS = {"pysteps_lk": extrapolate, "pysteps_sprog": run_sprog, "pysteps_anvil": run_anvil}
ENSEMBLES = {"pysteps_steps": run_steps}
_METHODS = NOWCASTS | ENSEMBLES


def _forecast_all(name, observed, num_steps, units, needed, forecast, members=()):
    """`forecast(frames (T, H, W), rain rates or None) -> ([E,] num_steps, H, W)` of every case and channel."""
    observed = np.asarray(observed)
    last = persist(observed, num_steps)  # checks the shapes
    if observed.shape[1] < needed:
        raise ValueError(f"{name} needs at least {needed} observed frames, got {observed.shape[1]}")
    _check_units(name, units)
    _require_pysteps(name)
    batch, steps, height, width, channels = last.shape
    result = np.empty((batch, *members, steps, height, width, channels), observed.dtype)
    reasons = []
    for case, channel in np.ndindex(batch, channels):
        frames = observed[case, -MOTION_FRAMES:, ..., channel].astype(np.float64)
        try:
            with _silence():
                rates = _rain_rates(frames, units)
                result[case, ..., channel] = _check_forecast(forecast(frames, rates))
        except MemoryError:
            raise
        except Exception as error:  # whatever pysteps raises about one case, the others go on
            result[case, ..., channel] = last[case, ..., channel]
            reasons.append(" ".join(str(error).split()) or type(error).__name__)
    if reasons:
        LOG.info("%s: %d of %d cases are persistence (%s)", name, len(reasons), batch * channels, reasons[0])
    return result


def _rain_rates(frames, units):
    """mm/h, or None in another unit than those of rain."""
    if units == "dBZ":
        return dbz_to_rain_rate(frames)
    return frames if units == "mm/h" else None


def _refuse_dry(rates):
    if not (rates >= RAIN).any():
        raise ValueError("no rain")


def _find_order(rates):
    """Order of the autoregression, at most 2: one less than the frames with rain, counted back from the last."""
    wet = (rates[-3:] >= RAIN).any(axis=(1, 2))
    count = int(np.cumprod(wet[::-1]).sum())
    if count < 2:
        raise ValueError("rain in the last frame only" if count else "no rain")
    return count - 1


def _check_forecast(frames):
    if not np.isfinite(frames).any():
        raise ValueError("nothing of the forecast is known")
    return frames


def _motion(frames, is_rain=True):
    """Pixels a step, (2, H, W): x and y; features at the edge of the coverage are no motion, NaN keeps them out."""
    return _method("motion", "LK")(_decibels(frames) if is_rain else frames)


def _decibels(rates):
    """10 log10(R / (1 mm/h)), DRY below RAIN, NaN where nothing is known."""
    decibels = np.where(rates >= RAIN, 10.0 * np.log10(np.maximum(rates, RAIN)), DRY)
    return np.where(np.isnan(rates), np.nan, decibels)


def _from_decibels(decibels, frames, units):
    rates = np.where(decibels < THRESHOLD, 0.0, 10.0 ** (decibels / 10.0))
    return rates if units == "mm/h" else _to_reflectivity(rates, frames)


def _to_reflectivity(rates, frames):
    """dBZ; dry pixels get the smallest observed value, which is what the data say where there is no echo."""
    return np.where(rates == 0, np.nanmin(frames), rain_rate_to_dbz(rates))


def _check_units(name, units):
    if name != "pysteps_lk" and units not in RAIN_UNITS:
        raise ValueError(f"baseline {name} is for rain in {' or '.join(RAIN_UNITS)}, the frames are in {units!r}")


def _require_pysteps(name):
    try:
        _import_pysteps()
        importlib.import_module("cv2")  # without OpenCV pysteps has no Lucas-Kanade motion
    except ImportError as error:
        raise ValueError(f"baseline {name} needs the extra: pip install 'predjax[pysteps]'") from error


def _import_pysteps():
    with _silence():
        return importlib.import_module("pysteps")


def _method(module, name):
    return getattr(_import_pysteps(), module).get_method(name)


@contextlib.contextmanager
def _silence():
    """pysteps prints at import and at every step, and divides by zero outside the rain."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
