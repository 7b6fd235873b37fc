"""Lines of a log with times, as text or JSON, for processes that run for months."""

import datetime
import json
import logging
import sys
from collections.abc import Mapping
from typing import Any

from predjax.messages import one_line


class TimedLines(logging.Formatter):
    """A formatter that writes each message in one line with its time (UTC); with `as_json` as a JSON object.

    The object has `time`, `event` ("log" for messages beside the events of a command), `level`, `message`, and the
    details of the event.
    """

    def __init__(self, as_json: bool = False):
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a message."""
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = one_line(record.getMessage())
        if not self._as_json:
            return f"{time} {text}"
        event = getattr(record, "event", "log")
        values = {"time": time, "event": event, "level": record.levelname.lower(), "message": text}
        return json.dumps({**getattr(record, "details", {}), **values}, default=str)

    def show(self, event: str, text: str, details: Mapping[str, Any]) -> str:
        """Return the line of an event that happens now."""
        values = {"msg": text, "levelname": "INFO", "levelno": logging.INFO, "event": event, "details": details}
        return self.format(logging.makeLogRecord(values))

    def use(self) -> None:
        """Print all messages of the command in this form from now on."""
        for handler in logging.getLogger().handlers:
            if getattr(handler, "stream", None) is sys.stdout:
                handler.setFormatter(self)
