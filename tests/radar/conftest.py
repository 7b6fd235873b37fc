"""What tests of files share."""

import pytest

from predjax import messages
from predjax.radar.formats import placement
from predjax.radar.formats.open_files import OPEN_FILES


@pytest.fixture
def as_in_a_new_process():
    """Nothing was said or placed yet; at the end no file stays open."""
    for cached in (messages.warn_once, placement._place, placement._describe):
        cached.cache_clear()
    yield
    OPEN_FILES.close()
