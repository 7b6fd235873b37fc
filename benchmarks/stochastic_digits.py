"""Are the members that a network draws calibrated? Moving digits whose true distribution can be sampled tell.

    python benchmarks/stochastic_digits.py --digits mnist_digits.npz --output runs/digits
    python benchmarks/stochastic_digits.py --digits mnist_digits.npz --output runs/digits --iterations 4000

One digit moves in frames of 32 x 32 pixels (Moving MNIST, every second pixel in means) and leaves an edge in a random
direction. 3 frames go in, 5 come out. The same network is trained with `--loss crps --noise 0.1`, and with the usual
loss (mse). Of each test movie many futures are drawn: some are observations, the others are the members of a perfect
ensemble, whose CRPS is the least that any can have. It knows the place of a digit to a fraction of a pixel, which
frames do not show.

A run that is stopped goes on when it is started again, and with more `--iterations` it is trained further. In the
folder: `result.json`, `calibration.png`, and the two trainings.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import xarray as xr
from stochastic_digits_picture import draw_calibration
from tqdm import tqdm

import predjax
from predjax.checkpoint_names import find_steps
from predjax.synthetic.moving_mnist import MovingMnistConfig, draw_futures, make_mnist_movie, read_digits
from predjax.verification.ensembles import ensemble_skill, ensemble_statistics

MOVING = MovingMnistConfig(length=8, input_length=3, num_digits=1, stochastic=True)
POOL = 2  # pixels of a frame of 64 x 64 in one of these
SIDES = (1, 4, 16)  # of squares in pixels, whose means are scored; the network works on patches of 4 x 4
NETWORK = {
    "model_name": "conv_lstm",
    "num_hidden": (16, 16),
    "filter_size": 3,
    "patch_size": 4,
    "residual": True,
    "coordinates": "fixed",
    "input_length": MOVING.input_length,
    "total_length": MOVING.length,
    "scheduled_sampling": False,
    "batch_size": 8,
    "valid_fraction": 0.03,
    "test_fraction": 0.01,  # the movies of another seed are the test
}
LOSSES = {"crps": {"loss": "crps", "noise": 0.1}, "mse": {"loss": "mse"}}
TRAIN_SEED, TEST_SEED = 0, 1
SCORING = predjax.Scoring(thresholds=(0.1,))  # ranks are of pixels where the observation or a member reaches it


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--digits", required=True, metavar="FILE", help="uint8 (N, 28, 28), 'digits' in .npz or .npy")
    add("--output", required=True, type=pathlib.Path, metavar="DIR")
    add("--iterations", type=int, default=1500, metavar="N", help="of each training (default 1500)")
    add("--movies", type=int, default=3000, metavar="N", help="to train on (default 3000)")
    add("--cases", type=int, default=100, metavar="N", help="movies to test on (default 100)")
    add("--members", type=int, default=16, metavar="M", help="(default 16)")
    add("--futures", type=int, default=32, metavar="N", help="drawn of each case, more than members (default 32)")
    options = parser.parse_args(arguments)
    if not 1 < options.members < options.futures:
        parser.error(f"2 or more members, and more futures: got {options.members} and {options.futures}")
    try:
        run(options)
    except (ValueError, OSError) as error:
        print(f"stochastic_digits.py: {error}", file=sys.stderr)
        return 2
    return 0


def run(options) -> None:
    digits = read_digits(options.digits)
    test = np.arange(len(digits)) % 5 == 4  # every fifth digit is for the test alone
    movies = make_movies(digits[~test], TRAIN_SEED, options.movies)
    models = {name: train(movies, options.output / name, options.iterations, loss) for name, loss in LOSSES.items()}
    cases = make_movies(digits[test], TEST_SEED, options.cases).values[..., None]
    futures = make_futures(digits[test], options.cases, options.futures)
    forecasts = forecast(models, cases[:, : MOVING.input_length], options.members)
    forecasts["truth"] = futures[:, -options.members :]
    # The rest of the movie and futures that are no members: each is an observation.
    observed = np.concatenate([cases[:, None, MOVING.input_length :], futures[:, : -options.members]], 1)
    scores = {
        (name, side): score(average(members, side), average(observed, side))
        for side in SIDES
        for name, members in forecasts.items()
    }
    print(format_scores(scores))
    path = options.output / "result.json"
    kept = {f"{name} {side}": {key: values.tolist() for key, values in s.items()} for (name, side), s in scores.items()}
    path.write_text(json.dumps({"options": {**vars(options), "output": None}, "scores": kept}, indent=1) + "\n")
    draw_calibration(options.output / "calibration.png", cases, forecasts, scores)


def make_movies(digits: np.ndarray, seed: int, count: int) -> xr.DataArray:
    """Movies of a seed, (movie, time, y, x) in [0, 1]."""
    made = [
        pool(make_mnist_movie(digits, MOVING.length, seed, movie, MOVING.num_digits, MOVING.stochastic))
        for movie in range(count)
    ]
    times = np.datetime64("2000-01-01", "ns") + np.arange(MOVING.length) * np.timedelta64(1, "m")
    return xr.DataArray(np.stack(made), dims=("movie", "time", "y", "x"), coords={"time": times}, attrs={"units": "1"})


def make_futures(digits: np.ndarray, cases: int, count: int) -> np.ndarray:
    """Futures of the test movies: (case, future, T, H, W, 1)."""
    return np.stack([pool(draw_futures(digits, MOVING, TEST_SEED, case, count)) for case in range(cases)])[..., None]


def pool(frames: np.ndarray) -> np.ndarray:
    """Means of squares of POOL x POOL pixels of uint8 frames (..., H, W), float32 in [0, 1]."""
    *rest, height, width = frames.shape
    squares = frames.reshape(*rest, height // POOL, POOL, width // POOL, POOL)
    return squares.mean((-3, -1), dtype=np.float32) / np.float32(255)


def average(frames: np.ndarray, side: int) -> np.ndarray:
    """Means of squares of side x side pixels of frames (..., H, W, 1)."""
    *rest, height, width, _ = frames.shape
    return frames.reshape(*rest, height // side, side, width // side, side, 1).mean((-4, -2))


def train(movies: xr.DataArray, folder: pathlib.Path, iterations: int, loss: dict):
    """The network of a folder, trained up to so many iterations."""
    begun = list(find_steps(folder))
    if not begun or max(begun) < iterations:
        chosen = {"resume": True} if begun else NETWORK | loss
        predjax.train(movies, save_dir=folder, max_iterations=iterations, **chosen)
    return predjax.load_model(folder)


def forecast(models: dict, observed: np.ndarray, members: int) -> dict[str, np.ndarray]:
    """Forecasts (case, member, T, H, W, 1) in [0, 1] of each network; one member of the network without noise."""
    steps, found = MOVING.length - MOVING.input_length, {}
    for name, model in models.items():
        number = members if model.forecaster.config.draws else 1
        nowcast = predjax.make_nowcast(model.forecaster, model.params, members=number)
        parts = [nowcast(observed[i : i + 10], steps) for i in tqdm(range(0, len(observed), 10), name, disable=None)]
        frames = np.clip(np.concatenate(parts), 0, 1)
        found[name] = frames if number > 1 else frames[:, None]
    return found


def score(members: np.ndarray, observed: np.ndarray) -> dict[str, np.ndarray]:
    """Scores by lead time against all observations (case, observation, T, H, W, 1)."""
    skill = ensemble_skill(sum(ensemble_statistics(members, one, SCORING) for one in np.moveaxis(observed, 1, 0)))
    return {name: skill[name].values for name in ("crps", "spread_ratio", "ensemble_rmse", "rank_histogram")}


def format_scores(scores: dict) -> str:
    lines = ["| squares | frame | CRPS crps | mse (MAE) | truth | spread/error crps | truth |", "|---" * 7 + "|"]
    for side in SIDES:
        crps, mse, truth = (scores[name, side] for name in ("crps", "mse", "truth"))
        for lead in range(MOVING.length - MOVING.input_length):
            errors = " | ".join(f"{skill['crps'][lead]:.4f}" for skill in (crps, mse, truth))
            ratios = " | ".join(f"{skill['spread_ratio'][lead]:.2f}" for skill in (crps, truth))
            lines.append(f"| {side} | {lead + 1} | {errors} | {ratios} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
