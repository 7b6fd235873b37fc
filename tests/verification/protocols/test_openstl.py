"""The scores of OpenSTL against its formulas written down once more, and against losses of the PyTorch PredRNN."""

import numpy as np
import pytest
from protocol_formulas import ssim_by_hand, unfold

from predjax.models.scaling import Scaling
from predjax.verification.fields import Scoring
from predjax.verification.protocols.catalogue import Published

NONE = Scaling()


def score(forecast, observed, scaling=NONE):
    published = Published("openstl", scaling)
    return published.score(published.measure(forecast, observed, Scoring()))


@pytest.mark.parametrize(("name", "patch_size"), [("A_predrnn_ln0_p2", 2), ("A_predrnn_ln1_p4", 4)])
def test_mse_is_the_loss_of_the_pytorch_code_times_the_pixels(read, name, patch_size):
    arrays = read(name)  # that loss is the mean square over all frames
    forecast = unfold(arrays["ss/next_frames"], patch_size)
    found = score(forecast, arrays["images"][:, 1:])["mse_mean"].item()
    assert found == pytest.approx(float(arrays["ss/loss"]) * forecast[0, 0].size, rel=1e-6)


def test_scores_are_those_of_its_formulas():
    draw = np.random.default_rng(0)
    observed, forecast = draw.random((3, 2, 10, 9, 2)), draw.normal(0.5, 0.5, (3, 2, 10, 9, 2))
    scores = score(2 * forecast - 1, 2 * observed - 1, Scaling("linear", -1.0, 1.0))  # as TaxiBJ has them
    cut = np.minimum(np.maximum(forecast, 0), 1)
    pairs = [(c, o) for c, o in zip(cut.reshape(-1, 10, 9, 2), observed.reshape(-1, 10, 9, 2), strict=True)]
    expected = {
        "mse": np.mean((forecast - observed) ** 2, axis=(0, 1)).sum(),
        "mae": np.mean(np.abs(forecast - observed), axis=(0, 1)).sum(),
        "psnr": np.mean([20 * np.log10(1 / np.sqrt(np.mean((c - o) ** 2))) for c, o in pairs]),
    }
    for name, value in expected.items():
        assert scores[f"{name}_mean"].item() == pytest.approx(value, rel=1e-6), name
    ssim = np.mean([ssim_by_hand(*pair, data_range=2) for pair in pairs])
    assert scores["ssim_mean"].item() == pytest.approx(ssim, abs=1e-5)
    assert int(scores["frames"].sum()) == 6


def test_incomplete_frames_are_left_out_and_small_ones_have_no_ssim():
    draw = np.random.default_rng(0)
    observed, forecast = draw.random((2, 3, 2, 6, 6, 1))
    holed = forecast.copy()
    holed[0, 1, 3, 3] = np.nan
    scores = score(holed, observed)
    assert scores["frames"].values.tolist() == [3, 2]
    squares = ((forecast - observed) ** 2).sum((2, 3, 4))
    assert scores["mse_mean"].item() == pytest.approx((squares.sum() - squares[0, 1]) / 5)
    assert np.isnan(scores["ssim_mean"])


def test_values_beyond_one_without_a_scaling_are_refused():
    frames = np.full((1, 1, 6, 6, 1), 200.0)
    with pytest.raises(ValueError, match=r"protocol openstl needs frames on \[0, 1\].*found 200 to 200"):
        score(frames, frames)
