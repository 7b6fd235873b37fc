"""The loop around the update: batches in, checkpoints, log and validation out."""

import contextlib
import dataclasses
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
from predjax.motion.moving import into_moving
from predjax.radar.windows.batches import Batch, BatchSource
from predjax.radar.windows.codes import CodedFrames
from predjax.radar.windows.prefetch import prefetch
from predjax.training.agreement import Stop, check_same
from predjax.training.config import TrainConfig
from predjax.training.monitor import Log, Monitor
from predjax.training.seeds import init_states, make_keys, measure_seeds, over_seeds
from predjax.training.step import TrainState, init_state, make_optimizer, make_update
from predjax.training.validation import make_validation, validate

LONG_MS = 500  # of an update: another one only to tell its time is not worth waiting for


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
    valid_batches: list  # this process's parts, each a `Batch`, all of one size; empty without validation
    config: TrainConfig
    sampling: SamplingConfig
    folder: pathlib.Path
    record: dict  # JSON values that every checkpoint carries: how to build the model again, what it was trained on
    devices: list

    def __post_init__(self):
        parallel.check_batch(self.config.batch_size, self.devices)
        if self.forecaster.config.moving:
            self.valid_batches = [self.move(batch) for batch in self.valid_batches]
        self.optimizer = make_optimizer(self.config)
        update = make_update(
            self.forecaster, self.optimizer, self.sampling, self.config.reverse_input, self.config.augment
        )
        measure = make_validation(self.forecaster)
        if self.config.num_seeds > 1:
            update, measure = over_seeds(update), measure_seeds(measure)
        self.update = parallel.parallelise(update, self.devices)
        self.measure = parallel.sum_over(measure, self.devices)
        table = self.batches.table
        self.table = None if table is None else parallel.copy_to_each(table, self.devices)

    def read(self, step: int):
        """The batch after `step` iterations, on its devices: windows, frames (as they are stored, if so), forcings.

        Of several processes each reads its part, and knows the windows of that."""
        moving = self.forecaster.config.moving
        batch = self.batches.batch(step, parallel.find_place(), parallel.count_processes(), as_codes=not moving)
        if moving:
            batch = self.move(batch)
        if isinstance(batch.frames, CodedFrames):
            assert self.table is not None, "of the codes"
            frames = CodedFrames(parallel.shard(batch.frames.codes, self.devices), self.table)
        else:
            frames = parallel.shard(batch.frames, self.devices)
        return batch.windows, frames, parallel.shard(batch.forcings, self.devices)

    def move(self, batch: Batch) -> Batch:
        """The batch in the coordinates that move with its rain."""
        config = self.forecaster.config
        frames, _ = into_moving(batch.frames, config.input_length, config.scaling.units)
        return batch._replace(frames=frames)

    def validate(self, params) -> float:
        """The validation loss of parameters, the same in every process."""
        parts = ((batch.frames, batch.forcings) for batch in self.valid_batches)
        return validate(self.measure, params, (parallel.shard(part, self.devices) for part in parts))

    def tell(self, stop: int):
        """What the update is to tell all processes of a signal (0: none) to this one; None: there are no others."""
        if parallel.count_processes() == 1:
            return None
        return parallel.copy_to_each(np.int32(stop), self.devices)

    def init(self, params=None) -> TrainState:
        """The state at iteration 0, from given or new parameters."""
        if params is None:
            # Runs once: what the compiler would spend on making it fast is not worth waiting for, and what it made is
            # not worth keeping, as a call of the jitted function would.
            params = jax.jit(self._init_params).lower().compile({"xla_backend_optimization_level": "0"})()
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


def estimate(run: Run, state: TrainState) -> tuple[Callable, Estimate]:
    """Compiles the update and makes one on a copy, and another where that is soon done, for the first warms up too.

    Returns the compiled function and what the run will cost.
    """
    _, frames, forcings = run.read(0)
    start = time.perf_counter()
    stop = run.tell(0)
    copy = parallel.replicate(jax.tree.map(jnp.copy, state), run.devices)
    compiled = parallel.compile_update(run.update, copy, frames, forcings, stop)
    compile_seconds = time.perf_counter() - start
    memory = compiled.memory_analysis()
    size = memory.temp_size_in_bytes + memory.argument_size_in_bytes if memory else 0
    seconds = []
    for _ in range(2):
        copy = parallel.replicate(jax.tree.map(jnp.copy, state), run.devices)
        start = time.perf_counter()
        jax.block_until_ready(compiled(copy, frames, forcings, stop))
        seconds.append(time.perf_counter() - start)
        if max(parallel.gather(round(1000 * seconds[-1]))) >= LONG_MS:  # the same in all processes
            break
    return compiled, Estimate(
        count_parameters(state.params) // run.config.num_seeds, size, min(seconds), compile_seconds
    )


def train(run: Run, state: TrainState, update: Callable, progress: Progress) -> tuple[TrainState, str]:
    """Runs from the state's iteration to the last one; returns the final state and why it ended.

    The reason is "finished", "no better validation loss for N checks", "SIGINT" or "SIGTERM".
    Of several processes the chief writes and speaks; a signal to any of them stops all after the same iteration.

    Raises:
      ValueError: `max_bad_steps` updates in a row without a finite gradient, naming the files of the batch; processes
        that do not start from the same state.
      OSError: a checkpoint or the log cannot be written, naming it.
    """
    config, step, chief = run.config, int(state.step), parallel.is_chief()
    check_same(run.record, state)
    log = Log(run.folder / "log.jsonl", step) if chief else None
    state = parallel.replicate(state, run.devices)
    reason, batches = "finished", prefetch(run.read, range(step, config.max_iterations))
    assert config.test_interval is not None and config.snapshot_interval is not None, "resolved"
    hidden = None if chief else True  # None: where there is no terminal
    bar = tqdm(total=config.max_iterations, initial=step, unit="it", disable=hidden, dynamic_ncols=True)
    monitor = Monitor(run, log, bar, step)

    with Stop() as stop, contextlib.closing(batches), bar:
        for windows, frames, forcings in monitor.wait(batches):
            state, metrics = update(state, frames, forcings, run.tell(stop.signal))
            step += 1
            bar.update()
            monitor.add(step, windows, metrics)
            if run.valid_batches and (step % config.test_interval == 0 or step == config.max_iterations):
                monitor.settle()
                start = time.perf_counter()
                progress = _check(run, state, progress, step, log, bar)
                monitor.leave_out(time.perf_counter() - start)
            signalled = stop.signal if parallel.count_processes() == 1 else monitor.stop
            if signalled:
                reason = signal.Signals(signalled).name
            elif config.patience and progress.checks_since_best >= config.patience:
                reason = f"no better validation loss for {config.patience} checks"
            last = step == config.max_iterations or reason != "finished"
            if step % config.snapshot_interval == 0 or last:
                monitor.settle()
                if chief:
                    run.save(state, progress, checkpoint.step_path(run.folder, step))
                    checkpoint.prune(run.folder, config.keep_checkpoints)
            if last:
                break
    return state, reason


def _check(run, state, progress, step, log, bar):
    """Validates, writes the best checkpoint, and returns the new `Progress`."""
    loss = run.validate(state.params)
    if log:
        log.add(iteration=step, valid_loss=loss)
        bar.write(f"iteration {step}: validation loss {loss:.5f}" + (" (best)" if loss < progress.best_loss else ""))
    if loss < progress.best_loss:  # a NaN is never best
        progress = Progress(loss, step, 0)
        if log:
            run.save(state, progress, checkpoint.best_path(run.folder))
        return progress
    return progress._replace(checks_since_best=progress.checks_since_best + 1)
