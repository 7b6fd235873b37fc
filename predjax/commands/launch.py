"""`predjax launch`: several processes of a training on this machine, and all of them again when one dies.

Imports nothing of jax, so that the processes have all of the machine. For Linux and macOS: needs POSIX signals.
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from predjax.commands import one_line_errors
from predjax.flags import Parser
from predjax.messages import CLOSED_PIPE

POLL_SECONDS = 0.2
START_SECONDS = 300.0  # until the first sign of life: modules are imported from slow disks
BAD_INPUT = 2  # the exit code of a command that has said what is wrong with its input
SIGNALS: dict[int, int] = {signal.SIGINT: 130, signal.SIGTERM: 143}
_STEP = re.compile(r"step_(\d+)\.npz")
# Becomes the command after it, which the kernel kills when the launcher, whose number is given, dies (1: PDEATHSIG).
# A program of its own, because Python code between fork and exec may hang in a process with threads.
_MORTAL = "import ctypes, os; from sys import argv as a; ctypes.CDLL(None).prctl(1, 9)\n"
_MORTAL += "if os.getppid() == int(a[1]): os.execv(a[2], a[2:])"


class Life(NamedTuple):
    """A process: its exit code or None, and the seconds since its last sign of life (None: not one yet)."""

    code: int | None
    silent: float | None


def make_parser() -> Parser:
    parser = Parser(
        prog="predjax launch",
        usage="predjax launch -n N [options] -- train.py ARGUMENTS",
        description="Starts N processes that train together on this machine, and hands signals on to them. When one "
        "dies or stops, all start again from the last checkpoint.",
    )
    add = parser.add_argument_group("processes").add_argument
    add("-n", type=int, required=True, metavar="N", help="processes to start")
    add(
        "--max_restarts",
        type=int,
        default=3,
        metavar="N",
        help="starts again without a new checkpoint between them (default 3)",
    )
    add(
        "--heartbeat_timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="a process silent for longer has stopped (default 60)",
    )
    add(
        "--grace",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="to write a checkpoint in after a signal (default 60)",
    )
    add(
        "--gpus_per_process",
        type=int,
        default=0,
        metavar="K",
        help="GPUs of each process alone; 0 shares all (default 0)",
    )
    add("command", nargs="+", metavar="train.py ARGUMENTS", help="a script or a predjax command, with its --save_dir")
    return parser


@one_line_errors
def main(arguments=None) -> int:
    """Runs the processes until they are done; the exit code. Errors: see `one_line_errors`."""
    options = make_parser().parse_args(arguments)
    for name, low in dict(n=1, max_restarts=0, heartbeat_timeout=1, grace=0, gpus_per_process=0).items():
        if not getattr(options, name) >= low:  # nor is a NaN
            raise ValueError(f"{name} must be at least {low}, not {getattr(options, name)}")
    folder = find_folder(options.command)
    gpus = share_gpus(options.n, options.gpus_per_process, os.environ)
    command, overwrite, restarts = options.command, "--overwrite" in options.command, 0
    # Those of a run that is to be replaced stay until the new one begins, which must not go on from them.
    old = find_checkpoints(folder) if overwrite else set()
    reached = max(find_checkpoints(folder) - old, default=(0, 0))[0]
    with _catch_signals() as caught:
        while True:
            code, reason = _attempt(options, command, gpus, caught)
            if reason is None or caught:
                return SIGNALS[caught[0]] if reason else code
            before, reached = reached, max(find_checkpoints(folder) - old, default=(0, 0))[0]
            restarts = 1 if reached > before else restarts + 1
            if restarts > options.max_restarts:
                print(f"launch: {reason}; giving up after {restarts - 1} restarts", file=sys.stderr)
                return 1
            if reached or not overwrite:
                command = resume(options.command)
            print(f"launch: {reason}; all start again from iteration {reached}", file=sys.stderr, flush=True)


def find_folder(command: Sequence[str]) -> pathlib.Path:
    """The `--save_dir` of a command, read as it does. Errors: ValueError without: nothing could be started again."""
    parser = Parser(prog="predjax launch", add_help=False)
    parser.add_argument("--save_dir")
    given = parser.parse_known_args(command)[0].save_dir
    if not given:
        raise ValueError("the command needs --save_dir, from which it can be started again")
    return pathlib.Path(given)


def find_checkpoints(folder: pathlib.Path) -> set[tuple[int, int]]:
    """(iteration, time of writing) of each checkpoint in a folder, which may be missing."""
    paths = folder.iterdir() if folder.is_dir() else []
    return {(int(found[1]), path.stat().st_mtime_ns) for path in paths if (found := _STEP.fullmatch(path.name))}


def resume(command: Sequence[str]) -> list[str]:
    """The same command, going on from its last checkpoint."""
    kept = [part for part in command if part != "--overwrite"]
    return kept if "--resume" in kept else [*kept, "--resume"]


def share_gpus(count: int, each: int, environment) -> list[dict[str, str]]:
    """What each process is to have in its environment, so that it sees its own GPUs."""
    if not each:
        return [{}] * count
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    names = map(str, range(count * each)) if visible is None else visible.replace(" ", "").split(",")
    names = [name for name in names if name]
    if len(names) < count * each:
        raise ValueError(f"{count} processes of {each} GPUs need {count * each}, CUDA_VISIBLE_DEVICES has {visible!r}")
    return [{"CUDA_VISIBLE_DEVICES": ",".join(names[i * each : (i + 1) * each])} for i in range(count)]


def judge(lives: Sequence[Life], timeout: float) -> tuple[str, str | int]:
    """What is to be done: ("wait", ""), ("end", exit code) or ("again", why)."""
    codes = [life.code for life in lives]
    for code in (BAD_INPUT, CLOSED_PIPE):  # it would end so again
        if code in codes:
            return "end", code
    # Where one process dies the runtime ends the others with SIGABRT: they are not the reason.
    dead = [(i, code) for i, code in enumerate(codes) if code]
    dead.sort(key=lambda one: one[1] in (-signal.SIGABRT, 128 + signal.SIGABRT))
    if dead:
        first, code = dead[0]
        name = {-number: number.name for number in signal.Signals}.get(code, f"exit code {code}")
        return "again", f"process {first} ended with {name}"
    if all(code == 0 for code in codes):
        return "end", 0
    for i, life in enumerate(lives):
        if life.code is None and life.silent is not None and life.silent > timeout:
            return "again", f"process {i} gave no sign of life for {life.silent:.0f} s"
    return "wait", ""


@contextlib.contextmanager
def _catch_signals() -> Iterator[list[int]]:
    """The signals that this process gets meanwhile."""
    caught = []
    before = {number: signal.signal(number, lambda number, _: caught.append(number)) for number in SIGNALS}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Pulse:
    """The sign of life of a process: a file that it touches.

    Silence is counted from look to look: the file may have another clock, this process may have been stopped itself.
    """

    def __init__(self, path: pathlib.Path):
        self.path, self._silent, self._looked = path, 0.0, time.monotonic()
        self._touched: int | None = None

    def measure_silence(self) -> float | None:
        try:
            touched = self.path.stat().st_mtime_ns
        except FileNotFoundError:
            touched = None
        passed, self._looked = time.monotonic() - self._looked, time.monotonic()
        self._silent, self._touched = self._silent + min(passed, 1.0) if touched == self._touched else 0.0, touched
        return self._silent if touched or self._silent > START_SECONDS else None


def _attempt(options, command, gpus, caught) -> tuple[int, str | None]:
    """Runs the processes once: the exit code, and why they should start again, or None."""
    processes: list[subprocess.Popen] = []
    with tempfile.TemporaryDirectory(prefix="predjax_launch_") as folder:
        pulses = [_Pulse(pathlib.Path(folder) / f"process_{i}") for i in range(options.n)]
        try:
            processes.extend(_start(command, pulses, gpus))
            while not caught:
                lives = [Life(process.poll(), pulse.measure_silence()) for process, pulse in zip(processes, pulses)]
                action, what = judge(lives, options.heartbeat_timeout)
                if action != "wait":
                    return (int(what), None) if action == "end" else (1, str(what))
                time.sleep(POLL_SECONDS)
            return _end(processes, caught, options.grace), None
        finally:
            _kill(processes)


def _start(command, pulses, gpus) -> Iterator[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    run = [sys.executable] if command[0].endswith(".py") else [sys.executable, "-m", "predjax"]
    if sys.platform == "linux":
        run = [sys.executable, "-I", "-S", "-c", _MORTAL, str(os.getpid()), *run]
    for i, pulse in enumerate(pulses):
        place = ["--coordinator", where, "--num_processes", str(len(pulses)), "--process_id", str(i)]
        environment = os.environ | {"PREDJAX_HEARTBEAT": str(pulse.path)} | gpus[i]
        # A session of its own: Ctrl-C reaches this process alone, which hands it on.
        yield subprocess.Popen([*run, *command, *place], env=environment, start_new_session=True)


def _end(processes, caught, grace: float) -> int:
    """Hands the signal on and waits for checkpoints; the exit code."""
    for process in processes:
        process.send_signal(caught[0])  # not to one that has ended
    end = time.monotonic() + grace
    while (alive := [p for p in processes if p.poll() is None]) and time.monotonic() < end and len(caught) == 1:
        time.sleep(POLL_SECONDS)
    if alive:
        print(f"launch: killed {len(alive)} processes that had not ended", file=sys.stderr)
    return SIGNALS[caught[0]]


def _kill(processes) -> None:
    """Ends what still runs, with the processes that it started; also those of one that died."""
    for process in processes:
        if process.poll() != 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: not permitted where all have ended
                os.killpg(process.pid, signal.SIGKILL)
    for process in processes:
        process.wait()
