"""``README.md`` beside the shards: a data card for people, with the front matter that Hugging Face's `datasets` reads.

With it ``datasets.load_dataset(FOLDER)`` gives pictures, texts and facts of every split. What it tells is counts,
options and codes: no path, no time, no host, nothing of a person; so the same shards of the same recipe have the same
card, byte for byte.
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

HUGGING_FACE = {"train": "train", "val": "validation", "test": "test"}  # what `datasets` calls our splits
_LARGEST = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"), (1e7, "1M<n<10M"))

# What a column or a member's field means, where its name does not say it.
DESCRIBED: Mapping[str, str] = {
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
    """One split: what it holds, and what was ``offered`` to the cut and ``dropped`` by it, by reason."""

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
    """``title``: the recipe's name; ``images``: suffixes of pictures (png, jpg); ``kept``: the reports' columns that
    the recipe carries along; ``sections``: those a text may be of; ``deid``, ``select``: what the recipe says;
    ``fates``, ``withheld``: how many records the de-identification let through and kept back, by reason; ``passed``:
    whether its verifier found nothing, ``looked``: in how many pictures it looked for text again; ``content_version``:
    of the shards' bytes; ``counts``: records by value, of columns such as modality."""

    title: str
    license: str | None
    product: str
    content_version: str
    languages: Sequence[str]
    images: Sequence[str]
    kept: Sequence[str]
    sections: Sequence[str]
    splits: Sequence[SplitFacts]
    select: Mapping[str, Any]
    filters: Mapping[str, str]
    deid: Mapping[str, Any]
    fates: Mapping[str, int] = field(default_factory=dict)
    withheld: Mapping[str, int] = field(default_factory=dict)
    passed: bool = True
    looked: int = 0
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Of all splits."""
        return sum(split.records for split in self.splits)

    @property
    def identifier(self) -> str:
        """The title as catalogues take names: letters, digits, "-" and "_"."""
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
    """What Hugging Face reads: licence, languages, where each split's files lie, features and counts."""
    made: dict[str, Any] = {"license": "unknown"}
    if facts.license and re.fullmatch(r"[a-z0-9][a-z0-9.-]*", facts.license):
        made["license"] = facts.license
    elif facts.license:
        made |= {"license": "other", "license_name": facts.license}
    made |= {"language": list(facts.languages), "pretty_name": facts.title}
    made |= {"task_categories": ["image-to-text", "zero-shot-image-classification"]}
    made |= {"tags": ["medical", "radiology", "webdataset"]}
    made["size_categories"] = [next((word for most, word in _LARGEST if facts.records < most), "n>10M")]
    files = [{"split": HUGGING_FACE[split.name], "path": f"{split.name}/*.tar"} for split in facts.splits]
    made["configs"] = [{"config_name": "default", "data_files": files}]
    counts = [
        {"name": HUGGING_FACE[split.name], "num_bytes": split.bytes, "num_examples": split.records}
        for split in facts.splits
    ]
    made["dataset_info"] = {"config_name": "default", "features": features(facts), "splits": counts}
    return made


def features(facts: CardFacts) -> list[dict[str, Any]]:
    """The features of a shard's samples, as `datasets` writes them in YAML. They are all said: what is inferred from
    the first samples fails where a later one has a field that those had not."""
    told = [RECORD.field(name) for name in JSON_FIELDS]
    told += [pa.field("key", pa.string()), pa.field("caption", pa.string()), SELECTION.field("weight")]
    told += [SELECTION.field("score"), *(CARRIED.field(n) for n in CARRIED.names if n != "provenance")]
    json: list[dict[str, Any]] = [_feature(f.name, f.type) for f in told]
    for name, parts in (("sections", facts.sections), ("meta", facts.kept)):
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
    parts = [f"# {facts.title}", facts.summary, _splits(facts), _read(facts), _columns(facts), _made(facts)]
    return "\n\n".join([*parts, _deid(facts), _limits(facts)]) + "\n"


def _splits(facts: CardFacts) -> str:
    head = "| split | records | with a picture | patients | studies | shards | MB | before the cut | the cut dropped |"
    rows = [
        f"| {s.name} | {s.records:,} | {s.pictures:,} | {s.patients:,} | {s.studies:,} | {s.shards:,} "
        f"| {s.bytes / 1e6:,.1f} | {s.offered:,} | {_dropped(s)} |"
        for s in facts.splits
    ]
    cut, whole = ([s.name for s in facts.splits if s.cut is is_cut] for is_cut in (True, False))
    said = "Nothing was cut: every record that was not a duplicate is here."
    if cut:
        said = f"By score: **{', '.join(cut)}** {'was' if len(cut) == 1 else 'were'} cut"
        said += f"; **{', '.join(whole)}** not, so that a model is measured on what came." if whole else "."
    return "\n".join(["## Splits", "", head, "|---" * 9 + "|", *rows, "", f"{said} No patient is in two splits."])


def _dropped(split: SplitFacts) -> str:
    told = [f"{reason} {n:,}" for reason, n in sorted(split.dropped.items())]
    return ", ".join(told) or ("0" if split.cut else "not cut")


def _read(facts: CardFacts) -> str:
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
    rows = [f"| `{f.name}` | {f.type} | {DESCRIBED.get(f.name, '')} |" for f in schema]
    counts = [
        f"- {name}: {', '.join(f'{value} {n:,}' for value, n in sorted(by.items(), key=lambda i: (-i[1], i[0])))}"
        for name, by in facts.counts.items()
        if by
    ]
    return "\n".join(["## The index", "", "| column | type | |", "|---|---|---|", *rows, "", *counts]).rstrip()


def index_schema(facts: CardFacts) -> pa.Schema:
    """The columns of the shards' Parquet files."""
    return pa.schema([*INDEX, *(pa.field(META + name, pa.string()) for name in facts.kept)])


def _made(facts: CardFacts) -> str:
    filters = ", ".join(f"`{name}` ({method})" for name, method in facts.filters.items()) or "none"
    return "\n".join(
        [
            "## How it was made",
            "",
            f"- radsift {facts.product}; shards {facts.content_version}",
            f"- filters: {filters}",
        ]
        + [f"- `select.{name}`: {_said(value)}" for name, value in facts.select.items()]
        + [f"- licence: {facts.license or 'the recipe names none; ask whoever made this before you share it'}"]
    )


def _deid(facts: CardFacts) -> str:
    fates = ", ".join(f"{name} {n:,}" for name, n in facts.fates.items())
    withheld = ", ".join(f"{reason} {n:,}" for reason, n in facts.withheld.items()) or "none"
    verdict = "found nothing" if facts.passed else "found what the rules had left; those records are not here"
    return "\n".join(
        ["## De-identification", ""]
        + [f"- `deid.{name}`: {_said(value)}" for name, value in facts.deid.items()]
        + [f"- records: {fates or 'none'}", f"- kept back, by reason: {withheld}"]
        + [f"- a verifier that shares no rule with what cleans {verdict}; it read {facts.looked:,} pictures again"]
    )


def _limits(facts: CardFacts) -> str:
    return """## What is not promised

De-identified by rules and checked by others; neither is a proof. Pseudonyms, shifted dates, rare findings and faces in
volumes of the head can still lead to a person who is looked for with other data at hand. Whether the reports are right,
and whether the patients are like yours, nobody checked here. Not for diagnosis."""


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(_said(part) for part in value) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
