"""Paths mean the same wherever they are given."""

import importlib
import os
import pathlib

import pytest

from predjax.commands import COMMANDS
from predjax.flags import check_value, list_flags
from predjax.jobs.options import EvaluateOptions
from predjax.paths import find_matches, join_absolute, split_paths
from predjax.radar.readers import expand_paths
from predjax.run_file import collect, make_absolute
from predjax.synthetic.movie_file import MovieFile


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Files with all that may mean something else in their names; the home folder is `home` there."""
    names = ("run[1].npy", "run1.npy", "run[1]/x.npy", "a b{1}/y,z.npy", "home/h.npy", "a,b.npy", "c.npy")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("paths", "files"),
    [
        ("run[1].npy", ["run[1].npy"]),
        ("run[12].npy", ["run1.npy"]),
        ("run[1]", ["run[1]/x.npy"]),
        ("run[1]/*.npy", ["run[1]/x.npy"]),
        ("a b{1}/*", ["a b{1}/y,z.npy"]),
        ("a b{1}/y,z.npy, c.npy", ["a b{1}/y,z.npy", "c.npy"]),
        ("c.npy,a,b.npy", ["c.npy", "a,b.npy"]),
        ("~/h.npy,c.npy", ["home/h.npy", "c.npy"]),
        ("c.npy , ~/*.npy", ["c.npy", "home/h.npy"]),
        (["a,b.npy", pathlib.Path("~/h.npy")], ["a,b.npy", "home/h.npy"]),
        ("**/h.npy", ["home/h.npy"]),
    ],
)
def test_what_is_there_is_no_pattern_and_no_list(paths, files, folder):
    found = [path.absolute().relative_to(folder).as_posix() for path in expand_paths(paths)]
    assert found == files
    text = ",".join(map(os.fspath, paths)) if isinstance(paths, list) else paths
    assert expand_paths(join_absolute(text)) == [folder / name for name in files]


def test_what_is_not_there_keeps_its_place(folder):
    assert split_paths("gone.npy, x/*.nc,c.npy") == ["gone.npy", "x/*.nc", "c.npy"]
    assert split_paths("a,b.npy") == ["a,b.npy"] and split_paths(" , ") == []
    assert list(find_matches("gone.npy")) == []
    assert join_absolute("gone.npy") == str(folder / "gone.npy")


def list_path_flags():
    commands = [importlib.import_module(f"predjax.commands.{name.replace('-', '_')}").COMMAND for name in COMMANDS]
    flags = [flag for command in commands for flag in command.flags] + list_flags(MovieFile)
    return [
        flag for flag in flags if set(flag.metadata.get("metavar", "").split("|")) & {"FILE", "DIR", "PATH", "PATHS"}
    ]


def test_the_home_folder_is_known_to_every_flag_of_a_path(folder):
    home, flags = str(folder / "home"), list_path_flags()
    assert len(flags) > 25
    for flag in flags:
        assert flag.is_path, flag.name
        if flag.metadata["kind"] != "paths":  # these are expanded one by one
            assert flag.parse("~/run") == f"{home}/run" == check_value(flag, "~/run")
            assert check_value(flag, pathlib.Path("~/run")) == f"{home}/run"
    assert make_absolute("~/h.npy,c.npy") == f"{home}/h.npy,{folder}/c.npy"


def test_several_paths_may_be_a_list(folder):
    flag = next(one for one in list_flags(EvaluateOptions) if one.name == "forecasts")
    assert check_value(flag, [pathlib.Path("a.nc"), "b.nc"]) == ("a.nc", "b.nc")
    with pytest.raises(ValueError, match="forecasts must be text"):
        check_value(flag, ["a.nc", 3])


def test_a_file_of_flags_is_found_at_home(folder):
    from predjax.commands.train import COMMAND

    (folder / "home" / "run.json").write_text('{"data_path": ["~/h.npy", "a,b.npy"], "pretrained_model": "~/m.npz"}')
    found = collect(COMMAND, ["--config=~/run.json"])
    assert found["pretrained_model"] == str(folder / "home" / "m.npz")
    assert [path.name for path in expand_paths(found["train_data_paths"])] == ["h.npy", "b.npy".replace("b", "a,b")]
