"""Words of the standard itself, which name no one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache


@cache
def technical_words() -> frozenset[str]:
    """Words of the standard's code meanings and attribute names (PS3.16, PS3.6): anatomy, procedures, physics."""
    from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]  # where a word is first asked for

    names = " ".join(str(entry[2]) for entry in DicomDictionary.values())
    meanings = " ".join(_meanings())
    return frozenset(re.findall(r"[^\W\d_]{3,}", f"{names} {meanings}".casefold()))


def _meanings() -> Iterator[str]:
    from pydicom.sr.codedict import codes

    for scheme in ("DCM", "SCT", "UCUM", "FMA", "UMLS", "NEU"):
        for name in getattr(codes, scheme).dir():
            yield re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
