"""Makes the golden checkpoint of a format, and what it forecasts; `python tests/golden/make_checkpoint.py`.

Once made they stay as they are: later versions must read what earlier ones wrote. Format 1 was made by this script too,
when it was the current one.
"""

import pathlib
import shutil
import tempfile

import numpy as np

import predjax
from predjax import checkpoint
from predjax.checkpoint_names import step_path
from predjax.commands.train import main

HERE = pathlib.Path(__file__).parent
DATA = "data/radar_movies.nc"  # as the checkpoint records it
FLAGS = "--num_hidden 2,2 --filter_size 3 --total_length 6 --input_length 3 --batch_size 4 --crop 16 --n_gpu 1"


def forecast(path) -> np.ndarray:
    """Three frames after the first three of the sample movies."""
    model = predjax.load_model(path)
    observed = predjax.read_movies(HERE.parents[1] / DATA)[0].frames[:2, :3, 24:40, 24:40].values
    return predjax.make_nowcast(model.forecaster, model.params)(observed, 3)


def make() -> None:
    with tempfile.TemporaryDirectory() as folder:
        flags = f"{FLAGS} --data_path {DATA} --max_iterations 4 --lr_schedule constant --save_dir {folder}"
        assert main(flags.split()) == 0
        name = f"checkpoint_{checkpoint.VERSION}"
        shutil.copy(step_path(folder, 4), HERE / f"{name}.npz")
    np.save(HERE / f"{name}_forecast.npy", forecast(HERE / f"{name}.npz"))


if __name__ == "__main__":
    make()
