"""The spellings of units: what each means, and that none gives another value."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predjax import unit_names


@pytest.mark.parametrize(
    ("attrs", "name"),
    [
        ({"units": "mm/h"}, "frames"),
        ({"units": "mm/h", "variable": "rain"}, "rain"),
        ({"units": "1", "variable": "rain", "units_on_disk": "furlong"}, "rain"),
        ({"units": "mm/h", "variable": "TH", "units_on_disk": "dBZ"}, "precip_intensity"),  # of an older store
        ({"units": "mm/h", "variable": "TH", "units_on_disk": "", "source_units": "dBZ"}, "precip_intensity"),
        ({"units": "mm/h", "variable": "sum", "source_units": "mm/5min"}, "precip_intensity"),
        ({"units": "dBZ", "variable": "sum", "source_units": "mm/s"}, "reflectivity"),
        ({"units": "K", "variable": "t", "source_units": "mm"}, "t"),
    ],
)
def test_frames_keep_their_name_while_it_says_what_they_hold(attrs, name):
    assert unit_names.name_frames(attrs) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *(
            (text, "mm/h")
            for text in ("mm/h", "mm h-1", "mm/hr", "mm hr^-1", "mm hour-1", "mm h**-1", "mm.h-1", "mm/1h")
        ),
        *(
            (text, "mm/h")
            for text in ("mm h⁻¹", "mm·h−1", "mm per hour", "mm_per_hr", "mm h^{-1}", "(mm)/(1 h)", "1 mm/h")
        ),
        *((text, "mm/h") for text in ("kg m-2 h-1", "kg m**-2 h**-1", "kg/m2/h", "kg m^-2 h^-1", " MM/H ", "l/m²/h")),
        *((text, "mm/s") for text in ("kg m-2 s-1", "kg m**-2 s**-1", "mm/s", "kg/m^2/s", "mm s^{-1}", "kg/(m^2 s)")),
        *((text, "mm/s") for text in ("kg/(m2*s)", "kg/(m**2·s)", "kilogram / meter ** 2 / second", "(kg m-2)(s)-1")),
        *((text, "m/s") for text in ("m s-1", "m/s", "m s**-1")),
        *((text, "in/h") for text in ("in/hr", "inch h-1", "inches per hour")),
        *((text, "mm") for text in ("mm", "kg m-2", "kg/m2", "millimetres", "L/m2")),
        *((text, "dBZ") for text in ("dBZ", "dbz", "DBZ", "dBZe", "10*log10(mm^6 m^-3)", "10 log10(mm6/m3)")),
        ("decibel relative to 1 mm6 m-3", "dBZ"),
        *((text, "1") for text in ("", "1", "none", None, " ", "unknown", "~")),
        *(
            (text, text)
            for text in ("K", "m2 s-2", "mm2/h", "kg m-3", "10 mm", "percent", "m s-2", "kg", "dB", "mm6 m-3")
        ),
    ],
)
def test_a_unit_has_one_spelling_and_an_unknown_one_is_kept(text, name):
    assert unit_names.canonical_unit(text) == name
    assert unit_names.canonical_unit(unit_names.canonical_unit(text)) == name


def test_rates_are_multiplied_into_mm_per_hour():
    factors = {
        "mm/h": 1,
        "kg m-2 s-1": 3600,
        "m s-1": 3.6e6,
        "mm/day": 1 / 24,
        "mm min-1": 60,
        "cm/h": 10,
        "in/hr": 25.4,
    }
    factors |= {"0.1 mm/h": 0.1, "1e-3 m s-1": 3600, "10^-3 m/s": 3600, "10⁻³ m s⁻¹": 3600, "10 mm/h": 10}
    factors |= {"mm/5min": 12, "mm per 5 minutes": 12, "0.1 mm (5 min)-1": 1.2, "mm/5 min": 12}
    assert {unit: unit_names.rate_factor(unit) for unit in factors} == pytest.approx(factors, rel=1e-15)
    assert [unit_names.rate_factor(unit) for unit in ("dBZ", "1", "mm", "K")] == [None] * 4
    amounts = {"kg m-2": 1.0, "m": 1000.0, "mm/h": None, "0.01mm": 0.01, "inch": 25.4, "mm/5min": None}
    assert {unit: unit_names.amount_factor(unit) for unit in amounts} == amounts


def test_a_unit_that_counts_its_time_is_of_sums():
    assert [unit_names.read_depth(text).counted for text in ("mm/5min", "mm/24h", "mm/1h", "mm/day")] == [
        True,
        True,
    ] + 2 * [False]


AMBIGUOUS = (
    "kg/m2 s",
    "mm/h (5 min)",
    "mm (5min)",
    "1/100 mm",
    "mm*100",
    "10 * mm",
    "mm/h/10",
    "mm in 5 min",
    "mm(5 min-1)",
)
BROKEN = (
    "mmh",
    "mm//h",
    "mm/",
    "/h",
    "(mm",
    "mm)",
    "()mm",
    "mm()",
    "(5)",
    "mm h -1",
    "0 mm",
    "1e999 mm",
    "9^9999999 mm",
)


@pytest.mark.parametrize("text", [*AMBIGUOUS, *BROKEN, "(" * 10**5, "m" * 10**5, "mm/h" + " " * 200 + "mm"])
def test_what_is_not_clear_is_not_understood(text):
    assert unit_names.read_depth(text) is None and not unit_names.is_known(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60min", 3600),
        ("1 h", 3600),
        ("hour", 3600),
        ("90s", 90),
        ("1-hour", 3600),
        ("mm", None),
        ("0 h", None),
        ("", None),
    ],
)
def test_durations(text, seconds):
    assert unit_names.read_duration(text) == seconds


def test_units_are_the_same_by_their_values():
    assert unit_names.is_same("mm h-1", "kg m-2 h-1") and unit_names.is_same("dBZ", "DBZ")
    assert not unit_names.is_same("mm", "mm/h") and not unit_names.is_same("dBZ", "mm")


# Dimensions (length, mass, time) and size in mm, kg and s of some names.
MEANINGS = {"mm": ((1, 0, 0), 1), "m": ((1, 0, 0), 1000), "inch": ((1, 0, 0), 25.4), "kg": ((0, 1, 0), 1)}
MEANINGS |= {"h": ((0, 0, 1), 3600), "s": ((0, 0, 1), 1), "min": ((0, 0, 1), 60), "centimeters": ((1, 0, 0), 10)}
POWERS = st.sampled_from(["{}", "^{}", "**{}", " ** {}", "^{{{}}}", "^({})", "superscript"])
FACTORS = st.tuples(st.sampled_from(sorted(MEANINGS)), st.sampled_from([1, 1, 1, -1, -1, -2, 2]), POWERS)
SEPARATORS = st.sampled_from([" ", " ", "*", " · ", ".", "/", " / ", " per "])


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(["", "0.1 ", "1e-3 ", "10"]),
    st.lists(st.tuples(FACTORS, SEPARATORS), min_size=1, max_size=4),
    st.sampled_from(["", "1", "5", "10 "]),
    st.booleans(),
)
def test_a_drawn_unit_has_its_value_or_none(number, factors, count, upper):
    """Any product of names, by the rule that "/" divides by the next factor."""
    text, size, dimensions, sign = number, float(number or 1), [0, 0, 0], 1
    for place, ((name, power, style), separator) in enumerate(factors):
        if sign == -1 and count:
            text, size = text + count, size / float(count)
        shown = str(power).translate(str.maketrans("-12", "⁻¹²")) if style == "superscript" else style.format(power)
        text += name + ("" if power == 1 else shown)
        size *= MEANINGS[name][1] ** (sign * power)
        dimensions = [one + sign * power * own for one, own in zip(dimensions, MEANINGS[name][0])]
        if place < len(factors) - 1:
            text, sign = text + separator, -1 if separator.strip() in ("/", "per") else 1
    found = unit_names.read_depth(text.upper() if upper else text)
    if found is not None:
        # A mass per area is a depth: 1 kg over 1 m2 = 1e6 mm2 is 1 mm.
        length, mass, time = dimensions
        assert (length + 3 * mass, mass in (0, 1), time) == (1, True, -1 if found.seconds else 0)
        assert math.isclose(found.mm / (found.seconds or 1), size * 1e6**mass, rel_tol=1e-12)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from([*MEANINGS, "2", "-1", "/", "^", "(", ")", " ", "*", "5", "e", "dbz"]), max_size=8).map(
        "".join
    )
)
def test_any_text_gives_a_depth_or_nothing(text):
    found = unit_names.read_depth(text)
    assert found is None or (found.mm > 0 and unit_names.canonical_unit(text) in (found.name, text.strip()))
