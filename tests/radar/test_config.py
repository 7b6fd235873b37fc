"""The options of the data are checked where they are made."""

import dataclasses
import subprocess
import sys

import pytest

from predjax.radar.config import FEED_OPTIONS, READING, DataConfig
from predjax.radar.formats.catalogue import Reading


def test_every_field_says_what_it_is():
    assert all(field.metadata["help"] for field in dataclasses.fields(DataConfig))
    assert DataConfig().layout == "auto" and DataConfig().min_coverage == 0.5


def test_options_of_reading_have_one_name_everywhere():
    assert {*FEED_OPTIONS, "forcings"} == {*READING} == {*Reading._fields} - {"reader"}
    assert Reading(**{name: getattr(DataConfig(), name) for name in READING}) == Reading()


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"layout": "x,y"}, "layout must be one of 'auto', .*, not 'x,y'"),
        ({"units": "kg"}, "units must be one of"),
        ({"source_units": "furlong"}, "source_units must be like mm/h, .* not 'furlong'"),
        ({"accumulation_period": "60"}, "accumulation_period must be a time such as 5min, .* not '60'"),
        ({"crop_mode": "corner"}, "crop_mode must be one of 'random', 'grid', 'centre'"),
        ({"split": "day"}, "split must be one of 'auto', 'movie', 'time'"),
        ({"crop": -1}, "crop must be 0"),
        ({"window_stride": 0}, "window_stride must be at least 1 frame, not 0"),
        ({"min_coverage": 1.5}, "min_coverage must lie between 0 and 1, not 1.5"),
        ({"valid_fraction": 0.6, "test_fraction": 0.4}, "leave nothing for training"),
    ],
)
def test_values_outside_their_range_are_named(options, rule):
    with pytest.raises(ValueError, match=rule):
        DataConfig(**options)


def test_the_options_are_known_without_numpy():
    code = "import sys, predjax.radar.config; sys.exit(any(m in sys.modules for m in ('numpy', 'xarray', 'jax')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
