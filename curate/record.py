"""The vocabulary of the house: what a record is, the schema of every table, why a record may be dropped.

A *record* is one image-report pair. Its ``key`` is 32 hex digits, an HMAC of the source identity under the
run's secret (`curate.deid.pseudonym`). Tables are Arrow; every table of the run has one of the schemas below.
Rows never vanish: a step marks a row with `drop_each`, and a dropped row carries no payload to disk.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.lean import arrow_without_pandas

arrow_without_pandas()  # here, since whatever makes a table knows this module first


class Reason(StrEnum):
    """Why a record was dropped. The value is what the funnel, the tables and the report page print."""

    WITHDRAWN = "withdrawn"  # its patient has left the run (`curate remove`)
    # -- index: what lies in the archive
    UNREADABLE_FOLDER = "unreadable_folder"
    UNREADABLE_FILE = "unreadable_file"
    SYMLINK = "symlink_not_followed"
    EMPTY_FILE = "empty_file"
    DAMAGED_ARCHIVE = "damaged_archive"  # a tar or zip, or what is missing of one
    PACKED_ARCHIVE = "compressed_archive"  # as a whole (.tar.xz), so that nothing in it can be read alone
    UNSAFE_NAME = "unsafe_name_in_archive"  # absolute, or one that leads out of it
    REPEATED_NAME = "name_twice_in_archive"  # which of them belongs to the rest nobody says
    URL_NOT_FOUND = "url_not_found"  # of `curate fetch --urls`: the server has no such thing
    URL_REFUSED = "url_refused"  # it forbids it, or asks not to use it; or no http(s) URL
    URL_FAILED = "url_failed"  # no answer, or an error, as often as it was asked
    NOT_AN_IMAGE = "not_an_image"
    BAD_HEADER = "bad_header"
    NO_PIXELS = "dicom_without_pixels"
    NOT_A_PICTURE = "dicom_not_a_picture"  # segmentation, dose, parametric map: numbers, not a picture of a patient
    NOT_REPRESENTATIVE = "not_the_chosen_frame_or_slice"
    IN_MONTAGE = "shown_in_a_montage"  # its slice is a tile of the series' one record
    READ_AS_REPORT = "read_as_a_report"  # a file under the images that is a report, or a table of them
    EXCLUDED = "excluded_by_recipe"  # by modality, SOP class, image type or size
    LOCALIZER = "localizer"  # the scout that slices are planned on
    SCREEN = "screen_or_document"  # a dose sheet, protocol page, saved screen or scanned document
    SECONDARY_CAPTURE = "secondary_capture"  # beside the study's own pictures
    UNKNOWN_SPLIT = "unknown_split"  # the official column says something that is no split
    SPLIT_CONFLICT = "patient_in_another_official_split"
    NOT_A_REPORT = "not_a_report"  # a file (or a workbook's sheet) beside reports that is of no kind that is read
    # -- index: pairing
    ORPHAN_IMAGE = "image_without_report"
    ORPHAN_REPORT = "report_without_image"
    AMBIGUOUS_REPORT = "several_reports_match"
    PATIENT_MISMATCH = "report_of_another_patient"
    SEVERAL_PATIENTS = "id_of_several_patients"  # several share what pairs, and nothing says whose the report is
    ANOTHER_STUDY = "report_of_another_study"  # or it may be: of its patient and day, on which there are several
    SUPERSEDED = "superseded_report"  # a later version of it is the report, or it was cancelled
    EMPTY_REPORT = "empty_report"
    UNREAD_DOCUMENT = "report_in_unread_document"  # a PDF, or a text that lies elsewhere
    BAD_ENCODING = "bad_text_encoding"
    BROKEN_ROW = "malformed_report_row"
    NO_STATEMENT = "question_without_statement"  # no rule says what the answer states
    CONTRADICTED = "contradicting_answers"  # the same source states this and its denial
    UNKNOWN_LABEL = "unknown_label_value"  # a value of a label's column that the recipe gives no words for
    # -- ingest: pixels
    UNDECODABLE = "undecodable_pixels"
    TRUNCATED = "truncated_pixels"
    UNSUPPORTED_SYNTAX = "unsupported_transfer_syntax"
    UNSUPPORTED_IMAGE = "unsupported_image_format"  # an image, but of a kind that is not read: HEIC, CIELab TIFF, ...
    CONTRADICTORY = "header_contradicts_pixels"  # both are whole, and do not describe one picture
    ENCAPSULATION = "native_or_encapsulated_contradicted"  # what the data are not, and what they are is not known
    PIXEL_LENGTH = "pixel_length_fits_no_layout"
    PIXEL_BITS = "pixel_bits_contradict_header"  # bits beside Bits Stored in use, or a sign that is none
    STREAM_SIZE = "code_stream_contradicts_header"  # another size, or samples of which nobody says what they are
    FRAME_COUNT = "frame_not_in_pixel_data"
    TOO_LARGE = "decompression_limit"
    BLANK = "blank_image"
    TOO_SMALL = "image_too_small"
    CHANGED = "file_changed_since_index"
    CRASHED = "crashed_its_process"
    FAILED = "unforeseen_failure"  # of the program, at the place its `fault` names: a bug to report
    # -- ingest: de-identification; what cannot be proven clean is quarantined
    BURNED_IN = "quarantine_burned_in_text"
    PIXELS_UNPROVEN = "quarantine_pixels_unproven"
    FACE = "quarantine_recognisable_face"  # a volume of a head, which the recipe keeps back unless it was defaced
    TOO_MUCH_PAINTED = "quarantine_too_much_painted"  # to blank its text would take more than the recipe allows
    PHI_IN_OUTPUT = "quarantine_verify_failed"
    UNPROVABLE = "quarantine_unprovable"  # nothing was found, and nothing could be: a script that is not searched
    TEXT_UNPROVEN = "quarantine_text_unproven"  # no prose: encoded bytes, in which nothing is found
    LANGUAGE = "quarantine_language"  # a text, or a section, in a language that the recipe does not clean
    MASKED = "quarantine_mostly_masked"  # more of the text's words are masked than the recipe allows
    HEADER_UNPROVEN = "quarantine_header_unproven"  # what the object must hold cannot be told from an identity
    # -- kinds that must not pass unless the rules say how
    REFUSED_DIRECTORY = "refused_dicomdir"
    REFUSED_STRUCTURED = "refused_structured_report"
    REFUSED_DOCUMENT = "refused_encapsulated_document"
    REFUSED_CLASS = "refused_unknown_sop_class"
    REFUSED_KIND = "refused_kind_of_file"
    NO_WANTED_SECTION = "no_wanted_section"
    TEXT_TOO_SHORT = "text_too_short"
    # -- dedup
    DUPLICATE_IMAGE = "duplicate_image"
    NEAR_DUPLICATE_IMAGE = "near_duplicate_image"
    DUPLICATE_TEXT = "duplicate_text"
    NEAR_DUPLICATE_TEXT = "near_duplicate_text"
    RELEASED = "in_earlier_release"  # exported by a run of dedup.against, or a duplicate of what was
    SEMANTIC_DUPLICATE = "semantic_duplicate"  # a filter sees the pictures alike, and the texts claim the same
    # -- dedup: kept apart from what filters and models are measured on
    IN_EVALUATION = "in_evaluation_set"
    EVALUATION_PATIENT = "patient_in_evaluation_set"
    # -- select
    NO_TEXT_BELIEVED = "neither_text_believed"  # by CapFilt: not its own text, and none was made that is better
    BELOW_CUT = "score_below_cut"
    UNSCORED = "unscored"
    NOT_IN_ALL = "below_another_cut"  # in the top of the main score, but not of every column that must agree
    OVER_CAP = "concept_cap"  # enough better records say the same
    DISPLACED = "made_room_for_floor"  # above the cut, but a subgroup below its floor took the place
    NOT_DRAWN = "not_drawn"  # sampling with repeats drew others

    @property
    def is_quarantine(self) -> bool:
        """True where the record was kept back because it could not be proven clean."""
        return self.value.startswith("quarantine_")

    @property
    def is_refusal(self) -> bool:
        """True where what the record is, not what it holds, keeps it back."""
        return self.value.startswith("refused_")


class Fate(StrEnum):
    """The three ends of every input of de-identification: written, kept back, or of a kind that must not pass."""

    CLEAN = "CLEAN"
    QUARANTINED = "QUARANTINED"
    REFUSED = "REFUSED"

    @classmethod
    def of(cls, reason: str | None) -> Fate:
        """The end that ``reason`` (None: there is none against it) stands for."""
        if reason is None:
            return cls.CLEAN
        return cls.REFUSED if Reason(reason).is_refusal else cls.QUARANTINED


# What may be otherwise another time, with the file as it is: `curate run --again`.
PASSING = (
    Reason.UNREADABLE_FOLDER,
    Reason.UNREADABLE_FILE,
    Reason.DAMAGED_ARCHIVE,
    Reason.CHANGED,
    Reason.CRASHED,
    Reason.FAILED,
)
DROP_FIELDS = [pa.field("drop_step", pa.string()), pa.field("drop_reason", pa.string())]

# One picture of a montage: where it is read from, named as in INDEX.
TILE = pa.struct(
    [
        ("path", pa.binary()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("identity", pa.string()),
        ("frame", pa.int32()),
    ]
)

# Output of `index`: PHI, so it is only ever written encrypted, under RUN/private.
INDEX = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("patient", pa.string()),  # pseudonyms, 32 hex
        pa.field("study", pa.string()),
        pa.field("source", pa.string()),  # the recipe's name of the source
        pa.field("kind", pa.string()),  # dicom | image | none (a report without an image)
        pa.field("path", pa.binary()),  # absolute path of the image file, as the file system's bytes: PHI
        pa.field("size", pa.int64()),  # bytes, as indexed
        pa.field("mtime_ns", pa.int64()),  # ns, as indexed
        pa.field("identity", pa.string()),  # of a DICOM file, as indexed: SOP Instance UID and Patient ID. PHI
        pa.field("frame", pa.int32()),  # 0-based frame of the file
        pa.field("tiles", pa.list_(TILE)),  # of a montage, the frames it is made of, in grid order: PHI; null: `frame`
        pa.field("frames", pa.list_(pa.int32())),  # as RECORD has it
        pa.field("layout", pa.string()),  # modality, maker, model and size: what pictures of one look have in common
        pa.field("second_look", pa.bool_()),  # in the sample that the verifier reads
        pa.field("text", pa.large_string()),  # the report, decoded: PHI; an archive's reports exceed 2 GB
        pa.field("undecoded", pa.large_string()),  # the same before decoding, where that differs: PHI
        pa.field("phi", pa.list_(pa.string())),  # identifying values known from headers and report columns: PHI
        pa.field("patient_id", pa.string()),  # as in the source, for the patient's date shift: PHI
        pa.field("meta", pa.map_(pa.string(), pa.string())),  # columns the recipe asked to carry along
        pa.field("clean", pa.bool_()),  # member of the declared clean set; null where nothing was declared
        pa.field("declared_clean", pa.bool_()),  # the recipe says that nobody is named in it, so it is not cleaned
        pa.field("fault", pa.string()),  # where the program failed on it, "window.py:120 look_up (ValueError)"
        pa.field("official_split", pa.string()),  # train | val | test as the source says; null: by the patient's hash
        *DROP_FIELDS,
    ]
)

# What the index step writes in the clear: the fate of every record, and nothing else.
FATE = pa.schema(
    [f for f in INDEX if f.name in ("key", "patient", "study", "source", "fault", "drop_step", "drop_reason")]
)

# Output of `ingest`: the payload, written once and never again.
RECORD = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("patient", pa.string()),
        pa.field("study", pa.string()),
        pa.field("source", pa.string()),
        pa.field("image", pa.binary()),  # encoded file: png or jpg
        pa.field("image_format", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("bits", pa.int8()),  # 8 or 16 per channel, as stored in `image`
        pa.field("channels", pa.int8()),  # 1 or 3
        pa.field("text", pa.string()),  # what the model reads: the wanted sections, cleaned
        pa.field("sections", pa.map_(pa.string(), pa.string())),  # section name -> cleaned text
        pa.field("modality", pa.string()),
        pa.field("body_part", pa.string()),
        pa.field("view", pa.string()),
        pa.field("laterality", pa.string()),
        pa.field("sex", pa.string()),
        pa.field("age", pa.int16()),  # years, 90 means 90 and over
        pa.field("date", pa.string()),  # YYYY-MM-DD, shifted by the patient's offset
        pa.field("meta", pa.map_(pa.string(), pa.string())),
        pa.field("clean", pa.bool_()),
        pa.field("official_split", pa.string()),  # train | val | test where the source has its own; null: by patient
        pa.field("frames", pa.list_(pa.int32())),  # of a montage, which pictures of the series (from 1), in grid order
        pa.field("painted", pa.list_(pa.list_(pa.int32()))),  # [x, y, width, height] in px of `image`: no picture there
        pa.field("painted_share", pa.float32()),  # of the picture's pixels, 0 to 1
        pa.field("pixel_hash", pa.string()),  # 32 hex over shape, dtype and pixels
        pa.field("phash", pa.uint64()),  # 64-bit perceptual hash
        pa.field("thumb", pa.binary()),  # 32 x 32 uint8 grey, row-major: confirms a near duplicate
        pa.field("text_hash", pa.string()),  # 32 hex over the normalised text
        pa.field("minhash", pa.binary()),  # uint32[MINHASH_SIZE], little endian
        pa.field("actions", pa.map_(pa.string(), pa.int64())),  # "mask NAME", "blank pixels" -> how often
        pa.field("findings", pa.list_(pa.string())),  # codes of the verifier, where it kept the record back
        pa.field("made_of", pa.string()),  # keyed digest of all that decided it (`curate.ingest.reuse`)
        pa.field("fault", pa.string()),  # where the program failed on it, "window.py:120 look_up (ValueError)"
        *DROP_FIELDS,
    ]
)

# Output of `dedup`: one row a record that reached it.
DEDUP = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("partition", pa.int32()),  # of the ingested record: readers prune by it
        pa.field(
            "cluster", pa.string()
        ),  # the kept representative's key, or RUN/KEY of an earlier run; a record alone is its own
        pa.field("duplicate_of", pa.string()),  # the representative, where this row is dropped
        *DROP_FIELDS,
    ]
)

# Output of `semantic`: one row a record that dedup kept.
SEMANTIC = pa.schema(
    [*DEDUP, pa.field("similarity", pa.float32())]
)  # cosine to the nearest better one; null: not asked


# Output of `select`.
SELECTION = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("partition", pa.int32()),
        pa.field("split", pa.string()),  # train | val | test
        pa.field("score", pa.float32()),
        pa.field("weight", pa.float32()),  # repeats a trainer should honour
        pa.field("text_from", pa.string()),  # original | synthetic | unbelieved; null: none was proposed
        *DROP_FIELDS,
    ]
)

# Output of `plan`: the kept records in the order of their shards; a shard is one partition of `export`.
SHARD_PLAN = pa.schema(
    [
        pa.field("shard", pa.int32()),  # 0, 1, 2... over all splits, rising
        pa.field("name", pa.string()),  # the shard's within its split: 000000, 000001...
        *(f for f in SELECTION if f.name not in ("drop_step", "drop_reason")),
    ]
)


def drop_each(table: pa.Table, reasons: list[Reason | None], step: str) -> pa.Table:
    """Mark row i dropped where ``reasons[i]`` is a Reason; rows dropped before keep their first reason."""
    if len(reasons) != table.num_rows:
        raise ValueError(f"{len(reasons)} reasons for {table.num_rows} rows")
    new = pa.array([None if r is None else r.value for r in reasons], pa.string())
    before = table["drop_reason"]
    fresh = pc.and_(pc.is_null(before), pc.is_valid(new))
    table = _set(table, "drop_step", pc.if_else(fresh, pa.scalar(step), table["drop_step"]))
    return _set(table, "drop_reason", pc.if_else(fresh, new, before))


def live(table: pa.Table) -> np.ndarray:
    """bool[n]: which rows are not dropped."""
    return np.asarray(pc.is_null(table["drop_reason"]).to_numpy(zero_copy_only=False), dtype=bool)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Exactly ``schema``: columns it does not name are left behind, absent ones become null.

    This is the gate at the end of a step: a transient column (decoded pixels, header values) cannot reach disk.
    """
    n = table.num_rows
    columns: list[Any] = [
        table[f.name].cast(f.type) if f.name in table.column_names else pa.nulls(n, f.type) for f in schema
    ]
    return pa.table(columns, schema=schema)


# What a dropped row of RECORD keeps: its pseudonyms, its reason and codes of what was done.
KEPT_OF_DROPPED = ("key", "patient", "study", "source", "actions", "findings", "fault", "drop_step", "drop_reason")


def _set(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)
