"""Recipe -> Steps. Read this first: it is the whole story of a run, in order.

    scan -> index -> ingest -> (evaluation ->) dedup -> train-filter (each) -> score -> (capfilt)
         -> (semantic) -> select -> plan -> export

Each step is named by the hash of its configuration and its inputs, so all names are known before any work, and
`curate plan` tells what is done without doing any. `pipelines.run` carries them out.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from curate.dedup.against import release_of
from curate.export.rules import SelectRules
from curate.export.webdataset import VERSION, count_shards
from curate.ingest.sealed import read_pairing
from curate.intact import marker_path
from curate.places import is_remote
from curate.sources.pairing.outcome import Pairing
from curate.sources.scan import Walked
from curate.step import FINISHED, Manifest, Step, load_manifest
from curate.storage import (
    digest,
    local_folder,
    read_json,
    read_marker,
)
from curate.task import Deferred, defer
from filters.method import WEIGHTS, checkpoint_hash, filter_hash
from pipelines.recipe.recipe import Recipe

ORDER = (
    *("index", "ingest", "evaluation", "dedup", "train-filter", "score", "capfilt"),
    *("semantic", "select", "plan", "export"),
)


@dataclass(frozen=True)
class Listing:
    """The archive as walked: its image sources, and a digest over them and the report files."""

    sources: tuple[Walked, ...]
    digest: str
    away: str = ""  # why it was not walked, where what the recipe needs of it was ingested before


class Pipeline:
    """The steps of one recipe over one listing of its archive."""

    def __init__(self, recipe: Recipe, listing: Listing, shards: Path | None = None) -> None:
        self.recipe, self.listing, self.run = recipe, listing, recipe.out
        self.shards = shards or recipe.out / "shards"  # where they go
        self.secret = recipe.secret_source()

    # -- the steps, in order; a later one names earlier ones by hash ------------------------------------------------

    @cached_property
    def index(self) -> Step:
        """Pair every image with its report; the identities are sealed, the fates written."""
        r = self.recipe
        config: dict[str, Any] = {"rules": asdict(r.index_rules()), "reports": [asdict(s) for s in r.reports]}
        config |= {"rows": r.records_per_partition, "k": r.deid.k_patients}
        config |= {"secret": digest(self.secret.pseudonymizer().digest("secret-id"))}
        chunks = [(w.name, w.chunks) for w in self.listing.sources]
        rules = r.reports, r.index_rules(), r.records_per_partition, self.secret, r.deid.k_patients

        def task(sealed: str) -> Deferred:
            return defer("curate.ingest.index_job:IndexJob", chunks, str(scan_folder(self.run)), sealed, *rules)

        step = Step("index", task(""), 1, config, [self.listing.digest], version=18)
        return replace(step, task=task(str(self.run / "private" / f"index-{step.hash}")))

    @property
    def sealed_index(self) -> Path:
        """Where the index lies that names patients."""
        return self.run / "private" / f"index-{self.index.hash}"

    @cached_property
    def ingest(self) -> Step:
        """Decode, de-identify, verify, sign: the payload is written here, once."""
        r = self.recipe
        picture, report = r.picture_rules(), r.report_rules()
        config = {"picture": asdict(picture), "report": asdict(report)}
        sealed, steps = str(self.sealed_index), str(self.run / "steps")
        parts = defer("curate.ingest.chain:ingest_parts", picture, report, self.secret, sealed)

        def task(rules: str) -> Deferred:
            reuse = defer("curate.ingest.reuse:Reuse", steps, rules, report.text, self.secret, sealed)
            return defer("curate.ingest.chain:IngestTask", sealed, parts, self.secret, reuse=reuse)

        step = Step("ingest", task(""), self.partitions, config, [self.index.hash], version=33)
        return replace(step, task=task(step.rules))

    @cached_property
    def evaluation(self) -> Step | None:
        """Signatures of the evaluation sets, that nothing may learn from; None where the recipe names none."""
        sets = self.recipe.evaluation
        if not sets:
            return None
        task = defer("filters.evaluate.marks:MarksTask", tuple((str(s.path), s.split) for s in sets))
        return Step("evaluation", task, len(sets), {"splits": [s.split for s in sets]}, [stamp(s.path) for s in sets])

    @cached_property
    def dedup(self) -> Step:
        """Exact and near duplicates, and what is in an evaluation set, from signatures alone."""
        evaluation = self.evaluation
        ingest, rules = str(self.ingest.folder(self.run)), self.recipe.dedup
        folder = str(evaluation.folder(self.run)) if evaluation else None
        rows = self.recipe.records_per_partition
        before = [release_of(path, f"dedup.against.{i}") for i, path in enumerate(rules.against)]
        against = tuple(release for release, _ in before)
        task = defer("curate.dedup.job:DedupJob", ingest, self.partitions, rows, rules, folder, against)
        inputs = [self.ingest.hash, *([evaluation.hash] if evaluation else []), *(content for _, content in before)]
        return Step("dedup", task, 1, rules.model_dump(exclude={"against"}), inputs, version=5)

    @cached_property
    def train_filters(self) -> dict[str, Step]:
        """Train each filter that the recipe does not bring, on the clean set; by the filter's name."""
        return {name: self._train(name) for name, f in self.recipe.filters.items() if f.folder is None}

    def _train(self, name: str) -> Step:
        f, clean = self.recipe.filters[name], self.recipe.clean
        rules = f.rules()
        given = clean.model_dump(exclude={"marks"}) | ({} if self._marks is None else {"marks": digest(*self._marks)})
        config: dict[str, Any] = {"method": f.method, "rules": asdict(rules), "clean": given}
        config |= {"split": asdict(self.recipe.split), "weights": _weights(rules)}
        if clean.folder is not None:
            config["clean"]["folder"] = {"sha256": filter_hash(clean.folder)}
        inputs = [self.ingest.hash, self.dedup.hash]
        given_rules = self.pool, self.recipe.split, clean, f.method, rules

        def task(out: str) -> Deferred:
            return defer("filters.task:TrainTask", *given_rules, out, name=name, marked=self._marked)

        step = Step(f"train-{name}", task(""), 1, config, inputs, version=9, on_gpu=True)
        return replace(step, task=task(str(step.folder(self.run) / "model")))

    @cached_property
    def _marked(self) -> tuple[str, ...] | None:
        """Keys of records that more reviewers find good than bad, where the recipe asks for them; read once, so that
        all filters learn the same."""
        if self.recipe.clean.marks is None:
            return None
        from pipelines.browse.marks import Marks  # polars: only where marks are asked for

        return tuple(Marks(self.recipe.clean.marks).good())

    @cached_property
    def _marks(self) -> list[str] | None:
        """What names `_marked`: the same after a patient of theirs withdrew, as what was learned stays."""
        if self._marked is None or self.recipe.clean.marks is None:
            return None
        from pipelines.browse.marks import Marks

        return sorted({*map(digest, self._marked), *Marks(self.recipe.clean.marks).withdrawn()})

    @cached_property
    def score(self) -> Step | None:
        """Every filter's scores of every pair, in one table, from one pass over the images."""
        folders = self.filter_folders
        if not folders:
            return None
        trained = [
            self.train_filters[name].hash if name in self.train_filters else filter_hash(folder)
            for name, folder in folders.items()
        ]
        device, batch = "auto" if self.recipe.engine.gpus else "cpu", self.recipe.score_batch
        where = {name: str(folder) for name, folder in folders.items()}
        task = defer("filters.task:ScoreTask", self.pool, where, batch, device, self.scoring, self._decoders())
        config: dict[str, Any] = {"batch": batch, "filters": list(folders)}
        if self.scoring:
            config["scoring"] = self.scoring
        return Step("score", task, self.partitions, config, [self.dedup.hash, *trained], version=4)

    @cached_property
    def capfilt(self) -> Step | None:
        """Other texts, by a captioner, and what is believed of them and of the records' own; None unless asked for."""
        capfilt = self.recipe.capfilt
        if capfilt is None:
            return None
        folder = capfilt.folder or self.filter_folders[capfilt.filter]
        own = self.train_filters.get(capfilt.filter)
        device, batch = "auto" if self.recipe.engine.gpus else "cpu", self.recipe.score_batch
        filters = {name: str(path) for name, path in self.filter_folders.items()}
        shared = self.pool, filters, batch, device, self.scoring
        own_rules = {"captioner": str(folder), "rules": capfilt.rules()}
        task = defer("filters.methods.blip.capfilt:CapfiltTask", *shared, **own_rules)
        inputs = [self.dedup.hash, own.hash if own else filter_hash(folder), *([self.score.hash] if self.score else [])]
        config = {"batch": batch, "rules": capfilt.rules().model_dump()}
        return Step("capfilt", task, self.partitions, config, inputs)

    @cached_property
    def semantic(self) -> Step | None:
        """Pairs that look alike to a filter and say the same; None unless asked for."""
        rules = self.recipe.semantic_rules()
        if rules is None or self.score is None:
            return None
        ingest, dedup, scores = (str(step.folder(self.run)) for step in (self.ingest, self.dedup, self.score))
        splits = self.recipe.split
        task = defer("curate.dedup.semantic_task:SemanticTask", ingest, dedup, scores, self.partitions, rules, splits)
        config = {"rules": asdict(rules), "split": asdict(self.recipe.split)}
        return Step("semantic", task, 1, config, [self.ingest.hash, self.dedup.hash, self.score.hash])

    @cached_property
    def select(self) -> Step:
        """Splits and the cut: reads keys and scores."""
        r = self.recipe
        scores = str(self.score.folder(self.run)) if self.score else None
        kept = self.semantic or self.dedup  # the last that dropped a duplicate
        dedup, ingest = str(kept.folder(self.run)), str(self.ingest.folder(self.run))
        unbelieved = r.capfilt.unbelieved if r.capfilt else "drop"
        rules = r.select_rules(), r.split, self.texts, unbelieved
        task = defer("curate.export.select:SelectTask", ingest, dedup, scores, *rules)
        config = {
            "select": {name: value for name, value in asdict(r.select).items() if name != "force"},
            "split": asdict(r.split),
            "unbelieved": unbelieved,
        }
        inputs = [self.ingest.hash, kept.hash, *(s.hash for s in (self.score, self.capfilt) if s)]
        return Step("select", task, 1, config, inputs, version=4)

    @cached_property
    def plan(self) -> Step:
        """Which record goes into which shard."""
        return self._plan_after(self.continued)

    def _plan_after(self, earlier: str | None) -> Step:
        per_shard = self.recipe.export.records_per_shard
        folder = str(self.run / "steps" / earlier) if earlier else None
        task = defer("curate.export.plan:PlanTask", str(self.select.folder(self.run)), per_shard, folder)
        config = {"records_per_shard": per_shard, **({"after": earlier} if earlier else {})}
        return Step("plan", task, 1, config, [self.select.hash])

    @cached_property
    def continued(self) -> str | None:
        """The folder's name of the plan whose shards `plan`'s begin with, where the recipe appends: that of the last
        finished run, or, where that is this very run, the one which it continued."""
        finished = read_marker(self.run / FINISHED)
        if finished is None or not self.recipe.export.append or self.shards != self.run / "shards":
            return None
        before: str | None = finished.get("continued")
        last = self._last("plan")
        return before if self._plan_after(before).folder(self.run).name == last else last

    def _last(self, step: str) -> str | None:
        """The name of a step's folder of the last finished run."""
        finished = read_marker(self.run / FINISHED) or {"steps": []}
        return next((name for name in finished["steps"] if name.startswith(f"{step}-")), None)

    @cached_property
    def export(self) -> Step:
        """The shards; one partition is one shard."""
        folder, ingest = self.plan.folder(self.run), str(self.ingest.folder(self.run))
        shards = count_shards(folder) if load_manifest(folder) else 0
        places = ingest, str(folder), str(self.shards), self.texts
        earlier = str(self.run / "steps" / last) if self.continued and (last := self._last("export")) else None
        task = defer("curate.export.webdataset:ExportTask", *places, self.kept, earlier)
        inputs = [self.ingest.hash, self.plan.hash]  # that of select, which it covers, covers the texts
        return Step("export", task, shards, {"kept": self.kept}, inputs, version=VERSION)

    @property
    def pairing(self) -> Pairing:
        """How the pairing went; the index step must be done."""
        return read_pairing(self.run / "private" / f"index-{self.index.hash}", self.secret.pseudonymizer())

    # -- what they share --------------------------------------------------------------------------------------------

    @property
    def partitions(self) -> int:
        """Ingest partitions, known once the index is made; 0 before."""
        folder = self.index.folder(self.run)
        marker = read_marker(marker_path(folder, 0)) if load_manifest(folder) else None
        names = [PurePosixPath(name).name for name in marker["files"]] if marker else []
        return sum(name.startswith("part-") for name in names)  # one that lost all its records still counts

    @property
    def pool(self) -> Deferred:
        """What dedup kept."""
        where = str(self.ingest.folder(self.run)), self.partitions, str(self.dedup.folder(self.run))
        return defer("filters.task:Pool", *where)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of what the reports' rows say beside the text, as the recipe asks for them: columns of the index."""
        kept = {name for reports in self.recipe.reports for name in reports.columns.keep}
        answers = ("statement", "denial") if any(reports.questions for reports in self.recipe.reports) else ()
        return tuple(sorted(kept.union(answers)))

    @property
    def texts(self) -> str | None:
        """Where the texts that were proposed lie."""
        return str(self.capfilt.folder(self.run)) if self.capfilt else None

    @property
    def filter_folders(self) -> dict[str, Path]:
        """Each filter's folder, given or trained, by the filter's name."""
        trained = self.train_filters
        return {
            name: f.folder if f.folder is not None else trained[name].folder(self.run) / "model"
            for name, f in self.recipe.filters.items()
        }

    @property
    def scoring(self) -> dict[str, dict[str, Any]]:
        """What is chosen of how a filter scores, beside what its card says; by the filter's name."""
        chosen = {name: f.scoring for name, f in self.recipe.filters.items() if f.scoring}
        if (semantic := self.recipe.semantic_rules()) is not None:
            chosen[semantic.by] = {**chosen.get(semantic.by, {}), "embeddings": True}
        return chosen

    def _decoders(self) -> int:
        """Threads that decode beside a model. On Ray other tasks decode; without a GPU every core has a model."""
        engine = self.recipe.engine
        cores = engine.workers or os.cpu_count() or 1
        return max(cores // engine.actors, 1) if engine.gpus and engine.kind == "local" else 1

    @property
    def cards(self) -> dict[str, dict[str, Any]]:
        """The card of every filter that is trained, by the filter's name."""
        paths = {name: local_folder(folder) / "card.json" for name, folder in self.filter_folders.items()}
        return {name: read_json(path) for name, path in paths.items() if path.exists()}

    def steps(self) -> list[Step]:
        """All steps of this recipe, in order. Hashes are final; partition counts need the earlier steps done."""
        return [step for name in ORDER for step in self.named(name)]

    def manifests(self) -> list[Manifest]:
        """Those of the steps that are done, in order."""
        return [m for step in self.steps() if (m := load_manifest(step.folder(self.run)))]

    def named(self, name: str) -> list[Step]:
        """The steps under one name of `ORDER`: none, one, or one a filter."""
        if name == "train-filter":
            return list(self.train_filters.values())
        step: Step | None = getattr(self, name)
        return [] if step is None else [step]


def pool_pipeline(pipeline: Pipeline) -> Pipeline:
    """The same run with nothing cut, its shards in RUN/compare/pool."""
    recipe = pipeline.recipe.model_copy(update={"select": SelectRules(), "capfilt": None})
    return Pipeline(recipe, pipeline.listing, pipeline.run / "compare" / "pool")


def _weights(rules: Any) -> dict[str, str | None]:
    """Hashes of the folders and files that a filter's training begins with, so that other weights under the same path
    are another step."""
    found: dict[str, str | None] = {}
    for part in fields(rules):
        value = getattr(rules, part.name)
        if is_dataclass(value):
            found |= _weights(value)
        elif part.name in WEIGHTS:
            found[part.name] = checkpoint_hash(value)
    return found


def scan_folder(run: Path) -> Path:
    """Sealed listings and headers of the archive's chunks."""
    return run / "private" / "scan"


def stamp(path: Path) -> str:
    """A digest of the names, sizes and times of the files under ``path``: whether they are still the same."""
    found = [(p, p.stat()) for p in files_under(path)]
    return digest(*(f"{p.relative_to(path)}|{s.st_size}|{s.st_mtime_ns}" for p, s in found))[:16]


def files_under(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if is_remote(p) or p.is_file()) if path.is_dir() else [path]
