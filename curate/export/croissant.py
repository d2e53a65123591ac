"""``croissant.json`` beside the shards: their description in Croissant 1.0 (MLCommons), so that catalogues and
`mlcroissant` know what lies there without a word of ours.

The index's Parquet files are one file set and every column of theirs a field; the tar files are another. Its members
are no field: mlcroissant unpacks archives into a cache by their relative names alone, where another folder's shards
would be read in place of these. It says nothing but names, types and counts, so it does not grow with the shards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from curate.export.card import CardFacts

SPEC = "http://mlcommons.org/croissant/1.0"
_JSON = ("data", "examples")  # of the context: taken as they are
_TERMS = (
    "citeAs column equivalentProperty extract field fileProperty fileObject fileSet format includes isLiveDataset "
    "jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate separator source "
    "subField transform"
)
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    **{name: {"@id": f"cr:{name}", "@type": "@json"} for name in _JSON},
    **{name: f"cr:{name}" for name in _TERMS.split()},
}
_SPLIT = "https://mlcommons.org/definitions"


def croissant_bytes(facts: CardFacts, index: pa.Schema, described: Mapping[str, str]) -> bytes:
    """The description as JSON-LD, keys sorted. ``index``: the schema of the shards' Parquet files; ``described``: what
    a column means, by its name."""
    fields = [_field(f, described.get(f.name, "")) for f in index if _scalar(f.type) is not None]
    record_sets = [_splits(facts), {"@type": "cr:RecordSet", "@id": "records", "name": "records", "field": fields}]
    record_sets[1]["key"] = {"@id": "records/key"}
    made: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": SPEC,
        "name": facts.identifier,
        "description": facts.summary,
        "version": f"{facts.product}+{facts.content_version}",
        "keywords": ["radiology", "image-text pairs", "de-identified", "WebDataset"],
        "inLanguage": list(facts.languages),
        "distribution": [_files("index", "application/x-parquet", "parquet", facts), _tars(facts)],
        "recordSet": record_sets,
    }
    if facts.license:
        made["license"] = facts.license
    return (json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _files(name: str, encoding: str, suffix: str, facts: CardFacts) -> dict[str, Any]:
    includes = [f"{split.name}/*.{suffix}" for split in facts.splits]
    return {"@type": "cr:FileSet", "@id": name, "name": name, "encodingFormat": encoding, "includes": includes}


def _tars(facts: CardFacts) -> dict[str, Any]:
    members = ", ".join(f"KEY.{suffix}" for suffix in (*facts.images, "txt", "json"))
    said = f"WebDataset shards, a record's members beside one another: {members}. KEY is the index's column key."
    return _files("shards", "application/x-tar", "tar", facts) | {"description": said}


def _splits(facts: CardFacts) -> dict[str, Any]:
    rows = [{"splits/name": split.name, "splits/url": f"{_SPLIT}/{_STANDARD[split.name]}"} for split in facts.splits]
    name = {"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"}
    url = {"@type": "cr:Field", "@id": "splits/url", "name": "url", "dataType": "sc:URL"}
    made = {"@type": "cr:RecordSet", "@id": "splits", "name": "splits", "dataType": "cr:Split"}
    return made | {"key": {"@id": "splits/name"}, "field": [name, url], "data": rows}


_STANDARD = {"train": "training_split", "val": "validation_split", "test": "test_split"}


def _field(field: pa.Field, described: str) -> dict[str, Any]:
    made: dict[str, Any] = {"@type": "cr:Field", "@id": f"records/{field.name}", "name": field.name}
    made |= {"dataType": _scalar(field.type)}
    made |= {"source": {"fileSet": {"@id": "index"}, "extract": {"column": field.name}}}
    if field.name == "split":
        made["references"] = {"field": {"@id": "splits/name"}}
    return made | ({"description": described} if described else {})


def _scalar(kind: pa.DataType) -> str | None:
    """Croissant's word for a column's type; None of lists, which not every reader of it knows."""
    words: Iterable[tuple[Any, str]] = (
        (pa.types.is_string, "sc:Text"),
        (pa.types.is_boolean, "sc:Boolean"),
        (pa.types.is_integer, "sc:Integer"),
        (pa.types.is_floating, "sc:Float"),
    )
    return next((word for is_it, word in words if is_it(kind)), None)
