"""Does predjax learn what PyTorch learns? PredRNN-V2 in both, on Moving MNIST, from the same weights.

    python benchmarks/moving_mnist.py --digits mnist_digits.npz --output runs/mnist
    python benchmarks/moving_mnist.py --digits mnist_digits.npz --output runs/mnist --resume --minutes 600

10 frames of 64 x 64 pixels in, 10 out, two digits. Both sides have the same initial weights, batches and sampling
masks, all functions of seed and iteration, and the same Adam at a constant rate. Without a GPU: 64 x 4 features, batch
2, 300 iterations at 3e-4, seeds 0, 1, 2, so that the loss curves can be laid on each other. With one: the published
run (128 x 4, batch 8, 80,000 iterations at 1e-4, each with a second update backwards in time), as far as it gets in 25
minutes a side. `--resume` goes on where a run stopped, with the same batches and masks, to the end if it is let.

The losses are also laid over the time of the updates. `--resume --sides torch --minutes 5` and the same with
`predjax` in turn, and at last both with few minutes, share a machine's good and bad times between the sides.

How far rounding alone takes the losses apart, a third side tells: 50 iterations of PyTorch from weights half of which
are moved to the next float32.

Movies are made as they are needed, none twice. Every fifth digit of the file is for the test alone. A test forecast is
free; MSE and MAE are summed over the pixels of a frame (values in [0, 1], forecasts clipped to it) and averaged over
frames and movies, SSIM is averaged, as in the published code (there on frames rounded to 8 bits): windows of 7 x 7
with equal weights, K1 0.01, K2 0.03. The published figures are from another file of test movies.

In the folder: `result.json`, `curves.png`, and of each run, in `<side>_seed<n>`, `log.jsonl`, `scores.json` and its
state. Without PyTorch (`pip install -e '.[benchmark]'`) only predjax is trained.
"""

import argparse
import dataclasses
import hashlib
import importlib.util
import itertools
import json
import os
import pathlib
import statistics
import sys
import time

# Both sides use one GPU in turn: jax must not take most of its memory at once.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import numpy as np
from moving_mnist_results import PROTOCOL, PUBLISHED, compare, draw_result, format_result, make_batch, score_forecasts
from moving_mnist_sides import INPUT, LENGTH, SIDES, Settings, draw_weights
from tqdm import tqdm

from predjax import parallel
from predjax.files import appearing
from predjax.nowcasts.persistence import persist
from predjax.synthetic.moving_mnist import read_digits

ON_CPU = Settings((64,) * 4, batch_size=2, lr=3e-4, iterations=300, reverse_input=False)
# mnist_script/predrnn_v2_mnist_train.sh of thuml/predrnn-pytorch
PUBLISHED_RUN = Settings((128,) * 4, batch_size=8, lr=1e-4, iterations=80_000, reverse_input=True)


def main(arguments: list[str] | None = None) -> int:
    options = parse_options(arguments)
    try:
        run(options)
    except (ValueError, OSError) as error:
        print(f"moving_mnist.py: {error}", file=sys.stderr)
        return 2
    return 0


def parse_options(arguments: list[str] | None):
    def numbers(text: str) -> tuple[int, ...]:
        return tuple(int(number) for number in text.split(","))

    def switch(text: str) -> bool:
        return bool(("0", "1").index(text))

    gpu = jax.default_backend() != "cpu"
    preset = PUBLISHED_RUN if gpu else ON_CPU
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--digits", required=True, metavar="FILE", help="uint8 (N, 28, 28), 'digits' in .npz or .npy")
    add("--output", required=True, type=pathlib.Path, metavar="DIR")
    add("--resume", action="store_true", help="go on with what the folder holds")
    add("--sides", default=",".join(SIDES), metavar="NAMES", help="which to train (default %(default)s)")
    add("--seeds", type=numbers, default=(0,) if gpu else (0, 1, 2), metavar="N,N,...", help="(default %(default)s)")
    add("--minutes", type=float, default=25.0 if gpu else None, metavar="M", help="for one side and seed, then stop")
    add("--test_movies", type=int, default=10_000 if gpu else 256, metavar="N", help="(default %(default)s)")
    add("--save_interval", type=int, default=0, metavar="N", help="iterations between checkpoints (1/100, at least 10)")
    for name, kind, metavar in (
        ("num_hidden", numbers, "N,N,..."),
        ("batch_size", int, "B"),
        ("lr", float, "RATE"),
        ("iterations", int, "N"),
        ("reverse_input", switch, "0|1"),
        ("tf32", switch, "0|1"),
    ):
        add(f"--{name}", type=kind, metavar=metavar, help=f"(default {getattr(preset, name)})")
    options = parser.parse_args(arguments)
    options.preset = preset
    return options


def run(options) -> None:
    """Trains, tests and compares, and writes what came out."""
    names = choose_sides(options.sides)
    check_numbers(options)
    train_digits, test_digits = split_digits(read_digits(options.digits), options.digits)
    settings = settle(options, train_digits)
    curves, minutes, seconds, scores, iterations = {}, {}, {}, {}, {}
    for name in names:  # one after the other, so that each may have all of a GPU's memory
        side = SIDES[name](settings)
        curves[name], minutes[name], seconds[name], iterations[name] = {}, {}, {}, {}
        for seed in options.seeds:
            records = train(side, settings, train_digits, seed, options)
            curves[name][seed] = [record["loss"] for record in records]
            taken = [record["seconds"] for record in records]
            minutes[name][seed] = [round(total / 60, 4) for total in itertools.accumulate(taken)]
            seconds[name][seed] = statistics.median(taken)
            iterations[name][seed] = side.iteration
            if side.most == np.inf:  # others end before there is anything to test
                scores.setdefault(name, {})[seed] = test(side, seed, test_digits, options)
        side.release()
    scores["persistence"] = {0: score_forecasts(lambda x: persist(x, LENGTH - INPUT), test_digits, options.test_movies)}
    result = {
        **dataclasses.asdict(settings),
        "test_movies": options.test_movies,
        "device": parallel.describe(parallel.choose_devices(1)),
        "iterations_done": iterations,
        "seconds_an_iteration": seconds,
        "comparison": compare(curves, scores),
        "published": {"protocol": PROTOCOL, **PUBLISHED},
        "scores_per_lead_frame": scores,
        "losses": curves,
        "minutes": minutes,
    }
    with appearing(options.output / "result.json", overwrite=True) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")
    draw_result(options.output / "curves.png", result)
    print(format_result(result))


def choose_sides(text: str) -> list[str]:
    """The sides asked for, PyTorch's only where it is installed."""
    names = text.split(",")
    for name in names:
        if name not in SIDES:
            raise ValueError(f"--sides {name!r} is not one of {', '.join(SIDES)}")
    if "torch_moved" in names and "torch" not in names:
        raise ValueError(f"--sides {text}: torch_moved is compared with torch, which is missing")
    if importlib.util.find_spec("torch") is None and names != ["predjax"]:
        if "predjax" not in names:
            raise ValueError(f"--sides {text} needs PyTorch (pip install -e '.[benchmark]'), which is not installed")
        print("PyTorch is not installed: only predjax is trained")
        return ["predjax"]
    return names


def check_numbers(options) -> None:
    """Those that no settings check."""
    if min(options.seeds) < 0 or options.save_interval < 0:
        raise ValueError(f"--seeds {options.seeds} and --save_interval {options.save_interval} must not be negative")
    for name in ("minutes", "test_movies"):
        value = getattr(options, name)
        if value is not None and not value > 0:
            raise ValueError(f"--{name} must be positive, got {value}")


def split_digits(digits: np.ndarray, path: str) -> tuple[np.ndarray, np.ndarray]:
    """Those to train on, and every fifth, also of a file in the order of the classes, for the test."""
    if len(digits) < 5:
        raise ValueError(f"{path}: at least 5 digits are needed, to keep every fifth for the test; found {len(digits)}")
    test = np.arange(len(digits)) % 5 == 4
    return digits[~test], digits[test]


def settle(options, digits: np.ndarray) -> Settings:
    """The settings of the folder's run, or those of a new one, which are written there.

    Raises:
      ValueError: a setting is impossible, or another one than the run was made with.
      FileExistsError: there is a run and `--resume` is not set.
    """
    path = options.output / "settings.json"
    given = {f.name: getattr(options, f.name) for f in dataclasses.fields(Settings)}
    given = {name: value for name, value in given.items() if value is not None}
    digest = hashlib.sha256(np.ascontiguousarray(digits)).hexdigest()
    if path.exists():
        if not options.resume:
            raise FileExistsError(f"{options.output} holds a run; --resume goes on with it")
        made = json.loads(path.read_text())
        made["num_hidden"] = tuple(made["num_hidden"])
        if made.pop("digits") != digest:
            raise ValueError(f"{options.digits}: not the digits that {options.output} was made with")
        for name, value in given.items():
            if value != made[name]:
                raise ValueError(f"--{name} {value}: {options.output} was made with {made[name]}")
        return Settings(**made)
    settings = dataclasses.replace(options.preset, **given)
    settings.model, settings.training  # noqa: B018  (they refuse what is impossible)
    with appearing(path) as temporary:
        temporary.write_text(json.dumps(dataclasses.asdict(settings) | {"digits": digest}, indent=1) + "\n")
    return settings


def train(side, settings: Settings, digits: np.ndarray, seed: int, options) -> list[dict]:
    """Trains one side to the end or until its time is over; the records of all its iterations, earlier runs' too."""
    folder = options.output / f"{side.name}_seed{seed}"
    path, log = folder / f"state{side.suffix}", folder / "log.jsonl"
    side.start(draw_weights(settings, seed), seed)
    if path.is_file():
        side.load(path)
    records = keep_records(log, side.iteration)
    last = min(settings.iterations, side.most)
    interval = options.save_interval or max(10, settings.iterations // 100)
    stop = time.perf_counter() + 60 * (options.minutes or np.inf)
    todo = range(side.iteration + 1, last + 1)
    bar = tqdm(todo, f"{side.name}, seed {seed}", last, initial=side.iteration, disable=None)
    with log.open("a") as file:
        for iteration in bar:
            start = time.perf_counter()
            loss = side.step(make_batch(digits, seed, iteration, settings.batch_size))
            end = time.perf_counter()
            records.append({"iteration": iteration, "loss": loss, "seconds": round(end - start, 4)})
            file.write(json.dumps(records[-1]) + "\n")
            file.flush()
            bar.set_postfix(loss=f"{loss:.5f}")
            if iteration % interval == 0 or iteration == last or end > stop:
                side.save(path)
            if end > stop:
                break
    bar.close()
    return records


def test(side, seed: int, digits: np.ndarray, options) -> dict[str, list[float]]:
    """Scores per lead frame; those in the folder, where they are of the same iteration and movies."""
    path = options.output / f"{side.name}_seed{seed}" / "scores.json"
    made_with = {"iteration": side.iteration, "test_movies": options.test_movies}
    made = json.loads(path.read_text()) if path.is_file() else {}
    if made_with.items() <= made.items():
        return made["scores"]
    scores = score_forecasts(side.forecast, digits, options.test_movies)
    with appearing(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(made_with | {"scores": scores}, indent=1) + "\n")
    return scores


def keep_records(log: pathlib.Path, iterations: int) -> list[dict]:
    """The records of the first iterations; those after the last checkpoint will be made again and are dropped."""
    lines = log.read_text().splitlines()[:iterations] if log.is_file() else []
    if len(lines) < iterations:
        raise ValueError(f"{log}: {len(lines)} records, but the checkpoint beside it is of iteration {iterations}")
    with appearing(log, overwrite=True) as temporary:
        temporary.write_text("".join(line + "\n" for line in lines))
    return [json.loads(line) for line in lines]


if __name__ == "__main__":
    sys.exit(main())
