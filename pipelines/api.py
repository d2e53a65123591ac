"""A run in Python, as a notebook wants it: ``import curate; run = curate.open("runs/pacs")``.

    run.funnel                                          what each step took in, kept and dropped, and why
    run.records(reason="near_duplicate_image")          a table of records; .to_polars(), .to_arrow(), len()
    run.show(key)                                       one record: its picture, its text, what each step said of it
    run.score_table(), run.cards, run.shards("train")   scores, filters' cards, shard files
    curate.run("recipe.yaml", {"select.keep": 0.2})     run a recipe; gives the opened run

Reading needs neither the archive nor the secret: all that is read is de-identified. In a notebook the objects draw
themselves; a picture that is shown is the one that was written, never the archive's.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs
import pyarrow as pa
import yaml

from curate.errors import DamagedError, RecipeError
from curate.export.columns import columns_in
from curate.export.split import SPLITS
from curate.export.texts import payloads
from curate.intact import part_paths
from curate.places import is_remote, place
from curate.record import RECORD, Reason
from curate.report.funnel import FUNNEL, StepCount, plain_lines, share
from curate.step import FINISHED, Manifest, load_manifest, read_parts
from curate.storage import read_json, read_marker, read_table

_HEAVY = ("image", "thumb", "minhash")  # payload and signatures: only where they are asked for
_DROPPING = ("index", "ingest", "dedup", "semantic", "select")  # steps that drop records; a run need not have all
_SHOWN = 12  # records that a table draws with a picture


def open_run(folder: str | Path) -> Run:
    """The run in ``folder`` (the recipe's ``out``), to read. RecipeError where there is none, or it has not ended."""
    path = place(folder)
    path = path if is_remote(path) else path.expanduser()
    if not (path / "recipe.yaml").is_file():
        inner = [] if is_remote(path) else [f"{found.parent}" for found in sorted(path.glob("*/recipe.yaml"))]
        fix = "give the recipe's 'out' folder" + (f"; there is {', '.join(inner)}" if inner else "")
        raise RecipeError(str(path), "holds no run (no recipe.yaml)", fix)
    finished = read_marker(path / FINISHED)
    if finished is None:
        raise RecipeError(str(path), "the run has not ended yet", "end it first: curate run RECIPE")
    return Run(path, finished["steps"])


def run_recipe(
    recipe: str | Path | Mapping[str, Any], changes: Mapping[str, Any] | None = None, *, quiet: bool = False
) -> Run:
    """Every step of ``recipe`` (a file, or its fields) that is not done; then the opened run.

    ``changes`` are fields as ``--set`` takes them: ``{"select.keep": 0.2}``. ``quiet`` draws no progress bars. Raises
    RecipeError where the recipe is wrong (field, value and what is allowed), RunError where the run failed.
    """
    from curate.engine import start_engine
    from pipelines.commands.screen import progress_bars, step_progress
    from pipelines.recipe.load import load_recipe, validated
    from pipelines.recipe.recipe import Recipe
    from pipelines.report.drawn import summary_of
    from pipelines.run.check import check
    from pipelines.run.execute import run_pipeline
    from pipelines.run.progress import followed

    if not isinstance(changes or {}, Mapping):
        raise TypeError(f"changes: {changes!r}; fields and their values, as {{'select.keep': 0.2}}")
    sets = [
        f"{name}={yaml.safe_dump(value, default_flow_style=True).strip()}" for name, value in (changes or {}).items()
    ]
    given = dict(recipe) if isinstance(recipe, Mapping) else Path(recipe).expanduser()
    loaded = validated(given, sets, Recipe) if isinstance(given, dict) else load_recipe(given, sets)
    check(loaded)
    engine = start_engine(loaded.engine)
    try:
        with progress_bars(not quiet) as bars, followed(loaded.out, "run", step_progress(bars)) as progress:
            pipeline, manifests = run_pipeline(loaded, engine, progress)
    finally:
        engine.close()
    summary_of(pipeline, manifests)
    return open_run(loaded.out)


class Run:
    """A finished run's folder, read only. ``folders``: each step's folder below RUN/steps, in the order of the run."""

    def __init__(self, path: Path, folders: Sequence[str]) -> None:
        self.path = path
        self._folders = [path / "steps" / name for name in folders]

    @cached_property
    def steps(self) -> dict[str, Manifest]:
        """The manifest of every step (rows in, kept, dropped by reason, seconds), by the step's name."""
        found = [load_manifest(folder) for folder in self._folders]
        return {m.step: m for m in found if m is not None}

    @property
    def recipe(self) -> dict[str, Any]:
        """The resolved recipe, as plain values."""
        return dict(yaml.safe_load((self.path / "recipe.yaml").read_text(encoding="utf-8")))

    @property
    def funnel(self) -> Funnel:
        """What each step that records pass through took in, kept and dropped, and why."""
        shown = [m for name, m in self.steps.items() if name in FUNNEL]
        return Funnel([StepCount(m.step, m.rows_in, m.kept, dict(m.dropped), m.seconds, False) for m in shown])

    @property
    def page(self) -> Path:
        """The run's page, for a browser."""
        return self.path / "report" / "index.html"

    @property
    def filters(self) -> dict[str, Path]:
        """The folder of every filter that this run trained, or was given, by the filter's name."""
        trained = {f.name.removeprefix("train-").rpartition("-")[0]: f for f in self._folders if f.name[:6] == "train-"}
        given = {name: f["folder"] for name, f in self.recipe["filters"].items() if f.get("folder")}
        return {name: folder / "model" for name, folder in trained.items()} | {n: place(f) for n, f in given.items()}

    @property
    def cards(self) -> dict[str, dict[str, Any]]:
        """The card (metrics, what it learned from) of every filter, by the filter's name."""
        paths = {name: folder / "card.json" for name, folder in self.filters.items()}
        return {name: dict(read_json(path)) for name, path in paths.items() if path.exists()}

    def shards(self, split: str | None = None) -> list[Path]:
        """The WebDataset shards (tar files), of one split where named; ValueError for a split that is none."""
        _require("split", split, SPLITS)
        return sorted((self.path / "shards").glob(f"{split or '*'}/*.tar"))

    def score_table(self) -> pl.DataFrame:
        """key and every filter's columns, one row a scored record; empty where the recipe has no filter."""
        scores = self.rows("score")
        return pl.DataFrame({"key": []}, {"key": pl.String}) if scores is None else self.collected(scores)

    def records(
        self,
        *,
        reason: str | Reason | Sequence[str] | None = None,
        step: str | Sequence[str] | None = None,
        split: str | Sequence[str] | None = None,
        kept: bool | None = None,
        columns: str | Sequence[str] | None = None,
    ) -> Records:
        """Records, one row each: key, drop_step, drop_reason, split, score, and what is known of them (``drop_stage``:
        the stage within ingest).

        ``reason`` and ``step`` (as in the funnel, one or several): dropped for it, or there; ``split``: one or several;
        ``kept``: True for those in the shards, False for the others;
        ``columns``: only these beside the key. ValueError, with what there is, for a reason, step, split or column that
        is none. Files of the archive that became no record (``step="index"``) have a key, a source and a reason alone.
        """
        funnel, table = self.funnel, self._table
        if kept not in (None, True, False):
            raise ValueError(f"kept: {kept!r}; True, False or None")
        _require("step", step, list(dict.fromkeys([*_DROPPING, *(count.step for count in funnel)])))
        _require("split", split, SPLITS)
        if reason is not None:
            here = dict.fromkeys(r for count in funnel for r, _ in count.reasons)
            _require("reason", reason, list(Reason), f"those of this run: {', '.join(here)}")
            table = table.filter(pl.col("drop_reason").is_in([str(r) for r in _listed(reason)]))
        if step is not None:
            table = table.filter(pl.col("drop_step").is_in(_listed(step)))
        if split is not None:
            table = table.filter(pl.col("split").is_in(_listed(split)))
        if kept is not None:
            table = table.filter(pl.col("drop_reason").is_null() == kept)
        if columns is not None:
            payload = "; image and text come with .to_polars(payload=True)"
            _require("column", columns, table.columns, f"one of {', '.join(table.columns)}{payload}")
            table = table.select(list(dict.fromkeys(["key", *_listed(columns)])))
        return Records(self, table)

    def show(self, key: str) -> Record:
        """One record: picture, text, and what each step knows of it. KeyError where no step knows the key."""
        found = self._rows_of(key) if isinstance(key, str) else []
        if not found:
            raise KeyError(f"no step of this run knows {str(key)[:40]!r}; keys are 32 hex digits, as in run.records()")
        payload = next((row for name, row in found if name == "ingest"), {})
        facts = [(n, {k: v for k, v in r.items() if v is not None and k not in _HEAVY}) for n, r in found]
        return Record(key, payload.get("image"), payload.get("text"), facts)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})\n{self.funnel}"

    def _repr_html_(self) -> str:
        return f"<b>{html.escape(str(self.path))}</b>{self.funnel._repr_html_()}"

    @cached_property
    def _table(self) -> pl.DataFrame:
        """Every key that any step knows, payloads apart."""
        names = [n for n in RECORD.names if n not in (*_HEAVY, "text", "sections")]
        ordered = self.joined(names).sort("order", nulls_last=True, maintain_order=True)
        return self.collected(ordered.drop("order", "partition", strict=False))

    def joined(self, columns: Sequence[str]) -> pl.LazyFrame:
        """A row each key that any step knows: ``columns`` of RECORD, among them key, drop_step and drop_reason, and all
        of dedup (``partition``: where its payload lies), semantic, score (without embeddings) and select; ``order``
        within ingest, null where it never came there: joins keep none."""
        ingested = self.rows("ingest", columns)
        nothing: Any = pl.from_arrow(RECORD.empty_table().select(columns))
        table: pl.LazyFrame = nothing.lazy() if ingested is None else ingested
        dropped = pl.when(pl.col("drop_reason").is_not_null()).then(pl.lit("ingest"))
        table = table.with_columns(pl.col("drop_step").alias("drop_stage"), dropped.alias("drop_step"))
        table = table.with_row_index("order")
        for name in ("dedup", "semantic", "select"):
            if (later := self.rows(name)) is None:
                continue
            table = table.join(later, on="key", how="left", suffix="_later")
            names = table.collect_schema().names()
            both = [n for n in ("drop_step", "drop_reason", "duplicate_of") if f"{n}_later" in names]
            table = table.with_columns(pl.coalesce(n, f"{n}_later").alias(n) for n in both)
            table = table.drop([n for n in names if n.endswith("_later")])
        if (scores := self.rows("score")) is not None:
            table = table.join(scores.select(~cs.nested()), on="key", how="left", suffix="_scored")
        if (index := self.rows("index")) is not None:
            early = index.filter(pl.col("drop_reason").is_not_null())
            table = pl.concat([table, early], how="diagonal_relaxed")
        names = table.collect_schema().names()
        first = [n for n in ("key", "drop_step", "drop_reason", "split", "score") if n in names]
        return table.select([*first, *(n for n in names if n not in first)])

    def _rows_of(self, key: str) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for folder in self._folders:
            if "key" not in columns_in(folder):
                continue
            for path in part_paths(folder):
                rows = read_table(path, filters=[("key", "=", key)]).to_pylist()
                found += [(folder.name.rpartition("-")[0], row) for row in rows]
        return found

    def _payload(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """image and text by key, of records that have them."""
        folder = self.folder("dedup")
        if folder is None or not part_paths(folder) or not keys:
            return {}
        wanted = [("key", "in", list(keys))]
        tables = [read_table(path, ["key", "partition"], wanted) for path in part_paths(folder)]
        return self.payloads((r["key"], r["partition"]) for table in tables for r in table.to_pylist())

    def payloads(
        self,
        placed: Iterable[tuple[str, int]],
        columns: Sequence[str] = ("image", "text"),
        text_from: Mapping[str, str | None] | None = None,
    ) -> dict[str, dict[str, Any]]:
        """``columns`` of RECORD by key, of records by (key, partition), with the texts of CapFilt where ``text_from``
        says so (`curate.export.texts.payloads`)."""
        ingest, texts = self.folder("ingest") or Path(), self.folder("capfilt")
        return payloads(ingest, str(texts) if texts else None, placed, columns, text_from or {})

    def folder(self, step: str) -> Path | None:
        """Where a step's tables lie; None where the run has no such step."""
        return next((f for f in self._folders if f.name.rpartition("-")[0] == step), None)

    def rows(self, step: str, columns: Sequence[str] | None = None) -> pl.LazyFrame | None:
        """All rows of a step, to be `collected`; None where the run has no such step, or it has no parts. Polars takes
        a quarter of the time of `read_parts`, for it compares no page with its CRC."""
        folder = self.folder(step)
        if folder is None or not (parts := part_paths(folder)):
            return None
        if is_remote(folder):
            found: Any = pl.from_arrow(read_parts(folder, columns))
            return pl.LazyFrame(found)
        return pl.scan_parquet(parts) if columns is None else pl.scan_parquet(parts).select(columns)

    def collected(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """DamagedError where a part cannot be read."""
        try:
            return rows.collect()
        except pl.exceptions.ComputeError:
            raise DamagedError(self.path / "steps") from None


class Records:
    """Some records of a run: a table, drawn in a notebook with the pictures of the first few."""

    def __init__(self, run: Run, table: pl.DataFrame) -> None:
        self._run, self._table = run, table

    def to_polars(self, payload: bool = False) -> pl.DataFrame:
        """The table; with ``payload`` also ``image`` (encoded bytes, as written) and ``text``, or null."""
        if not payload:
            return self._table
        keys = self._table["key"].to_list()
        found = self._run._payload(keys)
        rows = [found.get(key, {}) for key in keys]
        return self._table.with_columns(
            pl.Series("image", [r.get("image") for r in rows], pl.Binary),
            pl.Series("text", [r.get("text") for r in rows], pl.String),
        )

    def to_arrow(self) -> pa.Table:
        """The table, as Arrow."""
        return self._table.to_arrow()

    @property
    def keys(self) -> list[str]:
        """The records' keys."""
        return list(self._table["key"])

    def __len__(self) -> int:
        return self._table.height

    def __repr__(self) -> str:
        return f"{len(self):,} records\n{self._table}"

    def _repr_html_(self) -> str:
        first = self._table.head(_SHOWN)
        found = self._run._payload(first["key"].to_list())
        rows = "".join(
            f"<tr><td>{_picture(found.get(r['key'], {}).get('image'), 96)}</td>"
            f"<td><code>{r['key']}</code><br>{_outcome(r)}</td>"
            f"<td>{html.escape((found.get(r['key'], {}).get('text') or '')[:300])}</td></tr>"
            for r in first.to_dicts()
        )
        return f"<p>{len(self):,} records</p><table>{rows}</table>"


@dataclass(frozen=True)
class Record:
    """One record as it was written: ``image`` is its encoded picture, ``steps`` what each step knows of it."""

    key: str
    image: bytes | None
    text: str | None
    steps: Sequence[tuple[str, Mapping[str, Any]]]

    @property
    def reason(self) -> str | None:
        """Why it was dropped; None where it was kept."""
        return next((row["drop_reason"] for _, row in self.steps if row.get("drop_reason")), None)

    def __repr__(self) -> str:
        lines = [f"{self.key}: {self.reason or 'kept'}", self.text or "(no text)"]
        lines += [
            f"  {name}: " + ", ".join(f"{k}={v}" for k, v in row.items() if k not in ("key", "text"))
            for name, row in self.steps
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><b>{html.escape(name)}</b></td><td>"
            + html.escape(", ".join(f"{k}={v}" for k, v in row.items() if k not in ("key", "text", "sections")))
            + "</td></tr>"
            for name, row in self.steps
        )
        texts = f"<p><code>{self.key}</code> {self.reason or 'kept'}</p><p>{html.escape(self.text or '')}</p>"
        return f"{_picture(self.image, 256)}{texts}<table>{rows}</table>"


class Funnel(list[StepCount]):
    """The steps' counts, in order."""

    def to_polars(self) -> pl.DataFrame:
        """step, reason, records: one row a step and reason, ``reason`` null for those that it kept."""
        rows = [(c.step, reason, n) for c in self for reason, n in [(None, c.kept), *c.reasons]]
        return pl.DataFrame(rows, {"step": pl.String, "reason": pl.String, "records": pl.Int64}, orient="row")

    def __repr__(self) -> str:
        return "\n".join(plain_lines(self))

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{c.step}</td><td>{c.rows_in:,}</td><td>{c.kept:,}</td><td>{c.lost:,}</td>"
            f"<td>{share(c.kept, c.rows_in)}</td><td>{', '.join(f'{r} {n:,}' for r, n in c.reasons)}</td></tr>"
            for c in self
        )
        head = "".join(f"<th>{name}</th>" for name in ("step", "in", "kept", "dropped", "kept %", "reasons"))
        return f"<table><tr>{head}</tr>{rows}</table>"


def _listed(given: Any) -> list[Any]:
    """One, or several, or None, as a list."""
    several = isinstance(given, Iterable) and not isinstance(given, str)
    return list(given) if several else [] if given is None else [given]


def _require(kind: str, given: Any, there: Sequence[str], there_is: str = "") -> None:
    """ValueError for the first of what is ``given`` that is not ``there``, with what is."""
    if odd := [name for name in _listed(given) if name not in there]:
        raise ValueError(f"no such {kind}: {odd[0]!r}; {there_is or 'one of ' + ', '.join(there)}")


def _picture(image: bytes | None, side: int) -> str:
    """An <img> of at most ``side`` px; empty where there is none."""
    if not image:
        return ""
    from pipelines.report.summary import thumbnail

    return f'<img src="data:image/jpeg;base64,{base64.b64encode(thumbnail(image, side)).decode()}">'


def _outcome(row: Mapping[str, Any]) -> str:
    return (
        f"dropped at {row['drop_step']}: {row['drop_reason']}"
        if row["drop_reason"]
        else f"kept, {row.get('split') or ''}"
    )
