"""What the duplicate thresholds find and what they cost: links on real pictures, on edited real reports, and speed.

One command: ``python -m benchmarks.dedup [--hashes 1000000] [--reports 50000] [--json FILE]``. rensa
stands beside it where it is found: ``pip install --no-deps --target DIR rensa``, and DIR in PYTHONPATH.

The real data is looked for as in tests/realdata.py; without it only the speed of random hashes is measured.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import platform
import random
import re
import resource
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from curate.dedup import exact, hamming, image, semantic, text
from curate.dedup.cluster import components
from curate.dedup.rules import SemanticRules
from tests.curate.deduplicating import jaccards, near_pairs
from tests.realdata import ROOT

GRID = list(product((4, 6, 8, 10), (0.95, 0.97, 0.98, 0.99)))


def read(path: Path) -> np.ndarray:
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise ValueError(f"cannot decode {path.name}")
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


class Pictures:
    """Hash and thumbnail of some pictures, and how many of some pairs of them the thresholds link."""

    def __init__(self, pictures: Iterator[np.ndarray]) -> None:
        self.thumbs = np.stack([np.frombuffer(image.thumb(p), np.uint8) for p in pictures])
        self.hashes = np.array([image.thumb_hash(t.tobytes()) for t in self.thumbs], np.uint64)

    def links(self, pairs: list[tuple[int, int]]) -> dict[str, int]:
        indices = np.array(pairs, np.int64).reshape(-1, 2)
        bits = np.bitwise_count(self.hashes[indices[:, 0]] ^ self.hashes[indices[:, 1]])
        indices, bits = indices[bits <= 10], bits[bits <= 10]
        rho = image.correlations(self.thumbs, indices)
        return {f"{d}/{c}": int(((bits <= d) & (rho >= c)).sum()) for d, c in GRID}


def equalised() -> tuple[dict[str, list[tuple[int, int]]], Pictures]:
    """Raw and histogram-equalised radiographs; the same picture listed under two names is no negative."""
    folder = ROOT / "vision" / "neardup_cxr"
    rows = table(folder / "pairs.csv")
    pictures = Pictures(read(folder / r[c]) for r in rows for c in ("raw", "equalized"))
    return {"raw - equalised": [(2 * i, 2 * i + 1) for i in range(len(rows))]}, pictures


def distorted() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    def grey(p: np.ndarray) -> np.ndarray:
        return p if p.ndim == 2 else cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)

    def window(p: np.ndarray, low: float, high: float) -> np.ndarray:
        a, b = np.percentile(p, [low, high])
        return np.rint(np.clip((grey(p).astype(float) - a) / max(b - a, 1), 0, 1) * 255).astype(np.uint8)

    def jpeg(p: np.ndarray, quality: int) -> np.ndarray:
        return cv2.imdecode(cv2.imencode(".jpg", grey(p), [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)

    def crop(p: np.ndarray, part: float) -> np.ndarray:
        h, w = (int(s * part) for s in p.shape[:2])
        return p[h : p.shape[0] - h, w : p.shape[1] - w]

    return {
        "16 bit": lambda p: grey(p).astype(np.uint16) * 257,
        "gamma 0.5": lambda p: np.rint(255 * (grey(p) / 255.0) ** 0.5).astype(np.uint8),
        "gamma 2": lambda p: np.rint(255 * (grey(p) / 255.0) ** 2).astype(np.uint8),
        "window 2..98 %": lambda p: window(p, 2, 98),
        "window 15..85 %": lambda p: window(p, 15, 85),
        "equalised": lambda p: cv2.equalizeHist(grey(p)),
        "CLAHE": lambda p: cv2.createCLAHE(2.0, (8, 8)).apply(grey(p)),
        "JPEG q20": lambda p: jpeg(p, 20),
        "scaled to 96 px": lambda p: cv2.resize(p, (96, 96), interpolation=cv2.INTER_AREA),
        "crop 1 % a side": lambda p: crop(p, 0.01),
        "crop 4 % a side": lambda p: crop(p, 0.04),
        "mirrored (another picture)": lambda p: np.ascontiguousarray(p[:, ::-1]),
    }


def measure_images() -> list[dict[str, object]]:
    out: list[dict[str, object]] = []

    def record(name_of_pairs: str, expected: str, pictures: Pictures, pairs: list[tuple[int, int]]) -> None:
        out.append({"pairs": name_of_pairs, "want": expected, "of": len(pairs), **pictures.links(pairs)})

    positive, pictures = equalised()
    record("raw - equalised film", "link", pictures, positive["raw - equalised"])

    folder = ROOT / "cxr_pairs"
    rows = list({r["image"]: r for r in table(folder / "pairs.csv") if r["modality"] == "X-ray"}.values())
    for name, change in distorted().items():
        both = Pictures(q for r in rows[::4] for p in [read(folder / r["image"])] for q in (p, change(p)))
        expected = "apart" if "another" in name else "link"
        record(f"film - {name}", expected, both, [(i, i + 1) for i in range(0, len(both.hashes), 2)])

    labelled = ROOT / "vision" / "cxr_labelled"
    films = table(labelled / "labels.csv")
    pictures = Pictures(read(p) for p in [folder / r["image"] for r in rows] + [labelled / r["image"] for r in films])
    at = {Path(r["orig"]).stem: i for i, r in enumerate(rows)}
    copies = [(at.get(Path(r["duplicate_of_cxr_pairs_orig"]).stem, -1), len(rows) + j) for j, r in enumerate(films)]
    record("copies across data sets (half are crops)", "link", pictures, [c for c in copies if c[0] >= 0])
    nih = [(len(rows) + j, r["patient_id"]) for j, r in enumerate(films) if r["patient_id"]]
    same, other = [], []
    for (i, a), (j, b) in combinations(nih, 2):
        (same if a == b else other).append((i, j))
    record("follow-up films of a patient", "apart", pictures, same)
    record("films of different patients", "apart", pictures, other)

    folder = ROOT / "radiology_pairs"
    slices = table(folder / "pairs.csv")
    pictures = Pictures(read(folder / r["image"]) for r in slices)
    alike, case, other = [], [], []
    for (i, a), (j, b) in combinations(enumerate(slices), 2):
        one_case = a["group_id"] == b["group_id"]
        (alike if one_case and a["caption"] == b["caption"] else case if one_case else other).append((i, j))
    record("slices of a case, one caption", "either", pictures, alike)
    record("slices of a case, other captions", "apart", pictures, case)
    record("slices of different cases", "apart", pictures, other)

    folder = ROOT / "vision" / "neardup_ukbench"
    names = ["ukbench00120.jpg", "ukbench00120_resize.jpg", "ukbench00120_hflip.jpg", "ukbench00120_rotation.jpg"]
    base = sorted((folder / "base_images").glob("*.jpg"))
    photos = Pictures(read(p) for p in [*(folder / "mixed_images" / n for n in names), *base])
    record("photograph - resized", "link", photos, [(0, 1)])
    record("photograph - flipped, rotated", "apart", photos, [(0, 2), (0, 3)])
    record("different photographs", "apart", photos, list(combinations(range(4, len(photos.hashes)), 2)))
    return out


def typo(report: str) -> str:
    """Two letters swapped inside one long word, chosen by the report itself."""
    words = list(re.finditer(r"[a-z]{6,}", report))
    at = words[zlib.crc32(report.encode()) % len(words)].start() + 2 if words else 0
    return report[:at] + report[at + 1] + report[at] + report[at + 2 :] if words else report


def exchange(report: str, one: str, other: str) -> str:
    """Every ``one`` for ``other`` and the reverse, where the report has both."""
    if one not in report or other not in report:
        return report
    return re.sub(f"{one}|{other}", lambda m: other if m[0] == one else one, report)


BENIGN: dict[str, Callable[[str], str]] = {
    "case, blanks, line ends": lambda t: "  " + t.upper().replace(". ", ".\r\n\r\n"),
    "a sentence added at the end": lambda t: t + " Dictated and electronically signed.",
    "a heading added": lambda t: "CHEST RADIOGRAPH REPORT: " + t,
    "a typo (two letters of a word swapped)": lambda t: typo(t),
}
CRITICAL: dict[str, Callable[[str], str]] = {
    "left <-> right": lambda t: re.sub(
        r"(?i)\b(left|right)\b", lambda m: "right" if m[0].lower() == "left" else "left", t
    ),
    "one side changed": lambda t: re.sub(r"(?i)\bright\b", "left", t, count=1),
    "a negation removed": lambda t: re.sub(r"(?i)\b(no|not|without)\b ?", "", t, count=1),
    "a negation added": lambda t: re.sub(r"\b(is|are)\b", r"\1 not", t, count=1),
    "a number changed": lambda t: re.sub(r"\d", lambda m: str((int(m[0]) + 1) % 10), t, count=1),
    "increased -> decreased": lambda t: re.sub(r"(?i)\bincreased\b", "decreased", t, count=1),
    "a negation moved": lambda t: re.sub(r"^(.*?)\b[Nn]o (.*)\b(is|are)\b", r"\1\2\3 no", t, count=1),
    "two findings exchanged": lambda t: exchange(t, "effusion", "pneumothorax"),
    "two organs exchanged": lambda t: exchange(t, "heart", "lungs"),
    "a word replaced by its synonym (missed on purpose)": lambda t: re.sub(r"\b[Cc]ardiac\b", "heart", t),
    "a finding replaced": lambda t: t.replace("effusion", "mass", 1),
    "normal -> abnormal": lambda t: re.sub(r"(?i)\bnormal\b", "abnormal", t, count=1),
}


def measure_texts() -> list[dict[str, object]]:
    lines = (ROOT / "reports" / "iu_reports.jsonl").read_text(encoding="utf-8").splitlines()
    reports = [f"{r['findings']} {r['impression']}" for r in map(json.loads, lines) if len(r["findings"]) > 100]
    out: list[dict[str, object]] = []
    for want, edits in (("link", BENIGN), ("apart", CRITICAL)):
        for name, edit in edits.items():
            changed = [(t, e) for t in reports[:800] if (e := edit(t)) != t]
            originals_and_edits = [t for pair in changed for t in pair]
            group = np.repeat(np.arange(len(changed)), 2)
            linked = len(near_pairs(originals_and_edits, group=group))
            similar = jaccards(originals_and_edits, np.arange(len(originals_and_edits)).reshape(-1, 2)) >= text.JACCARD
            out.append(
                {"edit": name, "want": want, "of": len(changed), "linked": linked, "similar": int(similar.sum())}
            )
    return out


def corpus(n: int, seed: int = 0) -> tuple[list[str], list[tuple[int, int, str]], list[tuple[int, int, str]]]:
    """(texts, benign pairs, critical pairs): reports of real sentences, a fifth with an edited copy behind it that says
    the same, a twentieth with one that says something else."""
    lines = (ROOT / "reports" / "iu_reports.jsonl").read_text(encoding="utf-8").splitlines()
    reports = [json.loads(line) for line in lines]
    findings, impressions = (
        [s.strip() for r in reports for s in re.split(r"(?<=\.)\s+", r[name]) if len(s) > min_length]
        for name, min_length in (("findings", 15), ("impression", 8))
    )
    rng = random.Random(seed)
    texts: list[str] = []
    edited: dict[str, list[tuple[int, int, str]]] = {"benign": [], "critical": []}
    while len(texts) < n:
        report = " ".join([*rng.sample(findings, rng.randint(4, 9)), *rng.sample(impressions, rng.randint(1, 2))])
        draw = rng.random()
        kind, edits = ("benign", BENIGN) if draw < 0.2 else ("critical", CRITICAL)
        name = rng.choice(list(edits))
        copy = edits[name](report)
        texts.append(report)
        if draw < 0.25 and copy != report:
            edited[kind].append((len(texts) - 1, len(texts), name))
            texts.append(copy)
    return texts, edited["benign"], edited["critical"]


def ours(texts: list[str], jaccard: float) -> np.ndarray:
    signed = [text.text_signature(t) for t in texts]
    ids = np.unique(np.array([s[0] for s in signed]), return_inverse=True)[1].astype(np.int64)
    signatures = np.frombuffer(b"".join(s[1] for s in signed), "<u4").reshape(-1, text.MINHASH_SIZE)
    return text.near_text_pairs(signatures, texts, ids, jaccard)


def rensa_pairs(texts: list[str], jaccard: float, parts: Callable[[str], list[str]], bands: int) -> np.ndarray:
    """rensa as its page says: RMinHash of 128 permutations, RMinHashLSH, candidates confirmed by the signatures."""
    import rensa

    signed = []
    for report in texts:
        one = rensa.RMinHash(num_perm=128, seed=42)
        one.update(parts(exact.normalise(report)))
        signed.append(one)
    index = rensa.RMinHashLSH(threshold=jaccard, num_perm=128, num_bands=bands)
    pairs = []
    for i, one in enumerate(signed):
        pairs += [(j, i) for j in index.query(one) if signed[j].jaccard(one) >= jaccard]
        index.insert(i, one)
    return np.array(pairs, np.int64).reshape(-1, 2)


def shingled(plain: str) -> list[str]:
    plain = f" {plain} "
    return [plain[i : i + 6] for i in range(len(plain) - 5)]


def measure_reports(n: int, jaccard: float = text.JACCARD) -> list[dict[str, object]]:
    """Whole way from the texts to the pairs, on one corpus, at one threshold. Recall is of the copies that say the
    same and whose words reach the threshold by the exact count; 'critical': linked copies that say another thing.
    """
    texts, benign, critical = corpus(n)
    alike = jaccards(texts, np.array([(i, j) for i, j, _ in benign])) >= jaccard
    tools: dict[str, Callable[[], np.ndarray]] = {"ours": lambda: ours(texts, jaccard)}
    if importlib.util.find_spec("rensa"):
        tools |= {
            f"rensa, {name}, {bands} bands": lambda parts=parts, bands=bands: rensa_pairs(texts, jaccard, parts, bands)
            for name, parts in (("runs of 6 letters", shingled), ("words", str.split))
            for bands in (16, 32)
        }
    out: list[dict[str, object]] = []
    for tool, work in tools.items():
        start = time.process_time()
        pairs = work()
        spent = time.process_time() - start
        label = components(len(texts), pairs)
        met = np.array([label[i] == label[j] for i, j, _ in benign])
        linked = {tuple(p) for p in np.sort(pairs, axis=1).tolist()}
        wrong = sum((i, j) in linked for i, j, _ in critical)
        row = {
            "tool": tool,
            "CPU-s": round(spent, 2),
            "reports": len(texts),
            "recall": round(float(met[alike].mean()), 4),
        }
        out.append({**row, "recall of all": round(float(met.mean()), 4), "critical": f"{wrong} of {len(critical)}"})
    return out


def looks(n: int, width: int = 512, seed: int = 0) -> np.ndarray:
    """float16[n, width], of length one: looks in a space of 48 dimensions around some thousand kinds of study, as
    embeddings of one archive are; a fifth are copies, as near their original as a repeated exposure is (.9 to 1)."""
    rng = np.random.default_rng(seed)
    basis = rng.normal(size=(48, width)).astype(np.float32) / np.sqrt(width)
    kinds = rng.normal(size=(max(n // 500, 1), 48)).astype(np.float32)
    out = np.empty((n, width), np.float16)
    for at in range(0, n, 50_000):
        m = min(50_000, n - at)
        inner = kinds[rng.integers(0, len(kinds), m)] + 0.7 * rng.normal(size=(m, 48)).astype(np.float32)
        copy = np.flatnonzero(rng.random(m) < 0.2)
        of = rng.integers(0, m, len(copy))
        strength = np.abs(inner[of]).mean() * rng.uniform(0, 0.55, (len(copy), 1))
        inner[copy] = inner[of] + strength * rng.normal(size=(len(copy), 48))
        x = inner @ basis
        out[at : at + m] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return out


def measure_semantic(n: int, queries: int = 2000) -> list[dict[str, object]]:
    """Nearest better record among n, and against the exact search of some: how many of those that have one from .95 on
    are found to have one."""
    vectors, rules = looks(n), SemanticRules("f")
    no_patients = np.zeros(n, np.int64)
    start, clock = time.process_time(), time.monotonic()
    similarity, nearest = semantic.nearest_better(vectors, no_patients, no_patients, rules)
    parent, _ = semantic.drop_duplicates(vectors, similarity, nearest, 0.95)
    spent, waited = time.process_time() - start, time.monotonic() - clock
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rows = np.sort(np.random.default_rng(1).permutation(n)[:queries])
    best = np.full(len(rows), -1.0, np.float32)
    for at in range(0, n, 50_000):
        similarities = vectors[rows].astype(np.float32) @ vectors[at : at + 50_000].astype(np.float32).T
        similarities[np.arange(at, at + similarities.shape[1])[None, :] >= rows[:, None]] = -1
        best = np.maximum(best, similarities.max(axis=1))
    with_duplicate = np.round(best, 4) >= 0.95
    row = {"vectors": f"{n:,} x 512", "CPU-s": round(spent, 1), "s": round(waited, 1), "peak GiB": round(peak, 2)}
    row |= {
        "recall at .95": round(float((similarity[rows][with_duplicate] >= 0.95).mean()), 4),
        "of": int(with_duplicate.sum()),
    }
    return [{**row, "dropped": int((parent != np.arange(n)).sum())}]


def measure_hashes(n: int, distance: int = image.DISTANCE) -> list[dict[str, object]]:
    """Pairs within ``distance`` among n hashes, a fifth of them copies of another with 1 to ``distance`` bits flipped:
    ours beside faiss. Recall: copies found. A search of all by all is run for a hundredth of the hashes, and its CPU
    multiplied."""
    import faiss

    faiss.omp_set_num_threads(1)
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, n, dtype=np.uint64)
    copies, originals = np.split(rng.permutation(n)[: n // 5 * 2], 2)
    bits = rng.random((len(copies), 64)).argsort(axis=1) < rng.integers(1, distance + 1, len(copies))[:, None]
    hashes[copies] = hashes[originals] ^ np.packbits(bits, axis=1).view(np.uint64)[:, 0]
    codes = hashes.view(np.uint8).reshape(n, 8)
    wanted = set(map(tuple, np.sort(np.stack([originals, copies], axis=1), axis=1).tolist()))

    def searched(index: Any, step: int = 1) -> tuple[np.ndarray, float]:
        start = time.process_time()
        index.add(codes)
        built = time.process_time() - start
        starts, _, found = index.range_search(codes[::step], distance + 1)  # below it
        pairs = np.stack([np.repeat(np.arange(0, n, step), np.diff(starts.astype(np.int64))), found], axis=1)
        return pairs, built + (time.process_time() - start - built) * step

    def ours() -> tuple[np.ndarray, float]:
        start = time.process_time()
        pairs = np.concatenate(list(hamming.hamming_pairs(hashes, distance)))
        return pairs, time.process_time() - start

    bits_of_bucket = max(16, n.bit_length() - 2)
    tools: dict[str, Callable[[], tuple[np.ndarray, float]]] = {"ours": ours}
    for flips in (1, 2):
        tools[f"faiss BinaryHash, {bits_of_bucket} bits, {flips} flipped"] = lambda flips=flips: searched(
            _flipping(faiss.IndexBinaryHash(64, bits_of_bucket), flips)
        )
    for parts, width, flips in ((4, 16, 1), (3, 21, 2)) if n <= 200_000 else ((3, 21, 2),):
        tools[f"faiss BinaryMultiHash, {parts} of {width} bits, {flips} flipped"] = (
            lambda parts=parts, width=width, flips=flips: searched(
                _flipping(faiss.IndexBinaryMultiHash(64, parts, width), flips)
            )
        )
    tools["faiss BinaryFlat, a hundredth asked"] = lambda: searched(faiss.IndexBinaryFlat(64), 100)
    out: list[dict[str, object]] = []
    for tool, work in tools.items():
        pairs, spent = work()
        met = set(map(tuple, np.sort(pairs, axis=1).tolist()))
        recall = round(len(wanted & met) / len(wanted), 4) if "hundredth" not in tool else None
        out.append({"tool": tool, "hashes": f"{n:,}", "CPU-s": round(spent, 2), "recall": recall})
    return out


def _flipping(index: Any, bits: int) -> Any:
    index.nflip = bits
    return index


def measure_speed(n: int) -> list[dict[str, object]]:
    out: list[dict[str, object]] = []

    def time_work(name_of_work: str, count: int, unit: str, work: Callable[[], object]) -> None:
        start = time.process_time()
        work()
        out.append(
            {"what": name_of_work, "rate": round(count / (time.process_time() - start)), "unit": f"{unit} / cpu-s"}
        )

    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, n, dtype=np.uint64)
    for distance in (4, 6):
        time_work(
            f"{n:,} random hashes, distance {distance}",
            n,
            "hashes",
            lambda d=distance: list(hamming.hamming_pairs(hashes, d)),
        )
    patients = rng.integers(0, n // 5, n)
    time_work(
        f"{n:,} random hashes of {n // 5:,} patients",
        n,
        "hashes",
        lambda: list(hamming.hamming_pairs(hashes, 6, patients)),
    )
    film = rng.integers(0, 4096, (1024, 1024), dtype=np.uint16)
    time_work(
        "perceptual_hash, 1024 x 1024, 16 bit", 50, "images", lambda: [image.perceptual_hash(film) for _ in range(50)]
    )
    time_work("pixel_hash, 1024 x 1024, 16 bit", 50, "images", lambda: [exact.pixel_hash(film) for _ in range(50)])
    thumbs = rng.integers(0, 256, (4096, 1024), dtype=np.uint8)
    pairs = rng.integers(0, 4096, (20000, 2))
    time_work("thumbnails correlated", 20000, "pairs", lambda: image.correlations(thumbs, pairs))
    words = [f"w{i}" for i in range(3000)]
    reports = [" ".join(words[i] for i in rng.integers(0, 3000, 45)) for _ in range(20000)]
    texts = [*reports, *(r + " again" for r in reports[:2000])]
    signed: list[bytes] = []
    signing = "text_signature, reports of 45 words"
    time_work(signing, len(texts), "docs", lambda: signed.extend(text.text_signature(t)[1] for t in texts))
    signatures = np.frombuffer(b"".join(signed), "<u4").reshape(-1, text.MINHASH_SIZE)
    time_work(
        "near_text_pairs, a tenth of them duplicates",
        len(texts),
        "docs",
        lambda: text.near_text_pairs(signatures, texts, np.arange(len(texts))),
    )
    return out


def show(title: str, rows: list[dict[str, object]]) -> None:
    print(f"\n{title}\n")
    names = list(rows[0])
    print("| " + " | ".join(names) + " |\n|" + "---|" * len(names))
    for row in rows:
        print("| " + " | ".join(str(row[n]) for n in names) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hashes", type=int, default=1_000_000)
    parser.add_argument("--reports", type=int, default=50_000)
    parser.add_argument("--vectors", type=int, default=200_000)
    parser.add_argument("--json", type=Path, help="write the results here as well")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    results = {"semantic": measure_semantic(args.vectors)}  # first: its peak of memory is the process's
    results |= {"hashes": measure_hashes(args.hashes), "speed": measure_speed(args.hashes)}
    if ROOT.is_dir():
        results |= {"images": measure_images(), "texts": measure_texts()}
        results["reports"] = measure_reports(args.reports)
    titles = {
        "semantic": "Semantic duplicates: nearest better record of the same claim",
        "hashes": f"Pairs of hashes within {image.DISTANCE} bits",
        "speed": f"Speed ({platform.machine()}, Python {platform.python_version()}, numpy {np.__version__})",
        "images": "Pairs of pictures linked, by distance / correlation (defaults "
        f"{image.DISTANCE} / {image.CORRELATION})",
        "texts": f"Edited reports linked at Jaccard {text.JACCARD}; 'similar' is what Jaccard alone would link",
        "reports": f"Near duplicates among reports, Jaccard {text.JACCARD}",
    }
    for name, rows in results.items():
        show(titles[name], rows)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
