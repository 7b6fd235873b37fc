"""The training loop around the update: it reads batches, and writes checkpoints, log and validation."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from predjax import checkpoint, parallel
from predjax.checkpoint_names import best_path, step_path
from predjax.messages import describe_error
from predjax.radar.windows.prefetch import prefetch
from predjax.training.callbacks import ASKED, Audience, Callback, Event
from predjax.training.monitor import Log, Monitor
from predjax.training.run import Progress, Run
from predjax.training.same_start import check_same
from predjax.training.signals import SignalCatcher
from predjax.training.step import TrainState

LONG_MS = 500  # of an update: another one only to tell its time is not worth waiting for


class Estimate(NamedTuple):
    """The cost of a run: scalars in the parameters, bytes on a device, seconds for an iteration and to compile."""

    parameters: int
    bytes: int
    iteration_seconds: float
    compile_seconds: float


class Start(NamedTuple):
    """The start of a run: its state, its progress for early stopping, and the compiled update."""

    state: TrainState
    progress: Progress
    update: Callable


def count_parameters(params: Any) -> int:
    """Return the number of scalars in a tree of arrays."""
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))


def estimate(run: Run, state: TrainState) -> tuple[Callable, Estimate]:
    """Compile the update and time it on a copy of the state; return the compiled update and the cost of the run.

    A second update is timed where updates are fast, because the first one also warms up.
    """
    _, frames, forcings = run.read(0)
    start = time.perf_counter()
    stop = run.share_signal(0)
    copy = parallel.replicate(jax.tree.map(jnp.copy, state), run.devices)
    compiled = parallel.compile_update(run.update, copy, frames, forcings, stop)
    compile_seconds = time.perf_counter() - start
    memory = compiled.memory_analysis()
    size = memory.temp_size_in_bytes + memory.argument_size_in_bytes if memory else 0
    seconds: list[float] = []
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


def train(
    run: Run, start: Start, say: Callable[[str], Any] = print, callbacks: Sequence[Callback] = ()
) -> tuple[TrainState, str]:
    """Update from the iteration of the start to the last one; return the final state and why the run ended.

    The reason is "finished", "no better validation loss for N checks", "a callback asked", "SIGINT" or "SIGTERM". Of
    several processes the chief writes, speaks (lines of text to `say`) and has the callbacks; what stops one of them
    stops all after the same iteration.

    Raises:
      ValueError: `max_bad_steps` updates in a row without a finite gradient, naming the files of the batch; processes
        that do not start from the same state.
      ValueError: a batch cannot be read, naming the file; the iterations before it are saved.
      OSError: a checkpoint or the log cannot be written, naming it.
    """
    config, step, chief = run.config, int(start.state.step), parallel.is_chief()
    check_same(run.record, start.state)
    audience = Audience([Log(run.folder / "log.jsonl", step), *callbacks] if chief else [])
    state, progress = parallel.replicate(start.state, run.devices), start.progress
    reason, batches = "finished", prefetch(run.read, range(step, config.max_iterations))
    assert config.test_interval is not None and config.snapshot_interval is not None, "resolved"
    hidden = None if chief else True  # None: where there is no terminal
    bar = tqdm(total=config.max_iterations, initial=step, unit="it", disable=hidden, dynamic_ncols=True)
    monitor = Monitor(run, audience, bar, step)

    with SignalCatcher() as caught, contextlib.closing(batches), bar, audience:
        audience(Event("begin", step, run.record, run.folder))
        for batch in monitor.wait(_end_with_error(batches)):
            if isinstance(batch, Exception):
                raise _save_before(batch, run, state, progress, step) from batch
            windows, frames, forcings = batch
            state, metrics = start.update(state, frames, forcings, run.share_signal(caught.signal or audience.asked))
            step += 1
            bar.update()
            monitor.add(step, windows, metrics)
            if run.valid_batches and (step % config.test_interval == 0 or step == config.max_iterations):
                monitor.settle()
                begin = time.perf_counter()
                progress, text = _check(run, state, progress, step, audience)
                if chief:
                    with tqdm.external_write_mode():
                        say(text)
                monitor.leave_out(time.perf_counter() - begin)
            alone = parallel.count_processes() == 1
            stop = (caught.signal or audience.asked) if alone else monitor.stop
            if stop:
                reason = "a callback asked" if stop == ASKED else signal.Signals(stop).name
            elif config.patience and progress.checks_since_best >= config.patience:
                reason = f"no better validation {config.stop_on} for {config.patience} checks"
            last = step == config.max_iterations or reason != "finished"
            if step % config.snapshot_interval == 0 or last:
                monitor.settle()
                if chief:
                    run.save(state, progress, step_path(run.folder, step))
                    checkpoint.prune(run.folder, config.keep_checkpoints)
            if last:
                break
        audience(Event("end", step, {"reason": reason}, run.folder, state.best_params))
    return state, reason


def _end_with_error(batches: Iterable) -> Iterator:
    """Yield the batches. If reading one fails, yield the error as the last item."""
    try:
        yield from batches
    except (ValueError, OSError) as error:
        yield error


def _save_before(error: Exception, run: Run, state: TrainState, progress: Progress, step: int) -> ValueError:
    """Save the state before the batch that cannot be read, if this is the chief; return an error that says so."""
    saved = ""
    if parallel.is_chief() and step:
        run.save(state, progress, step_path(run.folder, step))
        saved = f"; iteration {step} is saved, --resume goes on from {run.folder}"
    return ValueError(f"{describe_error(error)}{saved}")


def _check(run: Run, state: TrainState, progress: Progress, step: int, tell: Callback) -> tuple[Progress, str]:
    """Validate, and save the best checkpoint; return the new progress and a line of text."""
    goal = loss = run.validate(state.best_params)
    values, shown = {"valid_loss": loss}, ""
    if run.score:
        value = values[f"valid_{run.config.stop_on}"] = run.validate_score(state.best_params)
        goal, shown = -value if run.score.more_is_better else value, f", {run.config.stop_on} {value:.5g}"
    best = goal < progress.best_loss  # a NaN is never best
    tell(Event("validation", step, values, run.folder, state.best_params))
    text = f"iteration {step}: validation loss {loss:.5f}{shown}" + (" (best)" if best else "")
    if not best:
        return progress._replace(checks_since_best=progress.checks_since_best + 1), text
    progress = Progress(goal, step, 0)
    if parallel.is_chief():
        run.save(state, progress, best_path(run.folder))
    return progress, text
