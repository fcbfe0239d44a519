"""The clients of a process: they end with it, and start empty in a child of it."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING

from ._sender import logger

if TYPE_CHECKING:
    from ._client import Client

clients: weakref.WeakSet[Client] = weakref.WeakSet()


def finalize_multiprocessing(client: Client) -> None:
    """Children of multiprocessing end without `atexit`; their own finalizers do run."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(client, type(client).close, args=(client,), exitpriority=10)


def close_all() -> None:
    """At the end of the process: each client has its own bounded time."""
    for client in list(clients):
        try:
            client.close()
        except Exception as error:
            logger.warning("cannot close: %r", error)


def reset_all_after_fork() -> None:
    """In a forked child."""
    for client in list(clients):
        client.reset_after_fork()
