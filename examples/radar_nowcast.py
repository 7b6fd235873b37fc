# %% [markdown]
# # A nowcast of rain
#
# A network learns how radar images go on, is scored beside two simple forecasts, and makes a nowcast. Run the file as
# a whole (`python examples/radar_nowcast.py`), or cell by cell in an editor that knows `# %%`.

# %%
import json
import pathlib
import tempfile

import xarray as xr

import predjax
from predjax.commands import train
from predjax.jobs.plan import find_sample
from predjax.nowcasts.extrapolation import extrapolate
from predjax.pictures.maps import draw_strip
from predjax.pictures.panels import label_forecast

ITERATIONS = 100  # 3000, and more and larger layers, for a network worth using
LAYERS = "16,16"  # features of each layer
OUTPUT = tempfile.mkdtemp(prefix="predjax_")  # the folder for the run and the picture

output = pathlib.Path(OUTPUT)

# %% [markdown]
# ## The movies
#
# The sample file holds synthetic radar movies of 20 frames, one every five minutes, in dBZ. Where the radar sees
# nothing there is no value (NaN), which is not the same as no rain. predjax finds frames, times, units and grid by
# the labels in the file, so your own netCDF file can stand here.

# %%
DATA = find_sample()  # data/radar_movies.nc, or where it was installed
movies = predjax.read_movies(DATA)[0]
print(movies["frames"].sizes, movies["frames"].attrs["units"])

# %% [markdown]
# ## Training
#
# This is the command `predjax train`, called from Python. Three choices matter for so short a training:
#
# - `coordinates moving`: the frames go in and come out in coordinates that move with the rain. Then the network need
#   not learn that rain moves, which extrapolation knows already; it learns how rain grows and decays.
# - `residual 1`: the network gives the change of the last frame. Before it has learned anything it is as good as
#   extrapolation.
# - the default split holds out whole movies for validation and for the test. Windows of one movie resemble each
#   other, so a network that has seen some of them would look better than it is.

# %%
flags = {
    "data_path": DATA,
    "model_name": "predrnn_v2",
    "num_hidden": LAYERS,
    "filter_size": 3,
    "coordinates": "moving",
    "residual": 1,
    "input_length": 4,
    "total_length": 12,
    "batch_size": 8,
    "max_iterations": ITERATIONS,
    "save_dir": output / "run",
}
code = train.main([text for name, value in flags.items() for text in (f"--{name}", str(value))])
if code:
    raise SystemExit(code)

# %% [markdown]
# ## Is it better than doing nothing?
#
# Persistence says that nothing changes. Extrapolation moves the last frame with the motion that it sees in the frames
# before. A network must beat both to be of use. Without data of its own, `evaluate` takes the movies that the
# training held out. The scores come from sums over all cases; RMSE is in dBZ, less is better.

# %%
skill = predjax.evaluate(output / "run")
methods = skill["method"].values.tolist()
print(f"RMSE in {skill.attrs['units']} of {skill.attrs['cases']} cases")
print("minutes  " + "".join(f"{name:>15}" for name in methods))
for lead in skill["lead_time"].values:
    errors = skill["rmse"].sel(lead_time=lead).values
    print(f"{lead:7}  " + "".join(f"{error:15.2f}" for error in errors))

# %% [markdown]
# ## A nowcast
#
# `forecast` continues the newest frames of files, or of a dataset in memory. Here they are the first frames of a
# movie that was held out, so that what came after them is known. The result is a dataset with lead times, valid
# times, units and grid.

# %%
held_out = json.loads((output / "run" / "config.json").read_text())["data"]["test"][0]["movie"]
with xr.open_dataset(DATA) as dataset:
    movie = dataset.isel(movie=held_out).load()
observed, future = movie.isel(time=slice(0, 4)), movie.isel(time=slice(4, 12))
nowcast = predjax.forecast(output / "run", observed)
print(nowcast)

# %% [markdown]
# ## The picture
#
# What came, the nowcast, and the two simple forecasts of the same frames. Persistence stands still. Extrapolation
# moves the rain and keeps it as it was; what comes from outside the picture it cannot know, and there it is grey. The
# network starts from extrapolation and learns to weaken what it is not sure of: after 40 minutes its frames have about
# three quarters of the variance of the observed ones (`skill["variance_ratio"]`).

# %%
seen = observed["reflectivity"].values[None, ..., None]  # (B, T, H, W, C), as all nowcasts take it
rows = {
    "observed": future["reflectivity"].values,
    "predrnn_v2": nowcast["reflectivity"].values[..., 0],
    "extrapolation": extrapolate(seen, 8, units="dBZ")[0, ..., 0],
    "persistence": predjax.persist(seen, 8)[0, ..., 0],
}
path = output / "radar_nowcast.png"
nowcast.attrs["title"] = f"A movie that was held out, after {ITERATIONS} updates"
labels = label_forecast(nowcast, "dBZ", input_length=4)
draw_strip(path, rows, labels, observed_input=observed["reflectivity"].values, overwrite=True)
print(f"picture {path}")
