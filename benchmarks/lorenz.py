"""How long forecasts of Lorenz-63 stay valid: every vector model, with equal numbers of parameters.

python benchmarks/lorenz.py --json lorenz.json --picture docs/lorenz.png

All models see the same windows with true inputs (teacher forcing), the same optimizer and number of updates; only their
width differs, so that all have about the same number of parameters. A test case is 100 observed steps, then a free
forecast; its valid prediction time is the time until the error, in standard deviations, is above 0.5 (Vlachas et al.
2020, doi:10.1016/j.neunet.2020.02.016), in Lyapunov times (1.104 time units).
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
from comparison import find_widest, measure_missing

from predjax.models.catalogue import MODELS
from predjax.models.config import ModelConfig, SamplingConfig
from predjax.models.forecaster import make_forecaster
from predjax.synthetic.dynamics import Lorenz63Config
from predjax.synthetic.systems import SYSTEMS, make_series
from predjax.training.config import TrainConfig
from predjax.training.loop import count_parameters
from predjax.training.step import init_state, make_optimizer, make_update

LEFT_OUT = ("predrnn", "mim", "conv", "physical", "tidhy")  # for maps or strains, or without layers
VECTOR_MODELS = tuple(name for name in MODELS if not any(part in name for part in LEFT_OUT))
LAYERS, WINDOW, OBSERVED, STEPS, LIMIT = 2, 100, 100, 600, 0.5
LYAPUNOV_TIMES = Lorenz63Config.dt * SYSTEMS["lorenz63"].lyapunov  # of a sample
# Where the defaults are for other tasks: rates and steps that suit a signal which turns in some 40 samples.
OPTIONS = {
    "lru": {"r_min": 0.5, "max_phase": 1.0},
    "s5": {"step_min": 0.01, "step_max": 1.0},
    "lipschitz": {"step_size": 0.3},
    "antisymmetric": {"step_size": 0.3, "diffusion": 1.0},
    "gated_antisymmetric": {"step_size": 0.3, "diffusion": 1.0},
    "wilson_cowan": {"leak_rate": 1.0},
    "co_rnn": {"step_size": 0.3, "gamma": 1.0, "epsilon": 1.0},
    "hetero_co_rnn": {"step_size": 0.3, "gamma_min": 0.5, "gamma_max": 2.0, "epsilon_min": 0.5, "epsilon_max": 2.0},
    "ct_rnn": {"alpha": 0.5},
    "simple_ct_rnn": {"step_size": 0.5},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--json", metavar="FILE", help="figures; a model that it has is not trained again")
    add("--models", default=",".join(VECTOR_MODELS), metavar="NAME,...", help="(default: all vector models)")
    add("--parameters", type=int, default=10_000, metavar="N", help="of every model, about (default 10000)")
    add("--iterations", type=int, default=3000, metavar="N", help="updates (default 3000)")
    add("--cases", type=int, default=100, metavar="N", help="forecasts to score (default 100)")
    add("--picture", metavar="FILE", help="draws the valid prediction times")
    options = parser.parse_args()
    train, test = make_data(options.cases)

    def measure_model(name: str) -> dict:
        return measure(choose_width(name, options.parameters), train, test, options.iterations)

    results = measure_missing(options.json, options.models.split(","), measure_model)
    results["persistence"] = {"times": valid_times(np.repeat(test[:, OBSERVED - 1 : OBSERVED], STEPS, 1), test)}
    print(format_table(results))
    if options.picture:
        draw(options.picture, results)


def make_data(cases: int) -> tuple[np.ndarray, np.ndarray]:
    """Movies to train on `(16, 2000, 3)` and test cases `(N, 700, 3)`, in standard deviations of the former."""

    def series(count, length, seed):
        config = Lorenz63Config(length)
        return np.stack([make_series("lorenz63", config, seed, number).values for number in range(count)])

    train, test = series(16, 2000, 0), series(cases, OBSERVED + STEPS, 1)
    mean, deviation = train.mean((0, 1)), train.std((0, 1))
    return ((data - mean) / deviation for data in (train, test))


def configure(name: str, width: int) -> ModelConfig:
    sizes = {
        "filter_size": 1,
        "patch_size": 1,
        "img_channel": 3,
        "input_length": 1,
        "total_length": WINDOW,
    }
    return ModelConfig(name, (width,) * LAYERS, **sizes, cell_options=OPTIONS.get(name, {}))


def count_of(config: ModelConfig) -> int:
    frames = jnp.zeros((1, 2, 1, 1, 3))
    return count_parameters(jax.eval_shape(make_forecaster(config).init, jax.random.key(0), frames))


def choose_width(name: str, budget: int) -> ModelConfig:
    """The widest layers, of an even number of features, with at most that many parameters."""
    return configure(name, find_widest(lambda width: count_of(configure(name, width)), budget, least=4))


def measure(config: ModelConfig, train, test, iterations: int) -> dict:
    """Trains a model and forecasts the test cases."""
    forecaster = make_forecaster(config)
    training = TrainConfig(max_iterations=iterations, batch_size=32, lr=5e-3)
    optimizer = make_optimizer(training)
    forcing = "parallel" if config.spec.linear else "steps"
    update = make_update(forecaster, optimizer, SamplingConfig(teacher_forcing=forcing).resolve(iterations))
    data = jnp.asarray(train, jnp.float32)

    def draw(key):
        movie, start = (jax.random.randint(k, (), 0, n) for k, n in zip(jax.random.split(key), (16, 2000 - WINDOW)))
        return jax.lax.dynamic_slice(data, (movie, start, 0), (1, WINDOW, 3))[0]

    @jax.jit
    def run(state):
        def body(state, _):
            keys = jax.random.split(jax.random.fold_in(jax.random.key(1), state.step), training.batch_size)
            return update(state, jax.vmap(draw)(keys)[:, :, None, None])[0], None

        return jax.lax.scan(body, state, length=min(100, iterations))[0]

    params = forecaster.init(jax.random.key(0), data[:1, :2, None, None])
    state, start = init_state(params, optimizer, 0), time.perf_counter()
    while state.step < iterations:
        state = run(state)
    seconds = time.perf_counter() - start
    predict = jax.jit(forecaster.predict, static_argnums=3)
    observed = jnp.asarray(test[:, :OBSERVED, None, None], jnp.float32)
    forecasts = np.asarray(predict(state.params, None, observed, STEPS))[:, :, 0, 0]
    return {
        "width": config.num_hidden[0],
        "parameters": count_parameters(state.params),
        "one_step_rmse": float(np.sqrt(np.square(forecasts[:, 0] - test[:, OBSERVED]).mean())),
        "times": valid_times(forecasts, test),
        "seconds": seconds,
    }


def valid_times(forecasts, test) -> list[float]:
    """Lyapunov times until the error of each case is above the limit; those that never are count as their length."""
    errors = np.sqrt(np.square(forecasts - test[:, OBSERVED:]).mean(-1))
    wrong = ~(errors <= LIMIT)
    first = np.where(wrong.any(1), wrong.argmax(1), STEPS)
    return (first * LYAPUNOV_TIMES).tolist()


def ordered(results: dict) -> list[str]:
    """The models, that with the longest median time first."""
    return sorted(results, key=lambda name: -np.median(results[name]["times"]))


def format_table(results: dict) -> str:
    lines = [
        "| model | features | parameters | one-step RMSE | valid time, median (quartiles) |",
        "|---|---|---|---|---|",
    ]
    for name in ordered(results):
        row, (low, middle, high) = results[name], np.quantile(results[name]["times"], (0.25, 0.5, 0.75))
        shown = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        if "parameters" in row:
            sizes = f"{LAYERS} x {row['width']} | {row['parameters']:,} | {row['one_step_rmse']:.4f}"
            lines.append(f"| `{name}` | {sizes} | {shown} |")
        else:
            lines.append(f"| {name} | | | | {shown} |")
    return "\n".join(lines)


def draw(path, results: dict) -> None:
    """Medians, quartiles and all cases of each model."""
    import matplotlib.pyplot as plt

    names = ordered(results)[::-1]
    figure, axes = plt.subplots(figsize=(7, 0.3 * len(names) + 1), layout="constrained")
    for place, name in enumerate(names):
        times = np.array(results[name]["times"])
        low, middle, high = np.quantile(times, (0.25, 0.5, 0.75))
        axes.plot(times, np.full(len(times), place), ".", color="0.8", markersize=3)
        axes.plot([low, high], [place, place], color="C0", linewidth=4, alpha=0.5, solid_capstyle="butt")
        axes.plot(middle, place, "o", color="C0")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("valid prediction time in Lyapunov times: median, quartiles, all cases")
    axes.set_xlim(0)
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
