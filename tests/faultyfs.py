"""An fsspec file system in memory that fails, delays and lies: registered as `faulty://` where this is imported."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Any

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class FaultyFileSystem(MemoryFileSystem):
    """``plan``: called with (operation, path) before each request; what it raises, the request raises. ``lie``: what is
    stored in the place of the bytes that were given."""

    protocol = "faulty"
    store: dict[str, Any] = {}  # noqa: RUF012  as its parent: one a process
    pseudo_dirs = [""]  # noqa: RUF012
    plan: Callable[[str, str], None] | None = None
    lie: Callable[[str, bytes], bytes] | None = None
    asked: list[tuple[str, str]] = []  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(MemoryFileSystem._strip_protocol(path.removeprefix("faulty://")))

    def _ask(self, what: str, path: str) -> None:
        type(self).asked.append((what, path))
        if type(self).plan is not None:
            type(self).plan(what, path)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        self._ask("get", path)
        return super().cat_file(path, start, end, **kwargs)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        self._ask("put", path)
        if type(self).lie is not None:
            value = type(self).lie(path, value)
        super().pipe_file(path, value, mode=mode, **kwargs)

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        self._ask("head", path)
        return super().info(path, **kwargs)

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        self._ask("list", path)
        return super().ls(path, detail=detail, **kwargs)

    @classmethod
    def clear(cls) -> None:
        """Empty, and honest again."""
        cls.store.clear()
        cls.pseudo_dirs[:] = [""]
        cls.plan, cls.lie, cls.asked = None, None, []


fsspec.register_implementation("faulty", FaultyFileSystem, clobber=True)


def every(n: int, number: int = errno.EIO) -> Callable[[str, str], None]:
    """Every ``n``-th request fails, as the system or a bucket says it; the same request again does not."""
    count = 0

    def plan(what: str, path: str) -> None:
        nonlocal count
        count += 1
        if count % n == 0:
            raise OSError(number, "said of DOE^JANE.dcm")

    return plan


def slowly(seconds: float) -> Callable[[str, str], None]:
    """Every request takes so long."""
    return lambda what, path: time.sleep(seconds)
