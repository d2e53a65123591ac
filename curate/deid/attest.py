"""attestation.json: what was done to how much, what was kept back and why, what the verifier found. No value."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from curate import __version__
from curate.deid.header.table import table_edition
from curate.deid.rules import WORDS, WORDS_MASKED
from curate.deid.verify.finding import Finding, fails
from curate.record import Fate, Reason

SECOND_LOOK = "second look"  # the action that counts pictures of the sample that the verifier read
DECLARED_CLEAN = "declared clean"  # the action that counts records that nothing was done to, as the recipe said
RATE = 0.001  # the leak rate of which the attestation says how likely the sample would have missed it
_PACKAGES = ("cryptography", "imagecodecs", "numpy", "opencv-python-headless", "pillow", "pyarrow", "pydicom")
_OPTIONAL = ("rapidocr", "rapidocr-onnxruntime", "onnxruntime", "presidio-analyzer")


def attest(inputs: pa.Table, options: Mapping[str, Any], secret_id: str) -> dict[str, Any]:
    """The attestation of ``inputs``, as JSON: a row an input, with key, kind, drop_reason, actions (a map of counts),
    findings (codes), fault (a place in the code), and where there are files out, sha256 and rows (a map of counts).

    ``verification.passed`` is False where the verifier found what the scrubber had left: such inputs were not
    written, but the rules were not enough; and where it read text in a picture of its own sample, in which the gate
    had seen none: others like it may have gone out. ``second_look`` says how many pictures were in that sample, the
    keys of those with text, and how probable it is that a leak of ``RATE`` of all pictures is in none of them.
    """
    rows = inputs.to_pylist()
    fates = Counter(Fate.of(r["drop_reason"]).value for r in rows)
    second = _second_look(rows)
    findings = Counter(f for r in rows for f in r["findings"] or [])
    faults = Counter(r["fault"] for r in rows if r.get("fault"))  # places in the code: bugs to report
    return ({"faults": _sorted(faults)} if faults else {}) | {
        "product": {"radsift": __version__, "python": platform.python_version(), **versions()},
        "table": table_edition(),
        "options": dict(options),
        "secret": secret_id,
        "inputs": len(rows),
        "fates": {fate.value: fates[fate.value] for fate in Fate},
        "kinds": _sorted(Counter(r["kind"] or "other" for r in rows)),
        "reasons": _sorted(Counter(r["drop_reason"] for r in rows if r["drop_reason"])),
        "report_rows": _sorted(_summed(rows, "rows")),
        "actions": _sorted(_summed(rows, "actions")),
        "text": masked_share([dict(r["actions"] or []) for r in rows]),
        "verification": {
            "passed": not fails(findings) and not second["hits"],
            "ocr": _reads_pixels(),
            "findings": _sorted(findings),
            "second_look": second,
        },
        "files": [_file(r) for r in rows],
    }


def _reads_pixels() -> bool:
    from curate.deid.verify.pixels import reads_pixels  # the verifier: who only reads an attestation does without

    return reads_pixels()


def _second_look(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    looked = [r for r in rows if SECOND_LOOK in dict(r["actions"] or []) and _reads_pixels()]
    hits = [r["key"] for r in looked if Finding.PIXEL_TEXT.value in (r["findings"] or [])]
    return {"pictures": len(looked), "hits": sorted(hits), "rate": RATE, "unseen": round((1 - RATE) ** len(looked), 4)}


def masked_share(actions: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Of inputs with text, by what was counted of each: how many there are, their words, and the share of these that
    was masked, as the inputs' mean and 95th percentile."""
    counted = [a for a in actions if a.get(WORDS)]
    shares = np.array([a.get(WORDS_MASKED, 0) / a[WORDS] for a in counted] or [0.0])
    mean, p95 = round(float(shares.mean()), 4), round(float(np.quantile(shares, 0.95)), 4)
    return {"inputs": len(counted), "words": sum(a[WORDS] for a in counted), "masked_mean": mean, "masked_p95": p95}


def text_warnings(attestation: Mapping[str, Any]) -> list[str]:
    """What is to be said aloud of texts withheld: how many for their language, how many as mostly masked."""
    reasons, rows = attestation.get("reasons", {}), attestation.get("report_rows", {})
    texts = {
        Reason.LANGUAGE: "in a language that the recipe does not clean (deid.languages): most of their words"
        " would be masked",
        Reason.MASKED: "mostly masked (deid.max_masked says how much may be)",
    }
    counts = {reason: rows.get(reason, 0) or reasons.get(reason, 0) for reason in texts}
    return [
        f"{n:,} report{'s are' if n > 1 else ' is'} withheld, {texts[r]}: {r.value}" for r, n in counts.items() if n
    ]


def pixel_warnings(attestation: Mapping[str, Any]) -> list[str]:
    """What is to be said aloud of the second look: in which pictures it read text that the gate had not seen."""
    hits = attestation.get("verification", {}).get("second_look", {}).get("hits", [])
    if not hits:
        return []
    shown = ", ".join(hits[:3]) + (", ..." if len(hits) > 3 else "")
    return [
        f"the attestation fails: in {len(hits):,} pictures of its sample the verifier read text where the gate saw "
        f"none ({shown}); they are kept back, but others like them may have gone out: look at their kind of device"
    ]


def attestation_bytes(attestation: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys: the same release gives the same bytes."""
    return (json.dumps(attestation, indent=1, sort_keys=True, ensure_ascii=True, default=list) + "\n").encode()


def versions() -> dict[str, str]:
    """What the bytes may depend on; an extra that is absent is not named."""
    found = {p: importlib.metadata.version(p) for p in _PACKAGES}
    for package in _OPTIONAL:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _file(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {"key": row["key"], "kind": row["kind"], "fate": Fate.of(row["drop_reason"]).value}
    optional = {"reason": row["drop_reason"], "findings": row["findings"]} | {n: row.get(n) for n in ("out", "sha256")}
    return told | {name: value for name, value in optional.items() if value}


def _summed(rows: list[dict[str, Any]], column: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for row in rows:
        total.update(dict(row.get(column) or []))
    return total


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))
