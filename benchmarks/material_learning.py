"""How many stress-strain paths a network needs: physical networks beside GRU and LSTM with equal numbers of parameters.

python benchmarks/material_learning.py --json material.json --picture docs/material_learning.png

Training paths are some of the 18 canonical ones of a composite (`predjax.synthetic stress_strain`), loaded once and
never unloaded. Tests are proportional paths with an unloading cycle and Gaussian-process paths. Every model is trained
from three seeds, each on paths of its own choice, with Adam on all of them at once; rates are the best of those tried
on all 18 paths. Networks without physics, a wider one among them, also learn from many Gaussian paths.
"""

import argparse
import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from comparison import measure_missing

from predjax.jobs.scaling import standardise
from predjax.models.config import ModelConfig
from predjax.models.forecaster import make_forecaster
from predjax.models.scaling import Scaling
from predjax.synthetic.strain_paths import list_canonical, make_strain_path
from predjax.synthetic.stress_strain import StressStrainConfig, find_stress
from predjax.training.loop import count_parameters

PATHS = StressStrainConfig()
COUNTS = (1, 2, 4, 8, 18)
MANY = (18, 60, 180)
POINTS, SEEDS, TESTED = 16, 3, 32
NETWORKS = {"gru": 0, "lstm": 0, "gru_32": 32}  # features; 0: as many as there are parameters for
DECODERS = ("soft", "sparse_norm", "shared_norm")
ITERATIONS = {"physical": 1000, "gru": 3000, "lstm": 3000}
RATES = {"physical": 0.1, "gru": 0.05, "lstm": 0.05}
TESTS = {"proportional": "unloading", "gaussian": "Gaussian"}
COLOURS = {
    "soft": "C0",
    "sparse_norm": "C1",
    "shared_norm": "C2",
    "gru": "C3",
    "lstm": "C4",
    "gru_32": "C5",
    "linear": "0.6",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--json", metavar="FILE", help="figures; a model that it has is not trained again")
    add("--models", default=",".join((*DECODERS, *NETWORKS)), metavar="NAME,...", help="(default: all)")
    add("--iterations", type=float, default=1.0, metavar="F", help="as a part of the usual ones (default 1)")
    add("--picture", metavar="FILE", help="draws the learning curves and an unloading path")
    options = parser.parse_args()
    data = make_data()
    results = measure_missing(
        options.json, options.models.split(","), lambda name: measure(name, data, options.iterations)
    )
    results["linear"] = measure_linear(data)
    print(format_table(results))
    if options.picture:
        draw(options.picture, results, data)


@functools.cache
def make_data() -> dict:
    """Strains and stresses `(P, T, 3)`: the canonical paths, the tests, and "many" other Gaussian ones to train on."""
    counts = {"canonical": len(list_canonical()), "proportional": TESTED, "gaussian": TESTED, "many": max(MANY)}
    found = {}
    for name, count in counts.items():
        path_type, first = ("gaussian", TESTED) if name == "many" else (name, 0)
        numbers = range(first, first + count)
        strain = [make_strain_path(path_type, i, PATHS.length, PATHS.max_strain, seed=1) for i in numbers]
        strain = np.stack(strain).astype(np.float32)
        found[name] = strain, find_stress(strain, PATHS)
    return found


def configure(name: str, width: int, strain, stress) -> ModelConfig:
    """The model with scalings of its training paths."""
    largest = float(np.abs(stress).max())  # of all components: some paths strain one, and hardly stress the others
    fields = {
        "filter_size": 1, "patch_size": 1, "img_channel": 3, "num_action_ch": 3, "task": "sequence", "input_length": 0,
        "total_length": strain.shape[-2], "scaling": Scaling("linear", -largest, largest),
    }  # fmt: skip
    if name in DECODERS:
        return ModelConfig("physical", (width,), **fields, cell_options={"decoder": name})
    return ModelConfig(name.split("_")[0], (width,), **fields, forcing_scaling=standardise(strain.reshape(-1, 3)))


def count_of(config: ModelConfig) -> int:
    frames, forcings = jnp.zeros((1, 2, 1, 1, 3)), jnp.zeros((1, 2, 3))
    return count_parameters(jax.eval_shape(make_forecaster(config).init, jax.random.key(0), frames, forcings))


def choose_width(name: str, strain, stress) -> int:
    """The points of a physical network, or the most features with no more parameters than a "soft" one has."""
    if name in DECODERS or NETWORKS[name]:
        return NETWORKS.get(name, POINTS)
    budget = count_of(configure("soft", POINTS, strain, stress))
    return max(width for width in range(2, 12) if count_of(configure(name, width, strain, stress)) <= budget)


def measure(name: str, data: dict, part: float) -> dict:
    """Errors `(seeds)` by test and number of training paths, and the response to the first unloading path."""
    start, found = time.perf_counter(), {"rmse": {}}
    width = choose_width(name, *data["canonical"])
    found |= {"width": width, "parameters": count_of(configure(name, width, *data["canonical"]))}
    trials = [("canonical", count) for count in COUNTS]
    trials += [("many", count) for count in MANY] if name in NETWORKS else []
    for kind, count in trials:
        predict = train(name, width, *data[kind], count, part)
        for test in TESTS:
            strain, stress = data[test]
            predicted = predict(strain)
            errors = np.sqrt(np.square(predicted - stress).mean((1, 2, 3)))
            found["rmse"].setdefault(f"{test} from {kind}", []).append(errors.tolist())
            if test == "proportional" and (kind, count) == trials[len(COUNTS) - 1]:
                found["response"] = predicted[0, 0].tolist()
    return found | {"seconds": time.perf_counter() - start}


def train(name: str, width: int, strain, stress, count: int, part: float):
    """Trains from all seeds at once, each on `count` paths of its own; gives stresses `(seeds, P, T, 3)` of strains."""
    kind = "physical" if name in DECODERS else name.split("_")[0]
    iterations = max(1, round(part * ITERATIONS[kind]))
    chosen = np.stack([np.random.default_rng(seed).permutation(len(strain))[:count] for seed in range(SEEDS)])
    strain, stress = strain[chosen], stress[chosen]
    config = configure(name, width, strain, stress)
    forecaster = make_forecaster(config)
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(RATES[kind], iterations))
    )

    def fit(key, strain, stress):
        params = forecaster.init(key, stress, strain)

        def step(carry, _):
            params, state = carry
            gradient = jax.grad(lambda params: forecaster.loss(params, key, stress, None, strain)[0])(params)
            updates, state = optimizer.update(gradient, state)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (params, optimizer.init(params)), length=iterations)[0][0]

    keys = jax.random.split(jax.random.key(0), SEEDS)
    params = jax.jit(jax.vmap(fit))(keys, strain, stress[..., None, None, :])

    def predict(strain):
        frames = jnp.zeros((len(strain), 0, 1, 1, 3))
        run = jax.jit(jax.vmap(lambda params: forecaster.predict(params, None, frames, strain.shape[1], strain)))
        return np.asarray(run(params))[..., 0, 0, :]

    return predict


def measure_linear(data: dict) -> dict:
    """Errors of the best linear map of the strain of a step, from all canonical paths: no memory, and no plasticity."""
    strain, stress = data["canonical"]
    weights = np.linalg.lstsq(strain.reshape(-1, 3), stress.reshape(-1, 3))[0]
    errors = {
        f"{test} from canonical": [[float(np.sqrt(np.square(data[test][0] @ weights - data[test][1]).mean()))]]
        for test in TESTS
    }
    return {"rmse": errors, "response": (data["proportional"][0][0] @ weights).tolist(), "parameters": 9}


def format_table(results: dict) -> str:
    """RMSE in MPa, the median of the seeds, by test and number of paths."""
    heads = [f"{count} canonical" for count in COUNTS] + [f"{count} Gaussian" for count in MANY]
    lines = [f"| test | model | parameters | {' | '.join(heads)} |", "|---" * (len(heads) + 3) + "|"]
    for test, title in TESTS.items():
        for name, row in results.items():
            rows = [row["rmse"].get(f"{test} from {kind}", []) for kind in ("canonical", "many")]
            cells = [f"{np.median(errors):.2f}" for errors in rows[0]]
            cells = [""] * (len(COUNTS) - len(cells)) + cells + [f"{np.median(errors):.2f}" for errors in rows[1]]
            cells += [""] * (len(heads) - len(cells))
            lines.append(f"| {title} | {name} | {row['parameters']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(path, results: dict, data: dict) -> None:
    """The learning curves of both tests, and stress over strain of a path that is unloaded."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    for axes, (test, title) in zip(panels, TESTS.items()):
        for name, row in results.items():
            errors = [np.array(values) for values in row["rmse"][f"{test} from canonical"]]
            if name == "linear":
                axes.axhline(errors[0][0], color=COLOURS[name], linestyle=":", label=name)
                continue
            middle = [np.median(values) for values in errors]
            axes.plot(COUNTS, middle, "o-", color=COLOURS[name], markersize=4, label=name)
            axes.fill_between(
                COUNTS,
                [v.min() for v in errors],
                [v.max() for v in errors],
                color=COLOURS[name],
                alpha=0.15,
                linewidth=0,
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
        axes.set_yticks(ticks := [2, 5, 10, 20, 50], [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("canonical paths to learn from, none unloaded")
        axes.set_title(f"{title} paths", fontsize=10)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("RMSE in MPa")
    panels[0].legend(fontsize=8, frameon=False)
    strain, stress = (array[0] for array in data["proportional"])
    component = int(np.abs(stress).max(0).argmax())
    panels[2].plot(
        strain[:, component], stress[:, component], color="black", linewidth=2.5, alpha=0.5, label="composite"
    )
    for name, row in results.items():
        if name in ("soft", "gru", "linear"):
            response = np.array(row["response"])[:, component]
            panels[2].plot(strain[:, component], response, color=COLOURS[name], linewidth=1.2, label=name)
    panels[2].set_xlabel(f"strain {('xx', 'yy', 'xy')[component]}")
    panels[2].set_ylabel("stress in MPa")
    panels[2].set_title("an unloading path, after 18 paths", fontsize=10)
    panels[2].legend(fontsize=8, frameon=False)
    panels[2].grid(alpha=0.3)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
