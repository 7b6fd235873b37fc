"""Animations: every frame once, the phases told apart, the colours of the scale exactly."""

import itertools

import numpy as np
import pytest
from PIL import Image

from predjax.pictures.animation import FORECAST_COLOUR, INPUT_COLOUR, write_gif
from predjax.pictures.colours import choose_scale
from predjax.pictures.panels import MapLabels, label_lead_times


def rgb(code):
    return tuple(int(code[i : i + 2], 16) for i in (1, 3, 5))


def open_frames(path):
    """The 8-bit pictures (frame, rows, columns, 3) and the milliseconds each stays."""
    pixels, durations = [], []
    with Image.open(path) as gif:
        for index in range(gif.n_frames):
            gif.seek(index)
            pixels.append(np.asarray(gif.convert("RGB")))
            durations.append(gif.info["duration"])
    return np.stack(pixels), durations


def write(path, before, rows, labels=None, **options):
    given = {
        "input_labels": label_lead_times(range(1 - len(before), 1), "1"),
        "lead_labels": label_lead_times(range(1, len(next(iter(rows.values()), [])) + 1), "1"),
    }
    write_gif(path, before, rows, MapLabels(**{"units": "mm/h", **given, **(labels or {})}), **options)


def blob(steps, size, speed=1.0):
    """A round shower that moves, in a disc of coverage."""
    rows, columns = np.mgrid[:size, :size]
    centre = size / 4 + speed * np.arange(steps)[:, None, None]
    frames = 40 * np.exp(-((rows - centre) ** 2 + (columns - centre) ** 2) / (size / 5) ** 2)
    return np.where(np.hypot(rows - size / 2, columns - size / 2) < size / 2, frames, np.nan).astype(np.float32)


def test_every_frame_is_there_and_the_last_one_stays_longer(tmp_path):
    before, after = np.zeros((3, 8, 8)), np.zeros((4, 8, 8))  # dry: nothing moves but the header
    write(tmp_path / "a.gif", before, {"observed": after, "nowcast": after}, seconds=(0.3, 1.5))
    pixels, durations = open_frames(tmp_path / "a.gif")
    assert len(pixels) == 7
    assert durations == [300] * 6 + [1500]
    assert all((one != other).any() for one, other in itertools.pairwise(pixels))


def test_panels_show_the_input_first_and_then_their_own_frames(tmp_path, find_areas):
    before, after = np.full((2, 8, 8), 3.0), np.full((2, 8, 8), 30.0)
    write(tmp_path / "a.gif", before, {"observed": after, "nowcast": np.full((2, 8, 8), np.nan)})
    pixels, _ = open_frames(tmp_path / "a.gif")
    scale = choose_scale("mm/h", before)
    wet, heavy, shade = scale.paint(np.array([3.0, 30.0, np.nan]))
    for frame in pixels[:2]:
        left, right = find_areas(frame, wet, least=10000)
        assert left[1].stop < right[1].start
    for frame in pixels[2:]:
        assert [area[1].start for area in find_areas(frame, heavy, least=10000)] == [left[1].start]
        assert [area[1].start for area in find_areas(frame, shade, least=10000)] == [right[1].start]


def test_input_and_forecast_have_borders_of_their_own(tmp_path):
    frames = np.zeros((2, 8, 8))
    write(tmp_path / "a.gif", frames, {"observed": frames})
    pixels, _ = open_frames(tmp_path / "a.gif")
    counts = [
        [(frame == rgb(colour)).all(axis=-1).sum() for colour in (INPUT_COLOUR, FORECAST_COLOUR)] for frame in pixels
    ]
    for index, (as_input, as_forecast) in enumerate(counts):
        assert (as_input > 5 * as_forecast) if index < 2 else (as_forecast > 5 * as_input)


def test_small_radar_frames_keep_their_colours_in_a_small_file(tmp_path):
    frames = blob(20, 40)
    write(tmp_path / "a.gif", frames[:10], {"observed": frames[10:], "nowcast": frames[9:19]})
    assert (tmp_path / "a.gif").stat().st_size < 1_500_000
    pixels, _ = open_frames(tmp_path / "a.gif")
    scale = choose_scale("mm/h", frames)
    known = {tuple(colour) for colour in scale.palette().tolist()}
    top, middle = 110, pixels.shape[2] // 4  # inside the observed panel
    column = pixels[12, top : top + 250, middle]
    assert {tuple(colour) for colour in column.tolist()} <= known
    assert len(np.unique(column, axis=0)) > 3


def test_large_frames_of_several_methods_fit_into_one_picture(tmp_path):
    frames = np.zeros((1, 765, 700), np.float32)
    labels = {"x": np.arange(700), "y": np.arange(765), "xy_units": "km"}
    write(tmp_path / "a.gif", frames, dict.fromkeys("abcde", frames), labels)
    pixels, _ = open_frames(tmp_path / "a.gif")
    assert pixels.shape[0] == 2 and max(pixels.shape[1:3]) < 1100


def test_an_existing_animation_is_replaced_only_when_asked(tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(b"mine")
    frames = np.zeros((1, 8, 8))
    with pytest.raises(FileExistsError, match=r"a\.gif"):
        write(path, frames, {"observed": frames})
    assert path.read_bytes() == b"mine"
    write(path, frames, {"observed": frames}, overwrite=True)
    assert path.read_bytes().startswith(b"GIF89a")
    assert list(tmp_path.iterdir()) == [path]


def test_what_does_not_fit_is_named(tmp_path):
    frames = np.zeros((2, 8, 8))
    with pytest.raises(ValueError, match=r"'nowcast' must have the shape \(2, 8, 8\), found \(2, 4, 8\)"):
        write(tmp_path / "a.gif", frames, {"observed": frames, "nowcast": frames[:, :4]})
    with pytest.raises(ValueError, match=r"'input' must have the shape \(1, H, W\)"):
        write(tmp_path / "a.gif", frames, {"observed": frames}, {"input_labels": ["0"]})
    with pytest.raises(ValueError, match="4 frames need as many valid times, found 1"):
        write(tmp_path / "a.gif", frames, {"observed": frames}, {"valid_labels": ["12:00"]})
    with pytest.raises(ValueError, match="at least one row"):
        write(tmp_path / "a.gif", frames, {})
