"""``croissant.json`` beside the shards: their description in Croissant 1.0 (MLCommons), which catalogues and
`mlcroissant` read.

The index's Parquet files are one file set, with a field for each column; the tar files are another. Members of the tar
files are no fields: mlcroissant unpacks archives into a cache by their relative names alone, so another folder's shards
could be read in place of these. The file has only names, types and counts, so it does not grow with the shards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from curate.export.card import CardFacts

SPEC = "http://mlcommons.org/croissant/1.0"
_JSON = ("data", "examples")  # JSON literals of the context
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


def croissant_bytes(facts: CardFacts, index: pa.Schema, descriptions: Mapping[str, str]) -> bytes:
    """The description as JSON-LD, keys sorted. ``index``: the schema of the shards' Parquet files; ``described``: the
    meaning of columns, by name."""
    fields = [_field(f, descriptions.get(f.name, "")) for f in index if _scalar(f.type) is not None]
    record_sets = [_splits(facts), {"@type": "cr:RecordSet", "@id": "records", "name": "records", "field": fields}]
    record_sets[1]["key"] = {"@id": "records/key"}
    dataset: dict[str, Any] = {
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
        dataset["license"] = facts.license
    return (json.dumps(dataset, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _files(name: str, encoding: str, suffix: str, facts: CardFacts) -> dict[str, Any]:
    includes = [f"{split.name}/*.{suffix}" for split in facts.splits]
    return {"@type": "cr:FileSet", "@id": name, "name": name, "encodingFormat": encoding, "includes": includes}


def _tars(facts: CardFacts) -> dict[str, Any]:
    members = ", ".join(f"KEY.{suffix}" for suffix in (*facts.images, "txt", "json"))
    description = f"WebDataset shards, a record's members beside one another: {members}. KEY is the index's column key."
    return _files("shards", "application/x-tar", "tar", facts) | {"description": description}


def _splits(facts: CardFacts) -> dict[str, Any]:
    rows = [{"splits/name": split.name, "splits/url": f"{_SPLIT}/{_STANDARD[split.name]}"} for split in facts.splits]
    name = {"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"}
    url = {"@type": "cr:Field", "@id": "splits/url", "name": "url", "dataType": "sc:URL"}
    record_set = {"@type": "cr:RecordSet", "@id": "splits", "name": "splits", "dataType": "cr:Split"}
    return record_set | {"key": {"@id": "splits/name"}, "field": [name, url], "data": rows}


_STANDARD = {"train": "training_split", "val": "validation_split", "test": "test_split"}


def _field(field: pa.Field, description: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"@type": "cr:Field", "@id": f"records/{field.name}", "name": field.name}
    entry |= {"dataType": _scalar(field.type)}
    entry |= {"source": {"fileSet": {"@id": "index"}, "extract": {"column": field.name}}}
    if field.name == "split":
        entry["references"] = {"field": {"@id": "splits/name"}}
    return entry | ({"description": description} if description else {})


def _scalar(kind: pa.DataType) -> str | None:
    """Croissant's name of a column's type; None for lists, which not every reader supports."""
    words: Iterable[tuple[Any, str]] = (
        (pa.types.is_string, "sc:Text"),
        (pa.types.is_boolean, "sc:Boolean"),
        (pa.types.is_integer, "sc:Integer"),
        (pa.types.is_floating, "sc:Float"),
    )
    return next((word for is_it, word in words if is_it(kind)), None)
