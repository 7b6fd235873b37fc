"""The fixed parts of a training run and its changing state, which is made new, restored or saved."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from predjax import checkpoint, parallel
from predjax.models.config import SamplingConfig
from predjax.models.forecaster import Forecaster
from predjax.models.stacks.noise import is_noise
from predjax.motion.moving import into_moving
from predjax.radar.windows.batches import Batch, BatchSource
from predjax.radar.windows.codes import CodedFrames
from predjax.radar.windows.index import Window
from predjax.training.config import TrainConfig
from predjax.training.schedules import Schedule
from predjax.training.scores import make_score
from predjax.training.seeds import init_states, make_keys, measure_seeds, over_seeds
from predjax.training.step import TrainState, init_state, make_optimizer, make_update
from predjax.training.validation import make_validation, validate

NOT_AVERAGED = "not_averaged"  # the parameters that are updated, in a checkpoint whose "params" are their averages


class Progress(NamedTuple):
    """The progress that early stopping needs; checkpoints hold it."""

    best_loss: float = float("inf")  # or the score of `stop_on`, with the other sign where more is better
    best_iteration: int = 0
    checks_since_best: int = 0


@dataclasses.dataclass
class Run:
    """The parts of a training run that do not change during training."""

    forecaster: Forecaster
    batches: BatchSource  # to train on
    valid_batches: list[Batch]  # the validation batches of this process, all of one size; empty without validation
    config: TrainConfig
    sampling: SamplingConfig
    folder: pathlib.Path  # the folder that the chief of the processes writes to
    record: dict[str, Any]  # JSON values in every checkpoint: how to build the model again, and its training data
    devices: list[Any]  # the devices of all processes
    optimizer: optax.GradientTransformation | None = None  # replaces the optimizer of `config`
    schedule: Schedule | None = None  # replaces the schedule of `config`
    # (predicted, observed) -> (sum, count) of scaled frames; replaces the error of the model's loss.
    error: Callable | None = None

    def __post_init__(self) -> None:
        config = self.config
        parallel.check_batch(config.batch_size, self.devices)
        if self.forecaster.config.moving:
            self.valid_batches = [self.move(batch) for batch in self.valid_batches]
        self.optimizer = make_optimizer(config, self.optimizer, self.schedule)
        update = make_update(self.forecaster, self.optimizer, self.sampling, config)
        measure = make_validation(self.forecaster, self.error)
        if config.num_seeds > 1:
            update, measure = over_seeds(update), measure_seeds(measure)
        self.score = None if config.stop_on == "loss" else make_score(config.stop_on, self.forecaster.config.scaling)
        if self.score:
            scored = make_validation(self.forecaster, self.score.error)
            scored = measure_seeds(scored) if config.num_seeds > 1 else scored
            self.measure_score = parallel.sum_over(scored, self.devices, config.precision)
        self.update = parallel.parallelise(update, self.devices, config.precision)
        self.measure = parallel.sum_over(measure, self.devices, config.precision)
        self.signals: dict[int, Any] = {}  # on the devices, by number: 0, for nearly every update, moves once
        table = self.batches.table
        self.table = None if table is None else parallel.copy_to_each(table, self.devices)

    def read(self, step: int) -> tuple[list[Window], Any, Any]:
        """Return the batch after `step` iterations, on its devices: windows, frames (as stored, if so) and forcings.

        With several processes, each reads its own part and knows the windows of this part.
        """
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
        """Return the batch in the coordinates that move with its rain."""
        config = self.forecaster.config
        frames, _ = into_moving(batch.frames, config.input_length, config.scaling.units)
        return batch._replace(frames=frames)

    def validate(self, params: Any) -> float:
        """Return the validation loss of parameters, the same in every process."""
        return self._average(self.measure, params)

    def validate_score(self, params: Any) -> float:
        """Return the score of `stop_on` for parameters, if it is not the loss."""
        assert self.score is not None, "of stop_on"
        return self.score.finish(self._average(self.measure_score, params))

    def _average(self, measure: Callable, params: Any) -> float:
        parts = ((batch.frames, batch.forcings) for batch in self.valid_batches)
        return validate(measure, params, (parallel.shard(part, self.devices) for part in parts))

    def share_signal(self, number: int) -> Any:
        """Return the signal that came to this process (0: none), to be shared by the update; None for one process."""
        if parallel.count_processes() == 1:
            return None
        if number not in self.signals:
            self.signals[number] = parallel.copy_to_each(np.int32(number), self.devices)
        return self.signals[number]

    def init(self, params: Any = None) -> TrainState:
        """Return the state at iteration 0 with given or new parameters.

        The parameters of noise need not be given: missing ones are new, and those that the model does not have are left
        out.
        """
        noise = self.forecaster.config.noise
        if params is None:
            params = self._compute_params()
        elif noise and not any(map(is_noise, params)):
            params = params | {name: new for name, new in self._compute_params().items() if is_noise(name)}
        elif not noise:
            params = {name: given for name, given in params.items() if not is_noise(name)}
        return self._init_state(params)

    def _compute_params(self) -> Any:
        # This runs once, so it is not worth an optimized compilation, nor the cache entry that a call of the jitted
        # function would keep.
        return jax.jit(self._init_params).lower().compile({"xla_backend_optimization_level": "0"})()

    def _init_state(self, params: Any) -> TrainState:
        seed, count = self.config.seed, self.config.num_seeds
        if count > 1:
            state = init_states(params, self.optimizer, seed, count)
        else:
            state = init_state(params, self.optimizer, seed)
        return state._replace(average=jax.tree.map(jnp.copy, params)) if self.config.ema else state

    def _init_params(self) -> Any:
        batch, seed, count = self.batches.batch(0), self.config.seed, self.config.num_seeds

        def init(key: jax.Array) -> Any:
            return self.forecaster.init(key, batch.frames, batch.forcings)

        return jax.vmap(init)(make_keys(seed, count)) if count > 1 else init(jax.random.key(seed))

    def restore(self, arrays: dict[str, np.ndarray], path: pathlib.Path) -> TrainState:
        """Return the state of a checkpoint. Errors: ValueError, which names `path`, if it does not fit the model."""
        like = jax.eval_shape(lambda: self._init_state(self._init_params()))
        try:
            params, average = checkpoint.unflatten(arrays, "params", like.params), None
            if self.config.ema:
                params, average = checkpoint.unflatten(arrays, NOT_AVERAGED, like.params), params
            opt_state = checkpoint.unflatten(arrays, "opt_state", like.opt_state)
            step = checkpoint.unflatten(arrays, "step", like.step)
        except ValueError as error:
            raise ValueError(f"{path} does not fit this model and optimizer: {error}") from error
        seed, count = self.config.seed, self.config.num_seeds
        rng = make_keys(seed, count) if count > 1 else jax.random.key(seed)
        return TrainState(params, opt_state, step, rng, average)

    def save(self, state: TrainState, progress: Progress, path: pathlib.Path) -> None:
        """Write a checkpoint with everything that resuming and forecasting need.

        Its "params" are those to forecast with.
        """
        tree = {"params": state.best_params, "opt_state": state.opt_state, "step": state.step}
        if state.average is not None:
            tree[NOT_AVERAGED] = state.params
        checkpoint.save(path, tree, {**self.record, "iteration": int(state.step), "progress": progress._asdict()})
