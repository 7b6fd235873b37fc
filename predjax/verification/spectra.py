"""Radially averaged power spectra of forecasts and observations, which show blur first."""

import numpy as np
import xarray as xr

from predjax.verification.fields import PLAIN, Scoring, check_fields, find_valid, label_leads
from predjax.verification.sums import keep_labels, ratio

MIN_COVERAGE = 0.5  # frames with a smaller valid fraction do not count


def spectrum_statistics(
    forecast: np.ndarray, observed: np.ndarray, scoring: Scoring = PLAIN, *, taper: bool = True
) -> xr.Dataset:
    """Return the additive sums of the power spectra of some cases, by lead time and wave number.

    The wave number k is the number of waves along the longer side L of the frame, from 1 to L/2 (waves of two pixels).
    The power at k is the mean of |F|^2 / N over the Fourier modes whose frequency times L rounds to k, with the
    unnormalised transform F of a frame of N pixels. Channels count as frames of their own.

    The `taper` removes the mean of the frame and multiplies the rest by a Hann window (the power that the window takes
    away is restored). Without it the jump between opposite edges fills the small scales of both fields and hides blur
    there. The fields are those of `scores.statistics`; a `pixel_size` adds the coordinate `wavelength`.

    Returns:
      spectrum_forecast, spectrum_observed (lead_time, wavenumber): float64 sums over frames of the power, in the
      squared unit of the fields; spectrum_frames (lead_time): int64, the frames that counted. The attributes of the
      coordinate `wavenumber` state the rules.

    Errors: ValueError, bad fields or labels, a side that is larger than the frame.
    """
    forecast, observed = check_fields(forecast, observed)
    fill = scoring.fill
    if scoring.side is not None:
        forecast, observed = _cut_centre(forecast, scoring.side), _cut_centre(observed, scoring.side)
    steps, height, width = forecast.shape[1:4]
    leads = label_leads(steps, scoring)
    window = np.outer(_hann(height), _hann(width)) if taper else np.ones((height, width))
    modes, shares = _find_modes(height, width)

    sums = np.zeros((2, steps, max(height, width) // 2))
    frames = np.zeros(steps, np.int64)
    for lead in range(steps):
        for case, channel in np.ndindex(forecast.shape[0], forecast.shape[4]):
            f, o = (values[case, lead, :, :, channel] for values in (forecast, observed))
            valid = find_valid(f, o, lead + 1)
            share = np.count_nonzero(valid) / valid.size
            if share < (1 if fill is None else MIN_COVERAGE):
                continue
            frames[lead] += 1
            for k, values in enumerate((f, o)):
                values = values.astype(np.float64)
                filled = values if share == 1 else np.where(valid, values, np.nan if fill is None else fill)
                sums[k, lead] += _measure_power(filled, window, modes, shares)

    missing = "only frames without a missing pixel"
    if fill is not None:
        missing = f"missing in one field: {fill:g} in both; frames less than {MIN_COVERAGE:.0%} valid are left out"
    rules = {
        "long_name": f"waves along {max(height, width)} pixels",
        "units": "1",
        "missing_rule": missing,
        "taper": "mean removed, Hann window" if taper else "none",
    }
    numbers = np.arange(1, max(height, width) // 2 + 1)
    coords = {"lead_time": leads, "wavenumber": ("wavenumber", numbers, rules)}
    if scoring.pixel_size is not None:
        length = {"long_name": "wavelength", "units": "m"}
        coords["wavelength"] = ("wavenumber", max(height, width) * scoring.pixel_size / numbers, length)
    names = ("spectrum_forecast", "spectrum_observed")
    variables: dict[str, tuple] = {name: (("lead_time", "wavenumber"), values) for name, values in zip(names, sums)}
    variables["spectrum_frames"] = "lead_time", frames
    return xr.Dataset(variables, coords, {"units": scoring.units})


def spectrum_skill(statistics: xr.Dataset) -> xr.Dataset:
    """Return the mean spectra of summed statistics and their ratio, by wave number; NaN where no frame counted.

    Returns:
      rapsd_forecast, rapsd_observed (lead_time, wavenumber): mean power.
      rapsd_ratio: forecast / observed; a ratio below 1 at large wave numbers is blur.
      spectrum_frames (lead_time).
    """
    s = statistics.variables
    scores = {
        "rapsd_forecast": ratio(s["spectrum_forecast"], s["spectrum_frames"]),
        "rapsd_observed": ratio(s["spectrum_observed"], s["spectrum_frames"]),
        "rapsd_ratio": ratio(s["spectrum_forecast"], s["spectrum_observed"]),
        "spectrum_frames": s["spectrum_frames"],
    }
    result = keep_labels(statistics, scores)
    units = statistics.attrs.get("units", "1")
    squared = units if units == "1" else f"({units})^2"
    for name in ("forecast", "observed"):
        result[f"rapsd_{name}"].attrs = {"long_name": f"radially averaged power of the {name}", "units": squared}
    result.rapsd_ratio.attrs = {"long_name": "radially averaged power, forecast / observed", "units": "1"}
    result.spectrum_frames.attrs = {"long_name": "frames in the power spectrum", "units": "1"}
    return result


def _cut_centre(frames: np.ndarray, side: int) -> np.ndarray:
    height, width = frames.shape[2:4]
    if not 1 <= side <= min(height, width):
        raise ValueError(f"side {side} does not fit into frames of {height}x{width} pixels")
    y, x = (height - side) // 2, (width - side) // 2
    return frames[:, :, y : y + side, x : x + side]


def _hann(size: int) -> np.ndarray:
    """Return a Hann window, periodic about pixel centres and nowhere zero, so that a single pixel keeps its value."""
    return np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2


def _find_modes(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each mode of the real transform its wave number, and its share in the mean over that wave number.

    The shares of each wave number sum to 1. A column stands for itself and for its mirror image, which the first column
    and, for an even width, the last column do not have.
    """
    longer = max(height, width)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    numbers = np.rint(frequency * longer).astype(np.int64)
    copies = np.full(numbers.shape, 2.0)
    copies[:, 0] = 1
    if width % 2 == 0:
        copies[:, -1] = 1
    total = np.bincount(numbers.ravel(), copies.ravel())
    return numbers.ravel(), (copies / total[numbers]).ravel()


def _measure_power(field: np.ndarray, window: np.ndarray, modes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the radially averaged power at k = 1, 2, ... of one complete frame (H, W)."""
    transform = np.fft.rfft2((field - field.mean()) * window)
    power = (transform.real**2 + transform.imag**2).ravel() * shares / np.sum(window**2)
    largest = max(field.shape) // 2
    return np.bincount(modes, power, minlength=largest + 1)[1 : largest + 1]
