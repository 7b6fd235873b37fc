"""Tables of stress-strain paths: what their columns are, and what no table can be."""

import numpy as np
import pytest

from predjax.radar.readers import expand_paths, read_movies

ROWS = np.arange(36.0).reshape(6, 6) / 7


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "paths.data"
    np.savetxt(path, ROWS)
    return path


def test_lines_are_steps_of_paths_and_their_halves_are_strain_and_stress(table):
    (movies,) = read_movies(table, forcings=("strain",), path_length=3)
    assert dict(movies.frames.sizes) == {"movie": 2, "time": 3, "y": 1, "x": 1, "channel": 3}
    np.testing.assert_array_equal(movies.frames[:, :, 0, 0].values, ROWS[:, 3:].reshape(2, 3, 3).astype(np.float32))
    np.testing.assert_array_equal(movies.forcings.values, ROWS[:, :3].reshape(2, 3, 3).astype(np.float32))
    assert movies.channel.values.tolist() == ["xx", "yy", "xy"]
    assert movies.forcing.values.tolist() == ["strain xx", "strain yy", "strain xy"]
    assert "forcings" not in read_movies(table, path_length=6)[0]


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("1 2 3 4 5\n", {}, "paths.data: a line must have 3 strains and 3 stresses, found 5 numbers"),
        ("1 2 3 4 5 6\n1 2 3 4 5\n", {}, "not a table of numbers: the number of columns changed from 6 to 5 at row 2"),
        ("a b c d e f\n", {}, "not a table of numbers: could not convert string 'a'"),
        ("1 2 3 4 5 6\n1 2 nan 4 5 6\n", {}, "number 3 of row 2 is nan"),
        (None, {"path_length": 0}, "give --path_length of the 6"),
        (None, {"path_length": 4}, "6 rows are no whole number of paths of path_length 4"),
        (None, {"variable": "sigma"}, "has the variable stress, not 'sigma'"),
        (None, {"forcings": ("strain", "wind")}, "has the forcing strain, not 'wind'"),
    ],
)
def test_what_is_no_table_of_paths_is_refused(table, text, options, reason):
    if text is not None:
        table.write_text(text)
    with pytest.raises(ValueError, match=reason) as caught:
        read_movies(table, **{"path_length": 1, **options})
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(table))


def test_a_table_is_named_because_text_in_a_folder_may_be_anything(table):
    np.save(table.with_name("a.npy"), ROWS)
    assert [path.name for path in expand_paths(table.parent)] == ["a.npy"]
    assert [path.name for path in expand_paths(f"{table.parent}/*.data")] == ["paths.data"]
