"""attestation.json: counts of actions, of withheld inputs by reason, and of the verifier's findings. No values."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import __version__
from curate.deid.header.table import table_edition
from curate.deid.rules import WORDS, WORDS_MASKED
from curate.deid.verify.finding import Finding, fails, reads_pixels
from curate.record import Fate, Reason

SECOND_LOOK = "second look"  # the action that counts pictures of the sample that the verifier read
DECLARED_CLEAN = (
    "declared clean"  # the action that counts records left unchanged because the recipe declares them clean
)
RATE = 0.001  # the leak rate for which the attestation gives the probability that the sample missed it
_PACKAGES = ("cryptography", "imagecodecs", "numpy", "opencv-python-headless", "pillow", "pyarrow", "pydicom")
_ENTRY = pa.struct([("key", pa.string()), ("value", pa.int64())])  # of a map of counts
_OPTIONAL = ("rapidocr", "rapidocr-onnxruntime", "onnxruntime", "presidio-analyzer")


def attest(inputs: pa.Table, options: Mapping[str, Any], secret_id: str, files: bool = True) -> dict[str, Any]:
    """The attestation of ``inputs``, as JSON: a row an input, with key, kind, drop_reason, actions (a map of counts),
    findings (codes), fault (a place in the code), and for files also out, sha256 and rows (a map of counts).
    ``files``: list every input too, else only counts.

    ``verification.passed`` is False if the verifier found identities that the cleaning had left (such inputs were not
    written, but the rules were not enough), or if it read text in a picture of its own sample in which the gate had
    found none (similar ones may have been written). ``second_look`` has the number of pictures in that sample, the keys
    of those with text, and the probability that the sample misses a leak of ``RATE`` of all pictures.
    """
    actions, findings = _counts(inputs, "actions"), _listed(inputs, "findings")
    reasons = _tally(inputs, "drop_reason")
    fates = Counter({fate.value: 0 for fate in Fate})
    for reason, n in reasons.items():
        fates[Fate.of(reason).value] += n
    second = _second_look(inputs, actions, findings)
    codes = Counter(findings["name"].to_pylist())
    places = _tally(inputs, "fault") if "fault" in inputs.column_names else {}
    faults = {place: n for place, n in places.items() if place}  # places in the code: bugs to report
    kinds = Counter[str]()
    for kind, n in _tally(inputs, "kind").items():
        kinds[kind or "other"] += n
    attestation = {
        "product": {"radsift": __version__, "python": platform.python_version(), **versions()},
        "table": table_edition(),
        "options": dict(options),
        "secret": secret_id,
        "inputs": inputs.num_rows,
        "fates": dict(fates),
        "kinds": _sorted(kinds),
        "reasons": _sorted({reason: n for reason, n in reasons.items() if reason}),
        "report_rows": _summed(_counts(inputs, "rows")) if "rows" in inputs.column_names else {},
        "actions": _summed(actions),
        "text": masked_share(actions),
        "verification": {
            "passed": not fails(codes) and not second["hits"],
            "ocr": reads_pixels(),
            "findings": _sorted(codes),
            "second_look": second,
        },
    }
    attestation |= {"faults": _sorted(faults)} if faults else {}
    return attestation | ({"files": [_file(r) for r in inputs.to_pylist()]} if files else {})


def _tally(table: pa.Table, column: str) -> dict[str | None, int]:
    """Number of rows for each value, also null."""
    counts = pc.value_counts(table[column].cast(pa.string()))
    return dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))


def _counts(table: pa.Table, column: str) -> pa.Table:
    """row, name and count of every entry of a map of counts."""
    rows, entries = _flat(table[column].cast(pa.list_(_ENTRY)))
    name, count = (pc.struct_field(entries, field) for field in ("key", "value"))
    return pa.table({"row": rows, "name": name, "count": count})


def _listed(table: pa.Table, column: str) -> pa.Table:
    """row and name of every entry of a list of names."""
    rows, names = _flat(table[column].cast(pa.list_(pa.string())))
    return pa.table({"row": rows, "name": names}).drop_null()


def _flat(lists: pa.ChunkedArray) -> tuple[Any, Any]:
    """(The row of each entry, the entries)."""
    whole = lists.combine_chunks()
    return pc.list_parent_indices(whole), pc.list_flatten(whole)


def _second_look(inputs: pa.Table, actions: pa.Table, findings: pa.Table) -> dict[str, Any]:
    sampled = pc.unique(_named(actions, SECOND_LOOK)["row"] if reads_pixels() else actions["row"].slice(0, 0))
    read = pc.unique(_named(findings, Finding.PIXEL_TEXT.value)["row"])
    hits = inputs["key"].take(read.filter(pc.is_in(read, value_set=sampled))).to_pylist()
    return {
        "pictures": len(sampled),
        "hits": sorted(hits),
        "rate": RATE,
        "unseen": round((1 - RATE) ** len(sampled), 4),
    }


def _named(entries: pa.Table, name: str) -> pa.Table:
    return entries.filter(pc.equal(entries["name"], name))


def masked_share(actions: pa.Table) -> dict[str, float]:
    """Number of inputs with text, their words, and the masked share of words, as mean and 95th percentile over inputs,
    from the counted ``actions`` (`_counts`)."""
    words, masked = _named(actions, WORDS), _named(actions, WORDS_MASKED)
    words = words.filter(pc.not_equal(words["count"], 0))
    counts = words["count"].to_numpy()
    of = pc.index_in(words["row"], value_set=masked["row"])
    masked_counts = pc.fill_null(masked["count"].take(of), 0).to_numpy()
    shares = masked_counts / counts if len(counts) else np.zeros(1)
    mean, p95 = round(float(shares.mean()), 4), round(float(np.quantile(shares, 0.95)), 4)
    return {"inputs": len(counts), "words": int(counts.sum()), "masked_mean": mean, "masked_p95": p95}


def text_warnings(attestation: Mapping[str, Any]) -> list[str]:
    """Warnings about withheld texts: how many for their language, how many as mostly masked."""
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
    """Warnings about the second look: pictures in which the verifier read text that the gate had not found."""
    hits = attestation.get("verification", {}).get("second_look", {}).get("hits", [])
    if not hits:
        return []
    examples = ", ".join(hits[:3]) + (", ..." if len(hits) > 3 else "")
    return [
        f"the attestation fails: in {len(hits):,} pictures of its sample the verifier read text where the gate saw "
        f"none ({examples}); they are kept back, but others like them may have gone out: look at their kind of device"
    ]


def attestation_bytes(attestation: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys: the same release gives the same bytes."""
    return (json.dumps(attestation, indent=1, sort_keys=True, ensure_ascii=True, default=list) + "\n").encode()


def versions() -> dict[str, str]:
    """Versions of the packages that output may depend on; extras only if installed."""
    installed = {p: importlib.metadata.version(p) for p in _PACKAGES}
    for package in _OPTIONAL:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def _file(row: Mapping[str, Any]) -> dict[str, Any]:
    entry = {"key": row["key"], "kind": row["kind"], "fate": Fate.of(row["drop_reason"]).value}
    optional = {"reason": row["drop_reason"], "findings": row["findings"]} | {n: row.get(n) for n in ("out", "sha256")}
    return entry | {name: value for name, value in optional.items() if value}


def _summed(counts: pa.Table) -> dict[str, int]:
    sums = counts.group_by("name").aggregate([("count", "sum")])
    return _sorted(dict(zip(sums["name"].to_pylist(), sums["count_sum"].to_pylist(), strict=True)))


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))
