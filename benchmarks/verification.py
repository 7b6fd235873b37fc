"""How fast forecasts are verified, beside pysteps doing the same work in the same run, and in how much memory.

The work: of each forecast and lead time the contingency counts of every threshold, the sums of the errors, and the
sums of the fractions skill score of every threshold and window; the sums of all forecasts are added. Both see the same
float32 frames one forecast at a time, on one thread; making the frames is not counted. pysteps pads windows with dry
pixels where predjax takes those inside the field only; the counts and errors must be equal, and are compared.

    python benchmarks/verification.py                    # 64 forecasts x 12 lead times x 512 x 512
    python benchmarks/verification.py --forecasts 4      # a quick look

Prints a table and one line of JSON. Without pysteps only predjax is timed.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import os
import resource
import subprocess
import sys
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy.ndimage import gaussian_filter

from predjax.verification.fields import Scoring
from predjax.verification.scores import skill, statistics
from predjax.verification.spatial import fss_skill, fss_statistics
from predjax.verification.sums import add_statistics

THRESHOLDS = (0.1, 1.0, 5.0)  # mm/h
WINDOWS = (5, 17, 33, 65)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forecasts", type=int, default=64, metavar="N")
    parser.add_argument("--leads", type=int, default=12, metavar="T")
    parser.add_argument("--size", type=int, default=512, metavar="PIXELS")
    parser.add_argument("--masked", type=int, default=8, metavar="N", help="forecasts of a radar's disc (default 8)")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory is not None:
        print(measure_memory(options.memory, options.leads, options.size))
        return
    result = {
        "forecasts": options.forecasts,
        "leads": options.leads,
        "size": options.size,
        "thresholds": THRESHOLDS,
        "windows": WINDOWS,
        "complete": compare(options.forecasts, options.leads, options.size, masked=False),
        "masked": compare(options.masked, options.leads, options.size, masked=True),
        "peak_memory_mib": {n: run_for_memory(n, options) for n in (2, 8, 32)},
    }
    print(format_table(result))
    print(json.dumps(result))


def make_forecasts(count: int, leads: int, size: int, masked: bool):
    """Pairs (forecast, observed), (1, T, H, W, 1) in mm/h: rain over a third of the frame, moved and blurred."""
    rng = np.random.default_rng(0)
    noise = gaussian_filter(rng.standard_normal((size, size)), 6, mode="wrap")
    rate = (np.maximum(noise / noise.std() - 0.4, 0) ** 2 * 4).astype(np.float32)
    blurred = gaussian_filter(rate, 3, mode="wrap")
    rows, columns = np.ogrid[:size, :size]
    outside = np.hypot(rows - size / 2, columns - size / 2) > 0.5 * size
    for number in range(count):
        forecast, observed = np.empty((2, 1, leads, size, size, 1), np.float32)
        for lead in range(leads):
            shift = (37 * number + 4 * lead) % size, (101 * number + 7 * lead) % size
            observed[0, lead, ..., 0] = np.roll(rate, shift, (0, 1))
            forecast[0, lead, ..., 0] = np.roll(blurred, (shift[0] + lead, shift[1]), (0, 1))
        if masked:
            forecast[:, :, outside], observed[:, :, outside] = np.nan, np.nan
        yield forecast, observed


def compare(count: int, leads: int, size: int, masked: bool) -> dict:
    """Seconds and scores of both, forecast by forecast, so that a busy machine slows both alike."""
    theirs = make_pysteps(leads) if importlib.util.find_spec("pysteps") else None
    total, seconds = None, {"predjax": 0.0, "pysteps": 0.0}
    for forecast, observed in make_forecasts(count, leads, size, masked):
        start = time.perf_counter()
        new = verify(forecast, observed)
        total = new if total is None else tuple(add_statistics(a, b) for a, b in zip(total, new))
        seconds["predjax"] += time.perf_counter() - start
        if theirs:
            start = time.perf_counter()
            verify_by_pysteps(theirs, forecast[0, ..., 0], observed[0, ..., 0])
            seconds["pysteps"] += time.perf_counter() - start
    scores, fss = skill(total[0]), fss_skill(total[1])
    result = {"forecasts": count, "predjax_seconds": seconds["predjax"], "pysteps_seconds": None, "ratio": None}
    result["csi"], result["fss"] = (np.round(v.isel(lead_time=-1).values, 4).tolist() for v in (scores.csi, fss.fss))
    if theirs:
        result["pysteps_seconds"] = seconds["pysteps"]
        result["ratio"] = seconds["pysteps"] / seconds["predjax"]
        check_equal(theirs, total[0])
    return result


def verify(forecast, observed):
    return statistics(forecast, observed, Scoring(THRESHOLDS)), fss_statistics(
        forecast, observed, Scoring(THRESHOLDS, WINDOWS)
    )


def make_pysteps(leads: int) -> list[dict]:
    """One set of pysteps' accumulators a lead time."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pysteps.verification import detcatscores, detcontscores, spatialscores
    return [
        {
            "counts": [detcatscores.det_cat_fct_init(t) for t in THRESHOLDS],
            "errors": detcontscores.det_cont_fct_init(),
            "fss": [spatialscores.fss_init(t, n) for t in THRESHOLDS for n in WINDOWS],
        }
        for _ in range(leads)
    ]


def verify_by_pysteps(theirs: list[dict], forecast: np.ndarray, observed: np.ndarray) -> None:
    """Missing pixels are taken out, for pysteps would count them as dry; for its FSS they are missing in both."""
    from pysteps.verification import detcatscores, detcontscores, spatialscores

    for lead, accumulators in enumerate(theirs):
        f, o = forecast[lead], observed[lead]
        valid = np.isfinite(f) & np.isfinite(o)
        if valid.all():
            pairs, fields = (f, o), (f, o)
        else:
            pairs, fields = (f[valid], o[valid]), (np.where(valid, f, np.nan), np.where(valid, o, np.nan))
        for counts in accumulators["counts"]:
            detcatscores.det_cat_fct_accum(counts, *pairs)
        detcontscores.det_cont_fct_accum(accumulators["errors"], *pairs)
        for fss in accumulators["fss"]:
            spatialscores.fss_accum(fss, *fields)


def check_equal(theirs: list[dict], total) -> None:
    """Counts are the same integers, the mean squared error the same number to what float32 sums of pysteps allow."""
    from pysteps.verification import detcontscores

    for lead, accumulators in enumerate(theirs):
        for j, counts in enumerate(accumulators["counts"]):
            for name in ("hits", "misses", "false_alarms", "correct_negatives"):
                assert counts[name] == total[name].values[lead, j], (name, lead, THRESHOLDS[j])
        mse = detcontscores.det_cont_fct_compute(accumulators["errors"], ["MSE"])["MSE"]
        np.testing.assert_allclose(mse, total.squared_error.values[lead] / total.pairs.values[lead], rtol=1e-4)


def measure_memory(count: int, leads: int, size: int) -> float:
    """Peak resident memory in MiB of this process after so many forecasts."""
    total = None
    for pair in make_forecasts(count, leads, size, masked=True):
        new = verify(*pair)
        total = new if total is None else tuple(add_statistics(a, b) for a, b in zip(total, new))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_for_memory(count: int, options) -> float:
    """`measure_memory` in a process of its own."""
    command = [sys.executable, __file__, "--memory", str(count), "--leads", str(options.leads)]
    output = subprocess.run([*command, "--size", str(options.size)], check=True, capture_output=True, text=True).stdout
    return round(float(output), 1)


def format_table(result: dict) -> str:
    lines = [
        f"{result['leads']} lead times of {result['size']} x {result['size']} pixels, {len(THRESHOLDS)} thresholds, "
        f"{len(WINDOWS)} windows, one thread",
        f"{'fields':<10} {'forecasts':>9} {'predjax s':>10} {'pysteps s':>10} {'times':>6}",
    ]
    for name in ("complete", "masked"):
        row = result[name]
        other = (f"{row['pysteps_seconds']:.1f}", f"{row['ratio']:.1f}") if row["ratio"] else ("absent", "-")
        lines.append(f"{name:<10} {row['forecasts']:>9} {row['predjax_seconds']:>10.1f} {other[0]:>10} {other[1]:>6}")
    memory = ", ".join(f"{n}: {value:.0f}" for n, value in result["peak_memory_mib"].items())
    lines.append(f"peak memory of predjax, MiB, by number of forecasts: {memory}")
    if not result["complete"]["ratio"]:
        lines.append("pysteps is not installed (pip install pysteps): nothing to compare with")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
