"""What goes into an update, and that nothing waits: frames as they are stored, on their devices, metrics read late."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from predjax import parallel
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.forecaster import Forecaster
from predjax.models.losses import global_mean, squared_error
from predjax.models.scaling import Scaling
from predjax.radar.config import DataConfig
from predjax.radar.formats.decode import Decoder
from predjax.radar.readers import read_movies
from predjax.radar.windows.batches import BatchSource
from predjax.radar.windows.codes import CodedFrames, decode
from predjax.radar.windows.index import WindowIndex
from predjax.radar.windows.runs import find_periods
from predjax.training import monitor
from predjax.training.config import TrainConfig
from predjax.training.loop import estimate
from predjax.training.monitor import Log, Monitor, read_log
from predjax.training.run import Run

CONFIG = ModelConfig(input_length=2, total_length=4, scaling=Scaling("linear", 0.0, 255.0))


def make_linear() -> Forecaster:
    """The next frame is this one times w: all of an update but the network, which takes long to compile."""

    def init(rng, frames, forcings=None):
        return {"linear": {"w": jnp.full((), 0.7)}}

    def loss(params, rng, frames, use_truth, forcings=None, axis_name=None):
        scaled = CONFIG.scaling.scale(frames)
        mse = global_mean(*squared_error(params["linear"]["w"] * scaled[:, :-1], scaled[:, 1:]), axis_name)
        return mse, {"mse": mse}

    return Forecaster(CONFIG, init, None, loss, None)


def make_run(folder, dtype):
    counts = np.random.default_rng(0).integers(0, 256, (2, 9, 8, 8)).astype(dtype)
    np.save(folder / "movies.npy", counts)
    sources = read_movies(folder / "movies.npy", layout="movie,time,y,x")
    batches = BatchSource(WindowIndex(sources, find_periods(sources), 4, DataConfig()), 8, 0)
    config = TrainConfig(batch_size=8, max_iterations=9, display_interval=2, max_bad_steps=2).resolve()
    devices = parallel.choose_devices(4)
    return Run(make_linear(), batches, [], config, SamplingConfig().resolve(9), folder, {}, devices)


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


@pytest.mark.parametrize("slowest,updates", [(499, 2), (500, 1)])
def test_a_long_update_tells_the_time_alone(slowest, updates, tmp_path, monkeypatch):
    """Where it is long in any process; a copy of the state is made to compile with, and one for each update."""
    run = make_run(tmp_path, "u1")
    state, copies = run.init(), []
    replicate = parallel.replicate
    monkeypatch.setattr(parallel, "gather", lambda own: [0, slowest])
    monkeypatch.setattr(parallel, "replicate", lambda *given: copies.append(given) or replicate(*given))
    assert estimate(run, state)[1].iteration_seconds > 0
    assert len(copies) == 1 + updates


class Metric:
    """A number that notes when it is read."""

    def __init__(self, value, name, read):
        self.value, self.name, self.read = value, name, read

    def __float__(self):
        self.read.append(self.name)
        return float(self.value)


class Bar:
    def set_postfix_str(self, text):
        self.text = text


def add(watch, iteration, read, bad=0.0):
    watch.add(iteration, [], {name: Metric(bad, iteration, read) for name in ("loss", "bad")})


def test_metrics_are_read_when_the_next_iteration_is_under_way(tmp_path):
    log = Log(tmp_path / "log.jsonl", 0)
    watch, read = Monitor(make_run(tmp_path, "u1"), log, Bar(), 0), []
    add(watch, 1, read)
    assert not read
    for iteration in (2, 3, 4):
        add(watch, iteration, read)
        assert set(read) == set(range(1, iteration))
    assert [record["iteration"] for record in read_log(log.path)] == [2]
    watch.settle()
    assert set(read) == {1, 2, 3, 4} and [record["iteration"] for record in read_log(log.path)] == [2, 4]
    watch.settle()
    assert len(read_log(log.path)) == 2


def test_bad_updates_count_in_a_row(tmp_path):
    run = make_run(tmp_path, "u1")
    watch, read = Monitor(run, Log(tmp_path / "log.jsonl", 0), Bar(), 0), []
    for iteration, bad in enumerate((1.0, 0.0, 1.0, 1.0), 1):
        add(watch, iteration, read, bad)
    with pytest.raises(ValueError, match="2 updates in a row without a finite gradient"):
        watch.settle()


def test_waiting_is_the_time_between_batches(tmp_path, monkeypatch):
    """By a clock of our own: a batch takes 3 s to come, an iteration 5 s, a validation 100 s that are left out."""
    clock = [0.0]
    monkeypatch.setattr(monitor.time, "perf_counter", lambda: clock[0])

    def read():
        for _ in range(4):
            clock[0] += 3
            yield None

    log, bar = Log(tmp_path / "log.jsonl", 0), Bar()
    watch = Monitor(make_run(tmp_path, "u1"), log, bar, 0)
    for iteration, _ in enumerate(watch.wait(read()), 1):
        clock[0] += 5
        add(watch, iteration, [])
        if iteration == 2:
            watch.settle()
            clock[0] += 100
            watch.leave_out(100)
    watch.settle()
    first, second = read_log(log.path)
    assert first["waited"] == second["waited"] == round(3 / 8, 4)
    assert first["frames_per_second"] == second["frames_per_second"] == 8 * 4 / 8
    assert "38% waiting for data" in bar.text
