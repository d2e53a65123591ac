"""Who may write a run's folder, where no lock of the operating system reaches: on an object store.

A lease is an object `NNNNNN.json` with its holder and a counter that the holder raises every `BEAT` seconds. A new one
takes the next number, by a write that fails where the object is there already, so of two at once one wins; the highest
number holds. Whether a holder is dead is told by the counter standing still for `STALE` seconds of *our* monotonic
clock: no two machines' clocks are compared, and a clock that jumps takes nothing away. A holder that slept through its
own death sees the higher number at its next beat, and stops.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from curate.errors import RunError
from curate.places import RemotePath, is_remote

BEAT, STALE = 5.0, 30.0  # s


class Lease:
    """A lease on ``folder``. RunError, of `take`, where another run holds it; of `check`, where it was lost."""

    def __init__(self, folder: Path, beat: float = BEAT, stale: float = STALE) -> None:
        self.folder, self.beat, self.stale = folder, beat, stale
        self.number, self.count, self.owner = 0, 0, uuid.uuid4().hex
        self._lost = False
        self._over = threading.Event()

    def take(self) -> None:
        """Take the lease; waits for as long as it takes to see whether one that is there is of a dead run."""
        last = self._last()
        if last and not self._is_free(last):
            raise RunError(_BUSY)
        if not _create(self._path(last + 1), self._content()):
            raise RunError(_BUSY)
        self.number = last + 1
        for number in self._numbers():
            if number < self.number:
                self._path(number).unlink(missing_ok=True)
        threading.Thread(target=self._keep, name="lease", daemon=True).start()

    def check(self) -> None:
        """RunError where another run took over: what this one still writes is the same bytes, but it is not alone."""
        if self._lost:
            raise RunError("this run stood still for so long that another took it over; that one goes on")

    def release(self) -> None:
        """The next run need not wait."""
        self._over.set()
        if not self._lost:
            with suppress(OSError):  # then the next one waits, as after a run that was killed
                _write(self._path(self.number), self._content(released=True))

    def _keep(self) -> None:
        """Raise the counter until the lease is released or lost."""
        written = time.monotonic()
        while not self._over.wait(self.beat):
            try:
                if self._last() > self.number:
                    self._lost = True
                    return
                self.count += 1
                _write(self._path(self.number), self._content())
                written = time.monotonic()
            except OSError:
                if time.monotonic() - written > self.stale:  # others take it for dead by now
                    self._lost = True
                    return

    def _is_free(self, number: int) -> bool:
        """Whether the lease was released, or nobody has raised its counter for as long as we looked."""
        known, since = self._read(number), time.monotonic()
        while not (known and known.get("released")) and time.monotonic() - since < self.stale:
            time.sleep(min(self.beat, self.stale) / 2)
            now = self._read(number)
            if now != known and not (now and now.get("released")):
                return False
            known = now if now != known else known
        return self._last() == number

    def _read(self, number: int) -> dict[str, Any] | None:
        try:
            value = json.loads(self._path(number).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def _content(self, **more: Any) -> bytes:
        return json.dumps({"owner": self.owner, "beat": self.count, **more}).encode()

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"

    def _numbers(self) -> list[int]:
        try:
            names = [path.name.removesuffix(".json") for path in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(int(name) for name in names if name.isdecimal())

    def _last(self) -> int:
        return max(self._numbers(), default=0)


_BUSY = "another run is at work on this 'out'; wait for it, or give another 'out'"


@contextmanager
def leased(folder: Path) -> Iterator[Lease]:
    """Hold a lease in ``folder``; RunError where another run holds it."""
    lease = Lease(folder)
    lease.take()
    try:
        yield lease
    finally:
        lease.release()


def _create(path: Path, data: bytes) -> bool:
    """Write a file that is not there; False where it is."""
    if is_remote(path):
        return cast(RemotePath, path).create(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(path, "xb") as file:
            file.write(data)
    except FileExistsError:
        return False
    return True


def _write(path: Path, data: bytes) -> None:
    if is_remote(path):
        path.write_bytes(data)
        return
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(data)
    temporary.replace(path)
