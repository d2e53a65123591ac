"""What is in an evaluation set does not stay in the pool."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curate.dedup.exact import pixel_hash
from curate.dedup.held import HELD, HeldOut
from curate.dedup.image import thumb, thumb_hash
from curate.record import Reason


def picture(seed: int) -> np.ndarray:
    """Smooth grey shapes: what differs by a little light is the same picture, what differs by the seed is not."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:64, 0:64] / 64
    waves = sum(
        rng.normal() * np.cos(np.pi * (i * x + j * y) + rng.uniform(0, 6)) for i in range(1, 6) for j in range(5)
    )
    return np.uint8(255 * (waves - waves.min()) / np.ptp(waves))


def row(key: str, patient: str | None, image: np.ndarray | None) -> dict[str, object]:
    if image is None:
        return {"key": key, "patient": patient}
    small = thumb(image)
    return {"key": key, "patient": patient, "pixel_hash": pixel_hash(image), "phash": thumb_hash(small), "thumb": small}


def table(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=HELD)


def test_key_pixels_near_pictures_and_patients() -> None:
    seen, other = picture(1), picture(2)
    darker = np.uint8(seen * 0.9)
    held = HeldOut(table(row("k", None, picture(3)), row("e", "p1", seen)))
    pool = table(
        row("k", "q1", picture(4)),
        row("a", "q2", seen),
        row("b", "q3", darker),
        row("c", "p1", other),
        row("d", "q4", other),
        row("t", None, None),
    )
    same, patient = Reason.IN_EVALUATION, Reason.EVALUATION_PATIENT
    assert held.reasons(pool) == [same, same, same, patient, None, None]


def test_nothing_held_drops_nothing_and_unknown_patients_are_nobody() -> None:
    pool = table(row("a", None, picture(1)), row("b", "", picture(2)))
    assert HeldOut(table()).reasons(pool) == [None, None]
    assert HeldOut(table(row("x", "", picture(5)), row("y", None, None))).reasons(pool) == [None, None]


def test_blank_pictures_are_not_each_others_near_duplicates() -> None:
    black = np.zeros((64, 64), np.uint8)
    grey = np.full((64, 64), 90, np.uint8)
    assert HeldOut(table(row("x", None, black))).reasons(table(row("a", None, grey))) == [None]
