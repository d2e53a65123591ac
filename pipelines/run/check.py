"""Everything that can be known to be wrong before any work: exit code 2, the field, the fix."""

from __future__ import annotations

import errno
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from curate.dedup.against import release_of
from curate.deid.rules import DeidRules
from curate.errors import RecipeError, SourceError, about
from curate.export.webdataset import check_shards
from curate.places import is_remote, place
from curate.sources.faults import patiently, stop_for_source
from curate.sources.pairing.paths import check_keys
from curate.storage import check_own, claim, commit_bytes, read_json
from filters.method import method_of, read_card
from filters.registry import JudgesRules, OursRules, make_rules, require_towers
from pipelines.recipe.recipe import Recipe
from pipelines.recipe.scoring import Filter
from pipelines.run.listing import gone_since, ingested


def check(recipe: Recipe, touch: bool = True) -> None:
    """Sources readable, columns there, secret good, output writable (``touch`` makes it); RecipeError otherwise."""
    if recipe.trains_alone:
        raise RecipeError("images", "the recipe trains on shards alone", "curate train, or name images and reports")
    recipe.secret_source().pseudonymizer()
    _exists(recipe.out, "out")
    if str(recipe.out).startswith("memory:"):
        raise RecipeError("out", "memory:// is each process's own", "s3://, gs://, az:// or a folder")
    check_own(recipe.out)
    check_shards(recipe.out / "shards")
    check_shards(recipe.out / "compare" / "pool")
    for i, source in enumerate(recipe.images):
        _apart(source.path, recipe.out, f"images.{i}.path")
    try:
        _sources(recipe)
    except (RecipeError, SourceError):
        if ingested(recipe) is None:  # else another cut of it needs no source
            raise
    for i, path in enumerate(recipe.dedup.against):
        _earlier(path, recipe.out, f"dedup.against.{i}")
    if recipe.clean.folder is not None:
        _readable(recipe.clean.folder, "clean.folder")
    if recipe.clean.marks is not None:
        _readable(recipe.clean.marks, "clean.marks")
    for name, chosen in recipe.filters.items():
        with about(f"filters.{name}"):
            _filter(chosen, f"filters.{name}")
    for i, data in enumerate(recipe.evaluation):
        _readable(data.path, f"evaluation.{i}.path")
    if recipe.capfilt is not None:
        _captioner(recipe)
    if recipe.semantic is not None and find_spec("faiss") is None:
        raise RecipeError("semantic", "needs faiss", "pip install 'radsift[cpu]' (or [gpu])")
    if recipe.truth is not None:
        _truth(recipe.truth.path)
    if touch:
        _writable(recipe.out)


def _sources(recipe: Recipe) -> None:
    """RecipeError where a source is not as the recipe says; SourceError where one that was there before is away."""
    for i, source in enumerate(recipe.images):
        if (gone := gone_since(recipe.out, source.name)) is not None:
            _wait_for(source.path, gone)
        _readable(source.path, f"images.{i}.path")
        if source.key_pattern is not None:
            check_keys(source.path, source.key_pattern, source.exclude.path, f"images.{i}.key_pattern")
    for i, reports in enumerate(recipe.reports):
        from curate.sources.reports.read import check_columns

        _readable(reports.path, f"reports.{i}.path")
        try:
            check_columns(reports.path, reports.report_columns(), reports.format, reports.name_pattern)
        except RecipeError as error:
            raise RecipeError(f"reports.{i}.{error.field}", error.problem, error.fix) from None
    if recipe.split.table is not None:
        _readable(recipe.split.table.path, "split.table.path")
        recipe.split.table.check()


def _earlier(path: Path, out: Path, field: str) -> None:
    """A finished run, another one, whose signatures can be compared."""
    if path.resolve() == out.resolve():
        raise RecipeError(field, "is this run itself", "name runs that were before")
    release, _ = release_of(path, field)
    if not release.is_comparable():
        problem = f"{path} was made by a version of the program whose signatures are others"
        raise RecipeError(field, problem, "run its recipe again with this version")


def _wait_for(path: Path, gone: SourceError) -> None:
    """Waits for as long as for anything that fails for a while; then raises ``gone``, with what the system says."""

    def is_there() -> None:
        try:
            if path.exists():
                return
        except OSError as error:
            stop_for_source(error)
        raise SourceError(errno.ENOENT)

    try:
        patiently(is_there)
    except SourceError as error:
        raise SourceError(error.number, gone.name, gone.detail) from None


def check_local(recipe: Recipe) -> None:
    """RecipeError where ``out`` is a URL: training writes checkpoints and reads shards as files."""
    if is_remote(recipe.out):
        fix = "copy the shards here and give 'train.shards' and a local 'out'"
        raise RecipeError("out", "the final model is trained in a folder, not at a URL", fix)


def save_recipe(recipe: Recipe) -> None:
    """RUN/recipe.yaml: the resolved recipe, so that `explain` and `report` need the run's folder only. Source
    locations are made absolute; the secret is named by its file and never copied."""
    sources = recipe.model_dump(mode="json", exclude_none=True)
    for name in ("out", "secret"):
        if name in sources:
            sources[name] = str(place(sources[name]).resolve())
    for part in sources.get("evaluation", []):
        part["path"] = str(Path(part["path"]).resolve())
    if recipe.truth is not None:
        sources["truth"]["path"] = str(recipe.truth.path.resolve())
    if recipe.split.table is not None:
        sources["split"]["table"]["path"] = str(recipe.split.table.path.resolve())
    text = yaml.safe_dump(sources, sort_keys=False, allow_unicode=True).encode()
    claim(recipe.out, text)
    commit_bytes(recipe.out / "recipe.yaml", text)


def notes(recipe: Recipe) -> list[str]:
    """What the user should know at the start though nothing is wrong."""
    return [*_strange(recipe), *(ocr_note(recipe.deid) if recipe.images else [])]


def _strange(recipe: Recipe) -> list[str]:
    """Earlier runs under another secret."""
    mine = recipe.secret_source().pseudonymizer().key("secret-id") if recipe.dedup.against else ""
    strange = []
    for i, run in enumerate(recipe.dedup.against):
        attested = run / "report" / "attestation.json"
        if not attested.is_file() or read_json(attested).get("secret") != mine:
            problem = "was not made under this secret, or does not say so: its keys and patients are others"
            strange.append(
                f"dedup.against.{i}: {run.name} {problem}, and only what is looked for over the archive is found"
            )
    return strange


def ocr_note(deid: DeidRules) -> list[str]:
    """What it means that the OCR package is not there, where it matters."""
    if deid.burned_in == "trust" or not deid.keep_markers:
        return []
    from curate.deid.pixels import text_reader

    if text_reader.available():
        return []
    return [f"no OCR package: letters of side (L, R) are blanked as other text is ({text_reader.INSTALL})"]


def _filter(chosen: Filter, field: str) -> None:
    if chosen.folder is not None:
        _readable(chosen.folder / "card.json", f"{field}.folder")
        found = method_of(read_card(chosen.folder))
        if found != chosen.method:
            raise RecipeError(f"{field}.method", f"the folder holds a filter of method {found}", f"method: {found}")
        return
    rules = chosen.rules()
    if isinstance(rules, OursRules) and "judges" in rules.parts:
        with about(f"{field}.part_rules.judges"):
            require_towers(make_rules("judges", (rules.part_rules or {}).get("judges", {})))
    if isinstance(rules, JudgesRules):
        require_towers(rules)
    train = getattr(rules, "train", None)
    for name in ("checkpoint", "captioner", "encoder", "reference"):
        if chosen.given.get(name) is not None:
            _readable(Path(chosen.given[name]), f"{field}.{name}")
    if train is not None:
        from filters.towers.model import check_rules  # torch: only where a filter begins with an architecture

        check_rules(train.model)


def _captioner(recipe: Recipe) -> None:
    """The BLIP that is to write, where it is brought, can; one that is trained will."""
    assert recipe.capfilt is not None
    named = recipe.filters.get(recipe.capfilt.filter)
    folder = recipe.capfilt.folder or (named.folder if named else None)
    if folder is not None:
        from filters.methods.blip.capfilt import check_captioner

        _readable(folder / "card.json", "capfilt.filter")
        check_captioner(folder, "capfilt.filter")


def _truth(path: Path) -> None:
    _readable(path, "truth.path")
    try:
        columns = set(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError):
        raise RecipeError("truth.path", f"{path} is no Parquet file", "truth/truth.parquet of 'curate synth'") from None
    if missing := {"file", "fault", "pair_is_right", "patient_id"} - columns:
        lacking = f"{path} lacks {', '.join(sorted(missing))}"
        raise RecipeError("truth.path", lacking, "truth/truth.parquet of 'curate synth'")


def _exists(path: Path, field: str) -> bool:
    try:
        return path.exists()
    except OSError as error:
        fix = "check the address, the credentials and who may read it" if is_remote(path) else "check who may read it"
        raise RecipeError(field, f"{path} cannot be read ({error.strerror})", fix) from None


def _readable(path: Path, field: str) -> None:
    if not _exists(path, field):
        whole = is_remote(path) or path.is_absolute()
        fix = "correct the path" + ("" if whole else "; it is relative to the working directory")
        raise RecipeError(field, f"{path} does not exist", fix)
    if not is_remote(path) and not os.access(path, os.R_OK):
        raise RecipeError(field, f"{path} cannot be read", "check its permissions")


def _apart(source: Path, out: Path, field: str) -> None:
    if out.resolve().is_relative_to(source.resolve()):
        raise RecipeError(
            field, "the output lies inside this source, a second run would read the first's output", "move 'out'"
        )


def _writable(out: Path) -> None:
    try:
        claim(out)
        if is_remote(out):
            return
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise RecipeError("out", f"cannot write to {out} ({problem})", "choose a place you can write") from None
