"""The options of a forecast that runs as a service."""

import dataclasses
import shlex

from predjax.flags import flag
from predjax.unit_names import read_duration


@dataclasses.dataclass(frozen=True)
class WatchOptions:
    """The options of forecasting every frame that arrives, and of the service.

    Errors: ValueError for a pause that is not positive, a `keep` that is not a duration, `keep` or `revise` without
    `watch`, or a command with a quotation that does not end.
    """

    watch: bool = flag(False, "keeps running: a nowcast for every frame that arrives from now on", switch=True)
    poll: float = flag(2.0, "between two looks for new frames", metavar="SECONDS")
    revise: bool = flag(False, "makes a nowcast again when frames that it starts from come late or change", switch=True)
    keep: str = flag(
        "", "removes nowcasts of --watch that are this much older than the newest (default: none)", metavar="48h"
    )
    status: str | None = flag(
        None,
        "JSON file with the state of the service, also a sign of life (default: none)",
        metavar="FILE",
        kind="file",
        place=True,
    )
    on_stale: str | None = flag(
        None,
        "run once when the newest frame gets older than --max_age, and once when frames come again (default: nothing)",
        metavar="COMMAND",
        place=True,
        typed=True,
    )
    log_json: bool = flag(False, "prints a JSON object a line", switch=True, place=True)

    def __post_init__(self) -> None:
        if self.watch and self.poll <= 0:
            raise ValueError(f"poll must be a positive number of seconds, not {self.poll:g}")
        if self.keep and not (self.watch and self.keep_seconds):
            raise ValueError(f"keep must be a time such as 48h or 7d, with --watch, not {self.keep!r}")
        if self.revise and not self.watch:
            raise ValueError("revise needs --watch: a single nowcast is made once")
        try:
            shlex.split(self.on_stale or "")
        except ValueError as error:
            raise ValueError(f"on_stale must be a command, {self.on_stale!r} has {str(error).lower()}") from None

    @property
    def keep_seconds(self) -> float | None:
        """The seconds of `keep`; None to keep all."""
        return read_duration(self.keep) if self.keep else None
