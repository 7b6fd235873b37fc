"""The figures of `gpu_suite.py` as tables for docs/performance.md."""

from typing import Any


def format_tables(result: dict) -> str:
    """Return a text with a paragraph or a table of each part that has results."""
    parts = result["parts"]
    texts = [make(list(_results(parts[name]))) for name, make in TABLES.items() if name in parts]
    lines = [
        f"- {name}, {job}: {one['state']}; {last(one.get('errors', '')) or first_error(one)}"
        for name, part in parts.items()
        for job, one in part["jobs"].items()
        if one["state"] != "done"
    ]
    failed = "Not done:\n\n" + "\n".join(lines) if lines else ""
    head = f"{result['date']}{', a rehearsal, whose figures say nothing' if result['rehearsal'] else ''}."
    return "\n\n".join(filter(None, [head, *texts, failed])) + "\n"


def _results(part: dict):
    for name, job in part["jobs"].items():
        for found in job["results"]:
            yield {"job": name, **found}


def first_error(job: dict) -> str:
    return next((found["error"] for found in job["results"] if "error" in found), "")


def last(text: str) -> str:
    """Return the last line of a text."""
    return (text.strip().splitlines() or [""])[-1]


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) if rows else ""


def _show(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def describe(results: list[dict]) -> str:
    if not results:
        return ""
    one = results[0]
    products = ", ".join(f"{name} {one[f'product_{name}_tflops']:.0f}" for name in ("float32", "tf32", "bfloat16"))
    return f"{one['device']}, jax {one['jax']}, PyTorch {one['torch']}; matrix products, TFLOP/s: {products}."


def count_cases(results: list[dict]) -> str:
    failed = [f"{one['case']} ({one['error']})" for one in results if "error" in one]
    done = sum("loss" in one for one in results)
    return f"Cases that train and forecast: {done}" + (f"; not: {'; '.join(failed)}." if failed else ".")


def count_tests(results: list[dict]) -> str:
    rows = []
    for precision in dict.fromkeys(one["precision"] for one in results):
        chosen = [one for one in results if one["precision"] == precision]
        failed = [name.rpartition("/")[2] for one in chosen for name in one["failed"]]
        passed, skipped = (sum(one[key] for one in chosen) for key in ("passed", "skipped"))
        rows.append([precision, passed, len(failed), skipped, ", ".join(failed[:10])])
    return _table(["products in", "golden tests passed", "failed", "skipped", "which failed"], rows)


def compare_speed(results: list[dict]) -> str:
    sides = list(dict.fromkeys(side for one in results for side in one["forward"]["seconds"]))
    rows = []
    for one in results:
        for name in ("forward", "train_step"):
            seconds = [_show(one[name]["seconds"].get(side)) for side in sides]
            rows.append(
                [one["job"], name.replace("_", " "), *seconds, _show(one[name].get("ratio_to_best_pytorch"), 2)]
            )
    return _table(["size, precision", "", *[f"{side}, s" for side in sides], "ratio to the best PyTorch"], rows)


def compare_flags(results: list[dict]) -> str:
    rows = [[one["job"], _show(one["train_step"]), "yes" if one["same_bits"] else "no"] for one in results]
    return _table(["flags", "train step, s", "twice the same bits"], rows)


def show_nowcast(results: list[dict]) -> str:
    rows = []
    for one in results:
        for name in ("first", "median"):
            rows.append([name, *[_show(one[name][key], 1) for key in ("found", "wall", "cpu", "memory")]])
    return _table(["start of the nowcast", "frames found, s", "file, s", "processor time, s", "memory, MB"], rows)


def show_memory(results: list[dict]) -> str:
    return _table(["train steps of", "peak memory, MB"], [[one["job"], _show(one["peak_mb"], 0)] for one in results])


def show_profile(results: list[dict]) -> str:
    texts = []
    for one in results:
        rows = [
            [f"`{row['name']}`", row["calls"] / one["steps"], _show(row["ms"] / one["steps"], 3)]
            for row in one["longest"][:8]
        ]
        head = f"{one['plane']}: {one['launches_a_step']:.0f} events and {one['busy_ms_a_step']:.1f} ms a train step."
        texts.append(f"{head}\n\n{_table(['longest', 'calls a step', 'ms a step'], rows)}")
    return "\n\n".join(texts)


TABLES = {
    "device": describe,
    "smoke": count_cases,
    "parity": count_tests,
    "speed": compare_speed,
    "nowcast": show_nowcast,
    "flags": compare_flags,
    "memory": show_memory,
    "profile": show_profile,
}
