"""Arrow without pandas: the first value that Arrow is given makes it import pandas, which takes a quarter of a second,
only to ask whether the value is pandas'. Nothing here is."""

from __future__ import annotations

import sys

import pyarrow as pa


class _Absent:
    """Hides pandas from whoever asks for it."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """See `importlib.abc.MetaPathFinder`."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def arrow_without_pandas() -> None:
    """Let Arrow ask now, and find none; it remembers. What needs pandas afterwards imports it: ``to_pandas`` works, and
    from then on Arrow knows pandas' objects."""
    if "pandas" in sys.modules:
        return
    hidden = _Absent()
    sys.meta_path.insert(0, hidden)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(hidden)
