"""What a GPU would be given to do: the train step and the forecast of every model, compiled for an H200 without one.

    pip install -e '.[gpu-check]'
    python benchmarks/gpu_program.py --json gpu.json
    python benchmarks/gpu_program.py --cases M,packaged --programs step --loops

Every program is compiled by XLA for the device that `h200.txtpb` describes, with no device in the machine. The table
has what the compiled program says: launches of a call (kernels, library calls and copies, those of a loop times its
length), loops whose length is unknown, so that the host is asked after every run of their body, convolutions by type
and layout, float64, calls of the host, and the memory that a call takes beside its arguments and results. Times, and
what cuDNN and Triton choose when they measure on a device, are unknown.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
from gpu_cases import PROGRAMS, Case, make_cases
from gpu_hlo import describe

from predjax import parallel
from predjax.kernels.execution import PRECISIONS, Execution


def main() -> None:
    cases = make_cases()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--cases", default=",".join(cases), metavar="NAME,NAME", help="sizes, recipes and models (default: all)")
    add("--programs", default=",".join(PROGRAMS), metavar="NAME,NAME", help="step, forecast (default: both)")
    add(
        "--precisions",
        default="float32,bfloat16",
        metavar="NAME,NAME",
        help=f"{', '.join(PRECISIONS)} (default: %(default)s)",
    )
    add("--loops", action="store_true", help="print what every loop starts")
    add("--hlo", type=pathlib.Path, metavar="FOLDER", help="where to write the compiled programs as text")
    add("--json", type=pathlib.Path, metavar="FILE", help="where to write the figures")
    options = parser.parse_args()
    chosen = [options.cases.split(","), options.programs.split(","), options.precisions.split(",")]
    for names, known in zip(chosen, (cases, PROGRAMS, PRECISIONS)):
        for name in set(names) - set(known):
            parser.error(f"{name!r} is not one of {', '.join(known)}")
    versions = {name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "jax-cuda12-plugin")}
    result: dict = {"date": time.strftime("%Y-%m-%d"), "versions": versions, "programs": []}
    print(f"{'program':44}{'launches':>9}{'unknown':>9}{'float64':>9}{'host':>6}{'MB':>8}{'s':>6}  convolutions")
    for name in chosen[0]:
        for program in chosen[1]:
            for precision in chosen[2]:
                found = {"case": name, "program": program, "precision": precision}
                found |= compile_program(cases[name], program, precision, options.hlo and options.hlo / name)
                result["programs"].append(found)
                print(format_line(found), flush=True)
                if options.loops:
                    print(format_loops(found))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    failed = sum("error" in found for found in result["programs"])
    print(f"{failed} of {len(result['programs'])} programs do not compile")
    raise SystemExit(min(failed, 1))


def compile_program(case: Case, program: str, precision: str, folder: pathlib.Path | None = None) -> dict:
    """Compile a program of a case and describe it; `error` says why it does not compile."""
    start = time.perf_counter()
    lowered = PROGRAMS[program](case, Execution(precision=precision, platform="gpu"))
    try:
        compiled = lowered.compile(parallel.choose_options("gpu") if program == "step" else None)
    except jax.errors.JaxRuntimeError as error:
        return {"error": str(error).splitlines()[0]}
    text = compiled.as_text()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{program}_{precision}.hlo").write_text(text)
    memory = compiled.memory_analysis().temp_size_in_bytes
    return describe(text) | {"temporary_mb": memory / 1e6, "seconds": time.perf_counter() - start}


def format_line(found: dict) -> str:
    name = f"{found['case']} {found['program']} {found['precision']}"
    if "error" in found:
        return f"{name:44}does not compile: {found['error']}"
    text = f"{name:44}{found['launches']:9}{found['loops_of_unknown_length']:9}{found['float64']:9}"
    text += f"{found['callbacks']:6}{found['temporary_mb']:8.1f}{found['seconds']:6.1f}  "
    return text + ", ".join(f"{count} {kind}" for kind, count in found["convolutions"].items())


def format_loops(found: dict) -> str:
    lines = []
    for loop in found.get("loops", ()):
        starts = ", ".join(f"{count} {name}" for name, count in loop["starts"].items())
        times = f"{loop['runs']} x" if loop["trips"] else "unknown x"
        lines.append(f"  {times:>10} {loop['launches']:5}  {loop['name']}: {starts}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
