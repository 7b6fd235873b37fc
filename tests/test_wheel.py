"""The wheel holds what the package needs and nothing else, and works where there is no checkout."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest
from tiny import QUICK, ROOT

pytestmark = pytest.mark.ci
OF_TESTS = ("PYTHONPATH", "PREDJAX_SHARED", "JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS")
SOURCES = ("predjax", "data", "tests", "benchmarks", "docs", "pyproject.toml", "setup.cfg", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> pathlib.Path:
    """A copy of the sources, without what earlier builds left, and with a file among the pretrained models."""
    folder = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(path, folder)
    (folder / "predjax" / "pretrained").mkdir(exist_ok=True)
    (folder / "predjax" / "pretrained" / "any.npz").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> pathlib.Path:
    """The wheel, built as a user would."""
    output = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", output, source], source)
    (path,) = output.glob("predjax-*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> pathlib.Path:
    """An environment with the wheel alone; what it depends on comes from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("environment")
    _run([sys.executable, "-m", "venv", "--without-pip", folder], folder)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python"]
    _run([*pip, "install", "-q", "--no-deps", wheel], folder)
    # After the installation, which else would find the predjax of the tests; .pth files of that folder are not read, so
    # neither is an editable one.
    places = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (installed,) = folder.glob("lib/python*/site-packages")
    (installed / "dependencies.pth").write_text("\n".join(places))
    return folder


def _run(command, folder) -> str:
    """The output of a command that must succeed, which knows nothing of the checkout and of how tests compile."""
    environment = {key: value for key, value in os.environ.items() if key not in OF_TESTS}
    result = subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_wheel_holds_the_package_and_the_sample_movies_alone(source, wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {path.relative_to(source).as_posix() for path in (source / "predjax").rglob("*") if path.is_file()}
    assert {name for name in names if name.startswith("predjax/")} == package
    data = {name.partition("/data/share/predjax/")[2] for name in names if ".data/" in name}
    assert data == {"fmi_20160928.nc", "radar_movies.nc", "radar_movies.npy", "README.md"}
    assert {name.partition("/")[0].partition(".")[2] for name in names} == {"", "1.0.data", "1.0.dist-info"}


def test_what_is_installed_works_outside_the_checkout(environment, tmp_path):
    python, predjax = environment / "bin" / "python", environment / "bin" / "predjax"
    found = _run([python, "-c", "import predjax; print(predjax.__file__)"], tmp_path)
    assert pathlib.Path(found.strip()).is_relative_to(environment)
    assert "train" in _run([predjax, "--help"], tmp_path)

    said = _run([predjax, "train", *QUICK, "--max_iterations", "2", "--save_dir", "run"], tmp_path)
    assert "persistence" in said
    command = [python, "-m", "predjax.synthetic", "radar", "--output", "movies.nc", "--num_movies", "2", "--seed", "3"]
    _run([*command, "--num_frames", "8"], tmp_path)
    few = ["--baselines", "persistence", "--max_cases", "1", "--num_save_samples", "1"]
    _run([predjax, "evaluate", "--checkpoint", "run", "--data_path", "movies.nc", *few, "--output", "skill"], tmp_path)
    assert (tmp_path / "skill" / "report.html").is_file()
