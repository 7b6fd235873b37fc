"""Radially averaged spectra against plain transforms, and what they say about blur."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from predjax.verification.fields import PLAIN, Scoring
from predjax.verification.spectra import spectrum_skill, spectrum_statistics
from predjax.verification.sums import add_statistics

NAN = np.nan


def frames(*fields):
    """(case, 1, H, W, 1) from fields (H, W)."""
    return np.stack(fields)[:, None, :, :, None].astype(np.float64)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("shape", [(16, 16), (15, 15), (12, 20), (21, 8)])
def test_power_is_the_mean_over_rings_of_the_transform(shape):
    field = noise(*shape) + 3
    s = spectrum_statistics(frames(field), frames(2 * field), taper=False)
    power = np.abs(np.fft.fft2(field)) ** 2 / field.size
    rows, columns = (np.fft.fftfreq(n) for n in shape)
    ring = np.rint(np.hypot(rows[:, None], columns) * max(shape))
    expected = [power[ring == k].mean() for k in range(1, max(shape) // 2 + 1)]
    np.testing.assert_allclose(s.spectrum_forecast.values[0], expected, rtol=1e-12)
    np.testing.assert_allclose(s.spectrum_observed.values[0], 4 * np.array(expected), rtol=1e-12)
    assert s.wavenumber.values.tolist() == list(range(1, max(shape) // 2 + 1))


def test_a_wave_has_power_at_its_own_number_only():
    x = np.arange(32)
    wave = np.cos(2 * np.pi * 5 * x / 32) * np.ones((32, 1))
    power = spectrum_statistics(frames(wave), frames(wave), taper=False).spectrum_forecast.isel(lead_time=0)
    assert power.idxmax("wavenumber").item() == 5
    assert power.drop_sel(wavenumber=5).max() < 1e-25 * power.max()


def test_the_taper_keeps_the_level_of_noise():
    fields = frames(*noise(40, 32, 32))
    level = [spectrum_skill(spectrum_statistics(fields, fields, taper=t)).rapsd_forecast[0, 2:].mean() for t in (0, 1)]
    assert level[0] == pytest.approx(1, abs=0.02) and level[1] == pytest.approx(1, abs=0.02)


def test_a_blurred_forecast_loses_its_small_scales():
    observed = noise(96, 96)
    forecast = gaussian_filter(observed, 1.5, mode="wrap")
    ratio = spectrum_skill(spectrum_statistics(frames(forecast), frames(observed), taper=False)).rapsd_ratio[0]
    # The Gaussian's own transfer function: exp(-(2 pi k sigma / L)^2); its discrete kernel is cut at 4 sigma.
    expected = np.exp(-((2 * np.pi * ratio.wavenumber * 1.5 / 96) ** 2))
    np.testing.assert_allclose(ratio[:20], expected[:20], rtol=0.15)
    assert ratio[0] > 0.95 and (ratio[30:] < 1e-3).all()


def test_without_the_taper_the_edges_hide_the_blur():
    slope = np.linspace(0, 40, 64)[:, None] * np.ones(64)  # rain at one edge and none at the other
    rough = noise(64, 64)
    observed, forecast = slope + rough, slope + gaussian_filter(rough, 2)
    fields = frames(forecast), frames(observed)
    plain, tapered = (spectrum_skill(spectrum_statistics(*fields, taper=t)).rapsd_ratio[0] for t in (False, True))
    assert tapered[24:].max() < 0.05 and plain[24:].mean() > 5 * tapered[24:].mean()


def test_a_perfect_forecast_has_the_ratio_one():
    field = frames(noise(24, 24))
    assert (spectrum_skill(spectrum_statistics(field, field)).rapsd_ratio == 1).all()


def test_frames_with_a_missing_pixel_count_only_when_filled():
    forecast, observed = frames(*noise(2, 16, 16)), frames(*noise(2, 16, 16, seed=1))
    forecast[1, 0, 3, 3, 0] = NAN
    alone = spectrum_statistics(forecast[:1], observed[:1])
    s = spectrum_statistics(forecast, observed)
    assert s.spectrum_frames.item() == 1
    np.testing.assert_array_equal(s.spectrum_observed, alone.spectrum_observed)
    filled, same = forecast.copy(), observed.copy()
    filled[1, 0, 3, 3, 0] = same[1, 0, 3, 3, 0] = 0.5  # in both fields, so that no difference comes from it
    with_fill = spectrum_statistics(forecast, observed, Scoring(fill=0.5))
    assert with_fill.spectrum_frames.item() == 2
    np.testing.assert_array_equal(with_fill.spectrum_observed, spectrum_statistics(filled, same).spectrum_observed)
    forecast[1, 0, :9] = NAN  # 7 of 16 rows are left
    assert spectrum_statistics(forecast, observed, Scoring(fill=0.5)).spectrum_frames.item() == 1


def test_without_any_frame_the_spectra_are_undefined():
    missing = np.full((1, 1, 8, 8, 1), NAN)
    k = spectrum_skill(spectrum_statistics(missing, missing))
    assert np.isnan(k.rapsd_ratio).all() and np.isnan(k.rapsd_forecast).all() and k.spectrum_frames.item() == 0
    dry = np.zeros((1, 1, 8, 8, 1))
    k = spectrum_skill(spectrum_statistics(dry, dry))
    assert np.isnan(k.rapsd_ratio).all() and (k.rapsd_forecast == 0).all()
    pixel = np.ones((1, 1, 1, 1, 1))
    assert spectrum_skill(spectrum_statistics(pixel, pixel)).sizes["wavenumber"] == 0


def test_sums_add_and_channels_are_frames():
    rng = np.random.default_rng(3)
    forecast, observed = rng.random((2, 4, 2, 12, 12, 2))
    whole = spectrum_statistics(forecast, observed, Scoring(units="mm/h"))
    parts = [spectrum_statistics(forecast[p], observed[p], Scoring(units="mm/h")) for p in (slice(3, 4), slice(3))]
    total = add_statistics(*parts)
    assert whole.spectrum_frames.values.tolist() == total.spectrum_frames.values.tolist() == [8, 8]
    np.testing.assert_allclose(total.spectrum_forecast, whole.spectrum_forecast, rtol=1e-13)
    assert spectrum_skill(total).rapsd_forecast.attrs["units"] == "(mm/h)^2"


def test_frames_of_different_sizes_add_by_their_central_squares():
    small, large = frames(noise(12, 10)), frames(noise(21, 16, seed=1))
    total = add_statistics(*(spectrum_statistics(f, f, Scoring(side=8)) for f in (small, large)))
    middle = frames(small[0, 0, 2:10, 1:9, 0], large[0, 0, 6:14, 4:12, 0])
    np.testing.assert_allclose(total.spectrum_forecast, spectrum_statistics(middle, middle).spectrum_forecast)
    with pytest.raises(ValueError, match="values of wavenumber differ"):
        add_statistics(*(spectrum_statistics(f, f) for f in (small, large)))
    with pytest.raises(ValueError, match="side 11 does not fit into frames of 12x10 pixels"):
        spectrum_statistics(small, small, Scoring(side=11))


def test_wavelengths_are_given_where_the_pixel_is_known():
    field = frames(noise(10, 16))
    s = spectrum_statistics(field, field, Scoring(pixel_size=500.0))
    assert s.wavelength.values.tolist() == [8000.0 / k for k in range(1, 9)] and s.wavelength.attrs["units"] == "m"
    assert "wavelength" in spectrum_skill(s).rapsd_ratio.coords
    assert "wavelength" not in spectrum_statistics(field, field).coords
    with pytest.raises(ValueError, match="values of wavelength differ"):
        add_statistics(s, spectrum_statistics(field, field, Scoring(pixel_size=1000.0)))


def test_spectra_of_different_rules_do_not_add():
    field = frames(noise(8, 8))
    s = spectrum_statistics(field, field)
    for scoring, options in ((PLAIN, {"taper": False}), (Scoring(fill=0.0), {})):
        with pytest.raises(ValueError, match="attributes of wavenumber differ"):
            add_statistics(s, spectrum_statistics(field, field, scoring, **options))


@pytest.mark.parametrize(("options", "message"), [({"fill": NAN}, "fill must be finite"), ({"pixel_size": 0}, "not 0")])
def test_bad_options_are_refused(options, message):
    field = frames(noise(8, 8))
    with pytest.raises(ValueError, match=message):
        spectrum_statistics(field, field, Scoring(**options))
