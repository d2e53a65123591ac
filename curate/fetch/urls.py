"""Fetch what a table of URLs lists with img2dataset, in rounds, and leave what did not come as reasons.

OUT/images/r0-00000.tar      of round 0: KEY.jpg as it was served, whatever it is, KEY.txt, KEY.json (the row)
OUT/images/not-fetched.tar   an entry for each URL that did not come, which a run counts under its reason
OUT/work/r0/                 img2dataset's own folder: what was asked, and what became of each URL
OUT/fetch.json               failures by reason

A shard of a round is done when img2dataset has written its statistics; a second command goes on with the others, and
asks again, in another round, for what only failed for now. A shard comes into ``images`` when it is whole.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from curate.errors import RecipeError, RunError
from curate.fetch.job import Fetched, FetchRules, claim
from curate.places import is_remote
from curate.record import Reason
from curate.sources.sniff import NOT_FETCHED
from curate.step import Progress
from curate.storage import commit_bytes, commit_json, commit_marker, digest, exclusive, read_marker, table_bytes

_MAIN = Path(__file__).with_name("img2dataset_main.py")
_INSTALL = "python -m venv i2d && i2d/bin/pip install img2dataset==1.47.0; then --img2dataset i2d/bin/python"
# what img2dataset writes beside a row, and so cannot be a column
_RESERVED = ("key", "caption", "url", "width", "height", "original_width", "original_height", "status", "error_message")
_PER_SHARD = 1000
_AFTER = 30.0  # s: img2dataset may hang when all is done
_GONE, _NO = re.compile(r"HTTP Error (?:404|410)\b"), re.compile(r"HTTP Error (?:401|402|403|451)\b|X-Robots-Tag")
# img2dataset's own parts report to their makers, unless told not to
_QUIET = {"NO_ALBUMENTATIONS_UPDATE": "1", "WANDB_MODE": "disabled", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}


@dataclass(frozen=True)
class UrlRules:
    """``url`` and ``text``: the table's columns. ``user_agent``: what the servers' logs show of us beside img2dataset's
    own. ``python``: the interpreter that has img2dataset; None: this one. ``timeout`` in seconds."""

    url: str = "url"
    text: str | None = None
    user_agent: str | None = None
    threads: int = 16
    timeout: float = 60
    python: Path | None = None


def read_urls(path: Path, rules: UrlRules) -> pa.Table:
    """The table (Parquet or CSV) as img2dataset takes it: url, caption where there are texts, row (from 0), and its
    other columns of text and numbers. RecipeError where it, or a column, is not there."""
    try:
        table = pq.read_table(path) if path.suffix == ".parquet" else csv.read_csv(path)
    except (OSError, pa.ArrowException):
        raise RecipeError("--urls", f"{path} cannot be read", "name a Parquet or a CSV file") from None
    for flag, column in (("--url-column", rules.url), ("--text-column", rules.text)):
        if column is not None and column not in table.column_names:
            raise RecipeError(flag, f"there is no column '{column}'", f"the table has {', '.join(table.column_names)}")
    columns = {"url": table[rules.url].cast(pa.string())}
    if rules.text is not None:
        columns["caption"] = table[rules.text].cast(pa.string())
    for name in table.column_names:
        kind = table.schema.field(name).type
        if name not in (rules.url, rules.text) and not pa.types.is_nested(kind) and not pa.types.is_binary(kind):
            number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
            bare = f"{name}_" if name in (*_RESERVED, "row", "sha256") else name
            columns[bare] = table[name] if number else table[name].cast(pa.string())
    return pa.table({**columns, "row": pa.array(range(table.num_rows), pa.int64())})


def fetch_urls(out: Path, table: pa.Table, rules: UrlRules, pace: FetchRules, progress: Progress) -> Fetched:
    """Fetch the rows of ``table`` (`read_urls`) into ``out``. RecipeError where ``out`` holds another table's, or there
    is no img2dataset; RunError where that ends before it is through. ``studies`` of the result are pictures."""
    if is_remote(out):
        raise RecipeError("OUT", "img2dataset writes into a folder", "name a local folder, and copy its images")
    python = _interpreter(rules.python)
    content = digest(table_bytes(table))
    if (read_marker(out / "work" / "urls.json") or {"content": content})["content"] != content:
        raise RecipeError("OUT", "holds what another table listed", "name a new folder, a source of its own")
    claim(out, "images", "work")
    with exclusive(out / "lock") as check_lock:
        commit_marker(out / "work" / "urls.json", {"content": content})
        return _Urls(out, table, rules, pace, python, progress, check_lock).run()


@dataclass
class _Urls:
    out: Path
    table: pa.Table
    rules: UrlRules
    pace: FetchRules
    python: str
    progress: Progress
    check_lock: Callable[[], None]

    def run(self) -> Fetched:
        """Rounds until nothing is left that failed only for now, or ``tries`` of them were asked."""
        done, rounds, n = Fetched(), 0, 0
        web = pc.fill_null(pc.match_substring_regex(self.table["url"], r"^(?i:https?)://[^\s/]"), False)
        left = self.table.filter(web)
        outcome: dict[int, Reason | None] = dict.fromkeys(self.table["row"].to_pylist(), Reason.URL_REFUSED)
        outcome |= dict.fromkeys(left["row"].to_pylist(), Reason.URL_FAILED)
        while left.num_rows:
            folder = self.out / "work" / f"r{n}"
            shards = -(-left.num_rows // _PER_SHARD)
            if len(_finished(folder)) < shards:
                if rounds == self.pace.tries:
                    break
                time.sleep(self.pace.pause * 2 ** (rounds - 1) if rounds else 0)
                self._ask(folder, left, shards, done)
                rounds += 1
            found = _outcomes(folder)
            outcome |= {row: found.get(row, Reason.URL_FAILED) for row in left["row"].to_pylist()}
            again = [row for row in left["row"].to_pylist() if outcome[row] is Reason.URL_FAILED]
            left, n = left.filter(pc.is_in(left["row"], value_set=pa.array(again, pa.int64()))), n + 1
        failed = {row: reason for row, reason in outcome.items() if reason is not None}
        for row, reason in failed.items():
            done.fail(reason, row + 1)
        done.studies = len(outcome) - len(failed)
        _leave_reasons(self.out / "images", failed)
        counts = {"pictures": done.studies, "failures": dict(done.failures), "lines": done.lines}
        commit_json(self.out / "fetch.json", counts)
        return done

    def _ask(self, folder: Path, rows: pa.Table, shards: int, done: Fetched) -> None:
        """One round of img2dataset; RunError where it ends too early."""
        before, listed = len(_finished(folder)), folder.with_suffix(".parquet")
        commit_bytes(listed, table_bytes(rows))
        columns = [name for name in rows.column_names if name not in ("url", "caption")]
        options = {
            **{"url_list": str(listed), "input_format": "parquet", "output_folder": str(folder)},
            **{
                "output_format": "webdataset",
                "save_additional_columns": columns,
                "number_sample_per_shard": _PER_SHARD,
            },
            "caption_col": "caption" if "caption" in rows.column_names else None,
            **{"resize_mode": "no", "disable_all_reencoding": True, "extract_exif": False},  # bytes as served
            **{"processes_count": 1, "thread_count": self.rules.threads, "timeout": self.rules.timeout},
            **{"retries": 0, "user_agent_token": self.rules.user_agent},  # a round later, not at once
        }
        interval = 1 / self.pace.per_second if self.pace.per_second else 0.0
        command = [self.python, str(_MAIN), str(interval), json.dumps(options)]
        with (self.out / "work" / "log").open("ab") as log:
            quiet = os.environ | _QUIET
            process = subprocess.Popen(command, stdout=log, stderr=log, env=quiet, start_new_session=True)  # noqa: S603
            try:
                self._watch(process, folder, shards, done)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if (finished := len(_finished(folder))) < shards:
            problem = f"img2dataset ended at {finished} of {shards} shards, with exit code {process.returncode}"
            raise RunError(f"{problem}; the same command goes on, and {self.out / 'work' / 'log'} says what it said")
        self._take(folder, done)
        self.progress("shards", shards - before, shards - before)

    def _watch(self, process: subprocess.Popen[bytes], folder: Path, shards: int, done: Fetched) -> None:
        through = None
        while process.poll() is None and (through is None or time.monotonic() - through < _AFTER):
            self.check_lock()
            self._take(folder, done)
            finished = len(_finished(folder))
            self.progress("shards", finished, shards)
            through = through or (time.monotonic() if finished == shards else None)
            time.sleep(0.1)

    def _take(self, folder: Path, done: Fetched) -> None:
        """Move what is whole to where a run reads."""
        for name in _finished(folder):
            shard = folder / f"{name}.tar"
            if shard.exists():
                done.bytes += shard.stat().st_size
                done.objects += json.loads((folder / f"{name}_stats.json").read_bytes())["successes"]
                shard.replace(self.out / "images" / f"{folder.name}-{name}.tar")


def _finished(folder: Path) -> list[str]:
    return sorted(path.name.removesuffix("_stats.json") for path in folder.glob("*_stats.json"))


def _outcomes(folder: Path) -> dict[int, Reason | None]:
    """What became of each row that the round asked: None where the picture came."""
    found: dict[int, Reason | None] = {}
    for name in _finished(folder):
        for row in pq.read_table(folder / f"{name}.parquet", columns=["row", "status", "error_message"]).to_pylist():
            found[row["row"]] = None if row["status"] == "success" else _reason(row["error_message"] or "")
    return found


def _reason(message: str) -> Reason:
    if _GONE.search(message):
        return Reason.URL_NOT_FOUND
    return Reason.URL_REFUSED if _NO.search(message) else Reason.URL_FAILED


def _leave_reasons(images: Path, failed: Mapping[int, Reason]) -> None:
    """A tar of an entry a URL that did not come; none where all came."""
    path = images / "not-fetched.tar"
    if not failed:
        path.unlink(missing_ok=True)
        return
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for row, reason in sorted(failed.items()):
            content = NOT_FETCHED + reason.value.encode()
            entry = tarfile.TarInfo(f"{row:010d}.url")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    commit_bytes(path, sink.getvalue())


def _interpreter(python: Path | None) -> str:
    """The interpreter, which must have img2dataset."""
    interpreter = str(python) if python else sys.executable
    test = "import importlib.util as u, sys; sys.exit(u.find_spec('img2dataset') is None)"
    try:
        there = subprocess.run([interpreter, "-c", test], capture_output=True, check=False).returncode == 0  # noqa: S603
    except OSError:
        there = False
    if not there:
        raise RecipeError("--img2dataset", f"{interpreter} has no img2dataset", _INSTALL)
    return interpreter
