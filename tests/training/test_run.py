"""What goes into an update, without waiting: frames as they are stored, on their devices."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training.linear_run import make_run

from predjax import parallel
from predjax.radar.formats.decode import Decoder
from predjax.radar.windows.codes import CodedFrames, decode


@pytest.mark.parametrize("dtype", ["u1", "i2"])
def test_a_device_looks_up_the_bits_that_the_host_does(dtype):
    decoder = Decoder(f"<{dtype}", 0.01, -7.3, missing=(3, 5), to="mm/h")
    codes = np.arange(2 ** (8 * np.dtype(dtype).itemsize)).astype(f"u{np.dtype(dtype).itemsize}")[None]
    on_device = np.asarray(jax.jit(decode)(CodedFrames(jnp.asarray(codes), jnp.asarray(decoder.table))))
    on_host = decoder(codes.view(dtype), "")
    np.testing.assert_array_equal(on_device.view("u4"), on_host.view("u4"))
    assert np.isnan(on_host).sum() == 2


@pytest.mark.parametrize("dtype", ["u1", "i2"])
def test_stored_integers_go_to_the_devices(dtype, tmp_path):
    run = make_run(tmp_path, dtype)
    windows, frames, forcings = run.read(1)
    assert frames.codes.dtype == np.dtype(dtype.replace("i", "u")) and forcings is None
    assert run.read(2)[1].table is frames.table  # sent once
    for array, shape in ((frames.codes, (4, 2, 4, 8, 8, 1)), (frames.table, (4, len(run.batches.table)))):
        assert isinstance(array, jax.Array) and array.shape == shape
        assert {shard.device for shard in array.addressable_shards} == set(run.devices)
    batch = run.batches.batch(1)
    assert batch.windows == windows
    np.testing.assert_array_equal(frames.table[0][frames.codes].reshape(batch.frames.shape), batch.frames)


def test_an_update_takes_what_was_read_without_another_transfer_and_learns_the_same(tmp_path):
    """As stored and as values, on four devices: the same loss and parameters."""
    found = {}
    for dtype in ("u1", "f4"):
        run = make_run(tmp_path, dtype)
        state = parallel.replicate(run.init(), run.devices)
        _, frames, forcings = run.read(0)
        assert isinstance(frames, CodedFrames) == (dtype == "u1")
        with jax.transfer_guard("disallow"):
            state, metrics = run.update(state, frames, forcings, None)
        found[dtype] = float(metrics["loss"]), jax.tree.leaves(state.params)
    assert found["u1"][0] == found["f4"][0] and 0.01 < found["u1"][0] < 1
    for one, other in zip(found["u1"][1], found["f4"][1]):
        np.testing.assert_array_equal(one, other)


def test_given_weights_start_with_the_noise_that_the_model_has(tmp_path):
    """Weights without noise get new noise and keep the rest; noise that the model does not have is left out."""
    run = make_run(tmp_path, "u1")
    linear, noise = {"linear": {"w": np.float32(0.3)}}, {"x/noise_0": {"m": np.float32(1)}}
    assert run.init(linear | noise).params == linear
    noisy = dataclasses.replace(run.forecaster.config, noise=0.1)
    init = lambda *_: {"linear": {"w": jnp.zeros(())}, "x/noise_0": {"m": jnp.ones(())}}  # noqa: E731
    run.forecaster = run.forecaster._replace(config=noisy, init=init)
    assert run.init(linear).params == linear | noise
    trained = {"x/noise_0": {"m": np.float32(2)}}
    assert run.init(linear | trained).params == linear | trained
