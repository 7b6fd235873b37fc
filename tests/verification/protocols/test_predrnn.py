"""The scores of the PyTorch PredRNN on frames that its code forecast, against its formulas written down once more."""

import numpy as np
import pytest
from protocol_formulas import ssim_by_hand, unfold

from predjax.models.scaling import Scaling
from predjax.verification.fields import Scoring
from predjax.verification.protocols.catalogue import Published


def test_scores_are_those_of_the_original_code(read):
    arrays = read("A_predrnn_v2_ln0_p4")
    observed, forecast = arrays["images"][:, 1:], unfold(arrays["ss/next_frames"], 4)
    published = Published("predrnn", Scaling())
    scores = published.score(published.measure(forecast, observed, Scoring()))
    mse, psnr, ssim = [], [], []
    for f, o in zip(forecast.reshape(-1, 24, 24, 1), observed.reshape(-1, 24, 24, 1), strict=True):
        f = np.minimum(np.maximum(f, 0), 1)
        mse.append(((o.astype(float) - f) ** 2).sum())
        grey_f, grey_o = (f * 255).astype(np.uint8), (o * 255).astype(np.uint8)
        error = ((grey_f.astype(int) - grey_o) ** 2).mean()
        psnr.append(20 * np.log10(255) - 10 * np.log10(error))
        ssim.append(ssim_by_hand(grey_f, grey_o, 255))
    assert forecast.min() < 0  # so that cutting is tested
    assert scores["mse_mean"].item() == pytest.approx(np.mean(mse), rel=1e-6)
    assert scores["psnr_mean"].item() == pytest.approx(np.mean(psnr), rel=1e-6)
    assert scores["ssim_mean"].item() == pytest.approx(np.mean(ssim), abs=1e-5)
    np.testing.assert_allclose(scores["mse"], np.reshape(mse, (2, -1)).mean(0), rtol=1e-6)


def test_a_perfect_frame_has_an_infinite_psnr_as_in_that_code():
    frames = np.random.default_rng(0).random((1, 2, 8, 8, 1))
    published = Published("predrnn", Scaling())
    scores = published.score(published.measure(frames, frames, Scoring()))
    assert (scores["mse_mean"], scores["ssim_mean"], scores["psnr_mean"]) == (0, pytest.approx(1), np.inf)
