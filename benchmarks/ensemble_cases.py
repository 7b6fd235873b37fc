"""The events and cases of `ensembles.py`, and their forecasts and sums of scores, which are kept in files."""

import json
import pathlib
import time
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from ensemble_scores import Fields, Sums

from predjax.files import appearing
from predjax.jobs.cases import CaseRequest, choose_cases
from predjax.radar.grid import Grid
from predjax.radar.windows.batches import read_windows
from predjax.verification.cases import Cases

INPUT_LENGTH, LONGEST = 4, 60  # frames observed; minutes of the longest lead time
SIDE, STRIDE = 256, 6  # pixels in the middle of the frame; frames between two starts
# 5 minutes, 1 km. The two radars of dwd_dx saw the same storms and are one event.
EVENTS = {name: (name,) for name in ("knmi_20100826", "fmi_20160928", "fmi_20170509", "mch_20160711")}
EVENTS["dwd_dx_20080602"] = ("dwd_dx_fbg_20080602", "dwd_dx_tur_20080602")
ALONGSIDE = {"bom_20201031": ("bom_20201031",)}  # 10 minutes, 0.5 km: in no mean


class Case(NamedTuple):
    """Frames (T, H, W) in mm/h, NaN = no coverage, and what they are of; `start` counts the frames of the radar."""

    event: str
    radar: str
    start: int
    observed: np.ndarray
    future: np.ndarray
    pixel_km: float
    step_minutes: float

    @property
    def name(self) -> str:
        return f"{self.radar}_{self.start:03d}"


class Forecast(NamedTuple):
    """A forecast in a file: which pixels have all its members (T, H, W), a checksum, and the seconds that it took."""

    path: pathlib.Path
    covered: np.ndarray
    checksum: int
    seconds: float

    def read(self) -> np.ndarray:
        """Return the members (E, T, H, W) in mm/h, NaN = none."""
        with np.load(self.path) as kept:
            return kept["members"].astype(np.float32)


def find_cases(event: str, data: pathlib.Path, every: int = 1) -> Iterator[Case]:
    """Give every `every`-th case of an event, read when it is its turn."""
    for radar in (EVENTS | ALONGSIDE)[event]:
        cases = _choose(data / f"{radar}.nc")
        movies = cases.sources[0]
        sampling = Grid.of(movies).pixel_size / 1000, movies.attrs["step_seconds"] / 60
        for window in cases.windows[::every]:
            frames = read_windows(cases.sources, [window], cases.length, SIDE).frames[0, ..., 0]
            yield Case(event, radar, window.start, frames[:INPUT_LENGTH], frames[INPUT_LENGTH:], *sampling)


def _choose(path: pathlib.Path) -> Cases:
    reading = {"units": "mm/h", "crop": SIDE, "crop_mode": "centre", "window_stride": STRIDE}
    request = CaseRequest(str(path), tuple(reading.items()), INPUT_LENGTH, 1)
    step = choose_cases(request, None)[0].sources[0].attrs["step_seconds"] // 60
    return choose_cases(request._replace(num_steps=int(LONGEST // step)), None)[0]


def keep_forecast(folder: pathlib.Path, case: Case, make: Callable[[Case], np.ndarray]) -> Forecast:
    """Return the forecast of a case that the folder has, else `make(case)`, (E, T, H, W) or (T, H, W), which it keeps.

    Ensembles are kept with the 11 bits of float16, 0.05 % of a value: 38 MB for 24 members of 12 frames. They cannot be
    reduced to sums, because a further method changes which pixels all methods have.
    """
    path = folder / f"{case.name}.npz"
    if not path.exists():
        start = time.perf_counter()
        members = make(case)
        seconds = time.perf_counter() - start
        members = members.astype(np.float16) if members.ndim == 4 else members[None]
        covered = np.packbits(np.isfinite(members).all(0))
        with appearing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, members=members, covered=covered, checksum=zlib.crc32(members), seconds=seconds)
    with np.load(path) as kept:
        covered = np.unpackbits(kept["covered"], count=case.future.size).reshape(case.future.shape).astype(bool)
        return Forecast(path, covered, int(kept["checksum"]), float(kept["seconds"]))


class Summing(NamedTuple):
    """The function that makes the sums of scores of a forecast, and the settings on which they depend."""

    score: Callable[[Fields], Sums]
    settings: tuple


def keep_sums(folder: pathlib.Path, case: Case, forecast: Forecast, domain: np.ndarray, summing: Summing) -> Sums:
    """Return the sums of a forecast on the pixels of `domain` (T, H, W), which the folder has or gets."""
    key = zlib.crc32(repr((summing.settings, forecast.checksum)).encode(), zlib.crc32(np.packbits(domain)))
    path = folder / f"{case.name}_{key:08x}.json"
    if not path.exists():
        sums = summing.score(Fields(forecast.read(), case.future, domain, case.pixel_km, case.step_minutes))
        with appearing(path) as temporary:
            temporary.write_text(json.dumps({name: part.to_dict() for name, part in sums.items()}))
    return {name: xr.Dataset.from_dict(part) for name, part in json.loads(path.read_text()).items()}
