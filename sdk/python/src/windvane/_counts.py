"""What became of the events that were logged: every one is in exactly one of these numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional

# Why an event was dropped. The words are those of the SDKs in every language.
QUEUE_FULL = "queue_full"  # the byte bound was reached
INVALID = "invalid"  # it could not be encoded
REDACTED = "redacted"  # the redaction function answered None
REFUSED = "refused"  # the server refused the batch for good: its token, its size, its form
GAVE_UP = "gave_up"  # the server was away for longer than `retry_for_s`
DAMAGED = "damaged"  # its file in the spool could not be read, and was set aside
AT_EXIT = "at_exit"  # the process ended first, and there is no spool


@dataclass
class Stats:
    """`logged + adopted = received + rejected + sum(dropped) + unconfirmed + spooled + queued`, at every instant.

    `received`: the server acknowledged them. `rejected`: the server said what is wrong with each. `unconfirmed`: sent, given up
    without an answer, and so received or not. `spooled`: on disk, for later. `adopted`: found in the spool of a process that ended. `sampled_out` were never logged.
    """

    logged: int = 0
    received: int = 0
    rejected: int = 0
    unconfirmed: int = 0
    spooled: int = 0
    adopted: int = 0
    queued: int = 0
    queued_bytes: int = 0
    sampled_out: int = 0
    retries: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    last_fault: Optional[str] = None

    @property
    def dropped_total(self) -> int:
        """Events that were dropped, for whatever reason."""
        return sum(self.dropped.values())

    def adopt(self, n: int) -> None:
        """Counts events that an earlier process left on disk."""
        self.adopted += n

    def drop(self, reason: str, n: int) -> None:
        """Counts events that will not be sent."""
        self.dropped[reason] = self.dropped.get(reason, 0) + n

    def drop_all(self, lost: Mapping[str, int]) -> None:
        """Counts events by the reason why they will not be sent."""
        for reason, n in lost.items():
            self.drop(reason, n)


def lost_of(stats: Stats) -> int:
    """Events that will not arrive, for all that is known."""
    return stats.dropped_total + stats.rejected
