"""How a client is set up; every bound has its default here."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass, field
from typing import Dict, Optional, Sequence, Union

from . import _arrow
from ._transport import address
from .redaction import Redaction


@dataclass(frozen=True)
class Settings:
    """See `windvane.init` for what each does."""

    url: str
    token: Optional[str] = field(default=None, repr=False)
    model: Optional[str] = None
    version: Optional[str] = None
    environment: Optional[str] = None
    tags: Dict[str, str] = field(default_factory=dict)
    sample_rate: float = 1.0
    redaction: Optional[Redaction] = field(default=None, repr=False)
    queue_bytes: int = 32 << 20
    on_full: str = "drop_newest"
    batch_events: int = 2_000
    batch_bytes: int = 1 << 20
    flush_interval_s: float = 1.0
    timeout_s: float = 10.0
    retry_for_s: float = 600.0
    retry_delay_s: float = 0.5
    retry_delay_max_s: float = 30.0
    exit_timeout_s: float = 2.0
    spool_dir: Optional[Union[str, "os.PathLike[str]"]] = None
    spool_bytes: int = 256 << 20
    trace_context: bool = True
    report_drops: bool = True
    wire: str = "auto"
    tls: Optional[ssl.SSLContext] = field(default=None, repr=False)

    def __post_init__(self) -> None:
        address(self.url)
        if self.on_full not in ("drop_newest", "drop_oldest"):
            raise ValueError(f"on_full is {self.on_full!r}; accepted are 'drop_newest' and 'drop_oldest'")
        if self.wire not in ("auto", "ndjson", "arrow"):
            raise ValueError(f"wire is {self.wire!r}; accepted are 'auto', 'ndjson' and 'arrow'")
        if self.wire == "arrow":
            _arrow.load()
        if not 0.0 <= self.sample_rate <= 1.0:
            raise ValueError(f"sample_rate is {self.sample_rate}; accepted are shares from 0 to 1")
        if self.token is not None and not re.fullmatch(r"[\x21-\x7e]+", self.token):
            raise ValueError("token has blanks or characters beyond ASCII; accepted is printable ASCII")
        for name in ("queue_bytes", "batch_events", "batch_bytes", "spool_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; accepted is 1 or more")
        for name in _SECONDS:
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; accepted are seconds, 0 or more")


def takes_arrow(settings: Settings) -> bool:
    """Whether tables go as Arrow at this moment. Redaction reads records, and the spool's files are lines in all languages."""
    may = settings.wire != "ndjson" and settings.redaction is None and settings.spool_dir is None
    return may and _arrow.is_loaded()


_SECONDS: Sequence[str] = (
    "flush_interval_s",
    "timeout_s",
    "retry_for_s",
    "retry_delay_s",
    "retry_delay_max_s",
    "exit_timeout_s",
)


def from_environment() -> Dict[str, str]:
    """`WINDVANE_SDK_URL` and `WINDVANE_SDK_TOKEN`, where they are set."""
    names = {"url": "WINDVANE_SDK_URL", "token": "WINDVANE_SDK_TOKEN"}
    return {key: os.environ[name] for key, name in names.items() if os.environ.get(name)}


def is_disabled() -> bool:
    """`WINDVANE_SDK_DISABLED=1` turns every call into nothing."""
    return os.environ.get("WINDVANE_SDK_DISABLED", "").lower() in ("1", "true", "yes")
