"""The names of cases that are written as files."""

import numpy as np

from predjax import persist
from predjax.jobs.export import forecast_case, name_case
from predjax.radar.movies import Sources, build_movies
from predjax.radar.windows.index import Window
from predjax.verification.cases import Cases, forecast_by


def test_cases_of_one_minute_have_names_of_their_own():
    time = np.datetime64("2026-06-01T12:00", "ns") + np.arange(6)[None] * np.timedelta64(10, "s")
    frames = np.zeros((1, 6, 2, 2, 1), np.float32)
    movies = build_movies(frames, {"time": time}, attrs={"units": "mm/h"}, source="a.nc", files=[])
    windows = [Window(0, 0, start, 0, 0) for start in (0, 2)]
    cases = Cases(Sources([movies]), windows, 1, 2)
    methods = {"persistence": forecast_by(persist, cases)}
    names = [name_case(forecast_case(methods, cases, window)) for window in windows]
    assert names == ["20260601T1200Z", "20260601T120020Z"]
