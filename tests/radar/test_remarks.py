"""What movies were taken for: labels and values."""

import numpy as np

from predjax.radar.formats.npy import label_array
from predjax.radar.formats.quantity import UnitOptions
from predjax.radar.remarks import count_values, list_remarks


def test_remarks_are_of_labels_and_of_values_so_far():
    frames = np.ones((30, 4, 4))
    frames[5, 0] = -3
    movies = label_array(frames, "a.npy", "time,y,x", UnitOptions("mm/h")).assign_attrs(remarks=["a label"])
    assert list_remarks(movies) == ["a label"]
    assert count_values(movies) == {"pixels": 480, "-3": 4}
    line = "-3 is taken as no coverage, though nothing declares it: 4 of 480 pixels"
    assert list_remarks(movies) == ["a label", line]
    assert list_remarks(movies.isel(time=slice(3, 9))) == ["a label", line]
    assert list_remarks(movies.load()) == ["a label"] and count_values(movies) == {}
