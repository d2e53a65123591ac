"""The sample that the verifier reads: large enough, fair, of every kind of device; what the attestation makes of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.deid.attest import SECOND_LOOK, attest, pixel_warnings
from curate.ingest.rows import with_second_look
from curate.ingest.rules import SecondLook
from curate.record import INDEX
from curate.report.render import render


def index(layouts: list[str | None], kind: str = "dicom") -> pa.Table:
    rng = np.random.default_rng(7)
    rows = [
        {"key": rng.bytes(16).hex(), "source": "pacs", "kind": kind if each is not None else "none", "layout": each}
        for each in layouts
    ]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: row["key"]), INDEX)


def looked(table: pa.Table, rules: SecondLook) -> Counter[str]:
    rows = with_second_look(table, rules).to_pylist()
    return Counter(row["layout"] for row in rows if row["second_look"])


def test_every_device_is_in_the_sample_and_the_rest_in_proportion():
    found = looked(index(["CT"] * 9000 + ["US"] * 900 + ["XA"] * 3), SecondLook(0.01, 0))
    assert sum(found.values()) == 99 and found["XA"] >= 1
    assert 85 <= found["CT"] <= 93 and 7 <= found["US"] <= 11


@pytest.mark.parametrize(("rules", "count"), [((0.01, 200), 200), ((0.5, 0), 500), ((0.0, 0), 0), ((0.0, 5000), 1000)])
def test_its_size(rules, count):
    assert sum(looked(index(["CT"] * 1000), SecondLook(*rules)).values()) == count


def test_reports_without_a_picture_and_dropped_records_are_not_in_it():
    table = index(["CT", None, "CT"])
    table = table.set_column(table.column_names.index("drop_reason"), "drop_reason", pa.array([None, None, "x"]))
    chosen = with_second_look(table, SecondLook(1.0, 9))["second_look"].to_pylist()
    kinds = table["kind"].to_pylist()
    assert chosen == [kind == "dicom" and i < 2 for i, kind in enumerate(kinds)]


@given(st.lists(st.sampled_from(["CT", "MR", "US"]), max_size=40), st.integers(0, 50))
def test_never_more_than_there_are_and_the_same_each_time(layouts, least):
    table = index(list(layouts))
    found = looked(table, SecondLook(0.1, least))
    assert sum(found.values()) == min(len(layouts), max(least, round(0.1 * len(layouts))))
    assert found == looked(table, SecondLook(0.1, least))


def attested(*findings: list[str]) -> dict:
    row = {"key": "k", "kind": "record", "drop_reason": None, "actions": {SECOND_LOOK: 1}, "fault": None}
    rows = [{**row, "key": f"key{i}", "findings": found, "drop_reason": "quarantine_burned_in_text" if found else None}
            for i, found in enumerate(findings)]  # fmt: skip
    return attest(pa.Table.from_pylist(rows, pa.schema([
        ("key", pa.string()), ("kind", pa.string()), ("drop_reason", pa.string()),
        ("actions", pa.map_(pa.string(), pa.int64())), ("findings", pa.list_(pa.string())), ("fault", pa.string()),
    ])), {}, "id")  # fmt: skip


def test_text_in_the_sample_fails_the_attestation_and_names_the_record():
    pytest.importorskip("rapidocr")
    good, bad = attested([], []), attested([], ["pixel_text"])
    assert good["verification"]["passed"] and not bad["verification"]["passed"]
    assert bad["verification"]["second_look"]["hits"] == ["key1"]
    assert "key1" in pixel_warnings(bad)[0] and not pixel_warnings(good)
    assert "key1" in render("attestation.html.j2", a=bad) and "Failed" in render("attestation.html.j2", a=bad)
    assert "miss it with a probability of 1.00" in render("attestation.html.j2", a=good)


def test_it_says_how_likely_a_rare_leak_passes_unseen():
    pytest.importorskip("rapidocr")
    assert attested(*[[]] * 700)["verification"]["second_look"]["unseen"] == pytest.approx(0.999**700, abs=1e-4)
