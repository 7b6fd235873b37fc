"""What cannot be weather: no coverage, 0 or refused, whichever frame, part and packing it is in; counted and said."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predjax.radar.formats.decode import Decoder
from predjax.radar.formats.lazy import find_tally, read_later
from predjax.radar.formats.npy import ArrayFrames
from predjax.radar.formats.possible_values import Tally, add_counts, describe_counts, sort_values
from predjax.radar.movies import DIMENSIONS

SHAPE = (1, 30, 10, 10, 1)  # 8 frames are looked at when movies are read
PACKINGS = {"float": ("<f4", 1.0), "codes": ("<i2", 0.001), "long": ("<i4", 0.001)}
NO_COVERAGE, DRY = np.nan, 0.0


def make(value, pixels, frame, packing="float", quantity="rain", tally=None):
    """Frames of 2 mm/h with `value` in some pixels of one frame; and the frames as they are meant."""
    dtype, scale = PACKINGS[packing]
    values = np.full(SHAPE, 2.0)
    values.reshape(30, -1)[frame, :pixels] = value
    stored = (values / scale).round().astype(dtype) if dtype[1] == "i" else values.astype(dtype)
    decoder = Decoder(dtype, scale, quantity=quantity)
    return ArrayFrames(stored, decoder, "a.npy", tally=tally)


@given(
    st.sampled_from([(-1, NO_COVERAGE), (-3, NO_COVERAGE), (-9, NO_COVERAGE), (-0.003, DRY), (-5, DRY), (-0.1, DRY)]),
    st.sampled_from([1, 5, 6, 50, 100]),
    st.integers(0, 29),
    st.sampled_from(sorted(PACKINGS)),
)
def test_planted_values_mean_what_the_rule_says_in_any_frame_and_packing(planted, pixels, frame, packing):
    value, meaning = planted
    frames, key = make(value, pixels, frame, packing), (slice(None),) * 5
    if value in (-5, -0.1) and pixels > 5:  # of 100
        with pytest.raises(ValueError, match=rf"a\.npy: frame {frame}: {pixels}\.0% .* such as {value} mm/h"):
            frames.read(key)
        return
    expected = np.full(SHAPE, 2.0, np.float32)
    expected.reshape(30, -1)[frame, :pixels] = meaning
    np.testing.assert_array_equal(frames.read(key), expected)
    counts = {"pixels": 3000, **({"negative": pixels} if meaning == DRY else {f"{value}": pixels})}
    assert {name: number for name, number in frames.tally.counts().items() if name != "least"} == counts
    if frames.codes():
        codes, table = frames.codes()
        np.testing.assert_array_equal(table[codes.read(key)], expected)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (-11.5, r"values in mm/h must be between -0\.01 and 2000, but one is -11\.5"),
        (2500, "but one is 2500: is the unit or the scale factor right"),
        (-8888, "holds -8888, which cannot be weather: .* declare it as _FillValue"),
        (np.inf, "infinite"),
    ],
)
def test_what_has_no_meaning_is_refused(value, rule):
    with pytest.raises(ValueError, match=rule):
        make(value, 1, 17).read((0, 17, slice(None), slice(None), 0))


@pytest.mark.parametrize("value", [-99, -999, -999.9, -9999])
def test_nines_are_no_coverage_in_reflectivity_and_usual_dry_values_stay(value):
    found = make(value, 7, 3, quantity="reflectivity").read((0, 3, slice(None), slice(None), 0))
    assert np.isnan(found).sum() == 7
    usual = np.array([-32.5, -32, -31.5, -15, -9, -3, -1, 0, 70])
    assert sort_values(usual, "reflectivity") is None
    assert sort_values(np.array([value, -5.0]), "") is None  # nobody knows what it is


def test_a_part_of_a_frame_is_refused_as_the_whole_frame_is():
    frames = make(-5, 50, 12)  # the upper half
    with pytest.raises(ValueError, match=r"frame 12: 50\.0%"):
        frames.read((0, slice(10, 15), slice(4, 10), 3, 0))  # 1 of 6 rows
    few = make(-5, 4, 12)  # 4 % of the frame are not too many, though all of this part
    np.testing.assert_array_equal(few.read((0, 12, 0, slice(0, 4), 0)), [0, 0, 0, 0])


def test_a_packing_step_may_hide_zero():
    """Where the offset makes 0 no multiple of the step, dry is half a step off in most of the pixels."""
    stored = np.zeros((1, 1, 4, 4, 1), "i2")
    frames = ArrayFrames(stored, Decoder("<i2", 0.1, -0.05, quantity="rain"), "a.npy")
    assert (frames.read((0, 0, slice(None), slice(None), 0)) == 0).all()


def test_accumulations_and_other_units_follow_the_rule_in_their_own_numbers():
    decoder = Decoder("<f4", quantity="rain", factor=12.0)  # mm in 5 minutes
    found = decoder(np.array([-1, -0.0005, 0.5, -99], "f4"), "a.nc: rain")
    np.testing.assert_array_equal(found, np.float32([np.nan, 0, 6, np.nan]))
    to_dbz = Decoder("<f4", quantity="rain", to="dBZ")
    np.testing.assert_array_equal(to_dbz(np.array([-3, -0.02], "f4"), "a.nc: rain"), np.float32([np.nan, -32]))


def test_every_kind_is_said_once_and_counted(caplog):
    frames, said = make(-3, 20, 5), set()
    frames.read((0, slice(None, 8), *(slice(None),) * 3))
    assert not caplog.records  # as long as nobody asks
    for _ in range(2):
        frames.tally.announce("a.npy", said)
        frames.read((0, slice(8, None), *(slice(None),) * 3))
    line = "a.npy: -3 is taken as no coverage, though nothing declares it: 20 of 800 pixels so far"
    assert [record.getMessage() for record in caplog.records] == [line]
    other = make(-3, 20, 5)
    other.tally.announce("b.npy", said)
    other.read((slice(None),) * 5)
    assert len(caplog.records) == 1
    frames.read((0, slice(None, 16), *(slice(None),) * 3))
    assert describe_counts(frames.tally.counts()) == [
        "-3 is taken as no coverage, though nothing declares it: 40 of 6800 pixels"
    ]
    frames.tally.clear()
    make(-0.25, 2, 5, tally=frames.tally).read((slice(None),) * 5)
    assert frames.tally.counts() == {"pixels": 3000, "negative": 2, "least": -0.25}
    total = add_counts([frames.tally.counts(), {"pixels": 3000, "negative": 1, "least": -0.5}, {}])
    assert describe_counts(total) == ["negative rain, down to -0.5 mm/h, is taken as 0: 3 of 6000 pixels"]


def test_a_copy_counts_by_itself():
    tally = Tally()
    tally.add(10)
    for other in (copy.deepcopy(tally), pickle.loads(pickle.dumps(tally))):
        assert other.counts() == {}


def test_frames_know_their_tally_as_values_as_codes_and_in_part():
    frames = make(-3, 20, 5, "codes")
    movies = read_later(DIMENSIONS, frames)
    assert find_tally(movies) is find_tally(movies[:, 3:7]) is find_tally(movies[:, 2, 1:]) is frames.tally
    assert find_tally(movies.copy(data=movies.values)) is None
    codes, _ = frames.codes()
    assert codes.tally is frames.tally


@pytest.mark.parametrize(("dtype", "missing"), [("<i2", -32768), ("<u2", 65535), ("|i1", -128), (">i2", 7)])
def test_codes_and_numbers_agree_on_all_codes(dtype, missing):
    """The runs of codes that are looked for find every code that the rule changes."""
    decoder = Decoder(dtype, 0.1, 0.0, (missing,), quantity="rain")
    every = np.arange(np.iinfo(dtype).min, np.iinfo(dtype).max + 1)
    kinds = sort_values(np.where(every == missing, np.nan, every * 0.1), "rain", step=0.1)
    for code in [*every[:: len(every) // 97], missing, -1, -10, -111, 20000, 20001]:
        if code not in every:
            continue
        stored = np.array([5, code, missing], dtype)
        kind = 0 if kinds is None else kinds[code - every[0]]
        if kind == 4:
            with pytest.raises(ValueError, match=r"mm/h|weather"):
                decoder.codes(stored, "a.nc")
        else:
            assert (decoder.codes(stored, "a.nc")[1] is None) == (kind == 0)
