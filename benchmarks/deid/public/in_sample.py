"""What is in-sample: how much of every measured set stands in the product's sources, lists and tests.

Word sequences of four and of six words, and whole sentences of at least four words, of each set that are in a file of
`curate/` or `tests/`; and of the words that of all sets only this one has and that no public list of the product
(`*.words`) has, those on the lists made by hand (`curate/deid/words/data/*.txt`). Report English repeats itself
("there is no evidence of"), so some of every set is found by chance: the test half of the frames, which nobody who
wrote rules has seen, says how much.

    python -m benchmarks.deid --only in_sample
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks.deid.frames import fillings
from benchmarks.deid.public import meaning

_ROOT = Path(__file__).resolve().parents[3]
_LISTS = _ROOT / "curate" / "deid" / "words" / "data"
_TOKEN = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"[.!?;:]\s|\n|\{\w+\}")  # a slot ends what can be quoted
_SHORT, _LONG = 4, 6
_SCRUBBER = ("curate/deid/", "curate/deid_export/", "tests/curate/deid/", "tests/curate/deid_export/")
_RARE = 3  # letters of a word worth counting


def sets(data: Path | None) -> dict[str, list[str]]:
    """Every measured set of text -> its texts; slots of frames and notes as they are written, "{name}"."""
    here = files("benchmarks.deid")
    found = {f"frames, {split}": [f["text"] for f in fillings.frames(split)] for split in fillings.SPLITS}
    written = [here.joinpath("notes/phi_sentences.txt"), *here.joinpath("notes/clinical").iterdir()]
    found["notes"] = [f.read_text(encoding="utf-8") for f in written if f.name.endswith(".txt")]
    rows = [
        line.split("\t") for line in here.joinpath("languages/languages.tsv").read_text(encoding="utf-8").splitlines()
    ]
    found["languages, held"] = [row[2] for row in rows if len(row) > 2 and row[1] == "held"]
    if data:
        found |= {name: [text for _, text in pairs] for name, pairs in meaning.sets(data).items()}
        for path in sorted((data / "deid" / "text").glob("*.jsonl")):
            found[path.stem] = [
                json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines() if line
            ]
    return found


def sentences(texts: Iterable[str]) -> set[tuple[str, ...]]:
    """The words of every sentence of four or more; a slot ends one."""
    parts = (part for text in texts for part in _SENTENCE.split(text.casefold()))
    return {words for part in parts if len(words := tuple(_TOKEN.findall(part))) >= _SHORT}


def grams(of: Iterable[tuple[str, ...]], n: int) -> set[tuple[str, ...]]:
    """Every ``n`` words in a row."""
    return {words[i : i + n] for words in of for i in range(len(words) - n + 1)}


def product() -> dict[str, tuple[str, ...]]:
    """File -> its words, of every source, list and test of the product."""
    kinds = ("*.py", "*.txt", "*.tsv", "*.json", "*.jsonl", "*.csv")
    paths = (p for folder in ("curate", "tests") for kind in kinds for p in sorted((_ROOT / folder).rglob(kind)))
    return {
        str(p.relative_to(_ROOT)): tuple(_TOKEN.findall(p.read_text(encoding="utf-8", errors="replace").casefold()))
        for p in paths
    }


def listed() -> tuple[set[str], set[str]]:
    """Words of the lists made by hand, and of those taken from public ones."""
    public = {w for p in _LISTS.glob("*.gz") for w in gzip.decompress(p.read_bytes()).decode().casefold().split()}
    return {w for p in _LISTS.glob("*.txt") for w in _listed(p)}, public


def _listed(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield from line.casefold().split()


def measure(data: Path | None) -> dict[str, Any]:
    """{set: {"word sequences of 4", "... found", ..., "sentences", "... found", "words of its own", ...}}"""
    texts, words = sets(data), product()
    ours = {n: grams(words.values(), n) for n in (_SHORT, _LONG)}
    scrubber = grams((w for file, w in words.items() if file.startswith(_SCRUBBER)), _SHORT)
    by_file = {file: grams([w], _LONG) for file, w in words.items()}
    bodies = [" " + " ".join(w) + " " for w in words.values()]
    tokens = {name: {t for text in found for t in _TOKEN.findall(text.casefold())} for name, found in texts.items()}
    # a case text holds its history and the captions its findings: the three are one set here
    family = {name: name.split()[0].split(",")[0] for name in texts}
    (hand, public), result = listed(), dict[str, Any]()
    for name, found in texts.items():
        said = sentences(found)
        row: dict[str, Any] = {}
        for n in (_SHORT, _LONG):
            theirs = grams(said, n)
            row |= {f"sequences of {n}": len(theirs), f"sequences of {n} found": len(theirs & ours[n])}
        rare = [s for s in said if len(s) < _LONG or grams([s], _LONG) <= ours[_LONG]]
        whole = sum(any(" " + " ".join(s) + " " in body for body in bodies) for s in rare)
        others = set().union(*(t for other, t in tokens.items() if family[other] != family[name]))
        own = {t for t in tokens[name] - others - public if t.isalpha() and len(t) >= _RARE}
        quoting = Counter({file: len(g) for file, its in by_file.items() if (g := theirs & its)})
        result[name] = {
            **row,
            "sequences of 4 by the scrubber": len(grams(said, _SHORT) & scrubber),
            "sequences of 6 by file": dict(quoting.most_common(5)),
            "sentences": len(said),
            "sentences found": whole,
            "words of its own": len(own),
            "words of its own on hand lists": len(own & hand),
        }
    return result


_SHOWN = (
    (f"sequences of {_SHORT}", " found"),
    (f"sequences of {_SHORT}", " by the scrubber"),
    (f"sequences of {_LONG}", " found"),
    ("sentences", " found"),
    ("words of its own", " on hand lists"),
)


def markdown(found: dict[str, Any]) -> str:
    """One row a set."""
    lines = [
        "| set | sequences of 4 words found | ... in the scrubber and its tests | of 6 words | whole sentences "
        "| of the words that only it has, and no public list: on hand lists |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, r in found.items():
        cells = [f"{r[k + how]} of {r[k]} ({r[k + how] / max(1, r[k]):.1%})" for k, how in _SHOWN]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
