"""What continues the newest frames: by file, by name, with how many members."""

import numpy as np
import pytest
from fake_ensemble import FakeEnsemble

from predjax.nowcasts import nowcaster
from predjax.nowcasts.baselines import BASELINES, Baseline
from predjax.nowcasts.config import EnsembleOptions
from predjax.nowcasts.nowcaster import draw_groups, find_nowcaster
from predjax.radar.movies import build_movies


@pytest.fixture
def movies():
    frames = np.random.default_rng(0).gamma(0.5, 2.0, (1, 4, 8, 9, 1)).astype(np.float32)
    return build_movies(frames, attrs={"units": "mm/h"}, source="a.nc", files=[])


@pytest.fixture
def fake(monkeypatch):
    """An ensemble among the baselines."""
    monkeypatch.setitem(BASELINES, "fake", Baseline(FakeEnsemble, moves_maps=True, ensemble=True))


def find(name, **options):
    return find_nowcaster(name, EnsembleOptions(**options))


def draw(found, movies, steps=3):
    return list(draw_groups(found.make(movies), movies["frames"].values, steps))


def test_a_baseline_needs_no_file(movies):
    found = find("persistence")
    assert (found.name, found.origin, found.input_length, found.num_steps) == ("persistence", "persistence", 4, 12)
    (frames,) = draw(found, movies)
    np.testing.assert_array_equal(frames, np.repeat(movies["frames"].values[:, -1:], 3, axis=1))


def test_members_are_drawn_in_groups_from_the_seed(fake, movies, caplog):
    caplog.set_level("INFO", "predjax")
    found = find("fake", members=5, seed=3)
    assert (found.members, found.origin) == (5, "fake, seed 3")
    groups = draw(found, movies)
    assert [len(group) for group in groups] == [2, 2, 1]
    whole = FakeEnsemble.of(5, 3)(movies["frames"].values, 3)[0]
    np.testing.assert_array_equal(np.concatenate(groups), whole)
    (one,) = draw(find("fake", seed=3), movies)
    np.testing.assert_array_equal(one, whole[:1])
    assert caplog.messages == ["fake draws members: this is one of them, --members 24 gives an ensemble"]


def test_a_baseline_knows_pixels_and_step(monkeypatch, movies):
    made = []
    monkeypatch.setitem(BASELINES, "fake", Baseline(made.append))
    found = find("fake")
    metres = {axis: (axis, 500.0 * np.arange(n), {"units": "m"}) for axis, n in (("y", 8), ("x", 9))}
    for known in (movies, movies.assign_coords(metres).assign_attrs(step_seconds=600.0)):
        found.make(known)
        found.make(known)  # is made once for each
    assert [setting.sampling[:2] for setting in made] == [(1.0, 5.0), (0.5, 10.0)]


def test_a_file_of_the_name_of_a_baseline_comes_first(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "persistence").mkdir()
    with caplog.at_level("INFO", "predjax"), pytest.raises(FileNotFoundError, match="persistence holds no checkpoint"):
        find("persistence")
    assert caplog.messages == ["persistence is a file or folder here: its checkpoint is taken, not the baseline"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("persistence", {"members": 2}, "--members 2: persistence draws none"),
        ("persistence", {"statistic": ("mean",)}, "--statistic needs several members, persistence gives one forecast"),
        (
            "fake",
            {"probability": (1.0,)},
            "--probability needs several members, fake gives one .*--members",
        ),
    ],
)
def test_members_that_are_not_there_are_refused(fake, name, options, message):
    with pytest.raises(ValueError, match=message):
        find(name, **options)


def test_members_are_drawn_around_the_network_of_the_package():
    found = find("pretrained", members=3, seed=5)
    assert found.members == 3 and found.origin.endswith("seed 5")


def test_a_name_that_is_neither_suggests_a_baseline():
    with pytest.raises(FileNotFoundError, match=r"persistance: no such .* baseline; did you mean persistence"):
        find("persistance")


def test_a_baseline_of_sequences_or_of_maps_is_refused_where_it_has_no_sense(movies):
    with pytest.raises(ValueError, match="the baseline linear belongs to sequence tasks"):
        draw(find("linear"), movies)
    with pytest.raises(ValueError, match=r"a\.nc is a series: extrapolation moves maps"):
        draw(find("extrapolation"), movies.isel(y=slice(0, 1), x=slice(0, 1)))


def test_members_of_several_networks_are_the_first_of_them(monkeypatch, movies):
    """The checkpoint itself is not needed: which networks are taken is."""

    class Model:
        path, record, params = "run/best.npz", {"training": {"num_seeds": 3}}, {"w": np.arange(3)}

        def _replace(self, params):
            return params

    taken = []
    monkeypatch.setattr(nowcaster, "load_model", lambda path, member=None: Model() if member is None else member)
    monkeypatch.setattr(
        nowcaster, "_continue_model", lambda model, members: taken.append((model, members)) or find("persistence")
    )
    for members in (1, 2):
        find("run", members=members)
    assert taken[0] == (0, 1) and taken[1][1] == 2 and taken[1][0]["w"].tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"--members 4: run/best\.npz holds 3 networks"):
        find("run", members=4)
