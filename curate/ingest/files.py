"""Which of the scanned files are pictures worth a record, and who they are of: the rules of one image source.

Both are decided from what the scan read, so another choice reads no file again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl
import pyarrow as pa

from curate.record import Reason
from curate.sources.identity import canonical_id
from curate.sources.pairing.known import IdSurvey, KnownIds
from curate.sources.pairing.paths import IDENTITIES, compile_keys, path_keys
from curate.sources.rules import Facts, ImageSource

COLUMN = {"accession": "accession", "study": "study_uid", "patient": "patient_id"}  # group -> what it fills of SCAN
_SECONDARY = "1.2.840.10008.5.1.4.1.1.7"  # Secondary Capture Image Storage and its multi-frame kin (PS3.4 B.5)
_DOCUMENTS = ("SR", "PR", "KO", "DOC", "PLAN", "RTPLAN", "AU", "ECG", "HD")  # modalities that make no picture
_VALUE = r"(?:^|\\)\s*(?:{})\s*(?:\\|$)"  # one whole value of ImageType
_LOCALIZER = _VALUE.format(r"LOCALI[SZ]ER|SCOUT|TOPOGRAM|SURVIEW")
_LOCALIZER_SERIES = r"(?i)(?:\b|_)(?:locali[sz]er|scout|topogramm?|surview)(?:\b|_)"
SLICED = ("CT", "MR", "PT")
_SCREEN = _VALUE.format(
    r"SCREEN[^\\]*|DOSE(?:[ _-]?(?:INFO|REPORT|SUMMARY|SHEET|RECORD|SR))?|(?:CT_SOM\d\s+)?PROT(?:OCOL)?"
    r"|PATIENT[ _]PROTOCOL|REPORT"
)
_SCREEN_SERIES = (
    r"(?i)\bdose[ _-]?(?:report|info|record|summary|sheet)|\bdosis|\bpatient(?:en)?[ _-]?proto[ck]oll?"
    r"|\bscreen[ _-]?(?:save|shot|capture)|\breport\b|\bbefund"
)


def keys_of_paths(files: pa.Table, rules: Mapping[str, ImageSource]) -> list[dict[str, str]]:
    """What `images.key_pattern` finds in each file's path: group -> value."""
    patterns = _patterns(rules)
    sources, paths = files["source"].to_pylist(), files["relative"].to_pylist()
    return [path_keys(patterns[s], p) if s in patterns else {} for s, p in zip(sources, paths, strict=True)]


def _patterns(rules: Mapping[str, ImageSource]) -> dict[str, re.Pattern[str]]:
    return {n: compile_keys(r.key_pattern, "images.key_pattern") for n, r in rules.items() if r.key_pattern}


def ids_of_files(files: pa.Table, rules: Mapping[str, ImageSource]) -> IdSurvey:
    """The ids in the files' headers and paths."""
    survey, found = IdSurvey(), keys_of_paths(files, rules)
    for group, column in COLUMN.items():
        headers = {canonical_id(cell) for cell in files[column].unique().to_pylist() if cell}
        survey.add("headers", group, headers)
        survey.add("images", group, headers | {canonical_id(keys[group]) for keys in found if group in keys})
    return survey


def with_path_keys(files: pa.Table, rules: Mapping[str, ImageSource], known: KnownIds | None = None) -> pa.Table:
    """``files`` (SCAN and ``source``) with what their paths say: the identities in their columns, and the new columns
    ``image_id``, ``split`` ("" where nothing is said) and ``path_ids``, every identity found, as it is PHI. ``known``:
    of the archive whose part they are, by default what their own ids say."""
    known = known or ids_of_files(files, rules).known()
    found, sources = keys_of_paths(files, rules), files["source"].to_pylist()
    path_first = [rules[s].key_first == "path" for s in sources]
    for group, column in COLUMN.items():
        if any(group in p.groupindex for p in _patterns(rules).values()):
            own = files[column].to_pylist()
            none = {"", *known.none["headers", group]}  # one that says "0" or "unknown" lacks it, whatever paths number
            mine = zip(found, path_first, own, strict=True)
            values = [
                (k.get(group) if first or canonical_id(value or "") in none else None) or value or ""
                for k, first, value in mine
            ]
            files = with_column(files, column, pa.array(values, pa.string()))
    ids = [[k[g] for g in IDENTITIES if g in k] for k in found]
    for name, group in (("image_id", "image"), ("split", "split")):
        files = files.append_column(name, pa.array([k.get(group, "") for k in found], pa.string()))
    return files.append_column("path_ids", pa.array(ids, pa.list_(pa.string())))


def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The table with other values in a column that it has."""
    return table.set_column(table.column_names.index(name), name, values)


def judge(files: pa.Table, rules: Mapping[str, ImageSource]) -> pa.Array:
    """The files' reasons, where they had none: EXCLUDED, LOCALIZER, SCREEN or SECONDARY_CAPTURE.

    LOCALIZER and what SCREEN knows by ImageType are values of (0008,0008) (PS3.3 C.7.6.1.1.2 and the modalities' own);
    a scanned document is a conversion type (C.8.6.1). A secondary capture is dropped where its study holds pictures
    that are none: archives made of secondary captures alone, as public sets of radiographs are, stay.
    """
    columns = ["source", "kind", "study_uid", "modality", "sop_class", "image_type", "conversion"]
    frame = pl.DataFrame(pl.from_arrow(files.select([*columns, "series_description", "rows", "columns", "reason"])))
    frame = frame.with_columns(pl.col(pl.String).fill_null(""), pl.col("rows", "columns").fill_null(0))
    usable = pl.col("reason") == ""
    capture = pl.col("sop_class").str.starts_with(_SECONDARY + ".") | (pl.col("sop_class") == _SECONDARY)
    study = pl.col("source") + "\0" + pl.col("study_uid")
    others = (usable & ~capture & (pl.col("kind") == "dicom") & ~_screen(capture)).any().over(study)
    decided: list[pl.Expr] = [pl.when(~usable).then("reason")]
    for name in frame["source"].unique(maintain_order=True):
        rule, mine = rules[name], pl.col("source") == name
        included = pl.all_horizontal(pl.lit(True), *_facts(rule.include))
        excluded = pl.any_horizontal(pl.lit(False), *_facts(rule.exclude))
        decided.append(_when(mine & (~included | excluded), Reason.EXCLUDED))
        if rule.screens == "drop":
            beside = capture & others & (pl.col("study_uid") != "")
            decided.append(_when(mine & _screen(capture), Reason.SCREEN))
            decided.append(_when(mine & beside, Reason.SECONDARY_CAPTURE))
        if rule.localizers == "drop":
            decided.append(_when(mine & _localizer(), Reason.LOCALIZER))
    reasons = frame.select(pl.coalesce(*decided, pl.lit(None, pl.String)).alias("reason"))["reason"]
    return reasons.to_arrow().cast(pa.string())


def _screen(capture: pl.Expr) -> pl.Expr:
    """A sheet or a saved screen: by its ImageType, its modality, or, of what is derived, the name of its series."""
    derived = capture | pl.col("image_type").str.contains(r"^[^\\]*\\SECONDARY")
    return (
        pl.col("image_type").str.contains(_SCREEN)
        | pl.col("modality").is_in(_DOCUMENTS)
        | (capture & (pl.col("conversion") == "SD"))
        | (derived & pl.col("series_description").str.contains(_SCREEN_SERIES))
    )


def _localizer() -> pl.Expr:
    """By its ImageType; of slices, also by the name of the series, as MR writes no such value."""
    named = pl.col("modality").is_in(SLICED) & pl.col("series_description").str.contains(_LOCALIZER_SERIES)
    return pl.col("image_type").str.contains(_LOCALIZER) | named


def _facts(facts: Facts) -> list[pl.Expr]:
    """One expression a fact that the rules name. A file that does not say what is asked does not have it."""
    found = []
    if facts.modality:
        found.append(pl.col("modality").is_in([m.upper() for m in facts.modality]))
    if facts.sop_class:
        found.append(pl.col("sop_class").is_in(facts.sop_class))
    if facts.image_type:
        values = pl.col("image_type").str.split("\\").list.eval(pl.element().str.strip_chars())
        found.append(values.list.eval(pl.element().is_in([v.upper() for v in facts.image_type])).list.any())
    if facts.smaller_than is not None:
        found.append(pl.min_horizontal("rows", "columns") < facts.smaller_than)
    if facts.larger_than is not None:
        found.append(pl.max_horizontal("rows", "columns") > facts.larger_than)
    return found


def _when(fact: pl.Expr, reason: Reason) -> pl.Expr:
    return pl.when(fact).then(pl.lit(reason.value, pl.String))
