"""Batches on disk, for servers that are away for long: whole files, each with the key under which it is sent.

A process owns one folder, by a lock that ends with the process. Folders of dead processes are taken over, so that what a process
could not send before its end is sent by the next one, once, because the key stays the same. A folder that has no lock file, or a name
that none of ours has, is somebody else's and left alone. A file that does not hold what its name says is set aside as `NAME.damaged`.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import zlib
from pathlib import Path
from typing import IO, Iterator, List, NamedTuple, Optional

from ._batch import pack

try:
    import fcntl
except ImportError:  # not on Windows; there a folder is never taken over
    fcntl = None  # type: ignore[assignment]

# More than any batch has, compressed and as lines: what is larger was not written by a client.
BODY_BYTES_MAX = 64 << 20
LINES_BYTES_MAX = 256 << 20
_PIECE_BYTES = 1 << 16
_LOCK = "lock"
_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAME = re.compile(_ID)
# The key of a half: that of the batch that it is of, with this behind it.
_HALF = re.compile(f"({_ID}(?:-[01])*)-[01]")


class Stored(NamedTuple):
    """A batch in a file named `KEY.KIND.EVENTS.ndjson.gz`."""

    path: Path
    key: str
    kind: str
    events: int


class Spool:
    """The files of this process, and those it took over, up to a bound in bytes."""

    def __init__(self, folder: Path, bytes_max: int, name: str) -> None:
        self._bytes_max = bytes_max
        self._folder = folder / name
        # Under another name until it is locked: else a process that starts at this moment takes it for one of the dead.
        unborn = folder / f"{name}.new"
        unborn.mkdir(parents=True)
        lock = _locked(unborn)
        self._locks: List[IO[bytes]] = [] if lock is None else [lock]
        unborn.rename(self._folder)
        self._files = [file for other in sorted(folder.iterdir()) for file in self._adopted(other)]
        self._files.sort(key=lambda file: file.key)
        self._drop_begun_halves()
        self._bytes = sum(file.path.stat().st_size for file in self._files)

    def _drop_begun_halves(self) -> None:
        """Deletes halves beside the batch that they are of: their process ended before it deleted that."""
        keys = {file.key for file in self._files}
        for file in list(self._files):
            if any(whole in keys for whole in _wholes(file.key)):
                self._files.remove(file)
                with contextlib.suppress(OSError):
                    file.path.unlink()

    def _adopted(self, folder: Path) -> List[Stored]:
        if folder == self._folder or not _NAME.fullmatch(folder.name) or not (folder / _LOCK).is_file():
            return []
        try:
            lock = _locked(folder)
            if lock is None:
                return []
            self._locks.append(lock)
            found = [stored for path in folder.iterdir() for stored in [_parse(path)] if stored is not None]
        except OSError:  # another process took it away at this moment, or it is not ours to read
            return []
        if not found:
            self._remove(folder)
        return found

    @staticmethod
    def _remove(folder: Path) -> None:
        """Takes away what is ours; a folder that then holds something, a damaged batch say, stays."""
        try:
            for path in [*folder.glob("*.part"), folder / _LOCK]:
                path.unlink()
            folder.rmdir()
        except OSError:
            pass

    @property
    def events(self) -> int:
        """Events that wait here."""
        return sum(file.events for file in self._files)

    def add(self, key: str, kind: str, events: int, body: bytes) -> bool:
        """Writes a batch, whole or not at all; says whether there was room."""
        if self._bytes + len(body) > self._bytes_max:
            return False
        path = self._folder / _file_name(key, kind, events)
        try:
            _write(path, body)
        except OSError:
            return False
        self._files.append(Stored(path, key, kind, events))
        self._bytes += len(body)
        return True

    def oldest(self) -> Optional[Stored]:
        """The batch that waits longest."""
        return self._files[0] if self._files else None

    def read(self, stored: Stored) -> bytes:
        """The batch as it was written.

        Raises OSError or ValueError where it is not: a disk that was full or failed, or a hand that changed it.
        """
        with open(stored.path, "rb") as file:
            body = file.read(BODY_BYTES_MAX + 1)
        if len(body) > BODY_BYTES_MAX:
            raise ValueError(f"more than {BODY_BYTES_MAX} bytes")
        try:
            lines = _lines(body)
        except (EOFError, zlib.error) as error:
            raise ValueError(f"no whole gzip: {error}") from error
        if lines != stored.events:
            raise ValueError(f"{lines} events, not {stored.events}")
        return body

    def halve(self, stored: Stored, body: bytes) -> None:
        """Puts two batches of half its events in the place of one that is too large for the server, which took nothing of it.

        Its file is deleted next. The keys are made of its own, so that whoever has to do it again sends the halves once all the same.
        Raises OSError where they cannot be written.
        """
        lines = gzip.decompress(body).split(b"\n")
        if not lines[-1]:  # the Rust hooks end the last line, too
            lines.pop()
        middle = len(lines) // 2
        halves, written = [], 0
        for n, part in enumerate((lines[:middle], lines[middle:])):
            key, packed = f"{stored.key}-{n}", pack(part)
            path = stored.path.with_name(_file_name(key, stored.kind, len(part)))
            _write(path, packed)
            halves.append(Stored(path, key, stored.kind, len(part)))
            written += len(packed)
        place = self._files.index(stored)
        self._files[place : place + 1] = halves
        self._bytes += written

    def set_aside(self, stored: Stored) -> None:
        """Keeps a file that does not hold what its name says, for somebody to look at; it is not sent."""
        self._files.remove(stored)
        try:
            self._bytes -= stored.path.stat().st_size
            os.replace(stored.path, stored.path.with_name(f"{stored.path.name}.damaged"))
        except OSError:
            pass

    def forget(self, stored: Stored) -> None:
        """The batch's fate is known; its file is deleted next. Killed in between, it is sent again under the same key."""
        self._files.remove(stored)

    def delete(self, stored: Stored) -> None:
        """Deletes the file of a batch that was forgotten."""
        try:
            self._bytes -= stored.path.stat().st_size
            stored.path.unlink()
        except OSError:
            pass

    def close(self) -> None:
        """Gives the folder up; an empty one is removed."""
        if not self._files:
            self._remove(self._folder)
        for lock in self._locks:
            lock.close()


def _file_name(key: str, kind: str, events: int) -> str:
    return f"{key}.{kind}.{events}.ndjson.gz"


def _wholes(key: str) -> Iterator[str]:
    """The keys of all batches that this is the key of a part of."""
    while (half := _HALF.fullmatch(key)) is not None:
        key = half[1]
        yield key


def _write(path: Path, body: bytes) -> None:
    """Writes a file, whole or not at all."""
    part = path.with_suffix(".part")
    try:
        with open(part, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _lines(body: bytes) -> int:
    """How many lines a body has, read piece by piece: it may unpack to much more than it should."""
    ends = held = 0
    last = b""
    with gzip.open(io.BytesIO(body)) as file:
        while piece := file.read(_PIECE_BYTES):
            held += len(piece)
            if held > LINES_BYTES_MAX:
                raise ValueError(f"more than {LINES_BYTES_MAX} bytes of lines")
            ends += piece.count(b"\n")
            last = piece[-1:]
    return ends + (last not in (b"", b"\n"))  # the Rust hooks end the last line, too


def _locked(folder: Path) -> Optional[IO[bytes]]:
    """The folder's lock, where nobody has it. It ends when the process does."""
    if fcntl is None:
        return None
    file = open(folder / _LOCK, "ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _parse(path: Path) -> Optional[Stored]:
    parts = path.name.split(".")
    if len(parts) != 5 or parts[3:] != ["ndjson", "gz"] or not parts[2].isdigit():
        return None
    return Stored(path, parts[0], parts[1], int(parts[2]))
