"""Slabs converted here or elsewhere: the same numbers, in order, and a source that is skipped as a whole."""

import numpy as np
import pytest

from predjax.radar.config import DataConfig
from predjax.radar.store.archive import scan_archive
from predjax.radar.store.convert import Part, Readers, StoreOptions, convert

OPTIONS = StoreOptions(dtype="float32", wet_threshold=1.0, skip=True)


@pytest.fixture
def sources(tmp_path):
    """Two arrays of rain; frame 6 of the second one, which the scan does not look at, is impossible."""
    rain = np.random.default_rng(0).gamma(0.5, 2.0, (2, 40, 6, 6)).astype(np.float32)
    for name, frames in zip("ab", rain):
        np.save(tmp_path / f"{name}.npy", frames)
    found, bad = scan_archive(sorted(tmp_path.iterdir()), DataConfig(units="mm/h"), skip=True)
    rain[1, 6, 2, 2] = 1e5
    np.save(tmp_path / "b.npy", rain[1])
    assert not bad
    return found


def cut(sources):
    return [Part(number, start, start + 4) for number, source in enumerate(sources) for start in range(0, 40, 4)]


def test_frames_come_in_order_with_their_statistics(sources):
    readers = Readers(sources, OPTIONS.dtype)
    results = list(convert(sources[:1], cut(sources[:1]), OPTIONS, readers, None))
    assert [part for part, _ in results] == cut(sources[:1])
    frames = sources[0].open().frames.values[0]
    np.testing.assert_array_equal(np.concatenate([slab.numbers for _, slab in results]), frames)
    wet = np.concatenate([slab.statistics[:, 1] for _, slab in results])
    np.testing.assert_allclose(wet, (frames >= 1).mean((1, 2, 3)), rtol=1e-6)
    assert all(slab.kept.tolist() == [0, 1, 2, 3] and not slab.counts["bad"] for _, slab in results)


def test_movies_of_one_length_are_skipped_whole(sources):
    results = list(convert(sources, cut(sources), OPTIONS, Readers(sources, OPTIONS.dtype), None))
    assert [part.source for part, _ in results] == [0] * 10 + [1] * 2  # the rest of the second is not read
    _, skipped = results[-1]
    assert skipped.numbers is None and "b.npy: values in mm/h must be between" in skipped.counts["bad"][0][1]
    strict = StoreOptions(dtype="float32", skip=False)
    with pytest.raises(ValueError, match=r"b\.npy: values in mm/h"):
        list(convert(sources, cut(sources), strict, Readers(sources, "float32"), None))


def test_other_processes_convert_the_same(sources):
    def share(function, options, pieces):
        yield from (function(options, piece) for piece in pieces)

    parts = cut(sources[:1])
    here = list(convert(sources, parts, OPTIONS, Readers(sources, OPTIONS.dtype), None))
    there = list(convert(sources, parts, OPTIONS, Readers(sources, OPTIONS.dtype), share))
    for (part, one), (place, other) in zip(here, there, strict=True):
        assert part == place and one.counts == other.counts
        np.testing.assert_array_equal(one.numbers, other.numbers)
