"""Pseudonyms, date shifts, and the sealed files that hold identities."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.deid.pseudonym import SECRET_ENV, Pseudonymizer, load_secret, write_secret
from curate.deid.vault import SecretSource, read_sealed, write_sealed
from curate.errors import RecipeError, RunError

P = Pseudonymizer(b"s" * 32)
DAYS = st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))


def test_kinds_and_boundaries_do_not_run_together() -> None:
    keys = [P.key("record", "ab", "c"), P.key("record", "a", "bc"), P.key("study", "ab", "c"), P.key("record", "abc")]
    assert len(set(keys)) == 4 and all(len(k) == 32 for k in keys)


def test_another_secret_gives_other_pseudonyms_and_the_repr_tells_none() -> None:
    assert Pseudonymizer(b"t" * 32).key("record", "a") != P.key("record", "a")
    assert "s" * 8 not in repr(P) and "***" in repr(P)


@given(st.text(min_size=1, max_size=64))
def test_uids_are_valid_and_padding_does_not_matter(uid: str) -> None:
    made = P.uid(uid)
    assert made.startswith("2.25.") and len(made) <= 64 and not made.split(".")[2].startswith("0")
    assert P.uid(uid.strip() + " ") == P.uid(uid.strip() + "\0")


@given(st.text(max_size=20), DAYS, DAYS)
def test_a_shift_keeps_intervals_is_bounded_and_never_zero(patient: str, first: dt.date, second: dt.date) -> None:
    shift = P.shift(patient)
    assert 0 < abs(shift.days) <= 3650
    moved = [dt.date.fromisoformat(P.shift_date(patient, d.strftime("%Y%m%d")) or "") for d in (first, second)]
    assert moved[1] - moved[0] == second - first and moved[0] != first


@pytest.mark.parametrize("bad", ["", "2024", "20241332", "yesterday", "99999999"])
def test_what_is_no_date_is_dropped(bad: str) -> None:
    assert P.shift_date("p", bad) is None


def test_a_secret_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_secret(tmp_path / "s")
    assert len(load_secret(tmp_path / "s")) == 64
    monkeypatch.setenv(SECRET_ENV, "e" * 40)
    assert load_secret(None) == b"e" * 40
    monkeypatch.setenv(SECRET_ENV, "short")
    with pytest.raises(RecipeError, match="too few"):
        load_secret(None)


def test_a_sealed_table_opens_under_its_secret_only(tmp_path: Path) -> None:
    table = pa.table({"path": ["/pacs/DOE^JANE/1.dcm"]})
    write_sealed(tmp_path / "private" / "x", table, P)
    assert read_sealed(tmp_path / "private" / "x", P).equals(table)
    raw = (tmp_path / "private" / "x").read_bytes()
    assert b"DOE" not in raw and (tmp_path / "private").stat().st_mode & 0o077 == 0
    with pytest.raises(RunError, match="another secret"):
        read_sealed(tmp_path / "private" / "x", Pseudonymizer(b"t" * 32))
    (tmp_path / "private" / "x").write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    with pytest.raises(RunError):
        read_sealed(tmp_path / "private" / "x", P)


def test_a_secret_source_can_be_sent_without_the_secret(tmp_path: Path) -> None:
    import pickle

    write_secret(tmp_path / "s")
    source = SecretSource(str(tmp_path / "s"))
    assert (tmp_path / "s").read_bytes().strip() not in pickle.dumps(source)
    assert source.pseudonymizer().key("a", "b") == pickle.loads(pickle.dumps(source)).pseudonymizer().key("a", "b")
