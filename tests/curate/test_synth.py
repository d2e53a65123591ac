"""The synthetic archive: the same bytes from the same seed, and a truth that is true of them."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.errors import InvalidDicomError

from curate.errors import RecipeError
from curate.synth.anatomy import render
from curate.synth.archive import SynthConfig, write_archive
from curate.synth.case import Case, Purpose, rng_for
from curate.synth.catalogue import NAMES, SCENES
from curate.synth.faults import FAULTS, draw_fault, make_plan, plain_case, swap_sides
from curate.synth.files import picture, write_dicom
from curate.synth.identities import MIN_CHARS, Ledger, make_patient, make_visit
from curate.synth.stored import LOSSY, Stored, allowed_syntaxes
from curate.synth.study import COLUMNS, TRUTH, make_study
from curate.synth.tags import Subject

# every fault often enough that a small archive holds it
BUSY = SynthConfig(
    studies=160, seed=3, side=72, mismatch=0.1, wrong_side=0.06, negated=0.06, boilerplate=0.06, exact_duplicate=0.08,
    near_duplicate=0.08, blank=0.04, truncated=0.05, corrupt=0.05, empty=0.03, not_dicom=0.04, burned_in=0.06,
    orphan_image=0.04, orphan_report=0.04, ambiguous=0.04,
)  # fmt: skip
BROKEN = ("truncated", "corrupt", "empty", "not_dicom")


@dataclass(frozen=True)
class Archive:
    root: Path
    counts: dict[str, int]
    truth: list[dict]
    reports: dict[str, list[dict[str, str]]]  # by accession

    def read(self, file: str) -> pydicom.Dataset:
        return pydicom.dcmread(self.root / "dicom" / file, force=True)

    def rows(self, fault: str) -> list[dict]:
        found = [r for r in self.truth if r["fault"] == fault]
        assert found, f"the archive holds no {fault}"
        return found


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    root = tmp_path_factory.mktemp("synth")
    counts = write_archive(root, BUSY)
    reports: dict[str, list[dict[str, str]]] = {}
    with open(root / "reports" / "reports.csv", encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            reports.setdefault(row["accession"], []).append(row)
    return Archive(root, counts, pq.read_table(root / "truth" / "truth.parquet").to_pylist(), reports)


def _tree(root: Path) -> dict[str, str]:
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


# -- the same bytes


def test_same_seed_writes_the_same_bytes(archive: Archive, tmp_path: Path) -> None:
    seen: list[int] = []
    assert write_archive(tmp_path / "again", BUSY, seen.append) == archive.counts
    assert _tree(tmp_path / "again") == _tree(archive.root)
    assert seen == list(range(1, BUSY.studies + 1))


def test_a_smaller_archive_is_the_beginning_of_a_larger_one(archive: Archive, tmp_path: Path) -> None:
    write_archive(tmp_path, SynthConfig(**{**vars(BUSY), "studies": 20}))
    small, large = _tree(tmp_path / "dicom"), _tree(archive.root / "dicom")
    assert small.items() < large.items()
    text = (archive.root / "reports" / "reports.csv").read_bytes()
    assert text.startswith((tmp_path / "reports" / "reports.csv").read_bytes())


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 5), st.lists(st.integers(0, 10**7), min_size=2, max_size=3, unique=True))
def test_a_study_does_not_depend_on_what_was_made_before(seed: int, order: list[int]) -> None:
    config = SynthConfig(seed=seed, side=64)
    forth = {i: make_study(config, i) for i in order}
    back = {i: make_study(config, i) for i in reversed(order)}
    assert forth == back


def test_another_seed_is_another_archive() -> None:
    a, b = (make_study(SynthConfig(seed=s, side=64), 5) for s in (0, 1))
    assert a.files != b.files
    assert a.truth[0]["patient_id"] != b.truth[0]["patient_id"]


# -- the truth is complete


def test_every_file_and_every_orphaned_report_has_one_row(archive: Archive) -> None:
    on_disk = {
        p.relative_to(archive.root / "dicom").as_posix() for p in (archive.root / "dicom").rglob("*") if p.is_file()
    }
    rows = [r["file"] for r in archive.truth if r["file"] is not None]
    assert len(rows) == len(set(rows))
    assert set(rows) == on_disk
    assert {r["fault"] for r in archive.truth if r["file"] is None} == {"orphan_report"}
    assert archive.counts["images"] == len(rows)
    assert archive.counts["reports"] == sum(map(len, archive.reports.values()))
    assert {r["fault"] for r in archive.truth} == {"none", *FAULTS}


def test_reports_are_there_as_the_truth_says(archive: Archive) -> None:
    for row in archive.truth:
        expected = {"orphan_image": 0, "ambiguous": 2}.get(row["fault"], 1)
        reports = archive.reports.get(row["accession"], [])
        assert len(reports) == expected, row["fault"]
        assert all(tuple(r) == COLUMNS and r["patient_id"] == row["patient_id"] for r in reports)
        assert {r["reviewed"] for r in reports} <= {"yes" if row["reviewed"] else ""}
        if expected == 2:
            assert reports[0]["report"] != reports[1]["report"]
    accessions = {r["accession"] for r in archive.truth}
    assert set(archive.reports) <= accessions


def test_only_faultless_pairs_are_reviewed(archive: Archive) -> None:
    reviewed = [r for r in archive.truth if r["reviewed"]]
    assert 0 < len(reviewed) < len(archive.rows("none"))
    assert {r["fault"] for r in reviewed} == {"none"}
    assert all(r["pair_is_right"] and r["faults"] == [] for r in reviewed)


def test_faults_are_planted_at_the_configured_rate() -> None:
    config, n = SynthConfig(), 4000
    drawn = [draw_fault(config, i) for i in range(n)]
    for name, share in zip(FAULTS, config.shares(), strict=True):
        assert drawn.count(name) / n == pytest.approx(share, abs=4 * (share / n) ** 0.5)


# -- the planted strings


def _haystack(path: Path, syntax: str) -> bytes:
    """The file's bytes; inflated where the transfer syntax deflates them."""
    raw = path.read_bytes()
    if syntax != uid.DeflatedExplicitVRLittleEndian:
        return raw
    ds = pydicom.dcmread(io.BytesIO(raw), force=True)
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds)
    return buffer.getvalue()


def _spellings(text: str) -> list[bytes]:
    """The string in each character set that writes it at all."""
    found = []
    for codec in ("utf-8", "latin-1", "iso8859-5", "iso2022_jp"):
        try:
            found.append(text.encode(codec))
        except UnicodeEncodeError:
            continue
    return found


def test_every_planted_string_is_where_the_truth_says(archive: Archive) -> None:
    for row in archive.truth:
        raw = _haystack(archive.root / "dicom" / row["file"], row["transfer_syntax"]) if row["file"] else b""
        text = "\n".join("\n".join(r.values()) for r in archive.reports.get(row["accession"], []))
        for planted in row["phi"]:
            there = planted in text or any(s in raw for s in _spellings(planted))
            assert there or planted in row["phi_pixels"], (row["file"], planted)


def test_every_header_value_that_identifies_is_in_the_truth(archive: Archive) -> None:
    """The other way round: nothing of a person or place stands in a header that the truth does not know."""
    keywords = ["PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyDate", "StudyInstanceUID"]
    keywords += ["SOPInstanceUID", "InstitutionName", "ReferringPhysicianName", "DeviceSerialNumber", "PatientAddress"]
    for row in archive.rows("none"):
        ds = archive.read(row["file"])
        for keyword in keywords:
            for part in str(ds.get(keyword, "")).split("="):
                assert part in {"", *row["phi"]}, keyword


def test_planted_strings_cannot_be_met_by_chance(archive: Archive) -> None:
    words = [w for s in SCENES for w in (s.title, *s.techniques, *s.indications, *s.normal, *s.other_side)]
    words += [w for s in SCENES for f in s.findings for w in (f.name, *f.present, *f.summary, *f.absent)]
    clinical = "\n".join(words).lower()
    planted = {p for r in archive.truth for p in r["phi"]}
    assert all(len(p) >= MIN_CHARS for p in planted)
    assert not [p for p in planted if p.lower() in clinical]
    assert not [p for p in planted if re.search(r"\d{4}-\d{2}-\d{2}", p)], "ISO dates are what shifted dates look like"
    alone = [name for kind in ("surnames", "given_f", "given_m", "doctors") for name in NAMES[kind]]
    alone += [name for person in NAMES["cyrillic"] for name in person]
    assert min(map(len, alone)) >= 6


def test_patients_and_visits_have_identifiers_of_their_own() -> None:
    assert len({make_patient(0, i).mrn for i in range(3000)}) == 3000
    visits = [make_visit(0, i) for i in range(3000)]
    assert len({v.accession for v in visits}) == len({v.study_uid for v in visits}) == 3000
    assert all(len(v.accession) <= 16 for v in visits), "SH holds 16 characters"


# -- pictures


def _stored(kind: str) -> Stored:
    rng = np.random.default_rng(0)
    ramp = np.add.outer(np.arange(48), np.arange(64)) * 30 + rng.integers(0, 20, (48, 64))
    frames = {
        "grey8": (ramp % 256).astype(np.uint8)[None],
        "grey12": ramp.clip(0, 4095).astype(np.uint16)[None],
        "signed": (ramp - 1024).astype(np.int16)[None],
        "colour": np.stack([ramp // 14, ramp // 20, 255 - ramp // 14], -1).clip(0, 255).astype(np.uint8)[None],
        "odd": (ramp % 256).astype(np.uint8)[None, :47, :63],
    }
    frames["cine"] = np.concatenate([frames["colour"], frames["colour"][:, ::-1], frames["colour"][:, :, ::-1]])
    colour, bits = kind in ("colour", "cine"), {"grey12": 12, "signed": 16}.get(kind, 8)
    return Stored(frames[kind], "RGB" if colour else "MONOCHROME2", bits)


@pytest.mark.parametrize("kind", ["grey8", "grey12", "signed", "colour", "odd", "cine"])
def test_every_syntax_reads_back(kind: str) -> None:
    stored, case = _stored(kind), plain_case(BUSY, 0)
    syntaxes = allowed_syntaxes(stored)
    assert len(syntaxes) >= (5 if kind == "signed" else 8)
    for syntax in syntaxes:
        subject = Subject(0, 0, 0, case, make_patient(0, 0), make_visit(0, 0), Ledger())
        data, _ = write_dicom(subject, stored, syntax, burned=False, bare=False, quality=90)
        ds = pydicom.dcmread(io.BytesIO(data))
        assert ds.file_meta.TransferSyntaxUID == syntax
        back = ds.pixel_array.reshape(stored.frames.shape)
        if syntax in LOSSY:
            assert np.abs(back.astype(int) - stored.frames).mean() < 6
        else:
            np.testing.assert_array_equal(back, stored.frames, err_msg=syntax.name)


def test_sound_files_read_back_as_painted(archive: Archive) -> None:
    seen = set()
    for row in archive.rows("none"):
        ds = archive.read(row["file"])
        study, number = row["study"], int(Path(row["file"]).stem) - 1
        stored, syntax = picture(BUSY, plain_case(BUSY, study), number)
        assert ds.file_meta.TransferSyntaxUID == syntax == row["transfer_syntax"]
        if syntax not in LOSSY:
            np.testing.assert_array_equal(ds.pixel_array.reshape(stored.frames.shape), stored.frames)
        seen.add(syntax)
    assert len(seen) >= 8


def test_exact_duplicates_have_the_same_pixels_under_other_identifiers(archive: Archive) -> None:
    for row in archive.rows("exact_duplicate"):
        copy, first = archive.read(row["file"]), archive.read(row["duplicate_of"])
        np.testing.assert_array_equal(copy.pixel_array, first.pixel_array)
        assert copy.SOPInstanceUID != first.SOPInstanceUID
        assert copy.AccessionNumber != first.AccessionNumber
        assert copy.PatientID == first.PatientID == row["patient_id"]
        assert row["pair_is_right"]


def test_near_duplicates_look_alike_but_differ(archive: Archive) -> None:
    for row in archive.rows("near_duplicate"):
        pair = [archive.read(f) for f in (row["file"], row["duplicate_of"])]
        assert pair[0].PatientID == pair[1].PatientID
        copy, first = (_shown(ds) for ds in pair)
        assert copy.shape != first.shape or not np.array_equal(copy, first)
        small = [cv2.resize(a, (32, 32), interpolation=cv2.INTER_AREA).ravel() for a in (copy, first)]
        assert np.corrcoef(*small)[0, 1] > 0.95, row["modality"]


def _shown(ds: pydicom.Dataset) -> np.ndarray:
    """The first frame as grey float32, windowed as its tags say."""
    image = ds.pixel_array[0] if "NumberOfFrames" in ds else ds.pixel_array
    image = image.astype(np.float32)
    image = image.mean(-1) if image.ndim == 3 else image
    if "WindowWidth" in ds:
        image = image * ds.get("RescaleSlope", 1) + ds.get("RescaleIntercept", 0)
        image = np.clip((image - ds.WindowCenter) / ds.WindowWidth + 0.5, 0, 1)
    return -image if ds.PhotometricInterpretation == "MONOCHROME1" else image


@pytest.mark.filterwarnings("ignore:End of file reached")
def test_broken_files_cannot_be_decoded(archive: Archive) -> None:
    for fault in BROKEN:
        for row in archive.rows(fault):
            assert not row["pair_is_right"]
            with pytest.raises((InvalidDicomError, EOFError, ValueError, RuntimeError, AttributeError)):
                _ = pydicom.dcmread(archive.root / "dicom" / row["file"]).pixel_array
    assert all((archive.root / "dicom" / r["file"]).stat().st_size == 0 for r in archive.rows("empty"))


def test_blank_images_have_one_value(archive: Archive) -> None:
    for row in archive.rows("blank"):
        pixels = archive.read(row["file"]).pixel_array
        assert np.ptp(pixels.astype(int)) <= (2 if row["transfer_syntax"] in LOSSY else 0)


def test_text_is_burned_into_a_corner(archive: Archive) -> None:
    flags = set()
    for row in [r for r in archive.truth if "burned_in" in r["faults"]]:
        assert len(row["phi_pixels"]) >= 2
        assert set(row["phi_pixels"]) <= set(row["phi"])
        ds = archive.read(row["file"])
        flags.add(ds.get("BurnedInAnnotation", ""))
        stored, syntax = picture(BUSY, plain_case(BUSY, row["study"]), int(Path(row["file"]).stem) - 1)
        if syntax not in LOSSY:
            changed = (ds.pixel_array.reshape(stored.frames.shape) != stored.frames).mean()
            assert 0.003 < changed < 0.2
    assert "NO" in flags, "the flag is wrong now and then"


@pytest.mark.parametrize("scene", SCENES, ids=lambda s: f"{s.modality}-{s.name}")
def test_findings_are_drawn_on_their_side(scene) -> None:
    """Against the same patient without it, a finding changes the picture, and on the right side of it."""
    for finding in scene.findings:
        for side in ("left", "right") if finding.sided else ("",):
            sick = Case(7, 7, scene, finding, side, "moderate", 1)
            change = np.abs(render(sick, 0, 0, 96) - render(Case(7, 7, scene, None, "", "", 1), 0, 0, 96))
            if scene.modality == "CT":
                change = change.clip(0, 400)
            noise = np.quantile(change, 0.25)
            assert (change > 4 * noise + 1e-3).mean() > 0.002, finding.name
            if finding.sided and finding.name != "midline shift":  # whose cause lies opposite
                half = change.shape[1] // 2
                right, left = change[:, :half].sum(), change[:, half:].sum()
                assert (left > right) == (side == "left"), (finding.name, side)


# -- words


@given(st.lists(st.sampled_from(["left", "right", "Left", "RIGHT", "bright", "leftover", "no", "effusion."])))
def test_swapping_sides_twice_changes_nothing(words: list[str]) -> None:
    text = " ".join(words)
    assert swap_sides(swap_sides(text)) == text
    assert (swap_sides(text) != text) == bool(re.search(r"\b(left|right)\b", text, re.IGNORECASE))


def _body(text: str) -> str:
    """Findings and impression alone, lower case."""
    return text[re.search(r"findings:", text, re.IGNORECASE).end() : text.rindex("Electronically signed")].lower()


def test_faults_of_words_are_in_the_words(archive: Archive) -> None:
    opposite = {"left": "right", "right": "left"}
    for row in archive.truth:
        if row["fault"] not in ("wrong_side", "negated", "boilerplate", "none", "mismatch"):
            continue
        body, finding, side = _body(archive.reports[row["accession"]][0]["report"]), row["finding"], row["side"]
        if row["fault"] == "none" and side:
            assert re.search(rf"\b{side}\b", body)
        elif row["fault"] == "wrong_side":
            assert side
            assert re.search(rf"\b{opposite[side]}\b", body)
        elif row["fault"] == "negated":
            assert f"no {finding}." in body
        elif row["fault"] == "boilerplate":
            assert finding
            assert finding not in body
        assert row["pair_is_right"] == (row["fault"] == "none")


def test_a_mismatched_report_describes_something_else(archive: Archive) -> None:
    for row in archive.rows("mismatch"):
        plan = make_plan(BUSY, row["study"])
        assert plan.wrong is not None
        other = (plan.wrong.scene.body_part, plan.wrong.finding_name)
        assert other != (row["body_part"], row["finding"])
        report = archive.reports[row["accession"]][0]["report"]
        assert f"Exam: {plan.case.scene.title} " in report, "the header stays the study's own"


def test_the_side_a_finding_template_names_is_always_there() -> None:
    for finding in (f for s in SCENES for f in s.findings):
        for text in (*finding.present, *finding.summary):
            assert ("{side}" in text.lower()) == finding.sided, text
        assert not any("{" in text for text in finding.absent)


# -- bad arguments, and size


@pytest.mark.parametrize(
    ("field", "value"), [("mismatch", 1.5), ("reviewed", -0.1), ("studies", -1), ("side", 8), ("blank", float("nan"))]
)
def test_a_wrong_configuration_is_named(field: str, value: float) -> None:
    with pytest.raises(RecipeError, match=field):
        SynthConfig(**{field: value})


def test_shares_may_not_exceed_the_whole() -> None:
    with pytest.raises(RecipeError, match="sum to"):
        SynthConfig(mismatch=0.9)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(RecipeError, match="not empty"):
        write_archive(tmp_path, SynthConfig(studies=1, side=64))
    with pytest.raises(RecipeError, match="cannot be written"):
        write_archive(tmp_path / "mine.txt" / "below", SynthConfig(studies=1, side=64))


def test_an_archive_of_nothing_has_headers(tmp_path: Path) -> None:
    assert write_archive(tmp_path, SynthConfig(studies=0))["images"] == 0
    assert (tmp_path / "reports" / "reports.csv").read_text().strip() == ",".join(COLUMNS)
    assert pq.read_schema(tmp_path / "truth" / "truth.parquet").names == TRUTH.names


def test_truth_is_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = SynthConfig(studies=5, side=64)
    monkeypatch.setattr("curate.synth.archive._GROUP", 2)
    write_archive(tmp_path, config)
    file = pq.ParquetFile(tmp_path / "truth" / "truth.parquet")
    assert file.metadata.num_rows == sum(len(make_study(config, i).truth) for i in range(5))
    assert file.metadata.num_row_groups >= 2


def test_generators_of_different_purposes_differ() -> None:
    draws = {float(rng_for(0, purpose, 1, part).random()) for purpose in Purpose for part in (0, 1)}
    assert len(draws) == 2 * len(Purpose)
