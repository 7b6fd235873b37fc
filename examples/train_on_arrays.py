# %% [markdown]
# # Training on arrays of your own
#
# Frames that are arrays in memory, a loss and an optimizer of your own: the training of predjax (validation,
# checkpoints, scheduled sampling, several devices) takes them all, without the command line. Run the file as a whole
# (`python examples/train_on_arrays.py`), or cell by cell in an editor that knows `# %%`.

# %%
import pathlib
import tempfile

import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr

import predjax
from predjax.pictures.maps import draw_strip
from predjax.pictures.panels import label_forecast

ITERATIONS = 150  # seconds; a network worth using takes thousands
MOVIES = 24
OUTPUT = tempfile.mkdtemp(prefix="predjax_")  # the folder for the run and the picture

output = pathlib.Path(OUTPUT)

# %% [markdown]
# ## The arrays
#
# Each movie shows cells of rain that drift across 32 x 32 pixels and grow and decay while they do. Values are in dBZ;
# nothing falls where they are 0. One corner is never seen: NaN means that there is no coverage.

# %%
rng = np.random.default_rng(0)
y, x = np.mgrid[:32, :32]
time = np.arange(10)[:, None, None]


def make_movie():
    """Frames (10, 32, 32) of six cells with one motion."""
    frames, motion = np.zeros((10, 32, 32)), rng.uniform(-1.5, 1.5, 2)
    for row, column, age in zip(*rng.uniform(-4, 36, (2, 6)), rng.uniform(-6, 10, 6)):
        peak = rng.uniform(30, 50) * np.exp(-(((time - age) / 5) ** 2))
        distance = (y - row - motion[0] * time) ** 2 + (x - column - motion[1] * time) ** 2
        frames = np.maximum(frames, peak * np.exp(-distance / 16))
    return frames


rain = np.stack([make_movie() for _ in range(MOVIES)]).astype(np.float32)
rain[:, :, :6, :6] = np.nan
print(rain.shape, f"{np.nanmax(rain):.0f} dBZ at most")

# %% [markdown]
# ## Labels
#
# predjax asks for what an array cannot say: which axis is which, the unit, and the times. An `xarray.DataArray` says
# all of it. The last movie is kept for the forecast.

# %%
start = np.datetime64("2026-06-01T12:00", "ns") + np.arange(MOVIES) * np.timedelta64(1, "D")
times = start[:, None] + np.arange(10) * np.timedelta64(5, "m")
movies = xr.DataArray(
    rain,
    dims=("movie", "time", "y", "x"),
    coords={"valid_time": (("movie", "time"), times)},
    attrs={"units": "dBZ", "standard_name": "equivalent_reflectivity_factor"},
)
train_movies, last = movies[:-1], xr.DataArray(rain[-1], dims=("time", "y", "x"), coords={"time": times[-1]})
last.attrs = movies.attrs
print(predjax.read_movies(train_movies)[0]["frames"].sizes)

# %% [markdown]
# ## A loss and an optimizer
#
# The loss takes predicted and observed frames in dBZ and gives the error of every pixel. Its mean over the pixels with
# coverage is made small. This one counts errors in heavy rain up to five times. The optimizer may be any of optax.


# %%
def loss(predicted, observed):
    """Absolute errors, with more weight where more rain was observed."""
    return jnp.abs(predicted - observed) * (1 + jnp.clip(observed, 0, 40) / 10)


optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.lion(optax.cosine_decay_schedule(1e-3, ITERATIONS)))

# %% [markdown]
# ## Training
#
# All flags of `predjax train` are arguments. Whole movies are held out for validation and for the test; the result says
# where the run lies, why it ended, and how good the best network is beside persistence.

# %%
result = predjax.train(
    train_movies,
    loss=loss,
    optimizer=optimizer,
    save_dir=output / "run",
    model_name="conv_lstm",
    num_hidden=(16,),
    filter_size=3,
    residual=True,
    input_length=4,
    total_length=8,
    batch_size=8,
    max_iterations=ITERATIONS,
    test_interval=max(1, ITERATIONS // 3),
)
skill = result.verified.verification.common
print(f"{result.reason} after {result.iteration} iterations; {result.held_out}")
for name, errors in zip(skill["method"].values, skill["rmse"].values):
    print(f"{name:12}RMSE" + "".join(f"{error:7.2f}" for error in errors), "dBZ")

# %% [markdown]
# ## A forecast and a picture
#
# The forecast goes on from the first four frames of the movie that nothing was trained on. Where there is no coverage
# it has no values either.

# %%
forecast = predjax.forecast(result.folder, last[:4])
values = next(iter(forecast.data_vars.values())).values[..., 0]
path = output / "train_on_arrays.png"
rows = {"observed": last.values[4:8], "conv_lstm": values}
forecast.attrs["title"] = f"A movie that was held out, after {ITERATIONS} updates"
labels = label_forecast(forecast, "dBZ", input_length=4)
draw_strip(path, rows, labels, observed_input=last.values[:4], overwrite=True)
print(f"picture {path}")
