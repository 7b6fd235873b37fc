"""A run on made-up counts whose model is a single number, because a network takes long to compile."""

import jax.numpy as jnp
import numpy as np

from predjax import parallel
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.forecaster import Forecaster
from predjax.models.losses import global_mean, squared_error
from predjax.models.scaling import Scaling
from predjax.models.shares import WHOLE
from predjax.radar.config import DataConfig
from predjax.radar.readers import read_movies
from predjax.radar.windows.batches import BatchSource
from predjax.radar.windows.index import WindowIndex
from predjax.radar.windows.runs import find_periods
from predjax.training.config import TrainConfig
from predjax.training.run import Run

CONFIG = ModelConfig(input_length=2, total_length=4, scaling=Scaling("linear", 0.0, 255.0))


def make_linear() -> Forecaster:
    """The next frame is this one times w: all of an update but the network, which takes long to compile."""

    def init(rng, frames, forcings=None):
        return {"linear": {"w": jnp.full((), 0.7)}}

    def loss(params, rng, frames, use_truth, forcings=None, share=WHOLE):
        scaled = CONFIG.scaling.scale(frames)
        mse = global_mean(*squared_error(params["linear"]["w"] * scaled[:, :-1], scaled[:, 1:]), share.axis_name)
        return mse, {"mse": mse}

    return Forecaster(CONFIG, init, None, loss, None)


def make_run(folder, dtype, schedule=None, **training):
    counts = np.random.default_rng(0).integers(0, 256, (2, 9, 8, 8)).astype(dtype)
    np.save(folder / "movies.npy", counts)
    sources = read_movies(folder / "movies.npy", layout="movie,time,y,x")
    config = TrainConfig(
        **{"batch_size": 8, "max_iterations": 9, "display_interval": 2, "max_bad_steps": 2} | training
    ).resolve()
    batches = BatchSource(WindowIndex(sources, find_periods(sources), 4, DataConfig()), config.update_size, 0)
    devices = parallel.choose_devices(4)
    return Run(make_linear(), batches, [], config, SamplingConfig().resolve(9), folder, {}, devices, None, schedule)
