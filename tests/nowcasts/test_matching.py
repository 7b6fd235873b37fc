"""Forecasts with the distribution of the newest frame."""

import numpy as np
import pytest

from predjax.nowcasts.matching import FADING, KEPT, keep_cores, match, match_newest


def rain(seed, *shape):
    return np.random.default_rng(seed).gamma(0.3, 3.0, shape).astype(np.float32)


def test_the_distribution_is_that_of_the_newest_frame_and_the_order_stays():
    newest, frames = rain(0, 64, 64, 1), np.sqrt(rain(1, 3, 64, 64, 1))
    matched = match(frames, newest, 1.0)
    wanted = np.sort(newest, axis=None)
    for before, after in zip(frames, matched):
        order = np.argsort(before, axis=None)
        assert (np.diff(after.ravel()[order]) >= 0).all()
        np.testing.assert_allclose(np.sort(after, axis=None), wanted, rtol=0.05, atol=0.05)
        np.testing.assert_allclose([after.max(), after.min()], [newest.max(), newest.min()])


def test_half_way_is_the_mean_of_both():
    newest, frames = rain(0, 16, 16, 1), rain(1, 2, 16, 16, 1)
    expected = (frames + match(frames, newest, 1.0)) / 2
    np.testing.assert_allclose(match(frames, newest, 0.5), expected, rtol=1e-5)
    np.testing.assert_array_equal(match(frames, newest, 0.0), frames)


def test_equal_pixels_stay_equal_and_dry_ones_dry():
    newest, frame = rain(0, 32, 32, 1), rain(1, 1, 32, 32, 1)
    newest[newest < 1], frame[frame < 0.2] = 0, 0
    assert 0.3 < (frame == 0).mean() < (newest == 0).mean()
    matched = match(frame, newest, 1.0)
    assert (matched[frame == 0] == 0).all()


@pytest.mark.parametrize("covered", [0, 1, 2])
def test_missing_pixels(covered):
    newest, frame = rain(0, 4, 4, 2), rain(1, 1, 4, 4, 2)
    frame[0].reshape(-1, 2)[covered:] = np.nan
    newest.reshape(-1, 2)[covered:] = np.nan
    matched = match(frame, newest, 1.0)
    np.testing.assert_array_equal(np.isfinite(matched), np.isfinite(frame))
    assert covered != 1 or np.array_equal(matched[0, 0, 0], newest[0, 0])


def test_channels_have_distributions_of_their_own():
    newest, frame = rain(0, 16, 16, 2), rain(1, 1, 16, 16, 2)
    newest[..., 1] += 100
    matched = match(frame, newest, 1.0)
    assert matched[..., 0].max() < 100 <= matched[..., 1].min()


def test_the_cores_of_the_newest_frame_fade_slowly_and_the_rest_is_the_forecast():
    newest, frames = np.zeros((40, 40, 1), np.float32), np.ones((3, 40, 40, 1), np.float32)
    newest[4, :32, 0] = [30] * 24 + [15] * 8  # 2 % of 1600 pixels, some of them half as strong
    newest[0, 0] = np.nan
    frames[:, 0, 0] = np.nan
    kept = keep_cores(frames, newest)
    share = KEPT * FADING ** np.arange(1, 4)
    np.testing.assert_allclose(kept[:, 4, 0, 0], 1 + 29 * share, rtol=1e-6)
    np.testing.assert_allclose(kept[:, 4, 25, 0], 1 + 14 * share / 2, rtol=1e-6)
    np.testing.assert_array_equal(kept[:, 6], frames[:, 6])
    assert np.isnan(kept[:, 0, 0]).all()


def test_a_dry_frame_and_one_without_coverage_have_no_cores():
    frames = np.ones((2, 8, 8, 2), np.float32)
    newest = np.zeros((8, 8, 2), np.float32)
    newest[..., 1] = np.nan
    frames[..., 1] = np.nan
    np.testing.assert_array_equal(keep_cores(frames, newest), frames)


def test_a_matched_nowcast_matches_every_member_with_the_newest_frame_of_its_case():
    rng = np.random.default_rng(0)
    observed, members = rng.random((2, 3, 8, 8, 1)), rng.random((2, 4, 5, 8, 8, 1))
    matched = match_newest(lambda *_: members, 0.7, cores=True)(observed, 5)
    for case in range(2):
        for member in range(4):
            expected = match(keep_cores(members[case, member], observed[case, -1]), observed[case, -1], 0.7)
            np.testing.assert_array_equal(matched[case, member], expected)
    plain = match_newest(lambda *_: members[:, 0], 0.7, cores=False)(observed, 5)
    np.testing.assert_array_equal(plain[1], match(members[1, 0], observed[1, -1], 0.7))
