"""The nowcasts of pysteps: extrapolation, S-PROG, ANVIL, and the ensembles STEPS and LINDA (extra `pysteps`).

All of them move the rain by the Lucas-Kanade motion of the last four frames and use the defaults of pysteps, one case
and channel at a time. Pixels whose rain comes from outside the frame or its coverage are NaN. A case that pysteps
cannot forecast, such as one without rain, becomes persistence, and a line of the log says so.

  extrapolate      the last frame, moved (semi-Lagrangian, linear interpolation)
  run_sprog        fine scales fade as fast as they lose their memory: Seed (2003), J. Appl. Meteor. 42, 381-388
  run_anvil        each scale goes on to grow or decay: Pulkkinen et al. (2020), doi 10.1109/TGRS.2020.2984594
  run_steps        S-PROG with noise in place of faded scales: Bowler et al. (2006), Q. J. R. Meteorol. Soc. 132, 2127
  run_steps_auto   STEPS whose noise is scaled to the variance of the rain (`noise_stddev_adj="auto"` of pysteps)
  run_linda        cells of rain, each with its own growth, blur and noise: Pulkkinen et al. (2021), J. Atmos. Oceanic
                   Technol. 38, 2125-2145; takes minutes a case, where the others take seconds

pysteps: Pulkkinen et al. (2019), Geosci. Model Dev. 12, 4185-4219.
"""

import functools
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from predjax.nowcasts.pysteps_cases import (
    RAIN,
    THRESHOLD,
    Task,
    check_units,
    find_method,
    find_motion,
    find_order,
    forecast_all,
    from_decibels,
    refuse_dry,
    require_pysteps,
    to_decibels,
    to_reflectivity,
)

CASCADE_LEVELS = 6


class Sampling(NamedTuple):
    """The size of a pixel in km and the time step in minutes."""

    pixel_km: float = 1.0
    step_minutes: float = 5.0
    remark: str = ""  # which of the two are taken because nothing says them


SAMPLING = Sampling()


def find_sampling(pixel_size: float | None, step_seconds: float | None) -> Sampling:
    """Return the sampling for pixels in m and a step in s; the usual value for None, with a remark."""
    usual = (
        (pixel_size, f"pixels of {SAMPLING.pixel_km:g} km"),
        (step_seconds, f"a step of {SAMPLING.step_minutes:g} min"),
    )
    taken = " and ".join(text for value, text in usual if value is None)
    return Sampling(
        SAMPLING.pixel_km if pixel_size is None else pixel_size / 1000,
        SAMPLING.step_minutes if step_seconds is None else step_seconds / 60,
        f"{taken} {'are' if pixel_size is None else 'is'} taken, which the data do not say" if taken else "",
    )


def make_pysteps(name: str, units: str) -> Callable[..., np.ndarray]:
    """Return the nowcast of one of the names in NOWCASTS or ENSEMBLES, for frames in `units`.

    Raises:
      ValueError: an unknown name, units in which the method makes no sense, pysteps is not installed.
    """
    if name not in _METHODS:
        raise ValueError(f"baseline {name!r} is not one of {', '.join(_METHODS)}")
    check_units(name, units)
    require_pysteps(name)
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
            refuse_dry(rates)
        velocity = find_motion(frames if rates is None else rates, is_rain=rates is not None)
        return find_method("nowcasts", "extrapolation")(frames[-1], velocity, num_steps)

    return forecast_all(Task("pysteps_lk", units), observed, num_steps, forecast)


def run_sprog(observed: np.ndarray, num_steps: int, *, units: str = "mm/h") -> np.ndarray:
    """Forecast by S-PROG from observed (B, T_in >= 2, H, W, C): (B, num_steps, H, W, C).

    The cascade has six levels; the autoregression is of order 2, or of order 1 where only the last two frames have
    rain. Pixels below 0.1 mm/h are dry: 0 mm/h, or the smallest observed value in dBZ. Arguments and errors are as in
    `extrapolate`; the frames must be in mm/h or dBZ.
    """

    def forecast(frames: np.ndarray, rates: Any) -> np.ndarray:
        order = find_order(rates)
        result = find_method("nowcasts", "sprog")(
            to_decibels(rates)[-order - 1 :],
            find_motion(rates),
            num_steps,
            precip_thr=THRESHOLD,
            n_cascade_levels=CASCADE_LEVELS,
            ar_order=order,
        )
        return from_decibels(result, frames, units)

    return forecast_all(Task("pysteps_sprog", units), observed, num_steps, forecast)


def run_anvil(observed: np.ndarray, num_steps: int, *, units: str = "mm/h") -> np.ndarray:
    """Forecast by ANVIL from observed (B, T_in >= 3, H, W, C): (B, num_steps, H, W, C).

    It works on rain rates; the autoregression is of order 2, or of order 1 with three frames. Arguments and errors are
    as in `run_sprog`.
    """

    def forecast(frames: np.ndarray, rates: Any) -> np.ndarray:
        refuse_dry(rates[-1])
        order = min(2, len(rates) - 2)
        result = find_method("nowcasts", "anvil")(
            rates[-order - 2 :],
            find_motion(rates),
            num_steps,
            n_cascade_levels=CASCADE_LEVELS,
            ar_order=order,
        )
        return _from_rates(result, frames, units)

    return forecast_all(Task("pysteps_anvil", units, needed=3), observed, num_steps, forecast)


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
    drawing = _Drawing(Task("pysteps_steps", units), members, seed, sampling)
    return _draw_all(drawing, observed, num_steps, functools.partial(_run_steps, units, None, num_steps))


def run_steps_auto(
    observed: np.ndarray,
    num_steps: int,
    *,
    units: str = "mm/h",
    members: int = 24,
    seed: int = 0,
    sampling: Sampling = SAMPLING,
) -> np.ndarray:
    """Forecast a STEPS ensemble whose noise is scaled to the variance of the rain; all else is as in `run_steps`."""
    drawing = _Drawing(Task("pysteps_steps_auto", units), members, seed, sampling)
    return _draw_all(drawing, observed, num_steps, functools.partial(_run_steps, units, "auto", num_steps))


def run_linda(
    observed: np.ndarray,
    num_steps: int,
    *,
    units: str = "mm/h",
    members: int = 24,
    seed: int = 0,
    sampling: Sampling = SAMPLING,
) -> np.ndarray:
    """Forecast a LINDA-P ensemble from observed (B, T_in >= 3, H, W, C): (B, members, num_steps, H, W, C).

    It works on rain rates. Arguments and errors are as in `run_steps`.
    """

    def forecast(frames: np.ndarray, rates: Any, options: dict[str, Any]) -> np.ndarray:
        refuse_dry(rates[-1])
        result = find_method("nowcasts", "linda")(rates[-3:], find_motion(rates), num_steps, **options)
        return _from_rates(result, frames, units)

    drawing = _Drawing(Task("pysteps_linda", units, needed=3), members, seed, sampling)
    return _draw_all(drawing, observed, num_steps, forecast)


NOWCASTS = {"pysteps_lk": extrapolate, "pysteps_sprog": run_sprog, "pysteps_anvil": run_anvil}
ENSEMBLES = {"pysteps_steps": run_steps, "pysteps_steps_auto": run_steps_auto, "pysteps_linda": run_linda}
_METHODS = NOWCASTS | ENSEMBLES


class _Drawing(NamedTuple):
    """The settings of an ensemble: see `run_steps`."""

    task: Task
    members: int
    seed: int
    sampling: Sampling


def _draw_all(
    drawing: _Drawing,
    observed: np.ndarray,
    num_steps: int,
    forecast: Callable[[np.ndarray, Any, dict[str, Any]], np.ndarray],
) -> np.ndarray:
    """Return the members of every case and channel.

    `forecast` makes (members, num_steps, H, W) from frames, rain rates, and the options that the ensembles of pysteps
    share.
    """
    if drawing.members < 2:
        raise ValueError(f"an ensemble needs at least 2 members, not {drawing.members}")

    def draw(frames: np.ndarray, rates: Any) -> np.ndarray:
        options = {
            "n_ens_members": drawing.members,
            "kmperpixel": drawing.sampling.pixel_km,
            "timestep": drawing.sampling.step_minutes,
            "seed": (drawing.seed + zlib.crc32(frames[-1].tobytes())) % 2**32,
        }
        kept = np.random.get_state()  # pysteps seeds numpy's global generator
        try:
            return forecast(frames, rates, options)
        finally:
            np.random.set_state(kept)

    return forecast_all(drawing.task._replace(members=(drawing.members,)), observed, num_steps, draw)


def _run_steps(
    units: str, noise_adjustment: str | None, num_steps: int, frames: np.ndarray, rates: Any, options: dict[str, Any]
) -> np.ndarray:
    order = find_order(rates)
    result = find_method("nowcasts", "steps")(
        to_decibels(rates)[-order - 1 :],
        find_motion(rates),
        num_steps,
        n_cascade_levels=CASCADE_LEVELS,
        precip_thr=THRESHOLD,
        ar_order=order,
        noise_stddev_adj=noise_adjustment,
        **options,
    )
    return from_decibels(result, frames, units)


def _from_rates(rates: np.ndarray, frames: np.ndarray, units: str) -> np.ndarray:
    return rates if units == "mm/h" else to_reflectivity(np.where(rates < RAIN, 0.0, rates), frames)
