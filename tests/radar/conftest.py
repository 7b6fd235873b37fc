"""What tests of files share."""

import pytest

from predjax.radar import once, placement
from predjax.radar.open_files import OPEN_FILES


@pytest.fixture
def as_in_a_new_process():
    """Nothing was said or placed yet; at the end no file stays open."""
    for cached in (once.warn_once, placement._place, placement._describe):
        cached.cache_clear()
    yield
    OPEN_FILES.close()
