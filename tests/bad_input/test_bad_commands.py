"""Whole commands on bad input: exit code 2 and one line; and what good input with bad names may write where."""

import ast
import pathlib

import netCDF4
import numpy as np
import pytest
from bad_input.bad_netcdf_labels import ESCAPES, SCRIPT
from bad_input.corpus import KINDS
from bad_input.kinds import SENTINEL
from bad_input.test_corpus import check_refused_command, deadline, make
from tiny import ROOT

import predjax
from predjax import checkpoint
from predjax.commands import one_line_errors
from predjax.commands.evaluate import main as evaluate
from predjax.commands.train import main as train

SHORT = ("--total_length", "4", "--input_length", "2")
COMMANDS = {
    "npy_truncated": (train, "--data_path", *SHORT),
    "npy_of_objects_that_run_code": (train, "--data_path", *SHORT),
    "npz_of_objects_that_run_code": (evaluate, "--data_path"),
    "npz_header_claims_ten_to_the_15": (train, "--data_path", *SHORT),
    "classic_truncated": (evaluate, "--data_path"),
    "netcdf_of_html": (train, "--data_path", *SHORT),
    "netcdf_with_a_damaged_chunk": (train, "--data_path", *SHORT),
    "times_that_go_back": (evaluate, "--data_path"),
    "classic_variable_named_with_escapes": (train, "--data_path", *SHORT),
    "name_with_a_line_break": (evaluate, "--data_path"),
    "table_empty": (train, "--data_path", "--path_length", "2"),
    "torch_that_runs_code": (train, "--pretrained_model", *SHORT),
    "torch_legacy_that_runs_code_at_its_end": (train, "--pretrained_model", *SHORT),
    "checkpoint_whose_model_is_a_list": (evaluate, "--checkpoint"),
    "checkpoint_of_objects_that_run_code": (evaluate, "--checkpoint"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_ends_with_one_line(name, tmp_path, capsys):
    main, flag, *more = COMMANDS[name]
    path, _ = make(KINDS[name], tmp_path)
    with deadline():
        check_refused_command(main, [flag, str(path), *more], KINDS[name].rule, capsys)
    assert not (tmp_path / SENTINEL).exists()


def test_too_little_memory_is_one_line(capsys):
    @one_line_errors
    def command(arguments):
        raise MemoryError("Unable to allocate 7.28 PiB for an array")

    check_refused_command(command, [], "predjax: there is not enough memory .Unable to allocate 7.28 PiB", capsys)


def write_hostile_names(path, dims, shape):
    """A netCDF file whose texts try to leave a line, a page or a folder."""
    hostile = f"{ESCAPES}\n{SCRIPT} $\\\\badmath$"
    with netCDF4.Dataset(path, "w") as file:
        for dim, size in zip(dims, shape):
            file.createDimension(dim, size)
        file.setncatts({"title": hostile, "institution": hostile, "history": hostile, "references": hostile})
        time = file.createVariable("time", "f8", ("time",))
        time.units, time[:] = "seconds since 2020-01-01", 300 * np.arange(shape[0])
        values = file.createVariable("rain<script>alert(1)<script>", "f4", dims)
        values.setncatts({"units": hostile, "long_name": hostile, "standard_name": hostile})
        values[:] = np.random.default_rng(0).random(shape)
        if "channel" in dims:
            names = file.createVariable("channel", str, ("channel",))
            names[:] = np.array(["../../../up", "/etc/passwd", f"a/b{hostile}"], object)
    return path


@pytest.mark.parametrize(
    ("dims", "shape"), [(("time", "y", "x"), (8, 24, 24)), (("time", "channel"), (8, 3))], ids=["movies", "series"]
)
@pytest.mark.ci
def test_hostile_names_stay_inside_the_page_the_line_and_the_folder(dims, shape, real_pictures, tmp_path, capsys):
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    path = write_hostile_names(tmp_path / "in\x1b[31m\n<img src=x onerror=alert(1)>.nc", dims, shape)
    before = {one for one in tmp_path.rglob("*")}
    flags = ["--output", str(deep / "report"), "--export", str(deep / "frames"), "--num_save_samples", "1"]
    assert evaluate(["--data_path", str(path), "--input_length", "3", "--num_steps", "2", *flags]) == 0
    written = {one for one in tmp_path.rglob("*")} - before
    assert written and all(one.is_relative_to(deep) for one in written)
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    page = (deep / "report" / "report.html").read_text()
    assert "<script>alert" not in page and "<img src=x" not in page and "\x1b" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_hostile_checkpoint_names_stay_data(tmp_path):
    arrays = {"params": {"../../up": {"w": np.zeros(2)}, "/etc/passwd": {"w": np.ones(2)}}}
    checkpoint.save(tmp_path / "a.npz", arrays, {})
    assert sorted(checkpoint.load(tmp_path / "a.npz")[0]) == ["params/../../up/w", "params//etc/passwd/w"]
    assert [one.name for one in tmp_path.iterdir()] == ["a.npz"]


FORBIDDEN = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def test_nothing_is_ever_unpickled_or_evaluated():
    for path in sorted(pathlib.Path(predjax.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                assert not {name.split(".")[0] for name in names} & FORBIDDEN, path
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", None)
                assert called not in ("eval", "exec"), f"{path}:{node.lineno}"
                for keyword in node.keywords:
                    allowed = keyword.arg == "allow_pickle" and getattr(keyword.value, "value", None) is not False
                    assert not allowed, f"{path}:{node.lineno}"
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("allow_pickle",), f"{path}:{node.lineno}"
    assert pathlib.Path(predjax.__file__).is_relative_to(ROOT)
