"""Pseudonyms and date shifts, all derived from one secret by HMAC-SHA256, domain-separated by kind.

A plain hash of a UID or an MRN can be enumerated; an HMAC under a secret of 32 random bytes cannot. The same
source value gives the same pseudonym on every worker and in every run under the same secret.
"""

from __future__ import annotations

import datetime as dt
import hmac
import os
import re
from dataclasses import dataclass
from pathlib import Path

from curate.errors import RecipeError

SECRET_ENV = "RADSIFT_SECRET"  # noqa: S105  the name of a variable
_MIN_BYTES = 16


@dataclass(frozen=True, repr=False)
class Pseudonymizer:
    """Derives everything that replaces an identity. Never printed: its repr hides the secret."""

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
        """32 hex digits (128 bits) standing for ``values`` of this ``kind`` (record, patient, study, ...)."""
        return self.digest(kind, *values)[:16].hex()

    def uid(self, uid: str) -> str:
        """A valid DICOM UID under 2.25 (PS3.5 B.2) standing for ``uid``; padding is ignored."""
        return f"2.25.{int.from_bytes(self.digest('uid', uid.strip().rstrip(chr(0)))[:16], 'big')}"

    def shift(self, patient_id: str) -> dt.timedelta:
        """The patient's date shift: whole days, never zero, within +-``max_shift_days``."""
        n = int.from_bytes(self.digest("date-shift", patient_id.strip())[:8], "big") % (2 * self.max_shift_days)
        days = n - self.max_shift_days
        return dt.timedelta(days=days if days < 0 else days + 1)

    def shift_date(self, patient_id: str, da: str) -> str | None:
        """A DICOM DA or ISO date moved by the patient's shift, as YYYY-MM-DD; None where it does not parse."""
        digits = re.sub(r"[^0-9]", "", da)[:8]
        try:
            day = dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
            return (day + self.shift(patient_id)).isoformat()
        except (ValueError, OverflowError):
            return None


def load_secret(path: Path | None) -> bytes:
    """The run's secret from a file, else from the environment; RecipeError where neither holds a good one."""
    if path is not None:
        try:
            raw = path.read_bytes().strip()
        except OSError as error:
            raise RecipeError("secret", f"cannot read {path} ({error.strerror})", f"curate secret {path}") from None
    else:
        raw = os.environ.get(SECRET_ENV, "").encode().strip()
        if not raw:
            fix = f"curate secret FILE, then 'secret: FILE' in the recipe, or set {SECRET_ENV}"
            raise RecipeError("secret", "no secret given", fix)
    if len(raw) < _MIN_BYTES:
        problem = f"{len(raw)} bytes are too few, at least {_MIN_BYTES}"
        raise RecipeError("secret", problem, "curate secret FILE writes a good one")
    return raw


def write_secret(path: Path) -> None:
    """A new random secret of 32 bytes as hex, mode 0600; never overwrites one that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise RecipeError(str(path), "exists already; a secret is never overwritten", "choose another name") from None
    with os.fdopen(fd, "w") as f:
        f.write(os.urandom(32).hex() + "\n")
