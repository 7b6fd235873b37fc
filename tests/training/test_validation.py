"""The validation loss: exact over batches that are not full, and honest about networks that diverged."""

import jax
import numpy as np

from predjax.models.config import ModelConfig
from predjax.models.forecaster import Forecaster, make_forecaster
from predjax.radar.windows.batches import Batch
from predjax.training.validation import make_validation, read_parts, validate


def test_a_network_that_diverged_is_never_best():
    forecaster = make_forecaster(ModelConfig(num_hidden=(4,), filter_size=3, input_length=2, total_length=4))
    frames = np.random.default_rng(0).random((2, 4, 8, 8, 1), dtype=np.float32)
    frames[:, 1, :4] = np.nan
    params = forecaster.init(jax.random.key(0), frames)
    measure = jax.jit(make_validation(forecaster))
    total, count = measure(params, frames, None)
    assert np.isfinite(total) and count == 2 * 2 * 4 * 8  # where the last observed frame has coverage
    total, _ = measure(jax.tree.map(lambda x: x * np.nan, params), frames, None)
    assert np.isnan(total)


def test_crps_is_validated_with_the_same_draws_every_time_and_on_any_number_of_replicas():
    def predict(params, key, observed, num_steps, forcings=None):
        return observed[:, -1:] + params * jax.random.normal(key, (num_steps, *observed.shape[2:]))

    config = ModelConfig(loss="crps", noise=0.1, input_length=2, total_length=5)
    measure = make_validation(Forecaster(config, None, None, None, predict))
    frames = np.random.default_rng(0).random((4, 5, 1, 1, 1), dtype=np.float32)
    frames[3, 1] = np.nan
    totals, counts = measure(1.0, frames, None)
    assert counts.tolist() == [9, 3]  # frames, and means over time, of three samples
    shares = jax.jit(jax.vmap(lambda part: measure(1.0, part, None, "replica"), axis_name="replica"))
    for share, whole in zip(shares(frames.reshape(2, 2, *frames.shape[1:])), (totals, counts)):
        np.testing.assert_allclose(share.sum(0), whole, rtol=1e-5)
    loss = validate(measure, 1.0, [(frames, None)])
    assert loss == validate(measure, 1.0, [(frames, None)]) and loss != validate(measure, 0.5, [(frames, None)])
    np.testing.assert_allclose(loss, (totals / counts).sum(), rtol=1e-6)


def test_parts_of_batches_are_filled_with_what_no_sum_counts():
    def read(windows):
        frames = np.stack([np.full((2, 1, 1, 1), window, np.float32) for window in windows])
        return Batch(frames, frames[:, :, 0, 0].copy(), list(windows))

    parts = [read_parts(read, [1, 2, 3, 4, 5], 4, part, 2) for part in (0, 1)]
    found = [[batch.frames[:, 0, 0, 0, 0].tolist() for batch in batches] for batches in parts]
    np.testing.assert_array_equal(found, [[[1, 2], [5, np.nan]], [[3, 4], [np.nan, np.nan]]])
    assert all(np.isfinite(batch.forcings).all() for batches in parts for batch in batches)
    sums = ((batch.frames, None) for batch in (*parts[0], *parts[1]))
    mean = validate(lambda params, frames, forcings: (np.nansum(frames), np.isfinite(frames).sum()), None, sums)
    assert mean == 3.0 and np.isnan(validate(lambda *_: (0.0, 0), None, [(None, None)]))
