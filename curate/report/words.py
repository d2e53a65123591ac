"""The catalogue of what pages and commands say in words: why a record was dropped, measures, tasks, faults."""

from __future__ import annotations

import math

from curate.record import Reason

# Why a record was dropped, for whoever never saw the code; what to set in the recipe where that is a choice.
REASONS: dict[Reason, str] = {
    Reason.WITHDRAWN: "its patient has left the run",
    Reason.UNREADABLE_FOLDER: "the folder could not be listed; `curate run --again unreadable_folder` tries again",
    Reason.UNREADABLE_FILE: "the file could not be read; `curate run --again unreadable_file` tries again",
    Reason.SYMLINK: "a link is not followed; images.N.follow_symlinks: true follows it",
    Reason.EMPTY_FILE: "the file holds no byte",
    Reason.DAMAGED_ARCHIVE: "the tar or zip is damaged, or a part of it is missing",
    Reason.PACKED_ARCHIVE: "nothing in an archive that is packed so can be read alone: make a .tar or .tar.gz of it",
    Reason.UNSAFE_NAME: "its name in the archive is absolute or leads out of it",
    Reason.REPEATED_NAME: "two members of the archive have this name, and nobody says which belongs to the rest",
    Reason.URL_NOT_FOUND: "the server has nothing under this URL",
    Reason.URL_REFUSED: "the server forbids the picture or asks not to use it (X-Robots-Tag); or no http(s) URL",
    Reason.URL_FAILED: "the server gave no answer, or an error; `curate fetch --urls` again asks again",
    Reason.NOT_AN_IMAGE: "the file is of no image kind that is read",
    Reason.BAD_HEADER: "the DICOM header cannot be read",
    Reason.NO_PIXELS: "the DICOM object holds no pixels",
    Reason.NOT_A_PICTURE: "a segmentation, dose or map: numbers, not a picture of a patient",
    Reason.NOT_REPRESENTATIVE: "another frame or slice stands for its series; pair.frames and pair.per_series choose",
    Reason.IN_MONTAGE: "its slice is a tile of its series' one picture",
    Reason.READ_AS_REPORT: "a file beside the images that was read as a report",
    Reason.EXCLUDED: "images.N.include or exclude leaves it out",
    Reason.LOCALIZER: "a scout that slices are planned on; images.N.localizers: keep keeps it",
    Reason.SCREEN: "a dose sheet, saved screen or scanned document; images.N.screens: keep keeps it",
    Reason.SECONDARY_CAPTURE: "a secondary capture beside the study's own pictures",
    Reason.UNKNOWN_SPLIT: "the official column names no split; split.names says what it means",
    Reason.SPLIT_CONFLICT: "the official split puts its patient into two splits",
    Reason.NOT_A_REPORT: "a file beside the reports that is of no kind that is read",
    Reason.ORPHAN_IMAGE: "no report was found for the picture; pair.by says what both must share",
    Reason.ORPHAN_REPORT: "no picture was found for the report; pair.by says what both must share",
    Reason.AMBIGUOUS_REPORT: "several reports match, and nothing says which; reports.N.several chooses",
    Reason.PATIENT_MISMATCH: "the report that matches is of another patient",
    Reason.SEVERAL_PATIENTS: "the id that pairs is several patients', and nothing says whose the report is",
    Reason.ANOTHER_STUDY: "its patient had several studies that day, and the report may be of another",
    Reason.SUPERSEDED: "a later version of the report stands, or it was cancelled",
    Reason.EMPTY_REPORT: "the report holds no text",
    Reason.UNREAD_DOCUMENT: "the report is a PDF, or its text lies elsewhere",
    Reason.BAD_ENCODING: "the text's bytes are in no encoding that can be told",
    Reason.BROKEN_ROW: "the row of the report table is malformed",
    Reason.NO_STATEMENT: "no rule says what the answer to this question states",
    Reason.CONTRADICTED: "the same source states this and its denial",
    Reason.UNKNOWN_LABEL: "a label's value for which the recipe gives no words",
    Reason.UNDECODABLE: "the pixels cannot be decoded",
    Reason.TRUNCATED: "the pixel data end too early",
    Reason.UNSUPPORTED_SYNTAX: "a transfer syntax that is not read",
    Reason.UNSUPPORTED_IMAGE: "an image of a kind that is not read",
    Reason.CONTRADICTORY: "header and pixels are whole and do not describe one picture",
    Reason.ENCAPSULATION: "the data are not what the transfer syntax says, and what they are is not known",
    Reason.PIXEL_LENGTH: "as many bytes of pixels fit no layout that the header allows",
    Reason.PIXEL_BITS: "bits beside those that the header names are in use",
    Reason.STREAM_SIZE: "the code stream is of another size than the header says",
    Reason.FRAME_COUNT: "the header counts a frame that is not there",
    Reason.TOO_LARGE: "decoded it would take more than image.max_bytes",
    Reason.BLANK: "the picture is of one grey",
    Reason.TOO_SMALL: "a side is shorter than image.min_side",
    Reason.CHANGED: "the file has changed since it was indexed; the next run reads it anew",
    Reason.CRASHED: "it ended its process, or took over engine.record_seconds; `--again crashed_its_process`",
    Reason.FAILED: "the program failed on it, at the place named by `fault`: a bug to report",
    Reason.BURNED_IN: "text stands in the pixels, and deid.burned_in keeps such pictures back",
    Reason.PIXELS_UNPROVEN: "it could not be shown that no text is left in the pixels",
    Reason.FACE: "a head whose header does not say that the face was removed; deid.faces keeps it back",
    Reason.TOO_MUCH_PAINTED: "blanking its text would take too much of it; deid.max_painted_text, max_painted_anatomy",
    Reason.PHI_IN_OUTPUT: "the verifier found an identifier in what was to be written",
    Reason.UNPROVABLE: "a script that is not searched for names",
    Reason.TEXT_UNPROVEN: "the text is no prose: encoded bytes, in which nothing is found",
    Reason.LANGUAGE: "a language that deid.languages does not name",
    Reason.MASKED: "more of the text's words were masked than deid.max_masked allows",
    Reason.HEADER_UNPROVEN: "what the object must hold cannot be told from an identity",
    Reason.REFUSED_DIRECTORY: "a DICOMDIR",
    Reason.REFUSED_STRUCTURED: "a structured report, which must not pass unless the rules say how",
    Reason.REFUSED_DOCUMENT: "an encapsulated document",
    Reason.REFUSED_CLASS: "an unknown SOP class",
    Reason.REFUSED_KIND: "a kind of file that must not pass",
    Reason.NO_WANTED_SECTION: "the report has none of text.sections",
    Reason.TEXT_TOO_SHORT: "the text has fewer words than text.min_words",
    Reason.DUPLICATE_IMAGE: "the same pixels as the record that `duplicate_of` names; dedup.image_exact",
    Reason.NEAR_DUPLICATE_IMAGE: "nearly the picture of the record that `duplicate_of` names; dedup.image_near",
    Reason.DUPLICATE_TEXT: "the same words as the record that `duplicate_of` names; dedup.text_exact",
    Reason.NEAR_DUPLICATE_TEXT: "nearly the words of the record that `duplicate_of` names; dedup.text_near",
    Reason.RELEASED: "a run of dedup.against exported it, or what it is a duplicate of: `duplicate_of` is RUN/KEY",
    Reason.SEMANTIC_DUPLICATE: "a filter sees it as the record that `duplicate_of` names, and the texts claim the same",
    Reason.IN_EVALUATION: "it stands in an evaluation set",
    Reason.EVALUATION_PATIENT: "its patient is in an evaluation set",
    Reason.NO_TEXT_BELIEVED: "neither its own text nor one that was made is believed",
    Reason.BELOW_CUT: "its score lies below the cut; select.keep, or another of select's cuts",
    Reason.UNSCORED: "no filter could score it",
    Reason.NOT_IN_ALL: "above the cut, but not in the top of every column of select.all_of",
    Reason.OVER_CAP: "enough better records say the same; select.cap",
    Reason.DISPLACED: "above the cut, but a subgroup below its floor took the place; select.floor",
    Reason.NOT_DRAWN: "sampling with repeats drew others; select.repeats",
}

MEASURES = {
    "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "auroc": "AUROC", "auprc": "AUPRC", "f1": "F1",
    "r1": "R@1", "r5": "R@5", "r10": "R@10", "median_rank": "median rank", "preferred": "own text preferred",
}  # fmt: skip

# Of an evaluation: a task's title and what is to be known of it.
TASKS = {
    "zero_shot": ("Zero-shot classification", "Prompt ensembles; means over classes, each class against the rest."),
    "findings": (
        "Findings",
        "There is against there is no. The truth is read from the reports; F1 at a threshold chosen on other patients.",
    ),
    "retrieval": ("Retrieval", "Every copy of the right text is right; a tie counts against the model."),
    "linear_probe": ("Linear probe", "Logistic regression on frozen image rows, of patients it was not fitted to."),
    "few_shot": ("Few-shot probe", "The same on a few records a class, the mean of several draws."),
    "language": ("Reading", "How often an image is nearer to its own text than to the text edited; 0.5 is guessing."),
}

# What a record of an evaluation shares with one of training.
LEAKS = {
    "key": "key", "pixels": "equal pixels", "near_duplicate": "near-duplicate picture", "patient": "patient",
    "text": "equal text",
}  # fmt: skip

# What a filter's fault columns are the probability of.
FAULTS = {
    "mismatch": "the text is of another picture",
    "side": "the text names the wrong side",
    "negation": "the text denies what is there, or the other way round",
    "omission": "the text leaves out what is there",
    "boilerplate": "the text would fit any picture",
    "blank": "the picture shows nothing",
    "nonradiology": "the picture is no radiograph or slice",
    "duplicate": "picture and text are much like another pair's",
}

MAP = "map.parquet"  # in RUN/report: where records lie on the map of `curate browse`
# One page each for those who must agree to a run, beside its report.
PAGES = ("radiologist.html", "privacy.html", "cluster.html")


def size(n: float) -> str:
    """Bytes in words: 12.3 MB."""
    value, units = float(n), ["B", "kB", "MB", "GB", "TB", "PB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if value >= 99.5 or units[0] == "B" else f"{value:.1f} {units[0]}"


def duration(seconds: float) -> str:
    """A time in words: 4 min 05 s."""
    if not math.isfinite(seconds) or seconds < 0:
        return "n/a"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {whole % 60:02d} s"
