"""Rows of single records are taken out of what filters keep, and only those."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load, load_file, save

from filters.banks import MIN_ROWS, digests, without_rows
from filters.judges import folder
from filters.judges.fit import fit
from filters.method import Records
from filters.methods.ours.copies import FILE, Copies
from filters.score import Needs, prepare
from tests.filters.films import films
from tests.filters.judges.made import given


def test_judges_without_a_patient_are_solved_from_the_others(tmp_path: Path) -> None:
    pairs, _ = given(240, 3)
    folder.save(fit(pairs, pairs, clean=True, seed=0, rounds=0)[0], tmp_path)
    path = tmp_path / "judges.safetensors"
    who, before = pairs.groups[0], load_file(path)
    keys = [name for name, group in zip(pairs.names, pairs.groups, strict=True) if group == who]
    path.write_bytes(folder.without_patients(path.read_bytes(), keys, [who]))
    after = load_file(path)
    assert after.keys() == before.keys() and len(keys) == 3
    rest = [i for i, group in enumerate(pairs.groups) if group != who]
    for part in ("names", "groups", "images", "texts", "log_odds", "posterior"):
        np.testing.assert_array_equal(after[f"memory.{part}"], before[f"memory.{part}"][rest])
    assert set(before["known"]) - set(after["known"]) == set(digests([who]))
    seen = 0
    for fold in range(4):
        was, now = (
            {n.split(".")[2]: a for n, a in f.items() if n.startswith(f"judges.{fold}.")} for f in (before, after)
        )
        kept = ~np.isin(was["names"], digests(keys))
        seen += not kept.all()
        for part in ("names", "images", "texts", "weights"):
            np.testing.assert_array_equal(now[part], was[part][kept])
        kernel = np.exp(
            2.0 * (now["images"].astype(np.float64) @ now["images"].T - 1)
        )  # the regression, by its equation
        residual = now["texts"] - (kernel @ now["answers"] + 0.6 * now["answers"] / now["weights"][:, None])
        np.testing.assert_allclose(residual, np.tile(now["text_center"], (len(residual), 1)), atol=1e-4)
        for part in was if kept.all() else ():
            np.testing.assert_array_equal(now[part], was[part])
    assert seen == 3  # judges of the patient's own fold have never seen it
    fitted = [n for n in before if not n.startswith(("judges.", "memory.", "known"))]
    assert fitted and all((before[n] == after[n]).all() for n in fitted)
    others = pairs.take(np.array(rest))
    panel = folder.load(tmp_path)
    rows = panel.rows(others.images, others.sentences, others.texts)
    assert np.isfinite(panel.probability(digests(others.names), digests(others.groups), *rows)[0]).all()


def test_copies_without_a_record_are_as_if_it_had_never_been_there(tmp_path: Path) -> None:
    pool = films(80, 71, 0.3).records

    def saved(records: Records) -> bytes:
        whose = list(zip(records.keys, records.groups, strict=True))
        Copies.of(prepare(records.images, records.texts, Needs((64,)), 64, whose=whose), 64).save(tmp_path)
        return (tmp_path / FILE).read_bytes()

    twin = Records(*([*column, column[0]] for column in (pool.keys, pool.images, pool.texts, pool.groups)))
    twin.keys[-1] = "another record of the same pair"
    whole, keys = saved(twin), [pool.keys[0], pool.keys[7]]
    rest = twin.take([i for i, key in enumerate(twin.keys) if key not in keys])
    assert load(without_rows(whole, keys))["own"].tolist() == load(saved(rest))["own"].tolist()
    assert without_rows(whole, keys) == saved(rest) != whole  # the twin's pair is still there


def test_a_bank_that_is_not_the_records_or_would_be_left_with_nothing_stays() -> None:
    names = [f"k{i}" for i in range(MIN_ROWS + 1)]
    rows = np.eye(len(names), dtype=np.float16)
    data = save({"names": digests(names), "images": rows, "middle": np.ones(len(names))})
    assert without_rows(data, ["of nobody"]) is data
    assert without_rows(data, names[:2]) is data
    left = load(without_rows(data, names[4:5]))
    np.testing.assert_array_equal(left["images"], np.delete(rows, 4, axis=0))
    assert len(left["middle"]) == len(names)
    old = save({"images": np.eye(12, dtype=np.float16)})
    assert without_rows(old, names) is old
