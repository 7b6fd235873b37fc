"""The loop around the update: batches in, checkpoints, log and validation out."""

import contextlib
import dataclasses
import math
import pathlib
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from predjax import checkpoint, parallel
from predjax.models.config import SamplingConfig
from predjax.models.forecaster import Forecaster
from predjax.models.losses import squared_error
from predjax.radar.batches import BatchSource, prefetch
from predjax.radar.stored import Stored
from predjax.training.config import TrainConfig
from predjax.training.monitor import Log, Monitor
from predjax.training.seeds import init_states, make_keys, measure_seeds, over_seeds
from predjax.training.step import TrainState, init_state, make_optimizer, make_update


class Progress(NamedTuple):
    """What early stopping remembers; travels in the checkpoint."""

    best_loss: float = float("inf")
    best_iteration: int = 0
    checks_since_best: int = 0


class Estimate(NamedTuple):
    """What a run will cost: scalars in the parameters, bytes on a device, seconds for an iteration and to compile."""

    parameters: int
    bytes: int
    iteration_seconds: float
    compile_seconds: float


@dataclasses.dataclass
class Run:
    """A training run: what stays the same while it goes on."""

    forecaster: Forecaster
    batches: BatchSource
    valid_batches: list  # of `radar.batches.Batch`, all of one size; empty without validation
    config: TrainConfig
    sampling: SamplingConfig
    folder: pathlib.Path
    record: dict  # JSON values that every checkpoint carries: how to build the model again, what it was trained on
    devices: list

    def __post_init__(self):
        parallel.check_batch(self.config.batch_size, self.devices)
        self.optimizer = make_optimizer(self.config)
        update = make_update(self.forecaster, self.optimizer, self.sampling, self.config.reverse_input)
        measure = make_validation(self.forecaster)
        if self.config.num_seeds > 1:
            update, measure = over_seeds(update), jax.jit(measure_seeds(measure))
        self.update, self.measure = parallel.parallelise(update, self.devices), measure
        table = self.batches.table
        self.table = None if table is None else parallel.copy_to_each(table, self.devices)

    def read(self, step: int):
        """The batch after `step` iterations, on its devices: windows, frames (as they are stored, if so), forcings."""
        batch = self.batches.batch(step, keep_stored=True)
        if isinstance(batch.frames, Stored):
            frames = Stored(parallel.shard(batch.frames.codes, self.devices), self.table)
        else:
            frames = parallel.shard(batch.frames, self.devices)
        return batch.windows, frames, parallel.shard(batch.forcings, self.devices)

    def init(self, params=None) -> TrainState:
        """The state at iteration 0, from given or new parameters."""
        if params is None:
            # Runs once: what the compiler would spend on making it fast is not worth waiting for.
            params = jax.jit(self._init_params, compiler_options={"xla_backend_optimization_level": 0})()
        return self._init_state(params)

    def _init_state(self, params) -> TrainState:
        seed, count = self.config.seed, self.config.num_seeds
        if count > 1:
            return init_states(params, self.optimizer, seed, count)
        return init_state(params, self.optimizer, seed)

    def _init_params(self):
        batch, seed, count = self.batches.batch(0), self.config.seed, self.config.num_seeds

        def init(key):
            return self.forecaster.init(key, batch.frames, batch.forcings)

        return jax.vmap(init)(make_keys(seed, count)) if count > 1 else init(jax.random.key(seed))

    def restore(self, arrays: dict, path) -> TrainState:
        """The state of a checkpoint. Errors: ValueError naming `path` where it does not fit this run's model."""
        like = jax.eval_shape(lambda: self._init_state(self._init_params()))
        try:
            params = checkpoint.unflatten(arrays, "params", like.params)
            opt_state = checkpoint.unflatten(arrays, "opt_state", like.opt_state)
            step = checkpoint.unflatten(arrays, "step", like.step)
        except ValueError as error:
            raise ValueError(f"{path} does not fit this model and optimizer: {error}") from error
        seed, count = self.config.seed, self.config.num_seeds
        return TrainState(params, opt_state, step, make_keys(seed, count) if count > 1 else jax.random.key(seed))

    def save(self, state: TrainState, progress: Progress, path) -> None:
        """Writes all that is needed to go on, and to predict."""
        tree = {"params": state.params, "opt_state": state.opt_state, "step": state.step}
        checkpoint.save(path, tree, {**self.record, "iteration": int(state.step), "progress": progress._asdict()})


def count_parameters(params) -> int:
    """Scalars in a tree of arrays."""
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))


def make_validation(forecaster: Forecaster) -> Callable:
    """`(params, frames, forcings) -> (sum, count)` of the squared error of free forecasts, in scaled units."""
    config = forecaster.config

    @jax.jit
    def measure(params, frames, forcings):
        last, steps = config.input_length, config.total_length - config.input_length
        predicted = forecaster.predict(params, None, frames[:, :last], steps, forcings)
        observed = frames[:, last:]
        if last:  # only what a forecast cannot know is left out: the NaN of a network that diverged must show
            observed = jnp.where(jnp.isfinite(frames[:, last - 1 : last]), observed, jnp.nan)
        return squared_error(config.scaling.scale(predicted), config.scaling.scale(observed))

    return measure


def validate(run: Run, params) -> float:
    """The mean squared error of free forecasts over the validation windows, in scaled units; NaN without a pixel."""
    sums = [run.measure(params, batch.frames, batch.forcings) for batch in run.valid_batches]
    count = sum(int(n) for _, n in sums)
    return sum(float(s) for s, _ in sums) / count if count else math.nan


def estimate(run: Run, state: TrainState) -> tuple[Callable, Estimate]:
    """Compiles the update and makes one on copies: the compiled function and what the run will cost."""
    _, frames, forcings = run.read(0)
    start = time.perf_counter()
    compiled = run.update.lower(state, frames, forcings).compile()
    compile_seconds = time.perf_counter() - start
    memory = compiled.memory_analysis()
    size = memory.temp_size_in_bytes + memory.argument_size_in_bytes if memory else 0
    seconds = []
    for _ in range(2):
        copy = parallel.replicate(jax.tree.map(jnp.copy, state), run.devices)
        start = time.perf_counter()
        jax.block_until_ready(compiled(copy, frames, forcings))
        seconds.append(time.perf_counter() - start)
    return compiled, Estimate(
        count_parameters(state.params) // run.config.num_seeds, size, min(seconds), compile_seconds
    )


class _Stop:
    """Turns the first SIGINT or SIGTERM into a flag; the second one acts at once."""

    def __init__(self):
        self.signal = None

    def __enter__(self):
        self.previous = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self.previous[number] = signal.signal(number, self._remember)
            except ValueError:  # not in the main thread: the caller's handlers stay
                break
        return self

    def _remember(self, number, frame):
        self.signal = number
        signal.signal(number, self.previous[number])

    def __exit__(self, *exception):
        for number, handler in self.previous.items():
            signal.signal(number, handler)


def train(run: Run, state: TrainState, update: Callable, progress: Progress) -> tuple[TrainState, str]:
    """Runs from the state's iteration to the last one; returns the final state and why it ended.

    The reason is "finished", "no better validation loss for N checks", "SIGINT" or "SIGTERM".
    Errors: ValueError after `max_bad_steps` updates in a row without a finite gradient, naming the files of the batch.
    """
    config, step = run.config, int(state.step)
    log = Log(run.folder / "log.jsonl", step)
    state = parallel.replicate(state, run.devices)
    reason, batches = "finished", prefetch(run.read, range(step, config.max_iterations))
    bar = tqdm(total=config.max_iterations, initial=step, unit="it", disable=None, dynamic_ncols=True)
    monitor = Monitor(run, log, bar, step)

    with _Stop() as stop, contextlib.closing(batches), bar:
        for windows, frames, forcings in monitor.wait(batches):
            state, metrics = update(state, frames, forcings)
            step += 1
            bar.update()
            monitor.add(step, windows, metrics)
            if run.valid_batches and (step % config.test_interval == 0 or step == config.max_iterations):
                monitor.settle()
                start = time.perf_counter()
                progress = _check(run, state, progress, step, log, bar)
                monitor.leave_out(time.perf_counter() - start)
            if stop.signal:
                reason = signal.Signals(stop.signal).name
            elif config.patience and progress.checks_since_best >= config.patience:
                reason = f"no better validation loss for {config.patience} checks"
            last = step == config.max_iterations or reason != "finished"
            if step % config.snapshot_interval == 0 or last:
                monitor.settle()
                run.save(state, progress, checkpoint.step_path(run.folder, step))
                checkpoint.prune(run.folder, config.keep_checkpoints)
            if last:
                break
    return state, reason


def _check(run, state, progress, step, log, bar):
    """Validates, writes the best checkpoint, and returns the new `Progress`."""
    loss = validate(run, state.params)
    log.add(iteration=step, valid_loss=loss)
    bar.write(f"iteration {step}: validation loss {loss:.5f}" + (" (best)" if loss < progress.best_loss else ""))
    if loss < progress.best_loss:  # a NaN is never best
        progress = Progress(loss, step, 0)
        run.save(state, progress, checkpoint.best_path(run.folder))
        return progress
    return progress._replace(checks_since_best=progress.checks_since_best + 1)
