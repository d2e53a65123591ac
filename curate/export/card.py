"""``README.md`` beside the shards: a data card for people, with the front matter that Hugging Face's `datasets` reads.

With it ``datasets.load_dataset(FOLDER)`` gives pictures, texts and facts of every split. It contains counts, options
and codes: no path, no time, no host, nothing about a person. So the same shards of the same recipe have the same card,
byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import yaml

from curate.export.texts import CARRIED
from curate.export.webdataset import INDEX, JSON_FIELDS, META
from curate.record import RECORD, SELECTION

HUGGING_FACE = {"train": "train", "val": "validation", "test": "test"}  # our splits' names in `datasets`
_LARGEST = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"), (1e7, "1M<n<10M"))

# Meaning of columns and JSON fields whose names do not explain themselves.
DESCRIPTIONS: Mapping[str, str] = {
    "key": "pseudonym of the record, stable under the run's secret",
    "patient": "pseudonym of the patient; a patient is in one split only",
    "study": "pseudonym of the study",
    "source": "the recipe's name of the source",
    "text": "the report, de-identified: what the picture is paired with",
    "age": "years; 90 means 90 and over",
    "date": "YYYY-MM-DD, moved by the patient's own offset",
    "frames": "of a montage, which pictures of the series, from 1",
    "painted": "[x, y, width, height] in px: painted over, no picture there",
    "painted_share": "of the picture's pixels, 0 to 1",
    "score": "the filter's score; of a split that was not cut it is told and decided nothing",
    "weight": "how often a trainer should see the record",
    "split": "train, val or test",
    "phash": "64-bit perceptual hash",
    "text_from": "original or synthetic; empty where no other text was proposed",
}


@dataclass(frozen=True)
class SplitFacts:
    """One split: its contents, the number of records ``offered`` to the cut, and those ``dropped`` by it, by reason."""

    name: str
    records: int
    pictures: int
    patients: int
    studies: int
    shards: int
    bytes: int
    offered: int
    dropped: Mapping[str, int]
    cut: bool


@dataclass(frozen=True)
class CardFacts:
    """``title``: the recipe's name; ``images``: suffixes of pictures (png, jpg); ``meta_columns``: the reports'
    columns that the recipe carries along; ``sections``: those that a text may have; ``deid``, ``select``: the recipe's
    options; ``outcomes``, ``withheld``: number of records by outcome of the de-identification, and of those it kept
    back by reason; ``passed``: whether its verifier found nothing; ``verified``: number of pictures that it read again;
    ``content_version``: digest of the shards' bytes; ``counts``: records by value, of columns such as modality."""

    title: str
    license: str | None
    product: str
    content_version: str
    languages: Sequence[str]
    images: Sequence[str]
    meta_columns: Sequence[str]
    sections: Sequence[str]
    splits: Sequence[SplitFacts]
    select: Mapping[str, Any]
    filters: Mapping[str, str]
    deid: Mapping[str, Any]
    outcomes: Mapping[str, int] = field(default_factory=dict)
    withheld: Mapping[str, int] = field(default_factory=dict)
    passed: bool = True
    verified: int = 0
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Of all splits."""
        return sum(split.records for split in self.splits)

    @property
    def identifier(self) -> str:
        """The title as catalogues allow names: letters, digits, "-" and "_"."""
        return re.sub(r"[^A-Za-z0-9_-]+", "-", self.title).strip("-") or "radsift"

    @property
    def summary(self) -> str:
        """One sentence."""
        splits = ", ".join(f"{split.records:,} {split.name}" for split in self.splits)
        return f"De-identified image-report pairs in WebDataset shards with a Parquet index: {splits or 'none'}."


def card_bytes(facts: CardFacts) -> bytes:
    """The whole README.md."""
    front = yaml.safe_dump(front_matter(facts), sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{front}---\n\n{_body(facts)}".encode()


def front_matter(facts: CardFacts) -> dict[str, Any]:
    """The front matter that Hugging Face reads: licence, languages, files of each split, features and counts."""
    front: dict[str, Any] = {"license": "unknown"}
    if facts.license and re.fullmatch(r"[a-z0-9][a-z0-9.-]*", facts.license):
        front["license"] = facts.license
    elif facts.license:
        front |= {"license": "other", "license_name": facts.license}
    front |= {"language": list(facts.languages), "pretty_name": facts.title}
    front |= {"task_categories": ["image-to-text", "zero-shot-image-classification"]}
    front |= {"tags": ["medical", "radiology", "webdataset"]}
    front["size_categories"] = [next((word for limit, word in _LARGEST if facts.records < limit), "n>10M")]
    files = [{"split": HUGGING_FACE[split.name], "path": f"{split.name}/*.tar"} for split in facts.splits]
    front["configs"] = [{"config_name": "default", "data_files": files}]
    counts = [
        {"name": HUGGING_FACE[split.name], "num_bytes": split.bytes, "num_examples": split.records}
        for split in facts.splits
    ]
    front["dataset_info"] = {"config_name": "default", "features": features(facts), "splits": counts}
    return front


def features(facts: CardFacts) -> list[dict[str, Any]]:
    """The features of a shard's samples, as `datasets` writes them in YAML. All are listed: features inferred from the
    first samples fail when a later sample has an additional field."""
    fields = [RECORD.field(name) for name in JSON_FIELDS]
    fields += [pa.field("key", pa.string()), pa.field("caption", pa.string()), SELECTION.field("weight")]
    fields += [SELECTION.field("score"), *(CARRIED.field(n) for n in CARRIED.names if n != "provenance")]
    json: list[dict[str, Any]] = [_feature(f.name, f.type) for f in fields]
    for name, parts in (("sections", facts.sections), ("meta", facts.meta_columns)):
        if parts:
            json.append({"name": name, "struct": [_feature(part, pa.string()) for part in parts]})
    pictures = [{"name": suffix, "dtype": "image"} for suffix in facts.images]
    return [_feature("__key__", pa.string()), *pictures, _feature("txt", pa.string()), {"name": "json", "struct": json}]


def _feature(name: str, kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(kind):
        return {"name": name, "sequence": _item(kind.value_type)}
    return {"name": name, "dtype": "float64" if pa.types.is_floating(kind) else str(kind)}


def _item(kind: pa.DataType) -> Any:
    return {"sequence": _item(kind.value_type)} if pa.types.is_list(kind) else str(kind)


def _body(facts: CardFacts) -> str:
    parts = [f"# {facts.title}", facts.summary, _splits(facts), _usage(facts), _columns(facts), _provenance(facts)]
    return "\n\n".join([*parts, _deid(facts), _limits(facts)]) + "\n"


def _splits(facts: CardFacts) -> str:
    head = "| split | records | with a picture | patients | studies | shards | MB | before the cut | the cut dropped |"
    rows = [
        f"| {s.name} | {s.records:,} | {s.pictures:,} | {s.patients:,} | {s.studies:,} | {s.shards:,} "
        f"| {s.bytes / 1e6:,.1f} | {s.offered:,} | {_dropped(s)} |"
        for s in facts.splits
    ]
    cut, whole = ([s.name for s in facts.splits if s.cut is is_cut] for is_cut in (True, False))
    text = "Nothing was cut: every record that was not a duplicate is here."
    if cut:
        text = f"By score: **{', '.join(cut)}** {'was' if len(cut) == 1 else 'were'} cut"
        text += f"; **{', '.join(whole)}** not, so that a model is measured on what came." if whole else "."
    return "\n".join(["## Splits", "", head, "|---" * 9 + "|", *rows, "", f"{text} No patient is in two splits."])


def _dropped(split: SplitFacts) -> str:
    counts = [f"{reason} {n:,}" for reason, n in sorted(split.dropped.items())]
    return ", ".join(counts) or ("0" if split.cut else "not cut")


def _usage(facts: CardFacts) -> str:
    image = next(iter(facts.images), None)
    members = [image, "txt"] if image else ["txt"]
    return f"""## Read it

```python
import datasets
pairs = datasets.load_dataset("PATH/TO/THIS/FOLDER")        # {", ".join(f'"{m}"' for m in members)}, "json"

import polars as pl
index = pl.read_parquet("PATH/TO/THIS/FOLDER/*/*.parquet")  # one row a record, no picture
```

`datasets` calls the split `val` by its own name, `validation`. WebDataset and open_clip read `train/*.tar` as they are;
`croissant.json` describes the same for catalogues."""


def _columns(facts: CardFacts) -> str:
    schema = index_schema(facts)
    rows = [f"| `{f.name}` | {f.type} | {DESCRIPTIONS.get(f.name, '')} |" for f in schema]
    counts = [
        f"- {name}: {', '.join(f'{value} {n:,}' for value, n in sorted(by.items(), key=lambda i: (-i[1], i[0])))}"
        for name, by in facts.counts.items()
        if by
    ]
    return "\n".join(["## The index", "", "| column | type | |", "|---|---|---|", *rows, "", *counts]).rstrip()


def index_schema(facts: CardFacts) -> pa.Schema:
    """The columns of the shards' Parquet files."""
    return pa.schema([*INDEX, *(pa.field(META + name, pa.string()) for name in facts.meta_columns)])


def _provenance(facts: CardFacts) -> str:
    filters = ", ".join(f"`{name}` ({method})" for name, method in facts.filters.items()) or "none"
    return "\n".join(
        [
            "## How it was made",
            "",
            f"- radsift {facts.product}; shards {facts.content_version}",
            f"- filters: {filters}",
        ]
        + [f"- `select.{name}`: {_format_value(value)}" for name, value in facts.select.items()]
        + [f"- licence: {facts.license or 'the recipe names none; ask whoever made this before you share it'}"]
    )


def _deid(facts: CardFacts) -> str:
    fates = ", ".join(f"{name} {n:,}" for name, n in facts.outcomes.items())
    withheld = ", ".join(f"{reason} {n:,}" for reason, n in facts.withheld.items()) or "none"
    verdict = "found nothing" if facts.passed else "found what the rules had left; those records are not here"
    return "\n".join(
        ["## De-identification", ""]
        + [f"- `deid.{name}`: {_format_value(value)}" for name, value in facts.deid.items()]
        + [f"- records: {fates or 'none'}", f"- kept back, by reason: {withheld}"]
        + [f"- a verifier that shares no rule with what cleans {verdict}; it read {facts.verified:,} pictures again"]
    )


def _limits(facts: CardFacts) -> str:
    return """## What is not promised

De-identified by rules and checked by others; neither is a proof. Pseudonyms, shifted dates, rare findings and faces in
volumes of the head can still lead to a person who is looked for with other data at hand. Whether the reports are right,
and whether the patients are like yours, nobody checked here. Not for diagnosis."""


def _format_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_format_value(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(_format_value(part) for part in value) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
