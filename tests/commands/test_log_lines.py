"""Lines with times, as text and as JSON."""

import json
import logging
import re

from predjax.commands.log_lines import TimedLines


def test_lines_have_times():
    record = logging.LogRecord("predjax", logging.WARNING, "feed.py", 1, "%s: damaged\nfile", ("a.nc",), None)
    record.created = 1.0
    assert TimedLines().format(record) == "1970-01-01T00:00:01Z a.nc: damaged\\nfile"
    found = json.loads(TimedLines(as_json=True).format(record))
    assert found == {
        "time": "1970-01-01T00:00:01Z", "event": "log", "level": "warning", "message": "a.nc: damaged\\nfile",
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ it 100% is", TimedLines().show("made", "it 100% is", {}))
    found = json.loads(TimedLines(as_json=True).show("made", "it is", {"seconds": 1.5, "event": "other"}))
    assert (found["event"], found["seconds"], found["level"], found["message"]) == ("made", 1.5, "info", "it is")
