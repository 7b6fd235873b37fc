"""The section of the report with the scores of a published protocol."""

from collections.abc import Sequence
from typing import NamedTuple

from predjax.pictures.report.page import Section


class PublishedTable(NamedTuple):
    """The scores of a protocol as text: sentences about it, the headings of its columns, and a row for each method."""

    notes: Sequence[str]
    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def show_protocol(table: PublishedTable | None) -> Section | None:
    """Show the table; None without one."""
    if table is None:
        return None
    return Section("protocol", "Published protocol", "protocol", table._asdict())
