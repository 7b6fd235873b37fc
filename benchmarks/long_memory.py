"""Which cells learn to remember: the adding problem over 200 steps, with equal numbers of parameters.

python benchmarks/long_memory.py --json long_memory.json --picture docs/long_memory.png

A sequence has two channels: uniform numbers, and a mask that marks two of them, one in each half; the target is their
sum (Hochreiter & Schmidhuber 1997, in the form of Le et al. 2015, arXiv:1504.00941). Always answering 1 has a mean
squared error of 1/6. A cell has solved the problem when the error on new sequences is below 0.01. All cells are one
layer with a linear readout of the last output, trained by Adam on the same sequences. LRU and S5 are in two of the
blocks of their papers: a single one is linear up to where it adds, and cannot leave out what is not marked.
"""

import argparse
import math
import textwrap
import time

import haiku as hk
import jax
import jax.numpy as jnp
import optax
from comparison import find_widest, measure_missing

from predjax.cells import CELLS, unroll
from predjax.cells.linear import LinearMap
from predjax.models.stacks.state_space import Block

ON_MAPS = ("conv_s5", "conv_lstm", "causal_lstm", "ghu", "mim", "st_lstm")
VECTOR_CELLS = tuple(name for name in CELLS if name not in ON_MAPS)
BLOCKS = ("lru", "s5")
BATCH, TESTED, ROUND, SOLVED, LEARNED, CHANCE = 50, 500, 100, 0.01, 0.1, 1 / 6
RATE, CLIP = 2e-3, 1.0
# Where the defaults are for other tasks: slower forgetting, as the papers choose for long sequences. Those of coRNN,
# and its rate, are the defaults of its authors' program for this problem.
OPTIONS = {
    "antisymmetric": {"step_size": 0.1, "diffusion": 0.001},
    "gated_antisymmetric": {"step_size": 0.1, "diffusion": 0.001},
    "leaky_elman": {"leak_rate": 0.1},
    "wilson_cowan": {"leak_rate": 0.1},
    "clockwork": {"periods": "1,2,4,8,16,32,64,128"},
    "co_rnn": {"step_size": 0.06, "gamma": 66.0, "epsilon": 15.0},
    "hetero_co_rnn": {
        "step_size": 0.06, "gamma_min": 33.0, "gamma_max": 99.0, "epsilon_min": 7.5, "epsilon_max": 22.5,
    },
    "exp_rnn": {"start": "henaff"},
    "nn_rnn": {"start": "henaff"},
    "lru": {"r_min": 0.9, "r_max": 0.999, "max_phase": 0.314},
}  # fmt: skip
RATES = {"co_rnn": 2e-2, "hetero_co_rnn": 2e-2}


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--json", metavar="FILE", help="figures; a cell that it has is not trained again")
    add("--cells", default=",".join(VECTOR_CELLS), metavar="NAME,...", help="(default: all vector cells)")
    add("--parameters", type=int, default=10_000, metavar="N", help="of every cell, about (default 10000)")
    add("--length", type=int, default=200, metavar="STEPS", help="of a sequence (default 200)")
    add("--iterations", type=int, default=3000, metavar="N", help="updates, unless solved before (default 3000)")
    add("--picture", metavar="FILE", help="draws the errors while learning")
    options = parser.parse_args(arguments)

    def learn_cell(name: str) -> dict:
        return learn(name, choose_features(name, options.parameters), options.length, options.iterations)

    results = measure_missing(options.json, options.cells.split(","), learn_cell)
    print(format_table(results))
    if options.picture:
        draw(options.picture, results)


def make_sequences(key, count: int, length: int):
    """Inputs `(B, T, 2)` and targets `(B,)`."""
    keys = jax.random.split(key, 3)
    values = jax.random.uniform(keys[0], (count, length))
    half = length // 2
    places = (jax.random.randint(keys[1], (count,), 0, half), jax.random.randint(keys[2], (count,), half, length))
    mask = sum(jax.nn.one_hot(place, length) for place in places)
    return jnp.stack([values, mask], -1), (values * mask).sum(1)


def answer(name: str, features: int, inputs):
    """Haiku function: the answers `(B,)`."""

    def make_cell():
        return CELLS[name](features, **OPTIONS.get(name, {}), name="cell")

    if name in BLOCKS:
        outputs = LinearMap(features, with_bias=True, name="embed")(inputs)
        for _ in range(2):
            block = Block(make_cell(), name="block")
            outputs, _ = block.unroll(outputs, block.initial_state(len(inputs)))
    else:
        cell = make_cell()
        outputs, _ = unroll(cell, inputs, cell.initial_state(len(inputs)))
    return LinearMap(1, with_bias=True, name="readout")(outputs[:, -1])[:, 0]


def count_parameters(name: str, features: int) -> int:
    shapes = jax.eval_shape(make_model(name, features).init, jax.random.key(0), jnp.zeros((1, 2, 2)))
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


def make_model(name: str, features: int) -> hk.Transformed:
    return hk.without_apply_rng(hk.transform(lambda inputs: answer(name, features, inputs)))


def choose_features(name: str, budget: int) -> int:
    """The greatest even number of features with at most that many parameters."""
    return find_widest(lambda features: count_parameters(name, features), budget, least=8)


def learn(name: str, features: int, length: int, iterations: int) -> dict:
    """Trains a cell until it has solved the problem, or for so many updates."""
    model = make_model(name, features)
    optimizer = optax.chain(optax.clip_by_global_norm(CLIP), optax.adam(RATES.get(name, RATE)))

    def error(params, key, count):
        inputs, targets = make_sequences(key, count, length)
        return jnp.square(model.apply(params, inputs) - targets).mean()

    @jax.jit
    def run(params, state, first):
        def body(carry, iteration):
            params, state = carry
            grads = jax.grad(error)(params, jax.random.fold_in(jax.random.key(1), iteration), BATCH)
            updates, state = optimizer.update(grads, state)
            return (optax.apply_updates(params, updates), state), None

        (params, state), _ = jax.lax.scan(body, (params, state), first + jnp.arange(ROUND))
        return params, state, error(params, jax.random.fold_in(jax.random.key(2), first), TESTED)

    params = model.init(jax.random.key(0), jnp.zeros((1, 2, 2)))
    state, curve, seconds = optimizer.init(params), [], []
    for first in range(0, iterations, ROUND):
        begun = time.perf_counter()
        params, state, loss = run(params, state, first)
        curve.append(float(loss))
        seconds.append(time.perf_counter() - begun)
        if not curve[-1] >= SOLVED:  # solved, or not a number
            break
    return {
        "features": features,
        "parameters": count_parameters(name, features),
        "errors": curve,
        "solved": (first + ROUND) if curve[-1] < SOLVED else None,
        "seconds": min(seconds) / ROUND,
    }


def ordered(results: dict) -> list[str]:
    """The cells: those that solved it first, then by their least error."""
    return sorted(results, key=lambda name: (results[name]["solved"] or math.inf, least(results[name])))


def least(row: dict) -> float:
    return min((e for e in row["errors"] if math.isfinite(e)), default=math.inf)


def format_table(results: dict) -> str:
    lines = ["| cell | features | parameters | options | updates until solved | least error | s an update |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name in ordered(results):
        row = results[name]
        options = ", ".join(f"{key} {value}" for key, value in OPTIONS.get(name, {}).items())
        solved = row["solved"] or f"not in {len(row['errors']) * ROUND}"
        sizes = f"{row['features']} | {row['parameters']:,} | {options}"
        lines.append(f"| `{name}` | {sizes} | {solved} | {least(row):.4f} | {row['seconds']:.3f} |")
    return "\n".join(lines)


def draw(path, results: dict) -> None:
    """The error on new sequences while learning: cells that learn by name, the others in grey."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5.4))
    names, taken, others = ordered(results), [], []
    last = max(ROUND * len(row["errors"]) for row in results.values())
    for number, name in enumerate(names):
        errors = results[name]["errors"]
        updates = [ROUND * (i + 1) for i in range(len(errors))]
        if least(results[name]) > LEARNED:
            others.append(name)
            axes.plot(updates, errors, color="0.8", linewidth=0.8, zorder=1)
            continue
        colour = f"C{number % 10}"
        axes.plot(updates, errors, color=colour, linewidth=1.3)
        height = math.log(errors[-1])
        while any(abs(height - y) < 0.2 and abs(updates[-1] - x) < 0.15 * last for x, y in taken):
            height -= 0.02  # names do not lie on each other
        taken.append((updates[-1], height))
        place = updates[-1] + 0.01 * last, math.exp(height)
        axes.annotate(name, (updates[-1], errors[-1]), place, fontsize=8, color=colour, va="center")
    for level, text in ((CHANCE, "always 1"), (SOLVED, "solved")):
        axes.axhline(level, color="0.5", linestyle=":", linewidth=0.9)
        axes.annotate(text, (0, level), fontsize=7, color="0.4", va="bottom")
    axes.set_yscale("log")
    axes.set_ylim(0.5 * SOLVED, 1)
    axes.set_xlim(0, 1.15 * last)
    axes.set_xlabel("updates")
    axes.set_ylabel("mean squared error on new sequences")
    if others:
        figure.text(0.01, 0.005, textwrap.fill(f"in grey: {', '.join(others)}", 125), fontsize=7, color="0.4")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
