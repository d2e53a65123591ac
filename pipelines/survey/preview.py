"""What `curate plan` says before a run: how images and reports will find each other, which texts will be withheld."""

from __future__ import annotations

import hashlib
import heapq
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import pyarrow as pa

from curate.deid.replace.masked import masked_words, require_words_left
from curate.deid.text.scrub import scrub
from curate.deid.words.language import language_preview
from curate.errors import DropRecord, SourceError
from curate.ingest.index import Matched, match, read_sources, settled
from curate.ingest.rows import status_of
from curate.ingest.rules import IndexRules
from curate.record import Reason
from curate.sources.archives import walk_members
from curate.sources.pairing.outcome import Pairing
from curate.sources.reports.report import Report
from curate.sources.reports.text.letterhead import caption_sections
from curate.sources.reports.text.section import wanted_text
from curate.sources.rules import ImageSource
from curate.sources.scan import SCAN, listed, scan_file
from curate.sources.walk import Found
from pipelines.recipe.recipe import Recipe

IMAGES, REPORTS, TEXTS = 2000, 200_000, 200  # that a plan looks at: some seconds


@dataclass(frozen=True)
class Looked:
    """What was looked at: in words how much it was, the ``scans`` (SCAN) by source, the ``reports`` with a digest in
    place of each text, how they matched, ``examined`` of ``files`` files, CPU-seconds that reading a header takes."""

    extent: str
    scans: tuple[tuple[str, pa.Table], ...]
    reports: tuple[Report, ...]
    matched: Matched
    examined: int
    files: int
    header_seconds: float

    @property
    def pairing(self) -> Pairing:
        """How it went."""
        return self.matched.pairing

    def rows(self, recipe: Recipe) -> pa.Table:
        """The INDEX rows it would make, a digest for each text: identities, in memory only. Needs the secret."""
        rules, pseudo = _rules(recipe), recipe.secret_source().pseudonymizer()
        return settled(self.matched.rows(self.reports, rules, pseudo), rules)


def look(recipe: Recipe) -> Looked:
    """The recipe's pairing tried on a part of its archive: headers in memory, nothing is written.

    At most ``IMAGES`` files, drawn evenly by their paths, and ``REPORTS`` reports, the first. SourceError names the
    source that cannot be read.
    """
    scans, files, examined, spent = [], 0, 0, 0.0
    for source in recipe.images:
        try:
            drawn, n = _draw(source, IMAGES // len(recipe.images))
            files, examined, before = files + n, examined + len(drawn), time.process_time()
            rows = [scan_file(listed(found)) for found in drawn]
        except SourceError as error:
            raise SourceError(error.number, source.name) from None
        spent += time.process_time() - before
        scans.append((source.name, pa.Table.from_pylist(rows, SCAN)))
    every = read_sources(recipe.reports, scans)
    reports = [_light(report) for report in islice(every, REPORTS)]
    more = next(every, None) is not None
    extent = f"{examined:,} of {files:,} files and {'the first ' if more else 'all '}{len(reports):,} reports"
    matched = match(scans, reports, _rules(recipe))
    return Looked(extent, tuple(scans), tuple(reports), matched, examined, files, spent / max(examined, 1))


def _rules(recipe: Recipe) -> IndexRules:
    """All files of a series: a part of one cannot say which stands for it."""
    return replace(recipe.index_rules(), pair=replace(recipe.pair, per_series="all"))


def with_texts(recipe: Recipe, rows: pa.Table) -> pa.Table:
    """Those INDEX rows of `look` whose reports are found again, with their texts: identities, in memory only."""
    wanted = {digest for digest in rows["text"].to_pylist() if digest}
    texts: dict[str, str] = {}
    for report in read_sources(recipe.reports, []) if wanted else ():
        if (digest := _light(report).text) in wanted:
            texts[digest] = report.text
        if len(texts) == len(wanted):
            break
    filled = [{**r, "text": texts.get(r["text"], "") if r["text"] else r["text"]} for r in rows.to_pylist()]
    return pa.Table.from_pylist([r for r in filled if r["text"] != ""], rows.schema)


def text_preview(recipe: Recipe) -> list[str]:
    """What the language and the limit of masked words will withhold, of the first ``TEXTS`` reports; no word of any."""
    found = (r for r in read_sources(recipe.reports, []) if r.reason is None and r.text.strip())
    reports, rules, pseudo = list(islice(found, TEXTS)), recipe.report_rules(), recipe.secret_source().pseudonymizer()
    lines = language_preview((r.text for r in reports), rules.text.languages) if rules.text.vocabulary else []
    masked = 0
    for report in reports:
        sections = caption_sections(report.text, rules.wanted.sections)[0]
        source = wanted_text(sections, rules.wanted.sections)
        try:
            scrubbed = scrub(source, report.phi, report.patient, pseudo, rules.text)
            require_words_left(*masked_words(source, scrubbed), rules.text.max_masked)
        except DropRecord as dropped:
            masked += dropped.reason is Reason.MASKED
    if masked:
        lines.append(f"masked: {masked:,} of {len(reports):,} reports would be withheld, over deid.max_masked")
    return lines


def _draw(source: ImageSource, most: int) -> tuple[list[Found], int]:
    """``most`` files by a hash of their paths, so evenly and the same each time; how many there are."""
    n = 0

    def counted() -> Iterator[Found]:
        nonlocal n
        for found in walk_members(source.path, source.follow_symlinks, source.exclude.path, tables=True):
            n += 1
            yield found

    drawn = heapq.nsmallest(most, counted(), key=lambda f: hashlib.sha256(os.fsencode(f.relative)).digest())
    return sorted(drawn, key=lambda f: f.relative), n


def _light(report: Report) -> Report:
    """The report with a digest in place of its text, which is only compared."""
    text = " ".join(report.text.lower().split())
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if text else ""
    return replace(report, text=digest, status=status_of(report))
