"""Who stays, who goes, for which reason; and that nobody's place in the table decides it."""

import csv

import cv2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedup.cluster import components, represent
from curate.dedup.rules import DedupRules
from curate.dedup.text import MINHASH_SIZE
from curate.record import DEDUP, RECORD
from tests.curate.deduplicating import resolve, signatures
from tests.curate.test_dedup_image import scene
from tests.curate.test_dedup_text import REPORT
from tests.realdata import real

COLUMNS = ("key", "patient", "study", "width", "height", "text", "pixel_hash", "phash", "thumb", "text_hash", "minhash")
SCHEMA = pa.schema([RECORD.field(name) for name in (*COLUMNS, "official_split")])
OFF = DedupRules(image_exact="off", image_near="off")
ALL = DedupRules(image_exact="archive", image_near="archive", text_exact="archive", text_near="archive")


def changed(rules: DedupRules, **fields: object) -> DedupRules:
    """The rules with some fields otherwise."""
    return DedupRules(**{**rules.model_dump(), **fields})  # type: ignore[arg-type]


PIXELS = {name: scene(seed, 64) for name, seed in zip("abcd", range(4), strict=True)}
PIXELS |= {
    "a'": np.clip(PIXELS["a"].astype(int) * 2 - 100, 0, 255).astype(np.uint8),
    "A": cv2.resize(PIXELS["a"], (128, 128)),
}
TEXTS = {
    "": "",
    "r": REPORT,
    "r'": REPORT.replace("thoracic", "thoarcic"),
    "n": "Normal.",
    "s": "Effusion on the left.",
}
SIGNED = {(p, t): signatures(PIXELS.get(p), TEXTS[t]) for p in [*PIXELS, "-"] for t in TEXTS}


def table(*rows: str) -> pa.Table:
    """Rows written 'key patient study picture text'; '-' is no patient, no study or no picture; text '.' is empty."""
    out = []
    for row in rows:
        key, patient, study, picture, text = row.split()
        text = text.strip(".")
        height, width = PIXELS[picture].shape if picture != "-" else (None, None)
        names = {"key": key, "patient": None if patient == "-" else patient, "study": None if study == "-" else study}
        out.append({**names, "width": width, "height": height, "text": TEXTS[text], **SIGNED[picture, text]})
    return pa.Table.from_pylist(out, SCHEMA)


def fates(rows: pa.Table, rules: DedupRules) -> dict[str, str]:
    """{dropped key: 'reason representative'}; checks what holds for every result."""
    result = resolve(rows, rules)
    assert result.schema == DEDUP and result["key"].equals(rows["key"])
    out = result.to_pylist()
    kept = {r["key"] for r in out if r["drop_reason"] is None}
    for r in out:
        dropped = r["drop_reason"] is not None
        assert r["drop_step"] == ("dedup" if dropped else None)
        assert r["duplicate_of"] == (r["cluster"] if dropped else None) and r["cluster"] in kept
        assert dropped or r["cluster"] == r["key"]
    return {r["key"]: f"{r['drop_reason']} {r['duplicate_of']}" for r in out if r["drop_reason"]}


def test_exact_images_join_across_patients_near_ones_within_a_patient():
    # 5 is 3's exact copy, but 3 goes for 1, which 5 of another patient is no near copy of: 5 stays
    rows = table("1 p s a r", "2 q t a n", "3 p s a' n", "4 q t b n", "5 r u a' n", "6 p s c n")
    assert fates(rows, DedupRules()) == {"2": "duplicate_image 1", "3": "near_duplicate_image 1"}


@pytest.mark.parametrize(
    ("rules", "want"),
    [
        (OFF, {}),
        (changed(OFF, image_exact="patient"), {"2": "duplicate_image 1"}),
        (changed(OFF, image_exact="archive"), {"2": "duplicate_image 1", "3": "duplicate_image 1"}),
        (changed(OFF, image_near="patient"), {"2": "near_duplicate_image 1", "4": "near_duplicate_image 1"}),
        (
            changed(OFF, image_near="archive", image_exact="patient"),
            {"2": "duplicate_image 1", "3": "near_duplicate_image 1", "4": "near_duplicate_image 1"},
        ),
    ],
)
def test_scopes_of_images(rules: DedupRules, want: dict[str, str]):
    assert fates(table("1 p s a n", "2 p t a n", "3 q u a n", "4 p v a' n", "5 p v b n"), rules) == want


@pytest.mark.parametrize("keep", ["best", "first"])
def test_what_the_source_holds_out_stays_and_its_copy_in_train_goes(keep: str):
    rows = table("k1 p - a r", "k2 q - a n", "k3 r - a .", "k4 s - b r", "k5 t - b r")
    splits = pa.array(["train", "test", "val", None, "val"], pa.string())
    rows = rows.set_column(rows.column_names.index("official_split"), "official_split", splits)
    same = "duplicate_image"
    want = {"k1": f"{same} k2", "k3": f"{same} k2", "k4": f"{same} k5"}
    assert fates(rows, changed(DedupRules(), keep=keep)) == want


def test_an_unknown_patient_is_nobody_else():
    rows = table("1 - s a n", "2 - s a n")
    assert fates(rows, changed(OFF, image_exact="patient", image_near="patient")) == {}
    assert fates(rows, changed(OFF, image_exact="archive")) == {"2": "duplicate_image 1"}


def test_best_is_most_text_then_most_pixels_then_the_lowest_key():
    rows = table("1 p s a n", "2 p s A n", "3 p s a r", "4 p s A .")
    assert set(fates(rows, DedupRules())) == {"1", "2", "4"}
    assert set(fates(table("1 p s a n", "2 p s A n"), DedupRules())) == {"1"}
    assert set(fates(table("2 p s a n", "1 p s a n"), DedupRules())) == {"2"}
    assert set(fates(rows, changed(DedupRules(), keep="first"))) == {"2", "3", "4"}


def test_a_report_shared_by_the_images_of_a_study_is_no_duplicate():
    rows = table("1 p s a r", "2 p s b r", "3 p s - r")
    assert fates(rows, ALL) == {}


def test_of_two_studies_with_one_report_all_images_of_one_stay():
    rows = table("1 p s a r", "2 p s b r", "3 p t c r", "4 p t d r", "5 q u - r", "6 p t - n")
    assert fates(rows, changed(OFF, text_exact="patient")) == {"3": "duplicate_text 1", "4": "duplicate_text 1"}
    found = fates(rows, changed(OFF, text_exact="archive"))
    assert found == dict.fromkeys("345", "duplicate_text 1")


def test_near_texts_and_their_reason():
    rows = table("1 p s a r", "2 q t b r'", "3 q t - n", "4 r u c r", "5 r v - .", "6 r w - .")
    rules = changed(OFF, text_exact="archive", text_near="archive")
    assert fates(rows, rules) == {"2": "near_duplicate_text 1", "4": "duplicate_text 1"}
    assert fates(rows, changed(OFF, text_near="archive")) == dict.fromkeys("24", "near_duplicate_text 1")
    assert fates(rows, changed(rules, text_near="patient", text_exact="patient")) == {}


def test_the_strongest_link_names_the_reason():
    assert fates(table("1 p s a r", "2 p t a r"), ALL) == {"2": "duplicate_image 1"}
    assert fates(table("1 p s a r", "2 p t a' r"), ALL) == {"2": "near_duplicate_image 1"}


def test_a_study_that_lost_its_images_does_not_take_its_reports_twin_with_it():
    # 2 is an image copy of 1; 3 repeats 2's report. 2 is gone, so 3 is the only bearer of that report.
    rows = table("1 p s a r", "2 p t a n", "3 p u b n")
    assert fates(rows, ALL) == {"2": "duplicate_image 1"}


def test_who_points_at_a_dropped_representative_points_on_to_the_kept_one():
    rows = table("1 p s b r", "2 p t A r", "3 p t a n")
    assert fates(rows, ALL) == {"1": "duplicate_text 2", "3": "near_duplicate_image 2"}
    rows = table("1 p s A r", "2 p t b r", "3 p u b n")
    assert fates(rows, ALL) == {"2": "duplicate_text 1", "3": "duplicate_image 1"}


def test_a_chain_does_not_swallow_what_does_not_resemble_its_representative():
    def match(reps: np.ndarray, members: np.ndarray) -> np.ndarray:
        return (np.abs(reps - members) <= 2).astype(np.int8)

    chain = np.array([[i, i + 1] for i in range(9)] + [[i, i + 2] for i in range(8)])
    parent, link = represent(11, chain, match)
    assert parent.tolist() == [0, 0, 0, 3, 3, 3, 6, 6, 6, 9, 10]
    assert link.tolist() == [0, 1, 1] * 3 + [0, 0]


@given(st.integers(0, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_components_equal_a_plain_search(n: int, links: list[tuple[int, int]]):
    links = [(a, b) for a, b in links if a < n and b < n]
    label = list(range(n))
    for _ in range(n):
        for a, b in links:
            label[a] = label[b] = min(label[a], label[b])
    assert components(n, np.array(links, np.int64).reshape(-1, 2)).tolist() == label


ROWS = st.lists(
    st.tuples(
        st.sampled_from("pq-"), st.sampled_from("stu-"), st.sampled_from([*PIXELS, "-"]), st.sampled_from([*TEXTS])
    ),
    max_size=14,
)
SCOPES = st.sampled_from(["off", "patient", "archive"])
RULES = st.builds(
    DedupRules,
    image_exact=SCOPES,
    image_near=SCOPES,
    text_exact=SCOPES,
    text_near=SCOPES,
    keep=st.sampled_from(["best", "first"]),
    distance=st.sampled_from([0, 6, 12]),
)


@given(ROWS, RULES, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=100)
def test_the_order_of_rows_changes_nothing(rows: list[tuple[str, str, str, str]], rules: DedupRules, random):
    made = table(*(f"k{i:02} {p} {p + s} {picture} {text or '.'}" for i, (p, s, picture, text) in enumerate(rows)))
    order = list(range(len(rows)))
    random.shuffle(order)
    fates(made, rules)
    whole, mixed = resolve(made, rules), resolve(made.take(pa.array(order, pa.int64())), rules)
    assert mixed.equals(whole.take(pa.array(order, pa.int64())).combine_chunks())


@given(ROWS)
@settings(deadline=None, max_examples=40)
def test_one_row_of_each_exact_image_stays_at_most_and_resolving_the_kept_drops_none(rows):
    made = table(*(f"k{i:02} {p} {p + s} {picture} {text or '.'}" for i, (p, s, picture, text) in enumerate(rows)))
    alive = resolve(made, ALL)["drop_reason"].is_null()
    kept = made.filter(alive)
    hashes = [h for h in kept["pixel_hash"].to_pylist() if h]
    assert len(hashes) == len(set(hashes))
    assert fates(kept, ALL) == {}


def test_chunked_columns_and_no_rows_at_all():
    one, two = table("1 p s a r"), table("2 p t a n", "3 p t b r")
    assert fates(pa.concat_tables([one, two]), ALL) == {"2": "duplicate_image 1", "3": "duplicate_text 1"}
    assert resolve(table(), ALL).num_rows == 0


def test_signatures_are_the_record_columns():
    made = signatures(PIXELS["a"], REPORT)
    assert set(made) == {"pixel_hash", "phash", "thumb", "text_hash", "minhash"}
    pa.Table.from_pylist([made], pa.schema([RECORD.field(n) for n in made]))
    assert len(made["thumb"]) == 1024 and len(made["minhash"]) == 4 * MINHASH_SIZE
    bare = signatures(None, REPORT)
    assert [n for n, v in bare.items() if v is None] == ["pixel_hash", "phash", "thumb"]


@pytest.mark.parametrize(
    "wrong", [{"image_near": "everywhere"}, {"keep": "last"}, {"distance": 13}, {"correlation": 0}, {"jaccard": 1.1}]
)
def test_wrong_rules_are_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=r"image_near|keep|distance|correlation|jaccard"):
        DedupRules(**wrong)


def test_a_repeated_key_is_a_bug():
    with pytest.raises(ValueError, match="keys repeat"):
        resolve(table("1 p s a r", "1 p s b r"), DedupRules())


def test_real_films_entered_twice_are_found_and_follow_ups_stay():
    folder = real("cxr_pairs")
    with (folder / "pairs.csv").open(newline="", encoding="utf-8") as f:
        rows = [r for r in csv.DictReader(f) if r["modality"] == "X-ray"]
    rows = [r for i, r in enumerate(rows) if i % 4 == 0 or r["group_id"] == "ga885e6d1"]
    out = []
    for i, r in enumerate(rows):
        pixels = cv2.imread(str(folder / r["image"]), cv2.IMREAD_GRAYSCALE)
        h, w = pixels.shape
        names = {
            "key": f"{i:03}",
            "patient": r["group_id"],
            "study": f"{i}",
            "width": w,
            "height": h,
            "text": r["text"],
        }
        out.append({**names, **signatures(pixels, r["text"])})
    cluster = resolve(pa.Table.from_pylist(out, SCHEMA), DedupRules())["cluster"].to_pylist()
    series = "covid-19-rapidly-progressive-acute-respiratory-distress-syndrome-ards"
    of = {r["orig"].split(".")[0]: c for r, c in zip(rows, cluster, strict=True)}
    twins = {"admission": "16660_2_1", "day-1": "16660_3_1", "day-2": "16660_4_1", "day-3": "16660_5_1"}
    assert all(of[f"{series}-{day}"] == of[twin] for day, twin in twins.items())
    assert len({of[twin] for twin in twins.values()}) == 4
    assert len(rows) - len(set(cluster)) <= 8


def greedy(n: int, near: np.ndarray) -> list[int]:
    """The representative of each row, by hand: the first kept one that it matches."""
    parent = list(range(n))
    for row in range(n):
        parent[row] = next((r for r in range(row) if parent[r] == r and near[r, row]), row)
    return parent


@given(st.integers(0, 2**32), st.sampled_from([0.01, 0.03, 0.1, 0.5]))
@settings(max_examples=30, deadline=None)
def test_a_large_component_is_resolved_as_a_small_one_is(seed: int, density: float):
    n = 150
    rng = np.random.default_rng(seed)
    near = np.triu(rng.random((n, n)) < density, 1)
    near[np.arange(n - 1), np.arange(1, n)] |= rng.random(n - 1) < 0.9  # long chains
    near |= near.T
    pairs = np.argwhere(np.triu(near, 1))
    parent, link = represent(n, pairs, lambda a, b: near[a, b].astype(np.int8))
    assert parent.tolist() == greedy(n, near)
    assert (link > 0).tolist() == (parent != np.arange(n)).tolist()


def test_what_a_dropped_leader_linked_finds_another_one():
    """A hub links 200 rows that match one another, and itself goes for a better row that matches none of them."""
    n, hub = 202, 1
    pairs = np.array([[0, hub], *([hub, i] for i in range(2, n))])
    near = np.ones((n, n), bool)
    near[0, 2:] = near[2:, 0] = False
    parent, _ = represent(n, pairs, lambda a, b: near[a, b].astype(np.int8))
    assert parent.tolist() == [0, 0, *[2] * 200]
