"""What the whole suite shares: the shared measurements, and a count of what was skipped without them."""

import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHARED = pathlib.Path(os.environ.get("PREDJAX_SHARED", ROOT.parent / "shared"))

# Four CPU devices for the pmapped tests; must be set before jax starts its backend.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder with reference numbers and real radar events, or a skip that says what is missing."""
    if not (SHARED / "fixtures" / "index.json").is_file():
        pytest.skip(f"no reference data in {SHARED} (set PREDJAX_SHARED)")
    return SHARED


def pytest_terminal_summary(terminalreporter):
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "PREDJAX_SHARED" in str(r.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests were skipped without the reference data (PREDJAX_SHARED)")
