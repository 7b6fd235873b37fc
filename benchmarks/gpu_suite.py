"""All that is measured on a GPU, in parts of which each has a time limit; a part that fails does not stop the others.

    benchmarks/gpu.sh --output gpu
    benchmarks/gpu.sh --rehearse

Smoke: train steps and a forecast of the cases of `gpu_program.py`, which are all models. Parity: the tests that compare
with numbers of the original code. Speed: S, M and L of `speed.py` beside eager and compiled PyTorch. Flags: the train
step of M with XLA's flags for command buffers and deterministic operations. Nowcast: a composite with 24 members.
Memory and profile: of train steps.
The folder gets `gpu.json` with all figures and `gpu.md` with the tables. The exit code is 1 where a part failed.
`--rehearse` does the same with tiny sizes on a CPU, so that no minute of a GPU is lost on mistakes.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import sys
import tempfile
import time

from gpu_cases import SIZES, make_cases
from gpu_jobs import Job, Part, run_part, start_jobs, stop_jobs
from gpu_tables import format_tables

HERE = pathlib.Path(__file__).parent
SECONDS = 470  # of all parts, with the start of the first
PATIENCE = 20  # by which a rehearsal multiplies all limits: it may run on few cores, shared with others
WORKERS = 14  # processes at once where nothing is timed
GOLDEN = ("tests/cells", "tests/models/test_reference_predrnn.py", "tests/models/test_members.py")
PRECISIONS = ("float32", "tf32", "bfloat16")
# Names, and what is added to XLA_FLAGS.
FLAGS = {
    "as it is": "",
    "no command buffers": "--xla_gpu_enable_command_buffer=",
    "command buffers of all": "--xla_gpu_enable_command_buffer=FUSION,CUBLAS,CUBLASLT,CUDNN,CUSTOM_CALL,"
    "DYNAMIC_SLICE_FUSION,CONDITIONAL,WHILE",
    "deterministic": "--xla_gpu_deterministic_ops=true",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--rehearse", action="store_true", help="tiny sizes on a CPU")
    add("--output", type=pathlib.Path, metavar="FOLDER", help="where gpu.json and gpu.md go (default: build/gpu)")
    add("--parts", metavar="NAME,NAME", help="(default: all)")
    options = parser.parse_args()
    output = options.output or HERE.parent / "build" / ("gpu_rehearsal" if options.rehearse else "gpu")
    parts = make_parts(options.rehearse, output)
    names = options.parts.split(",") if options.parts else list(parts)
    for name in set(names) - set(parts):
        parser.error(f"{name!r} is not one of {', '.join(parts)}")
    output.mkdir(parents=True, exist_ok=True)
    if options.rehearse:
        os.environ |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    result = {"date": time.strftime("%Y-%m-%d"), "rehearsal": options.rehearse, "parts": {}}
    end = time.monotonic() + SECONDS * (PATIENCE if options.rehearse else 1)
    with tempfile.TemporaryDirectory() as folder:
        chosen = {name: parts[name] for name in parts if name in names}
        # What waits for its turn gets ready while the parts before it run.
        waiting = {name: start_jobs(part.jobs, pathlib.Path(folder)) for name, part in chosen.items() if part.turns}
        try:
            for name, part in chosen.items():
                running = waiting.get(name)
                found = run_part(part, pathlib.Path(folder), end, running)
                result["parts"][name] = found
                failed = [job for job, one in found["jobs"].items() if one["state"] != "done"]
                said = f"{len(failed)} of {len(part.jobs)} failed: {', '.join(failed)}" if failed else "done"
                print(f"{name}: {said}, {found['seconds']:.0f} s", flush=True)
                (output / "gpu.json").write_text(json.dumps(result, indent=1) + "\n")
        finally:
            for running in waiting.values():
                stop_jobs(running)
    tables = format_tables(result)
    (output / "gpu.md").write_text(tables)
    print(tables)
    jobs = [one for part in result["parts"].values() for one in part["jobs"].values()]
    return int(any(one["state"] != "done" for one in jobs))


def make_parts(rehearse: bool, output: pathlib.Path) -> dict[str, Part]:
    """Return the parts by name, the most important first."""
    cases, tests = [name for name in make_cases() if name not in SIZES], [*GOLDEN]
    sizes = [(size, precision) for size in "MLS" for precision in PRECISIONS]
    workers, rounds = WORKERS, ["--rounds", "20"]
    if rehearse:
        tests, sizes = ["tests/cells/test_gated.py"], [("tiny", precision) for precision in PRECISIONS]
        workers, rounds = 2, ["--rounds", "1"]
        cases.remove("packaged")  # which takes a minute to compile
        cases = cases[::2]  # each takes half a minute of two cores at times, and the tests train them all
    large, extra = ("tiny", ["--rehearse"]) if rehearse else ("M", [])
    groups = [cases[n::workers] for n in range(workers)]

    def own(name: str, *arguments: str) -> list[str]:
        return [sys.executable, str(HERE / "gpu_parts.py"), name, *arguments, *extra]

    def speed(*arguments: str) -> list[str]:
        return [sys.executable, str(HERE / "speed.py"), *arguments]

    smoke = {f"cases {n}": Job(own("smoke", *group)) for n, group in enumerate(groups, 1)}
    parity = {
        f"{path} {precision}": Job(own("parity", path, precision))
        for path in _split(tests)
        for precision in PRECISIONS[:2]
    }
    timed = ["--variants", "eager,compile", "--compile_limit", "100", "--no_memory", "--wait", "--json_line", *rounds]
    beside = {
        f"{size} {precision}": Job(speed("--size", size, "--precision", precision, *timed)) for size, precision in sizes
    }
    flags = {name: Job(own("flags", large), {"XLA_FLAGS": text}) for name, text in FLAGS.items()}
    nowcast = [sys.executable, str(HERE / "nowcast_start.py"), "--starts", "1", "--json_line"]
    composite = ["--size", "96", "--lead_time", "10", "--members", "2"] if rehearse else ["--members", "24"]
    memory = {
        f"{side} {size}": Job(speed("--measure", side, "--size", size))
        for side in ("predjax", *(["torch"] if importlib.util.find_spec("torch") else []))
        for size in ([large] if rehearse else ["S", "M", "L"])
    }
    parts = {
        "device": Part(20, {"device": Job(own("device"))}),
        "smoke": Part(90, smoke, workers),
        "parity": Part(60, parity, workers),
        "speed": Part(140, beside, turns=True),
        "nowcast": Part(60, {"composite": Job(nowcast + composite)}),
        "flags": Part(60, flags, turns=True),
        "memory": Part(30, memory, workers),
        "profile": Part(30, {"profile": Job(own("profile", large, str(output / "profile")))}),
    }
    patience = PATIENCE if rehearse else 1
    return {name: part._replace(seconds=patience * part.seconds) for name, part in parts.items()}


def _split(paths: list[str]) -> list[str]:
    """Return the files of tests in these folders and files."""
    found = [HERE.parent / path for path in paths]
    files = [file for path in found for file in (sorted(path.glob("test_*.py")) if path.is_dir() else [path])]
    return [str(file.relative_to(HERE.parent)) for file in files]


if __name__ == "__main__":
    sys.exit(main())
