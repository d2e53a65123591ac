"""Pseudonyms, date shifts, and the sealed files that hold identities."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from hypothesis import given
from hypothesis import strategies as st

from curate.deid.pseudonym import SECRET_ENV, Pseudonymizer, is_time, load_secret, write_secret
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


ROOT = "1.2.826.0.1.3680043.10.999"


@given(st.text(min_size=1, max_size=64), st.sampled_from([ROOT, "1.2", "1." + "1" * 41]))
def test_uids_under_an_organisations_root_are_valid_and_stable(uid: str, root: str) -> None:
    made = P.uid(uid, root)
    assert made.startswith(root + ".") and len(made) <= 64 and made == P.uid(uid, root)
    assert re.fullmatch(r"0|[1-9][0-9]*", made.removeprefix(root + "."))


@pytest.mark.parametrize("root", ["", "hospital", "1.02", "1.", "3.1", "1.2" + ".3" * 25])
def test_a_root_that_is_none_is_told(root: str) -> None:
    with pytest.raises(RecipeError, match="uid_root"):
        P.uid("1.2.3", root)


@given(st.text(max_size=20), DAYS, st.times(), st.sampled_from(["", "+0100", "-0930"]))
def test_a_date_and_time_moves_by_the_days_of_its_date_and_keeps_its_time(patient, day, time, zone) -> None:
    for clock in ("", time.strftime("%H"), time.strftime("%H%M%S"), time.strftime("%H%M%S.%f")):
        moved = P.shift_dt(patient, f"{day:%Y%m%d}{clock}{zone}")
        assert moved == f"{P.shift_da(patient, f'{day:%Y%m%d}')}{clock}{zone}"
    assert P.shift_da(patient, f"{day:%Y.%m.%d}") == P.shift_da(patient, f"{day:%Y%m%d} \0")


@pytest.mark.parametrize("bad", ["", "2024", "202403", "20241301", "20240301250000", "20240301+9999", "now",
                                 "20240301101112.1234567", "٢٠٢٤٠٣٠١", "20240301 101112"])  # fmt: skip
def test_what_is_no_date_and_time_to_the_day_is_dropped(bad: str) -> None:
    assert P.shift_dt("p", bad) is None


@given(st.text(max_size=12))
def test_odd_dates_never_raise(value: str) -> None:
    for made in (P.shift_da("p", value), P.shift_dt("p", value)):
        assert made is None or made[:8].isdigit()


@pytest.mark.parametrize(("tm", "valid"), [("101112", True), ("10", True), ("10:11:12.5", True), ("235960", True),
                                           ("2511", False), ("1", False), ("101112.1234567", False)])  # fmt: skip
def test_times(tm: str, valid: bool) -> None:
    assert is_time(tm) is valid


def test_the_shift_is_at_most_ten_years() -> None:
    for days in (0, -1, 3651):
        with pytest.raises(RecipeError, match="max_shift_days"):
            Pseudonymizer(b"s" * 32, days)
    assert {abs(Pseudonymizer(b"s" * 32, 1).shift(str(i)).days) for i in range(40)} == {1}


def test_a_secret_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_secret(tmp_path / "s")
    assert len(load_secret(tmp_path / "s")) == 64
    monkeypatch.setenv(SECRET_ENV, "e" * 40)
    assert load_secret(None) == b"e" * 40
    monkeypatch.setenv(SECRET_ENV, "correct horse battery staple")  # guessable: never used as it is
    hard = load_secret(None)
    assert len(hard) == 32 and hard == load_secret(None)
    known = Scrypt(salt=b"radsift secret 1", length=32, n=2**15, r=8, p=1).derive(b"correct horse battery staple")
    assert hard == known
    monkeypatch.setenv(SECRET_ENV, "short")
    with pytest.raises(RecipeError, match="too few"):
        load_secret(None)


@pytest.mark.parametrize(
    "held",
    ["name: chest\nout: /runs/chest\n", "key,patient\n1,DOE^JANE\n", "{\n}\n", "a\n\nr\u00e9sum\u00e9 of a study\n"],
)
@pytest.mark.parametrize("coding", ["utf-8", "cp1252"])
def test_a_recipe_or_a_table_is_no_secret(tmp_path: Path, held: str, coding: str) -> None:
    (tmp_path / "s").write_bytes(held.encode(coding))
    with pytest.raises(RecipeError, match="lines of text") as told:
        load_secret(tmp_path / "s")
    assert "DOE" not in str(told.value) and "curate secret" in told.value.fix


@pytest.mark.parametrize(
    "held", ["a phrase: of, one line\n", f"{'ab' * 32}\n", f"{'aB3+' * 16}\n{'aB3+' * 4}/w==\n", "\x01\n: \x02" * 8,
             f"-----BEGIN PRIVATE KEY-----\n{'aB3+' * 16}\n-----END PRIVATE KEY-----\n"]
)  # fmt: skip
def test_a_secret_may_be_a_key_or_a_passphrase(tmp_path: Path, held: str) -> None:
    (tmp_path / "s").write_text(held)
    assert len(load_secret(tmp_path / "s")) in (32, 64)


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
