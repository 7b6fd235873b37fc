"""No byte outside the given paths is read or written: all commands, watched, in folders full of files of others."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig

import pytest
from tiny import QUICK, ROOT

from predjax.synthetic.__main__ import main as make

pytestmark = pytest.mark.ci

# Every process of Python notes which files it opens, changes or removes, and what it connects to or runs.
WATCH = """
import json, os, sys
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Which arguments of an event are paths, and which are the folders (of open files, or -1) that they lie in.
CHANGES = {"os.remove": (0, 1), "os.rename": (0, 2), "os.rmdir": (0, 1), "os.mkdir": (0, 2), "os.symlink": (1, 2)}
CHANGES |= {"os.truncate": (0, None), "os.chmod": (0, 2), "os.utime": (0, 3), "shutil.rmtree": (0, 1)}
NOTES = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND)
def note(*what):
    os.write(NOTES, (json.dumps(what) + "\\n").encode())
def full(path, folder=-1):
    inside = os.getcwd() if folder in (-1, None) else os.readlink(f"/proc/self/fd/{folder}")
    path = os.path.normpath(os.path.join(inside, os.fsdecode(path)))
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        writes = bool(arguments[2] & WRITES)
        note("write" if writes else "read", os.path.realpath(full(arguments[0])))
    elif event in CHANGES:
        path, folder = CHANGES[event]
        if not isinstance(arguments[path], int):
            note("write", full(arguments[path], -1 if folder is None else arguments[folder]))
        if event in ("os.rename", "os.link"):
            note("write", full(arguments[1], arguments[3]))
    elif event in ("socket.connect", "socket.bind") and isinstance(arguments[1], tuple):
        note("address", str(arguments[1][0]))
    elif event == "subprocess.Popen":
        note("program", str(arguments[0]))
sys.addaudithook(watch)
"""
# All commands in one process, after links were put at names with its number in them.
RUN = """
import importlib, json, os, sys
for path in json.loads(sys.argv[2]):
    folder, name = os.path.split(path)
    os.symlink(sys.argv[3], os.path.join(folder, f".{name}.{os.getpid()}.tmp"))
for first, *arguments in json.loads(sys.argv[1]):
    print("command", first, flush=True)
    code = importlib.import_module(f"predjax.commands.{first.replace('-', '_')}").main(arguments)
    assert code == 0, (first, code)
"""
LINKED = ["run/config.json", "run/log.jsonl", "run/run.json", "run/best.npz", "run/step_00000001.npz", "run/losses.png"]
LINKED += ["report/skill.nc", "report/skill.json", "report/report.html", "report/run.json", "nowcast.nc", "weights.npz"]
OTHERS = [
    "notes.txt",
    "run/notes.txt",
    "report/notes.txt",
    "report/skill.nc.bak",
    ".store.part.txt",
    "frames/notes.txt",
]
CALLS = "open,openat,creat,truncate,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,link,linkat,symlink"
CHANGING = re.compile("creat|truncate|unlink|rename|mkdir|rmdir|link|symlink")


def snapshot(folder):
    """Every file below a folder: where a link leads, or the content and the time of change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[path] = os.readlink(path)
        elif path.is_file():
            found[path] = path.read_bytes(), path.stat().st_mtime_ns
    return found


def read_trace(text):
    """The files that the calls of a trace opened or changed: ("read" or "write", path)."""
    found, begun = [], {}
    for line in text.splitlines():
        if line.endswith("<unfinished ...>"):  # another process comes between
            begun[line.split()[0]] = line.removesuffix("<unfinished ...>")
            continue
        if resumed := re.match(r"(\d+) +<\.\.\. \w+ resumed>(.*)", line):
            line = begun.pop(resumed[1], "") + resumed[2]
        call = re.match(r"\d+ +(\w+)\((.*)", line)
        if call is None or re.search(r"= -1 E\w+", line):
            continue
        name, rest = call.groups()
        writes = bool(CHANGING.match(name)) or bool(re.search("O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)", rest))
        paths = re.findall(r'(?:<([^>]*)>, )?"((?:[^"\\]|\\.)*)"', rest.split(" = ")[0])
        for folder, path in paths[-1:] if name == "symlink" else paths:  # the first is only what the link says
            found.append(("write" if writes else "read", os.path.normpath(os.path.join(folder or "/", path))))
    return found


def test_no_byte_outside_the_given_paths_is_read_or_written(tmp_path):
    given, out, canaries, home, cwd = (tmp_path / name for name in ("given", "out", "canaries", "home", "cwd"))
    for folder in (given, canaries / "folder", home / ".ssh", cwd / "runs", tmp_path / "tmp", tmp_path / "watch"):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / "data" / "radar_movies.nc", given / "rain.nc")
    assert make(["sine_wave", "--output", str(given / "sine.nc"), "--num_movies", "8", "--length", "20"]) == 0
    for path in ("given/rain.nc.bak", "given/other.txt", "canaries/file", "canaries/folder/frames.npy"):
        (tmp_path / path).write_text("precious")
    for path in ("home/.netrc", "home/.ssh/id_rsa", "cwd/runs/config.json", "cwd/predjax.json", "cwd/notes.txt"):
        (tmp_path / path).write_text("precious")
    for path in OTHERS:
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text("precious")
    for path in LINKED:
        (out / path).symlink_to(canaries / "file")
    (given / "gauges.csv").write_text("name,x,y\nbridge,2000,3000\n")
    rain, sine, gauges, run, series = (
        str(path) for path in (given / "rain.nc", given / "sine.nc", given / "gauges.csv", out / "run", out / "series")
    )
    few = [*QUICK, "--max_iterations", "1", "--max_valid_cases", "1", "--valid_fraction", "0.1"]
    cell = "--variable sine_wave --model_name ct_rnn --num_hidden 3 --task sequence --forcings input --batch_size 2"
    written = ["--output", str(out / "report"), "--export", str(out / "frames"), "--overwrite"]
    commands = [
        ["models"],
        ["inspect", rain, "--picture", str(out / "rain.png")],
        ["train", "--data_path", rain, *few, "--save_dir", run, "--overwrite"],
        ["train", "--data_path", sine, *cell.split(), "--max_iterations", "1", "--n_gpu", "1", "--save_dir", series],
        ["analyse", "--checkpoint", series, "--output", str(out / "analysis"), "--num_starts", "8"],
        [
            "evaluate",
            "--checkpoint",
            run,
            "--data_path",
            rain,
            "--max_cases",
            "1",
            "--baselines",
            "persistence",
            *written,
        ],
        ["forecast", "--checkpoint", run, "--data_path", rain, "--output", str(out / "nowcast.nc"), "--overwrite"],
        [
            "forecast",
            "--checkpoint",
            "persistence",
            "--data_path",
            rain,
            "--units",
            "mm/h",
            "--areas",
            gauges,
            "--output",
            str(out / "areas.nc"),
        ],
        ["prepare", "--data_path", rain, "--output", str(out / "store")],
        ["prepare", "--data_path", rain, "--output", str(out / "store"), "--overwrite"],
        ["export-weights", "--checkpoint", run, "--output", str(out / "weights.npz"), "--overwrite"],
        ["launch", "-n", "1", "--", "train", "--data_path", str(out / "store"), *few, "--save_dir", str(out / "two")],
    ]
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    notes = tmp_path / "watch" / "notes.jsonl"
    notes.touch()
    kept = {name: value for name, value in os.environ.items() if name.startswith(("JAX_", "XLA_", "LD_", "PREDJAX_C"))}
    environment = kept | {
        "HOME": str(home),
        "TMPDIR": str(tmp_path / "tmp"),
        "NOTES": str(notes),
        "PATH": os.environ["PATH"],
    }
    environment |= {"PYTHONPATH": f"{tmp_path / 'watch'}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    quiet = {folder: snapshot(folder) for folder in (given, canaries, cwd)} | {home: snapshot(home)}
    others = {path: snapshot(out)[out / path] for path in OTHERS}
    trace = tmp_path / "watch" / "trace.txt"
    tracer = ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(trace)]
    traced = shutil.which("strace") and subprocess.run([*tracer, "true"], capture_output=True).returncode == 0
    program = [sys.executable, "-c", RUN, json.dumps(commands), json.dumps([str(out / path) for path in LINKED])]
    done = subprocess.run(
        [*(tracer if traced else []), *program, str(canaries / "file")],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    # Nothing of others was changed, and no link was written through.
    assert {folder: snapshot(folder) for folder in (given, canaries, cwd)} == {
        f: quiet[f] for f in (given, canaries, cwd)
    }
    after = snapshot(home)
    assert {path: after[path] for path in quiet[home]} == quiet[home]
    assert {path: snapshot(out)[out / path] for path in OTHERS} == others
    assert not any((out / path).is_symlink() for path in LINKED)

    found = [tuple(json.loads(line)) for line in notes.read_text().splitlines()]
    found += read_trace(trace.read_text()) if traced else []
    own = [out, tmp_path / "tmp", home / ".cache", home / ".config", os.environ["JAX_COMPILATION_CACHE_DIR"]]
    own += [tmp_path / "watch", "/dev", "/proc/self"]
    python = [
        ROOT / "predjax",
        ROOT / "predjax.egg-info",
        *{sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()},
    ]
    system = ["/proc", "/sys", "/etc", "/usr", "/lib", "/lib64", "/bin", "/opt", "/var/cache", "/run"]
    allowed = {"write": own, "read": [*own, *python, *system, os.path.realpath(sys.executable), rain, sine, gauges]}

    allowed["write pyc"] = [*own, *python]
    allowed = {kind: {*map(os.fspath, places), *map(os.path.realpath, places)} for kind, places in allowed.items()}

    def is_allowed(kind, path):
        places = allowed["write pyc" if kind == "write" and "__pycache__" in path else kind]
        inside = any(path == place or path.startswith(place.rstrip("/") + "/") for place in places)
        return inside or (kind == "read" and os.path.isdir(path))  # its names are listed

    outside = {(kind, path) for kind, path in set(found) if kind in allowed and not is_allowed(kind, path)}
    assert outside == set()
    read = {("read", path) for path in (rain, sine, gauges)}
    assert read | {("write", str(out / "run" / "log.jsonl"))} <= set(found)  # it does see them
    assert {what for kind, what in found if kind == "address"} <= {"127.0.0.1", "localhost", "::1"}
    programs = {what for kind, what in found if kind == "program"}
    assert programs <= {sys.executable, "fc-list"}  # Matplotlib asks for the fonts of the system
