"""A layout is taken where it is telling, which is said, or refused; it never gives other frames in silence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predjax.radar.config import LAYOUTS
from predjax.radar.formats.layouts import find_layout, infer_layout
from predjax.radar.formats.npy import read_npy
from predjax.radar.movies import DIMENSIONS
from predjax.radar.readers import read_movies

ARRAY = [  # of arrays without a unit
    "no unit is stated: values are kept as they are; --source_units would state their unit",
    "an array has no labels: frames and pixels are numbered",
]


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((7, 40, 40, 5), "movie,y,x,time"),
        ((7, 5, 40, 40), "movie,time,y,x"),
        ((7, 1, 40, 40), "time,channel,y,x"),
        ((7, 40, 40, 1), "time,y,x,channel"),
        ((7, 5, 40, 30, 2), "movie,time,y,x,channel"),
        ((7, 5, 40, 40, 12), "movie,time,y,x,channel"),
        ((7, 5, 1, 1, 8), "movie,time,y,x,channel"),
        ((6, 24, 1, 40, 40), "movie,time,channel,y,x"),
        ((6, 24, 3, 40, 40), "movie,time,channel,y,x"),
        ((6, 24, 2, 40, 30), "movie,time,channel,y,x"),
        ((6, 1, 24, 40, 40), "movie,channel,time,y,x"),
        ((7, 40, 30), "time,y,x"),
        ((500, 765, 700), "time,y,x"),
        ((7, 40, 40), "time,y,x"),
        ((7, 40), "time,feature"),
    ],
)
def test_equal_sizes_and_few_channels_are_telling(shape, layout):
    assert infer_layout(shape) == layout


@pytest.mark.parametrize(
    ("shape", "choices"),
    [
        ((3000, 5, 40, 60), "movie,y,x,time or movie,time,y,x"),
        ((7, 40, 40, 40), "movie,y,x,time or movie,time,y,x"),
        ((200, 100, 12), "time,y,x or y,x,time or movie,time,feature"),
        ((64, 64, 100), "time,y,x or y,x,time or movie,time,feature"),
        ((700, 765, 500), "time,y,x or y,x,time or movie,time,feature"),
        ((40, 40, 40), "time,y,x or y,x,time or movie,time,feature"),
        ((6, 3, 4, 40, 40), "movie,time,channel,y,x or movie,channel,time,y,x"),
        ((6, 10, 5, 40, 40), "movie,time,channel,y,x or movie,channel,time,y,x"),
        ((7, 5, 40, 30, 12), "movie,time,y,x,channel or movie,time,channel,y,x"),
    ],
)
def test_a_shape_that_fits_two_layouts_names_both(shape, choices):
    with pytest.raises(ValueError) as error:
        infer_layout(shape, "a.npy")
    assert str(error.value) == f"a.npy: the shape {shape} does not tell the axes: give --layout {choices}"


def test_a_layout_that_is_taken_is_said_and_one_that_is_given_is_not(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 8, 1, 6, 6), "u1"))
    (movies,) = read_movies(tmp_path / "a.npy")
    assert movies.attrs["remarks"] == ["axes (2, 8, 1, 6, 6) taken as movie,time,channel,y,x", *ARRAY]
    (movies,) = read_movies(tmp_path / "a.npy", layout="movie,time,channel,y,x")
    assert movies.attrs["remarks"] == ARRAY


def test_remarks_of_many_files_are_one_line(tmp_path, caplog):
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", np.zeros((5, 6, 6)))
    with caplog.at_level("INFO", "predjax"):
        read_movies(tmp_path)
    assert caplog.messages == [f"0.npy and 2 more: {line}" for line in ("axes (5, 6, 6) taken as time,y,x", *ARRAY)]


def test_the_published_file_of_moving_mnist_has_the_time_first(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (20, 6, 8, 8)).astype("u1")
    np.save(tmp_path / "mnist_test_seq.npy", array)
    (movies,) = read_movies(tmp_path / "mnist_test_seq.npy")
    np.testing.assert_array_equal(movies.frames.values[..., 0], array.swapaxes(0, 1))
    assert movies.attrs["remarks"] == [
        "axes (20, 6, 8, 8) taken as time,movie,y,x, as in the published file of this name",
        *ARRAY,
    ]
    assert find_layout(array[..., 0, 0], "mnist_test_seq.npy")[0] == "time,feature"


def make_movies(movies, times, height, width, channels):
    """Waves that move slowly, others in each movie and channel: (movie, time, y, x, channel)."""
    m, t, y, x, c = np.ogrid[:movies, :times, :height, :width, :channels]
    return (np.sin(0.9 * y + 2.1 * m + 4 * c + 0.01 * t) + np.cos(0.8 * x - 3.3 * m * c + m)).astype("f4")


@pytest.mark.parametrize(
    ("layout", "sizes", "axes", "choices"),
    [
        ("time,movie,y,x", (30, 20, 12, 12, 1), (0, 1), "movie,time,y,x or time,movie,y,x or time,y,x,channel or "),
        ("time,channel,y,x", (1, 60, 12, 12, 3), (0, 1), "movie,time,y,x or time,movie,y,x or .* or time,channel,y,x"),
        ("time,movie,channel,y,x", (20, 20, 8, 8, 2), (0, 1), "movie,time,channel,y,x or time,movie,channel,y,x"),
        ("movie,time,y,x", (9, 13, 13, 12, 1), (1, 2), "movie,y,x,time or movie,time,y,x"),
        ("movie,time,feature", (10, 60, 1, 1, 40), (1, 2), "time,y,x or movie,time,feature"),
        ("movie,feature,time", (10, 60, 1, 1, 40), (2, 1), "time,y,x or y,x,time"),
        ("feature,time", (1, 600, 1, 1, 30), (1, 0), "time,feature or feature,time"),
    ],
)
def test_frames_refuse_the_layout_that_they_contradict(layout, sizes, axes, choices):
    calm, rough = axes
    words = f"along axis {calm} differ less than along axis {rough}, as if axis {calm} were time"
    with pytest.raises(ValueError, match=f"array: the shape .* looks like .*, but .* {words}: give --layout {choices}"):
        read_movies(arrange(make_movies(*sizes), layout))


def arrange(frames, layout):
    """An array whose axes are `layout`, of frames (movie, time, y, x, channel)."""
    axes = ["channel" if name == "feature" else name for name in layout.split(",")]
    left = tuple(i for i, name in enumerate(DIMENSIONS) if name not in axes)
    kept = [name for name in DIMENSIONS if name in axes]
    return frames.squeeze(left).transpose([kept.index(name) for name in axes])


@st.composite
def layouts_and_sizes(draw):
    layout = draw(st.sampled_from(LAYOUTS[1:]))
    axes = layout.split(",")
    height = draw(st.integers(12, 20))
    width = height if draw(st.booleans()) else draw(st.integers(12, 20))
    pixels = (height, width) if "y" in axes else (1, 1)
    movies = draw(st.integers(8, 20)) if "movie" in axes else 1
    channels = draw(st.integers(1, 4)) if "channel" in axes else draw(st.integers(5, 40)) if "feature" in axes else 1
    # Enough numbers to tell.
    least = -(-(2**14) // (movies * pixels[0] * pixels[1] * channels))
    return layout, (movies, draw(st.integers(max(8, least), max(8, least) + 40)), *pixels, channels)


@settings(max_examples=50, deadline=None)
@given(layouts_and_sizes())
def test_an_array_of_any_layout_gives_its_frames_or_is_refused(drawn):
    layout, sizes = drawn
    frames = make_movies(*sizes)
    array = arrange(frames, layout)
    np.testing.assert_array_equal(read_npy_like(array, layout), frames)
    try:
        found = read_npy_like(array, "auto")
    except ValueError as error:
        assert "--layout" in str(error)
    else:
        np.testing.assert_array_equal(found, frames)


def read_npy_like(array, layout):
    return read_movies(array, layout=layout)[0].frames.values


def test_axes_in_any_order_are_read():
    frames = make_movies(3, 4, 5, 6, 2)
    for layout in ("channel,x,y,time,movie", "y,movie,x,channel,time"):
        np.testing.assert_array_equal(read_npy_like(arrange(frames, layout), layout), frames)


def test_a_large_file_is_looked_at_in_few_places(tmp_path):
    path = tmp_path / "large.npy"
    header = np.lib.format.header_data_from_array_1_0(np.zeros(0, np.float32))
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header | {"shape": (10**4, 64, 320, 320)})
        file.truncate(file.tell() + 10**4 * 64 * 320 * 320 * 4)
    assert read_npy(path).sizes["movie"] == 10**4
