"""The shards' card and Croissant description (`curate.export.card`), from what a finished run left on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate import __version__
from curate.export.card import DESCRIPTIONS, CardFacts, SplitFacts, card_bytes, index_schema
from curate.export.croissant import croissant_bytes
from curate.export.split import SPLITS
from curate.export.webdataset import CROISSANT, README, read_index, shard_table
from curate.record import live
from curate.step import read_parts
from curate.storage import commit_bytes, digest, read_json
from pipelines.build import Pipeline

_COLUMNS = ("split", "patient", "study", "width", "modality", "body_part", "sex")
_COUNTED = ("modality", "body_part", "sex")
_MOST = 20  # values of a column that are counted; the rest together


def write_card(pipeline: Pipeline, attestation: Mapping[str, Any]) -> None:
    """README.md and croissant.json in the shards' folder; what is there already and the same is left alone."""
    facts = card_facts(pipeline, attestation)
    for name, data in (
        (README, card_bytes(facts)),
        (CROISSANT, croissant_bytes(facts, index_schema(facts), DESCRIPTIONS)),
    ):
        path = pipeline.shards / name
        if not path.is_file() or path.read_bytes() != data:
            commit_bytes(path, data)


def card_facts(pipeline: Pipeline, attestation: Mapping[str, Any]) -> CardFacts:
    """What there is to say of the run's shards. ``attestation``: as `curate.deid.attest.attest` makes it."""
    recipe, shards = pipeline.recipe, shard_table(pipeline.shards)
    index = read_index(pipeline.shards, _COLUMNS) if shards else None
    verification = attestation.get("verification", {})
    withheld = {r: n for r, n in attestation.get("reasons", {}).items() if r.startswith(("quarantine_", "refused_"))}
    suffix = {"png": "png", "jpeg": "jpg"}[recipe.image.format]
    return CardFacts(
        title=recipe.name,
        license=recipe.export.license,
        product=__version__,
        content_version=_content(pipeline.shards, shards),
        languages=recipe.deid.languages,
        images=(suffix,) if recipe.images else (),
        meta_columns=pipeline.kept,
        sections=recipe.text.sections,
        splits=_splits(pipeline, shards, index) if index is not None else (),
        select=recipe.model_dump(mode="json", include={"select"}, exclude_defaults=True).get("select", {}),
        filters={name: f.method for name, f in recipe.filters.items()},
        deid=recipe.model_dump(mode="json", include={"deid"})["deid"] | {"dates": recipe.text.dates},
        outcomes=attestation.get("fates", {}),
        withheld=withheld,
        passed=bool(verification.get("passed")),
        verified=int(verification.get("second_look", {}).get("pictures", 0)),
        counts={name: _counts(index[name]) for name in _COUNTED} if index is not None else {},
    )


def _content(folder: Path, shards: Sequence[Mapping[str, Any]]) -> str:
    """12 hex digits over all shards' bytes."""
    stats = (read_json(folder / s["split"] / f"{s['name']}_stats.json") for s in shards)
    return digest(*(str(each["sha256"]) for each in stats))[:12]


def _splits(pipeline: Pipeline, shards: Sequence[Mapping[str, Any]], index: pa.Table) -> list[SplitFacts]:
    selection = read_parts(pipeline.select.folder(pipeline.run), ["split", "drop_reason"])
    rules = pipeline.recipe.select_rules()
    found = []
    for split in SPLITS:
        mine = [s for s in shards if s["split"] == split]
        if not mine:
            continue
        rows, offered = (t.filter(pc.equal(t["split"], split)) for t in (index, selection))
        dropped = Counter(offered.filter(pa.array(~live(offered)))["drop_reason"].to_pylist())
        found.append(
            SplitFacts(
                name=split,
                records=rows.num_rows,
                pictures=rows.num_rows - rows["width"].null_count,
                patients=pc.count_distinct(rows["patient"]).as_py(),
                studies=pc.count_distinct(rows["study"]).as_py(),
                shards=len(mine),
                bytes=sum(s["bytes"] for s in mine),
                offered=offered.num_rows,
                dropped=dict(sorted(dropped.items())),
                cut=rules.cuts and (split == "train" or rules.filter_eval),
            )
        )
    return found


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    """Values and how many records have them, the most frequent first."""
    counted = Counter(value or "not said" for value in column.to_pylist()).most_common()
    ordered = sorted(counted, key=lambda item: (-item[1], item[0]))
    rest = sum(n for _, n in ordered[_MOST:])
    return dict(ordered[:_MOST]) | ({"others": rest} if rest else {})
