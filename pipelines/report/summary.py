"""What a finished run has to say: tables on disk -> `curate.report.page.RunReport`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

import cv2
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from curate.deid.attest import attest, attestation_bytes, text_warnings
from curate.export.labels import UNKNOWN
from curate.export.select import cut_of
from curate.export.split import SPLITS
from curate.export.texts import payloads
from curate.export.webdataset import read_index, shard_table
from curate.record import FATE, RECORD, Reason, live
from curate.report.funnel import fault_lines
from curate.report.page import DuplicatePair, Histogram, Painting, RunReport, Sample, render_page, report_json
from curate.report.summaries import StepCost, summaries
from curate.sources.images.encode import encode_jpeg, resize
from curate.step import Manifest, read_parts
from curate.storage import commit_bytes, local_folder
from filters.methods.blip.capfilt import CAPFILT
from filters.task import train_curve
from filters.training.curve import final_curves
from pipelines.build import Pipeline
from pipelines.report.card import write_card
from pipelines.report.drawn import funnel, remember_summary, versions
from pipelines.report.measures import blind_spots, drifts, flattered, keep_rates, measures, reliabilities

SAMPLES = 12  # kept ones shown; dropped ones: this many over all reasons
PAIRS = 6
THUMB = 192  # px, longest side
FACTS = ("modality", "body_part", "view", "width", "height", "bits")
BREAKDOWN = ("modality", "body_part", "sex", "source")


def write_report(pipeline: Pipeline, manifests: Sequence[Manifest]) -> RunReport:
    """Draw RUN/report/index.html, report.json, attestation.json and the shards' card from what the run left on disk,
    and remember what they were drawn of (`pipelines.report.drawn`)."""
    report = collect(pipeline, manifests)
    folder = pipeline.run / "report"
    commit_bytes(folder / "attestation.json", attestation_bytes(report.attestation or {}))
    commit_bytes(folder / "index.html", render_page(report).encode("utf-8"))
    commit_bytes(folder / "report.json", report_json(report).encode("utf-8"))
    engine = yaml.safe_dump(asdict(pipeline.recipe.engine), sort_keys=False)
    pages = summaries(report, _costs(pipeline, manifests), engine, pipeline.recipe.warnings(), faults(pipeline))
    for name, page in pages.items():
        commit_bytes(folder / name, page.encode("utf-8"))
    write_card(pipeline, report.attestation or {})
    measured = [(m.name, m.value, m.low, m.high) for m in report.measures]
    remember_summary(pipeline, manifests, measured, report.shards, faults(pipeline))
    return report


def _costs(pipeline: Pipeline, manifests: Sequence[Manifest]) -> list[StepCost]:
    """What each step took, and what of it lies on disk."""
    folders = {step.name: step.folder(pipeline.run) for step in pipeline.steps()}
    sizes = {name: sum(p.stat().st_size for p in folder.glob("part-*.parquet")) for name, folder in folders.items()}
    return [
        StepCost(m.step, m.rows_in, len(m.parts), m.seconds, sizes.get(m.step, 0), m.memory, m.retries)
        for m in manifests
    ]


def collect(pipeline: Pipeline, manifests: Sequence[Manifest]) -> RunReport:
    """Everything the page shows."""
    recipe = pipeline.recipe
    selection = read_parts(pipeline.select.folder(pipeline.run))
    dedup = _duplicates(pipeline)
    names = ["key", "drop_step", "drop_reason", "painted_share", *dict.fromkeys((*FACTS, *BREAKDOWN, "age"))]
    records = read_parts(pipeline.ingest.folder(pipeline.run), names, empty=RECORD)
    gallery = _Gallery(pipeline, dedup, selection)
    rates, drifted = keep_rates(pipeline, records, selection), drifts(pipeline)
    attestation, shards = _attestation(pipeline), shard_table(pipeline.shards)
    warned = [
        *text_warnings(attestation),
        *flattered(pipeline, selection),
        *blind_spots(pipeline.cards),
        *(rates.warnings() if rates else []),
        *(d.message for d in drifted if d.level == "warn"),
    ]
    return RunReport(
        title=recipe.name,
        recipe_yaml=(pipeline.run / "recipe.yaml").read_text(encoding="utf-8"),
        versions=versions(),
        counts=funnel(manifests),
        histograms=_histograms(selection, pipeline),
        measures=measures(pipeline, selection),
        kept=gallery.samples(_lowest(selection.filter(pa.array(live(selection))), SAMPLES)),
        dropped=gallery.samples(_dropped(dedup, selection)),
        duplicates=gallery.pairs(),
        shards=shards,
        patients=pc.count_distinct(read_index(pipeline.shards, ["patient"])["patient"]).as_py() if shards else 0,
        breakdown=_breakdown(records, selection) | _texts(pipeline, selection),
        curves=_curves(pipeline),
        warnings=[
            *recipe.warnings(),
            *faults(pipeline),
            *(f"pairing: {line}" for line in pipeline.pairing.warnings),
            *warned,
        ],
        attestation=attestation,
        fairness=rates,
        reliability=reliabilities(pipeline),
        drift=drifted,
        painting=_painting(records, gallery),
        uncut=_uncut(pipeline, selection),
    )


def _uncut(pipeline: Pipeline, selection: pa.Table) -> dict[str, int]:
    """Records by split that a cut by score was not over; nothing where there is no such cut, or it is over all."""
    rules = pipeline.recipe.select_rules()
    if not rules.cuts or rules.filter_eval:
        return {}
    counted = Counter(selection["split"].to_pylist())
    return {split: counted[split] for split in SPLITS if split != "train" and counted[split]}


def faults(pipeline: Pipeline) -> list[str]:
    """A line for each place in the code where a record met an exception that nobody foresaw."""
    steps = ((pipeline.index, FATE), (pipeline.ingest, RECORD))
    tables = [read_parts(step.folder(pipeline.run), ["fault"], empty=schema) for step, schema in steps]
    return fault_lines(place for table in tables for place in table["fault"].drop_null().to_pylist())


def _attestation(pipeline: Pipeline) -> dict[str, Any]:
    """What the ingest step did to identities. Each record's own end is in that step's tables."""
    recipe = pipeline.recipe
    names = ["key", "drop_reason", "actions", "findings"]
    records = read_parts(pipeline.ingest.folder(pipeline.run), names, empty=RECORD)
    records = records.append_column("kind", pa.array(["record"] * records.num_rows, pa.string()))
    options = {"deid": asdict(recipe.deid), "dates": recipe.text.dates, "sections": recipe.text.sections}
    options["cut"] = recipe.text.cut
    return attest(records, options, recipe.secret_source().pseudonymizer().key("secret-id"), files=False)


def _duplicates(pipeline: Pipeline) -> pa.Table:
    """DEDUP of every record that came to `dedup`, those that `semantic` dropped among them."""
    table = read_parts(pipeline.dedup.folder(pipeline.run))
    if pipeline.semantic is None:
        return table
    later = read_parts(pipeline.semantic.folder(pipeline.run), table.column_names).replace_schema_metadata()
    return pa.concat_tables([table.filter(pa.array(~live(table))), later])


def _lowest(table: pa.Table, most: int) -> list[str]:
    """Keys of at most ``most`` rows, the lowest keys first: keys are HMACs, so that is a fair draw."""
    rows = pc.select_k_unstable(table.select(["key"]), k=most, sort_keys=[("key", "ascending")])
    return [str(key) for key in table["key"].take(rows).to_pylist()]


def _of_each_reason(table: pa.Table, most: int) -> dict[str, list[str]]:
    """Of each reason that something was dropped for, the lowest keys."""
    reasons = sorted(pc.unique(table["drop_reason"]).drop_null().to_pylist())
    return {reason: _lowest(table.filter(pc.equal(table["drop_reason"], reason)), most) for reason in reasons}


def _dropped(dedup: pa.Table, selection: pa.Table) -> list[str]:
    """Keys of dropped records that still have a payload to show, every reason in turn."""
    names = ["key", "drop_reason"]
    table = pa.concat_tables([t.select(names).replace_schema_metadata() for t in (dedup, selection)])
    by_reason = _of_each_reason(table, SAMPLES)
    share = max(SAMPLES // max(len(by_reason), 1), 2)
    return [key for keys in by_reason.values() for key in keys[:share]]


def _painting(records: pa.Table, gallery: _Gallery) -> Painting:
    """How much of the pictures was painted over, the worst of them to be looked at; keys break ties."""
    pictures = _frame(records, "key", "painted_share", "drop_reason")
    withheld = pictures.filter(pl.col("drop_reason") == Reason.TOO_MUCH_PAINTED.value).height
    pictures = pictures.filter(pl.col("drop_reason").is_null() & pl.col("painted_share").is_not_null())
    painted = pictures.filter(pl.col("painted_share") > 0).sort(["painted_share", "key"], descending=[True, False])
    shares = painted["painted_share"].cast(pl.Float64)
    most, mean = (float(cast("float", share or 0.0)) for share in (shares.max(), shares.mean()))
    worst = gallery.samples(painted["key"].head(SAMPLES).to_list())
    return Painting(pictures.height, painted.height, most, mean, withheld, worst)


def _frame(table: pa.Table, *columns: str) -> pl.DataFrame:
    return cast("pl.DataFrame", pl.from_arrow(table.select(columns)))


class _Gallery:
    """Samples by key: reads a payload row only where it is shown."""

    def __init__(self, pipeline: Pipeline, dedup: pa.Table, selection: pa.Table) -> None:
        self.pipeline, self.dedup, self.selection = pipeline, dedup, selection
        self.chosen: dict[str, dict[str, Any]] = {}
        self.fates: dict[str, dict[str, Any]] = {}

    def samples(self, keys: Sequence[str]) -> list[Sample]:
        """The records, in the order of ``keys``."""
        found = self._read(keys)
        return [self._sample(found[k]) for k in keys]

    def pairs(self) -> list[DuplicatePair]:
        """Some duplicates beside what they duplicate, every reason in turn."""
        here = pc.is_in(self.dedup["duplicate_of"], value_set=self.dedup["key"].combine_chunks())  # no earlier run's
        by_reason = _of_each_reason(self.dedup.filter(here), PAIRS)
        chosen = [key for keys in by_reason.values() for key in keys[: max(PAIRS // len(by_reason), 1)]]
        fates = _rows(self.dedup, chosen)
        found = self._read([*chosen, *(fates[key]["duplicate_of"] for key in chosen)])
        return [
            DuplicatePair(
                self._sample(found[fates[key]["duplicate_of"]]), self._sample(found[key]), fates[key]["drop_reason"]
            )
            for key in chosen
        ]

    def _read(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        self.chosen |= _rows(self.selection, keys)
        self.fates |= _rows(self.dedup, keys)
        placed = [(key, self.fates[key]["partition"]) for key in keys]
        text_from = {key: self.chosen.get(key, {}).get("text_from") for key in keys}
        columns = ("image", "text", "painted_share", *FACTS)
        return payloads(self.pipeline.ingest.folder(self.pipeline.run), self.pipeline.texts, placed, columns, text_from)

    def _sample(self, row: dict[str, Any]) -> Sample:
        chosen, fate = self.chosen.get(row["key"], {}), self.fates[row["key"]]
        facts = {n: str(row[n]) for n in FACTS[:3] if row[n]}
        if row["text_from"]:
            facts["text"] = row["text_from"]
        if row["painted_share"]:
            facts["painted"] = f"{100 * row['painted_share']:.2f} %"
        if row["width"]:
            facts["size"] = f"{row['width']} x {row['height']} x {row['bits']} bit"
        return Sample(
            key=row["key"],
            split=chosen.get("split") or "",
            step=fate["drop_step"] or chosen.get("drop_step") or "",
            reason=fate["drop_reason"] or chosen.get("drop_reason") or "",
            score=chosen.get("score"),
            text=row["text"],
            thumb=thumbnail(row["image"]) if row["image"] else b"",
            facts=facts,
        )


def _rows(table: pa.Table, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The rows of ``keys``, by key."""
    some = table.filter(pc.is_in(table["key"], value_set=pa.array(keys, pa.string())))
    return {row["key"]: row for row in some.to_pylist()}


def thumbnail(image: bytes, side: int = THUMB) -> bytes:
    """A JPEG of at most ``side`` px; 16-bit images are stretched to 8 bit for the eye only."""
    pixels = np.asarray(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED))
    if pixels.dtype != np.uint8:
        low, high = int(pixels.min()), int(pixels.max())
        pixels = ((pixels.astype(np.float32) - low) * (255.0 / max(high - low, 1))).astype(np.uint8)
    rgb = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return encode_jpeg(resize(np.ascontiguousarray(rgb), side), 80)


def _histograms(selection: pa.Table, pipeline: Pipeline) -> list[Histogram]:
    train = pc.equal(selection["split"], "train").to_numpy(zero_copy_only=False)
    scores = selection["score"].to_numpy(zero_copy_only=False)
    ok = train & ~np.isnan(scores)
    if not ok.any():
        return []
    edges = np.histogram_bin_edges(scores[ok], bins=40)
    alive = live(selection)
    kept, dropped = (np.histogram(scores[ok & mask], bins=edges)[0].tolist() for mask in (alive, ~alive))
    cut = cut_of(selection, pipeline.recipe.select_rules())
    by = pipeline.recipe.select_rules().by
    name = by if isinstance(by, str) else " + ".join(by)
    return [Histogram(name, edges.tolist(), kept, dropped, cut)]


def _breakdown(records: pa.Table, selection: pa.Table) -> dict[str, list[tuple[str, int, int]]]:
    stays = selection["key"].filter(pa.array(live(selection))).to_pylist()
    frame = _frame(records.filter(pa.array(live(records))), "key", *BREAKDOWN)
    frame = frame.with_columns(pl.col("key").is_in(stays).alias("stays"))
    out: dict[str, list[tuple[str, int, int]]] = {}
    for name in BREAKDOWN:
        values = frame.group_by(pl.col(name).fill_null("").replace("", UNKNOWN))
        counted = values.agg(pl.len(), pl.col("stays").sum()).sort("len", name, descending=[True, False])
        if counted.height > 1:
            out[name] = counted.head(20).rows()
    return out


def _texts(pipeline: Pipeline, selection: pa.Table) -> dict[str, list[tuple[str, int, int]]]:
    """Of the records that CapFilt looked at for the cut: whose text was believed, and why a text was withheld."""
    if pipeline.capfilt is None:
        return {}
    chosen = read_parts(pipeline.capfilt.folder(pipeline.run), ["key", "chosen", "withheld"], empty=CAPFILT)
    fates = selection.select(["key", "text_from", "drop_reason"]).filter(pc.is_valid(selection["text_from"]))
    rows = fates.join(chosen, "key", join_type="inner").to_pylist()
    out: dict[str, list[tuple[str, int, int]]] = {}
    for title, column in (("text believed (CapFilt)", "chosen"), ("synthetic text withheld", "withheld")):
        counted = Counter(r[column] for r in rows if r[column])
        stay = Counter(r[column] for r in rows if r["drop_reason"] is None)
        out |= {title: [(value, n, stay[value]) for value, n in sorted(counted.items())]} if counted else {}
    return out


def _curves(pipeline: Pipeline) -> dict[str, list[tuple[float, float]]]:
    found = {name: train_curve(local_folder(folder)) for name, folder in pipeline.filter_folders.items()}
    learned = {f"training loss: {name}": curve for name, curve in found.items() if curve}
    return learned | final_curves(pipeline.run)
