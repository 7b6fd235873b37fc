"""Cases that are written as files: their names, and those that cannot be read."""

import numpy as np

from predjax import persist
from predjax.jobs import export as jobs
from predjax.jobs.export import Export, export, forecast_case, name_case
from predjax.radar.movies import Sources, build_movies
from predjax.radar.windows.index import Window
from predjax.verification.cases import Cases, forecast_by


def make_cases(**options):
    time = np.datetime64("2026-06-01T12:00", "ns") + np.arange(6)[None] * np.timedelta64(10, "s")
    frames = np.zeros((1, 6, 2, 2, 1), np.float32)
    movies = build_movies(frames, {"time": time}, attrs={"units": "mm/h"}, source="a.nc", files=[])
    windows = [Window(0, 0, start, 0, 0) for start in (0, 2)]
    cases = Cases(Sources([movies]), windows, 1, 2, **options)
    return cases, {"persistence": forecast_by(persist, cases)}


def test_cases_of_one_minute_have_names_of_their_own():
    cases, methods = make_cases()
    names = [name_case(forecast_case(methods, cases, window)) for window in cases.windows]
    assert names == ["20260601T1200Z", "20260601T120020Z"]


def test_windows_that_the_scoring_left_out_are_not_exported(tmp_path, monkeypatch):
    cases, methods = make_cases(on_bad_window="skip")
    read = jobs.read_windows

    def read_later(sources, windows, length, crop, bad=None):
        if windows[0].start:
            return read(sources, windows, length, crop)
        if bad is None:
            raise ValueError("cut short")
        bad.add(ValueError("cut short"))

    monkeypatch.setattr(jobs, "read_windows", read_later)
    monkeypatch.setattr(jobs, "draw_strip", lambda *given, **options: None)
    monkeypatch.setattr(jobs, "write_gif", lambda *given, **options: None)
    assert export(methods, cases, Export(tmp_path)) == f"1 nowcasts in {tmp_path}"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"nowcast_20260601T120020Z.{end}" for end in ("nc", "npy")
    ]
