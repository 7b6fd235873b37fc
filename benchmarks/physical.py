"""Training a physically recurrent network in predjax and in plain PyTorch: the same weights, batches and updates.

python benchmarks/physical.py

20 epochs on 18 paths of 60 steps in batches of 3, timed from the call of the training function; imports are left out
on both sides. Every run is a process of its own: predjax once with an empty compilation cache and once with the one
that this left behind ("cold": the first call), then called again in it ("warm"). The losses of both must agree.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

PATHS, STEPS, EPOCHS, BATCH, RATE = 18, 60, 20, 3, 0.01
SCALE = 70.0  # MPa
WARM_CALLS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", default="2,16", metavar="N,...", help="material points (default 2,16)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of all sides in turn (default 3)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of PyTorch (default 1, the fastest here)")
    parser.add_argument("--json", metavar="FILE", help="writes the figures")
    parser.add_argument("--side", choices=("torch", "predjax"), help=argparse.SUPPRESS)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        measure = measure_torch if options.side == "torch" else measure_predjax
        print(json.dumps(measure(dict(np.load(options.data)), options.threads)))
        return
    results = {int(points): compare(int(points), options) for points in options.points.split(",")}
    print(format_table(results))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


def make_data(points: int) -> dict:
    """Canonical paths, the stress of another network along them, first weights, and the batches of all epochs."""
    from predjax.synthetic.strain_paths import make_strain_path

    rng = np.random.default_rng(0)
    strain = np.stack([make_strain_path("canonical", i, STEPS, 0.04, 0) for i in range(PATHS)])
    order = np.concatenate([rng.permutation(PATHS).reshape(-1, BATCH) for _ in range(EPOCHS)])
    encoder = rng.normal(0, 3**-0.5, (3, 3 * points))
    decoder = np.log(np.expm1(rng.uniform(0.5, 1.5, (3 * points, 3)) / (3 * points)))
    direction = strain / np.linalg.norm(strain[:, -1:], axis=-1, keepdims=True)
    stress = 60 * np.tanh(2 * direction @ [[1, 0.3, 0], [0.3, 1, 0], [0, 0, 0.4]])
    single = {"strain": strain, "stress": stress, "encoder": encoder, "decoder": decoder}
    return {name: values.astype(np.float32) for name, values in single.items()} | {"order": order}


def measure_torch(data: dict, threads: int) -> dict:
    import torch
    import torch_physical

    torch.set_num_threads(threads)
    arrays = {name: torch.from_numpy(values) for name, values in data.items()}
    start = time.perf_counter()
    losses = torch_physical.train(**arrays, scale=SCALE, rate=RATE)
    return {"seconds": time.perf_counter() - start, "losses": losses}


def measure_predjax(data: dict, threads: int) -> dict:
    import jax

    from predjax.jobs import session
    from predjax.models.config import ModelConfig, SamplingConfig
    from predjax.models.forecaster import make_forecaster
    from predjax.models.scaling import Scaling
    from predjax.training.config import TrainConfig
    from predjax.training.step import init_state, make_optimizer, make_update

    session.start()
    training = TrainConfig(
        max_iterations=len(data["order"]), lr=RATE, lr_schedule="constant", clip_norm=0, warmup_iterations=0
    )
    fields = {"patch_size": 1, "filter_size": 1, "img_channel": 3, "num_action_ch": 3, "task": "sequence"}
    fields |= {"input_length": 0, "total_length": STEPS, "scaling": Scaling("linear", 0.0, SCALE)}
    forecaster = make_forecaster(ModelConfig("physical", (data["encoder"].shape[1] // 3,), **fields))
    optimizer = make_optimizer(training)
    update = make_update(forecaster, optimizer, SamplingConfig())
    params = {"physical/~/cell/~/encoder": {"w": data["encoder"]}, "physical/~/cell": {"decoder": data["decoder"]}}

    @jax.jit
    def train(params, strain, stress, order):
        def body(state, batch):
            state, metrics = update(state, stress[batch][:, :, None, None], strain[batch])
            return state, metrics["loss"]

        return jax.lax.scan(body, init_state(params, optimizer, 0), order)

    def call():
        start = time.perf_counter()
        _, losses = train(params, data["strain"], data["stress"], data["order"])
        losses = np.asarray(losses).tolist()
        return time.perf_counter() - start, losses

    cold, losses = call()
    return {"cold": cold, "warm": [call()[0] for _ in range(WARM_CALLS)], "losses": losses}


def compare(points: int, options) -> dict:
    found = {"torch": [], "empty": [], "filled": [], "warm": []}
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder) / "data.npz"
        np.savez(data, **make_data(points))

        def run(side, cache="0"):
            command = [sys.executable, __file__, "--side", side, "--data", data, "--threads", options.threads]
            environment = os.environ | {"PREDJAX_COMPILATION_CACHE": str(cache)}
            output = subprocess.run([str(part) for part in command], env=environment, check=True, capture_output=True)
            return json.loads(output.stdout.splitlines()[-1])

        for number in range(options.rounds):
            cache = pathlib.Path(folder) / f"cache{number}"
            theirs, empty, filled = run("torch"), run("predjax", cache), run("predjax", cache)
            gap = np.abs(np.array(empty["losses"]) - theirs["losses"]).max() / max(theirs["losses"])
            if not gap < 1e-2:
                raise ValueError(f"{points} points: the losses of both sides differ by {gap:.1e} of the first")
            found["torch"].append(theirs["seconds"])
            found["empty"].append(empty["cold"])
            found["filled"].append(filled["cold"])
            found["warm"].append(float(np.median(empty["warm"] + filled["warm"])))
    return found | {"loss_gap": float(gap), "losses": [theirs["losses"][0], theirs["losses"][-1]]}


def format_table(results: dict) -> str:
    lines = [
        "| points | PyTorch | predjax, empty cache | filled cache | warm | losses differ by |",
        "|---|---|---|---|---|---|",
    ]
    for points, row in results.items():
        theirs = np.array(row["torch"])
        cells = [f"{np.median(theirs):.1f} s"]
        for name in ("empty", "filled", "warm"):
            ours = np.array(row[name])
            cells.append(f"{np.median(ours):.3g} s ({np.median(theirs / ours):.1f} x)")
        lines.append(f"| {points} | {' | '.join(cells)} | {row['loss_gap']:.0e} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
