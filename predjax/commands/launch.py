"""`predjax launch`: run several processes of a training on this machine; when one dies, start all of them again.

Imports nothing of jax, so that the processes have all of the machine. Needs POSIX signals: for Linux and macOS.
"""

import contextlib
import dataclasses
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from predjax.checkpoint_names import find_steps
from predjax.commands import one_line_errors
from predjax.flags import REQUIRED, Command, Group, find_value, flag, parse
from predjax.messages import CLOSED_PIPE, SIGNAL_CODES, catch_signals

POLL_SECONDS = 0.2
START_SECONDS = 300.0  # until the first sign of life: modules are imported from slow disks
BAD_INPUT = 2  # the exit code of a command that has said what is wrong with its input
# Runs the command after it, which the kernel kills when the launcher of the given number dies (1: PDEATHSIG).
# A program of its own, because Python code between fork and exec may hang in a process with threads.
_MORTAL = "import ctypes, os; from sys import argv as a; ctypes.CDLL(None).prctl(1, 9)\n"
_MORTAL += "if os.getppid() == int(a[1]): os.execv(a[2], a[2:])"


class Life(NamedTuple):
    """The exit code of a process (None: it runs), and the seconds since its last sign of life (None: not one yet)."""

    code: int | None
    silent: float | None


@dataclasses.dataclass(frozen=True)
class Flags:
    """The processes to start. Errors: ValueError for a number that is too small, or NaN."""

    n: int = flag(REQUIRED, "processes to start", metavar="N", short=True)
    max_restarts: int = flag(3, "most restarts in a row without a new checkpoint", metavar="N")
    heartbeat_timeout: float = flag(60.0, "longest silence of a process", metavar="SECONDS", finite=False)
    grace: float = flag(60.0, "for the last checkpoint, after a signal", metavar="SECONDS", finite=False)
    gpus_per_process: int = flag(0, "GPUs that each process has for itself; 0: all share all", metavar="K")
    command: tuple[str, ...] = flag(
        (), "a script or a predjax command, with its --save_dir", metavar="train.py ARGUMENTS", positional="+"
    )

    def __post_init__(self) -> None:
        for name, low in dict(n=1, max_restarts=0, heartbeat_timeout=1, grace=0, gpus_per_process=0).items():
            if not getattr(self, name) >= low:  # nor is a NaN
                raise ValueError(f"{name} must be at least {low}, not {getattr(self, name)}")


COMMAND = Command(
    "predjax launch",
    "Starts N processes that train together on this machine, and hands signals on to them. When one dies or stops, all "
    "start again from the last checkpoint.",
    (Group("processes", Flags),),
    usage="predjax launch -n N [options] -- train.py ARGUMENTS",
)


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the processes until they are done; return the exit code. Errors: see `one_line_errors`."""
    flags = Flags(**parse(COMMAND, arguments))
    folder = find_folder(flags.command)
    gpus = share_gpus(flags.n, flags.gpus_per_process, os.environ)
    command, overwrite, restarts = list(flags.command), "--overwrite" in flags.command, 0
    # Checkpoints of a run that is replaced stay until the new run begins, which must not go on from them.
    old = find_checkpoints(folder) if overwrite else set()
    reached = max(find_checkpoints(folder) - old, default=(0, 0))[0]
    with catch_signals() as caught:
        while True:
            code, reason = _attempt(flags, command, gpus, caught)
            if reason is None or caught:
                return SIGNAL_CODES[caught[0]] if reason else code
            before, reached = reached, max(find_checkpoints(folder) - old, default=(0, 0))[0]
            restarts = 1 if reached > before else restarts + 1
            if restarts > flags.max_restarts:
                print(f"launch: {reason}; giving up after {restarts - 1} restarts", file=sys.stderr)
                return 1
            if reached or not overwrite:
                command = resume(flags.command)
            print(f"launch: {reason}; all start again from iteration {reached}", file=sys.stderr, flush=True)


def find_folder(command: Sequence[str]) -> pathlib.Path:
    """Return the `--save_dir` of a command. Errors: ValueError without one, because such a run cannot be resumed."""
    given = find_value(COMMAND.name, "save_dir", command)
    if not given:
        raise ValueError("the command needs --save_dir, from which it can be started again")
    return pathlib.Path(given).expanduser()


def find_checkpoints(folder: pathlib.Path) -> set[tuple[int, int]]:
    """Return (iteration, time of writing) of each checkpoint in a folder, which may be missing."""
    return {(step, path.stat().st_mtime_ns) for step, path in find_steps(folder).items()}


def resume(command: Sequence[str]) -> list[str]:
    """Return the command that resumes a command from its last checkpoint."""
    kept = [part for part in command if part != "--overwrite"]
    return kept if "--resume" in kept else [*kept, "--resume"]


def share_gpus(count: int, each: int, environment: Mapping[str, str]) -> list[dict[str, str]]:
    """Return environment variables that show each process only its own GPUs. Errors: ValueError for too few GPUs."""
    if not each:
        return [{}] * count
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    names = map(str, range(count * each)) if visible is None else visible.replace(" ", "").split(",")
    names = [name for name in names if name]
    if len(names) < count * each:
        raise ValueError(f"{count} processes of {each} GPUs need {count * each}, CUDA_VISIBLE_DEVICES has {visible!r}")
    return [{"CUDA_VISIBLE_DEVICES": ",".join(names[i * each : (i + 1) * each])} for i in range(count)]


def judge(lives: Sequence[Life], timeout: float) -> tuple[str, str | int]:
    """Decide what to do with the processes: ("wait", ""), ("end", exit code) or ("again", reason)."""
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


class _Pulse:
    """The sign of life of a process: a file that the process touches.

    The time without a new sign is summed over calls, at most one second each, and not taken from the file's time: the
    file system may have another clock, and this process may have been suspended itself.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path, self._silent, self._looked = path, 0.0, time.monotonic()
        self._touched: int | None = None

    def measure_silence(self) -> float | None:
        """Return the seconds since the last sign of life, None before the first one."""
        try:
            touched = self.path.stat().st_mtime_ns
        except FileNotFoundError:
            touched = None
        passed, self._looked = time.monotonic() - self._looked, time.monotonic()
        self._silent, self._touched = self._silent + min(passed, 1.0) if touched == self._touched else 0.0, touched
        return self._silent if touched or self._silent > START_SECONDS else None


def _attempt(
    flags: Flags, command: Sequence[str], gpus: Sequence[dict[str, str]], caught: Sequence[int]
) -> tuple[int, str | None]:
    """Run the processes once; return the exit code, and why they should start again, or None."""
    processes: list[subprocess.Popen] = []
    with tempfile.TemporaryDirectory(prefix="predjax_launch_") as folder:
        pulses = [_Pulse(pathlib.Path(folder) / f"process_{i}") for i in range(flags.n)]
        try:
            processes.extend(_start(command, pulses, gpus))
            while not caught:
                lives = [Life(process.poll(), pulse.measure_silence()) for process, pulse in zip(processes, pulses)]
                action, what = judge(lives, flags.heartbeat_timeout)
                if action != "wait":
                    return (int(what), None) if action == "end" else (1, str(what))
                time.sleep(POLL_SECONDS)
            return _end(processes, caught, flags.grace), None
        finally:
            _kill(processes)


def _start(
    command: Sequence[str], pulses: Sequence[_Pulse], gpus: Sequence[dict[str, str]]
) -> Iterator[subprocess.Popen]:
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


def _end(processes: Sequence[subprocess.Popen], caught: Sequence[int], grace: float) -> int:
    """Pass the signal on to the processes and wait for their checkpoints; return the exit code."""
    for process in processes:
        process.send_signal(caught[0])  # not to one that has ended
    end = time.monotonic() + grace
    while (alive := [p for p in processes if p.poll() is None]) and time.monotonic() < end and len(caught) == 1:
        time.sleep(POLL_SECONDS)
    if alive:
        print(f"launch: killed {len(alive)} processes that had not ended", file=sys.stderr)
    return SIGNAL_CODES[caught[0]]


def _kill(processes: Sequence[subprocess.Popen]) -> None:
    """Kill the processes that still run or have failed, each with its children; wait for all processes."""
    for process in processes:
        if process.poll() != 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: not permitted where all have ended
                os.killpg(process.pid, signal.SIGKILL)
    for process in processes:
        process.wait()
