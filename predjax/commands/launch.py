"""`predjax launch`: several processes of a training on this machine, and all of them again when one dies.

Imports nothing of jax, so that the processes have all of the machine. For systems with POSIX signals.
"""

import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

from predjax.commands import Parser, one_line_errors

POLL_SECONDS = 0.2
START_SECONDS = 300.0  # until the first sign of life: modules are imported from slow disks
BAD_INPUT = 2  # the exit code of a command that has said what is wrong with its input
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}
_STEP = re.compile(r"step_(\d+)\.npz")


class Life(NamedTuple):
    """A process: its exit code or None, and the seconds since its last sign of life (None: not one yet)."""

    code: int | None
    silent: float | None


def _parser() -> Parser:
    parser = Parser(
        prog="predjax launch",
        usage="predjax launch -n N [options] -- train.py ARGUMENTS",
        description="Starts N processes that train together on this machine, and hands signals on to them. When one "
        "dies or stops, all start again from the last checkpoint.",
    )
    add = parser.add_argument
    add("-n", type=int, required=True, metavar="N", help="processes")
    add("--max_restarts", type=int, default=3, metavar="N", help="in a row without a new checkpoint (default 3)")
    add(
        "--heartbeat_timeout", type=float, default=60.0, metavar="SECONDS",
        help="without a sign of life of a process, after which it counts as stopped (default 60)",
    )  # fmt: skip
    add("--grace", type=float, default=60.0, metavar="SECONDS", help="to write a checkpoint in after a signal (60)")
    add("--gpus_per_process", type=int, default=0, metavar="K", help="gives each process K GPUs of its own (default 0)")
    add("command", nargs="+", metavar="train.py ARGUMENTS", help="a script or a predjax command, with its --save_dir")
    return parser


@one_line_errors
def main(arguments=None) -> int:
    """Runs the processes until they are done; the exit code. Errors: see `one_line_errors`."""
    options = _parser().parse_args(arguments)
    for name, low in (("n", 1), ("max_restarts", 0), ("gpus_per_process", 0)):
        if getattr(options, name) < low:
            raise ValueError(f"{name} must be at least {low}, not {getattr(options, name)}")
    folder = find_folder(options.command)
    gpus = share_gpus(options.n, options.gpus_per_process, os.environ)
    restarts, command = 0, options.command
    with _Caught() as caught:
        while True:
            before = find_iteration(folder)
            code, reason = _attempt(options, command, gpus, caught)
            if reason is None:
                return code
            reached = find_iteration(folder)
            restarts = 0 if reached > before else restarts
            if restarts == options.max_restarts:
                print(f"launch: {reason}; giving up after {restarts} restarts", file=sys.stderr)
                return 1
            restarts, command = restarts + 1, resume(options.command)
            print(f"launch: {reason}; all start again from iteration {reached}", file=sys.stderr, flush=True)


def find_folder(command: Sequence[str]) -> pathlib.Path:
    """The `--save_dir` of a command. Errors: ValueError without one: nothing could be started again from."""
    for flag, value in zip(command, [*command[1:], ""]):
        if flag == "--save_dir" and value:
            return pathlib.Path(value)
        if flag.startswith("--save_dir="):
            return pathlib.Path(flag.partition("=")[2])
    raise ValueError("the command needs --save_dir, from which it can be started again")


def find_iteration(folder: pathlib.Path) -> int:
    """The iteration of the newest checkpoint; 0 without any."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return max((int(found[1]) for name in names if (found := _STEP.fullmatch(name))), default=0)


def resume(command: Sequence[str]) -> list[str]:
    """The same command, going on from its last checkpoint."""
    kept = [part for part in command if part != "--overwrite"]
    return kept if "--resume" in kept else [*kept, "--resume"]


def share_gpus(count: int, each: int, environment) -> list[dict[str, str]]:
    """What each process is to have in its environment, so that it sees its own GPUs."""
    if not each:
        return [{} for _ in range(count)]
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    names = [str(i) for i in range(count * each)] if visible is None else [n for n in visible.split(",") if n]
    if len(names) < count * each:
        raise ValueError(f"{count} processes of {each} GPUs need {count * each}, CUDA_VISIBLE_DEVICES has {visible}")
    return [{"CUDA_VISIBLE_DEVICES": ",".join(names[i * each : (i + 1) * each])} for i in range(count)]


def judge(lives: Sequence[Life], timeout: float) -> tuple[str, str | int]:
    """What is to be done: ("wait", ""), ("end", exit code) or ("again", why)."""
    codes = [life.code for life in lives]
    if BAD_INPUT in codes:
        return "end", BAD_INPUT
    # Where one process dies the runtime ends the others with SIGABRT: they are not the reason.
    dead = [i for i, code in enumerate(codes) if code]
    dead.sort(key=lambda i: codes[i] in (-signal.SIGABRT, 128 + signal.SIGABRT))
    if dead:
        return "again", f"process {dead[0]} ended with {_name(codes[dead[0]])}"
    if all(code == 0 for code in codes):
        return "end", 0
    for i, life in enumerate(lives):
        if life.code is None and life.silent is not None and life.silent > timeout:
            return "again", f"process {i} gave no sign of life for {life.silent:.0f} s"
    return "wait", ""


def _name(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


class _Caught:
    """The signals that this process gets: the `first` one, and whether there was one `again`."""

    def __init__(self):
        self.first, self.again = None, False

    def __enter__(self):
        self._before = {number: signal.signal(number, self._catch) for number in SIGNALS}
        return self

    def __exit__(self, *exception):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _catch(self, number, frame):
        self.again = self.first is not None
        self.first = self.first or number


def _attempt(options, command, gpus, caught) -> tuple[int, str | None]:
    """Runs the processes once: the exit code, and why they should start again, or None."""
    with tempfile.TemporaryDirectory(prefix="predjax_launch_") as folder:
        beats = [pathlib.Path(folder) / f"process_{i}" for i in range(options.n)]
        begin = time.time()
        processes = _start(command, beats, gpus)
        try:
            while True:
                if caught.first:
                    return _end(processes, caught, options.grace), None
                lives = [Life(p.poll(), _silence(beat, begin)) for p, beat in zip(processes, beats)]
                action, what = judge(lives, options.heartbeat_timeout)
                if action == "end":
                    return what, None
                if action == "again":
                    return 1, what
                time.sleep(POLL_SECONDS)
        finally:
            _kill(processes)


def _start(command, beats, gpus) -> list[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    run = [sys.executable] if command[0].endswith(".py") else [sys.executable, "-m", "predjax"]
    prepare, processes = _make_mortal(), []
    for i, beat in enumerate(beats):
        place = ["--coordinator", where, "--num_processes", str(len(beats)), "--process_id", str(i)]
        environment = os.environ | {"PREDJAX_HEARTBEAT": str(beat)} | gpus[i]
        # A session of its own: Ctrl-C reaches this process alone, which hands it on.
        processes.append(
            subprocess.Popen([*run, *command, *place], env=environment, start_new_session=True, preexec_fn=prepare)
        )
    return processes


def _make_mortal():
    """What a new process does first on Linux, so that a killed launcher takes it along; None elsewhere."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def prepare():
        prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it was too late for that
            os._exit(1)

    return prepare


def _silence(beat: pathlib.Path, begin: float) -> float | None:
    try:
        return time.time() - beat.stat().st_mtime
    except FileNotFoundError:
        silent = time.time() - begin
        return silent if silent > START_SECONDS else None


def _end(processes, caught, grace: float) -> int:
    """Hands the signal on and waits for checkpoints; the exit code."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(caught.first)
    end = time.time() + grace
    while any(process.poll() is None for process in processes) and time.time() < end and not caught.again:
        time.sleep(POLL_SECONDS)
    return SIGNALS[caught.first]


def _kill(processes) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
    for process in processes:
        process.wait()
