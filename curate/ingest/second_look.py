"""Which pictures the verifier reads whatever the gate said of them: a sample of the run, fair to every kind of device.

The gate and the verifier ask different networks, so what the first misses the second may see; a hit in the sample says
that others like it may have gone out unseen.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from curate.ingest.rules import SecondLook
from curate.record import live


def with_second_look(index: pa.Table, rules: SecondLook) -> pa.Table:
    """INDEX with ``second_look`` set for the pictures of the sample: every ``layout`` has one in it as far as they go,
    the others in proportion, those of the lowest keys (which are HMACs: a fair draw)."""
    pictures = live(index) & np.asarray(index["kind"].combine_chunks().to_numpy(zero_copy_only=False) != "none")
    count = int(pictures.sum())
    wanted = min(count, max(rules.least, round(rules.share * count)))
    chosen = np.zeros(index.num_rows, bool)
    chosen[_sample(index, np.flatnonzero(pictures), wanted)] = True
    return index.set_column(index.column_names.index("second_look"), "second_look", pa.array(chosen))


def _sample(index: pa.Table, rows: np.ndarray, wanted: int) -> np.ndarray:
    """``wanted`` of ``rows``: the first of each layout, then evenly along each."""
    told = {name: pl.Series(index[name].take(pa.array(rows)).to_pylist()) for name in ("key", "source", "layout")}
    frame = pl.DataFrame({"row": rows, **told})
    layout = ["source", "layout"]
    place = pl.col("key").rank("ordinal").over(layout) - 1
    turn = pl.when(place == 0).then(0.0).otherwise((place + 0.5) / pl.len().over(layout))
    return frame.with_columns(turn=turn).sort("turn", "key").head(wanted)["row"].to_numpy()
