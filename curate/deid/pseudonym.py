"""Pseudonyms and date shifts, all derived from one secret by HMAC-SHA256, domain-separated by kind.

A plain hash of a UID or an MRN can be enumerated; an HMAC under a secret of 32 random bytes cannot. The same
source value gives the same pseudonym on every worker, in every run and command under the same secret;
`curate.sources.identity` defines which spellings are the same value.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from pathlib import Path

from curate.errors import RecipeError
from curate.sources.identity import PADDING, canonical_id, folded

SECRET_ENV = "RADSIFT_SECRET"  # noqa: S105  the name of a variable
_MIN_BYTES = 16
_HEX = re.compile(rb"[0-9a-fA-F]{32,}")
_CONTROL, _FIELDS = re.compile(r"[\0-\x08\x0e-\x1b]"), re.compile(r"[\s:,;{]")
_SALT = b"radsift secret 1"  # fixed: the same passphrase must give the same pseudonyms everywhere


@dataclass(frozen=True, repr=False)
class Pseudonymizer:
    """Derives pseudonyms and date shifts. Its repr hides the secret."""

    secret: bytes
    max_shift_days: int = 3650

    def __repr__(self) -> str:
        return "Pseudonymizer(secret=***)"

    def digest(self, kind: str, *values: str) -> bytes:
        """32 bytes: HMAC-SHA256 over the kind and the values, each length-prefixed so that none run together."""
        parts = [part.encode("utf-8", "surrogatepass") for part in (kind, *values)]
        message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self.secret, message, "sha256")

    def key(self, kind: str, *values: str) -> str:
        """32 hex digits (128 bits) standing for ``values`` of this ``kind`` (record, file, ...); for an identity
        (patient, study, accession, id) however it is spelt (`canonical_id`)."""
        if kind in _IDENTITIES:
            values = tuple(map(canonical_id, values))
        return self.digest(kind, *values)[:16].hex()

    def __post_init__(self) -> None:
        if not 1 <= self.max_shift_days <= MAX_SHIFT_DAYS:
            problem = f"{self.max_shift_days} days, at least 1 and at most {MAX_SHIFT_DAYS}"
            raise RecipeError("max_shift_days", problem, "leave it out")

    def uid(self, uid: str, root: str = "2.25") -> str:
        """The pseudonym of ``uid``, a valid DICOM UID of at most 64 characters; padding and case are ignored.

        Under 2.25 it is a 128-bit integer (PS3.5 B.2), under an organisation's ``root`` as many of its decimal digits
        as fit. RecipeError if ``root`` is invalid or leaves less than 20 digits (2^66 values).
        """
        number = int.from_bytes(self.digest("uid", folded(uid))[:16], "big")
        if root == "2.25":
            return f"2.25.{number}"
        return f"{root}.{number % 10 ** _room(root)}"

    def shift(self, patient_id: str) -> dt.timedelta:
        """The patient's date shift: whole days, never zero, within +-``max_shift_days``, however the id is spelt."""
        n = int.from_bytes(self.digest("date-shift", canonical_id(patient_id))[:8], "big")
        days = n % (2 * self.max_shift_days) - self.max_shift_days
        return dt.timedelta(days=days if days < 0 else days + 1)

    def shift_date(self, patient_id: str, da: str) -> str | None:
        """A DICOM DA or ISO date shifted by the patient's shift, as YYYY-MM-DD; None if it does not parse."""
        digits = re.sub(r"[^0-9]", "", da)[:8]
        try:
            day = dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
            return (day + self.shift(patient_id)).isoformat()
        except (ValueError, OverflowError):
            return None

    def shift_da(self, patient_id: str, da: str) -> str | None:
        """A DICOM DA (YYYYMMDD, or YYYY.MM.DD of ACR-NEMA) shifted, as YYYYMMDD; None if it is no such date."""
        match = _DA.fullmatch(da.strip(PADDING))
        moved = self.shift_date(patient_id, "".join(match.groups())) if match else None
        return moved.replace("-", "") if moved else None

    def shift_dt(self, patient_id: str, value: str) -> str | None:
        """A DICOM DT shifted by whole days, with unchanged time of day and UTC offset (PS3.5 6.2).

        None if it is no DT or has no day: a year or a month alone cannot be shifted by days.
        """
        match = _DT.fullmatch(value.strip(PADDING))
        if match is None or not is_time(match["time"] or "00"):
            return None
        moved = self.shift_da(patient_id, match["day"])
        return f"{moved}{match['time'] or ''}{match['zone'] or ''}" if moved else None


_IDENTITIES = frozenset({"patient", "study", "accession", "id"})
MAX_SHIFT_DAYS = 3650  # ten years either way
_MAX_UID_LENGTH = 64  # PS3.5 9.1
_MIN_UID_DIGITS = 20
_ROOT = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
_DA = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})", re.ASCII)
_DT = re.compile(
    r"(?P<day>\d{8})(?P<time>\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)?(?P<zone>[+-](?:0\d|1[0-4])[0-5]\d)?", re.ASCII
)
_TM = re.compile(r"([01]\d|2[0-3])(?::?([0-5]\d)(?::?([0-5]\d|60)(\.\d{1,6})?)?)?", re.ASCII)


def is_time(tm: str) -> bool:
    """True for a valid DICOM TM: HHMMSS.FFFFFF or a beginning of it (HH:MM:SS of ACR-NEMA too)."""
    return _TM.fullmatch(tm.strip(PADDING)) is not None


def _room(root: str) -> int:
    """The number of decimal digits that fit after an organisation's root."""
    room = _MAX_UID_LENGTH - len(root) - 1
    if not _ROOT.fullmatch(root) or room < _MIN_UID_DIGITS:
        raise RecipeError("uid_root", f"{root!r} is no UID root of at most 43 characters", "2.25, or your own root")
    return min(room, 39)


def load_secret(path: Path | None) -> bytes:
    """The run's secret from a file, else from the environment; RecipeError if there is no good one."""
    if path is not None:
        if path.is_dir():
            raise RecipeError("secret", f"{path} is a folder", "name the file that holds it")
        try:
            raw = path.read_bytes().strip()
        except OSError as error:
            raise RecipeError("secret", f"cannot read {path} ({error.strerror})", f"curate secret {path}") from None
    else:
        raw = os.environ.get(SECRET_ENV, "").encode().strip()
        if not raw:
            fix = f"curate secret FILE, then --secret FILE ('secret: FILE' in a recipe), or set {SECRET_ENV}"
            raise RecipeError("secret", "no secret given", fix)
    if _is_text(raw):
        problem = f"{path or SECRET_ENV} holds lines of text, as a recipe or a table does, and no secret"
        raise RecipeError("secret", problem, "what 'curate secret FILE' writes, or a passphrase of one line")
    if len(raw) < _MIN_BYTES:
        problem = f"{len(raw)} bytes are too few, at least {_MIN_BYTES}"
        raise RecipeError("secret", problem, "curate secret FILE writes a good one")
    return raw if is_random(raw) else hashlib.scrypt(raw, salt=_SALT, n=2**15, r=8, p=1, maxmem=2**26, dklen=32)


def _is_text(raw: bytes) -> bool:
    """Several lines, one of them with blanks or fields: no key's (base64, PEM) and no random bytes."""
    text = raw.decode("utf-8", "replace")
    if _CONTROL.search(text) or 10 * text.count("\ufffd") > len(text):
        return False
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return len(lines) > 1 and any(_FIELDS.search(line) for line in lines if not line.startswith("-----"))


def is_random(secret: bytes) -> bool:
    """True for the form that `write_secret` writes: at least 32 hex digits. Anything else is a passphrase, which can be
    guessed, and goes through scrypt (RFC 7914), so that each guess costs 32 MB and a tenth of a second."""
    return _HEX.fullmatch(secret) is not None


def write_secret(path: Path) -> None:
    """Write a new random secret of 32 bytes as hex, mode 0600; never overwrites an existing file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise RecipeError(str(path), "exists already; a secret is never overwritten", "choose another name") from None
    with os.fdopen(fd, "w") as f:
        f.write(os.urandom(32).hex() + "\n")
