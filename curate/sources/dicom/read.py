"""DICOM files: the header for the index, one frame as a picture.

Malformed files are read as far as they make sense; what a file cannot give becomes a DropRecord with a Reason.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.codec import decode_frame
from curate.sources.dicom.file import FLOAT_PIXELS, DicomFile, integer, open_dicom, text
from curate.sources.dicom.layout import Layout, declared_layout
from curate.sources.dicom.prove import prove
from curate.sources.picture import Header, Picture, PixelRules, finish
from curate.sources.window import show_colour, show_grey, show_palette

# Storage SOP classes whose pixels are numbers or labels, not a picture of a patient (PS3.4 B.5)
NUMBERS = {
    "1.2.840.10008.5.1.4.1.1.30": "Parametric Map",
    "1.2.840.10008.5.1.4.1.1.66": "Raw Data",
    "1.2.840.10008.5.1.4.1.1.66.1": "Spatial Registration",
    "1.2.840.10008.5.1.4.1.1.66.3": "Deformable Spatial Registration",
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.5": "Surface Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation",
    "1.2.840.10008.5.1.4.1.1.66.8": "Height Map Segmentation",
    "1.2.840.10008.5.1.4.1.1.481.2": "RT Dose",
}
_NUMBER_MODALITIES = ("SEG", "RTDOSE")  # for files without a SOP class, or with a private one
_HEADER_KEYWORDS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyDate",
    "Modality",
    "Manufacturer",
    "ManufacturerModelName",
    "AccessionNumber",
    "PatientName",
    "PatientID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "InstanceNumber",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "ImageType",
    "ConversionType",
    "SeriesNumber",
    "SeriesDescription",
    "ImagePositionPatient",
    "ImageOrientationPatient",
)
_HEADER_TAGS = [tag for keyword in _HEADER_KEYWORDS if (tag := tag_for_keyword(keyword)) is not None]
_HEADER_LIMIT = PixelRules().max_bytes  # a deflated file has to be inflated for its header


def read_header(path: Path) -> Header:
    """What the index needs of a DICOM file; neither pixels nor other elements are kept, and pixels are not read.

    Raises DropRecord: UNREADABLE_FILE, EMPTY_FILE; BAD_HEADER where it does not parse or gives no size; NOT_AN_IMAGE
    where nothing parsed; NO_PIXELS where the file holds no pixel data element, or an empty one (reports, plans,
    waveforms, DICOMDIR); NOT_A_PICTURE where the pixels are numbers: the SOP classes in ``NUMBERS``, the modalities
    SEG and RTDOSE, Float and Double Float Pixel Data of no SOP class. Otherwise a private or missing class is a
    picture.
    """
    with open_dicom(path, _HEADER_LIMIT, _HEADER_TAGS) as file:
        _check_picture(file)
        dataset = file.dataset
        rows, columns = integer(dataset, "Rows", 0), integer(dataset, "Columns", 0)
        if rows <= 0 or columns <= 0:
            raise DropRecord(Reason.BAD_HEADER)
        digits = re.sub(r"\D", "", text(dataset, "StudyDate"))
        return Header(
            kind="dicom",
            patient_id=text(dataset, "PatientID"),
            patient_name=text(dataset, "PatientName"),
            study_uid=text(dataset, "StudyInstanceUID"),
            series_uid=text(dataset, "SeriesInstanceUID"),
            sop_uid=identity_of(dataset)[0],
            accession=text(dataset, "AccessionNumber"),
            study_date=digits if len(digits) == 8 else "",
            frames=max(integer(dataset, "NumberOfFrames", 1), 1),
            instance=integer(dataset, "InstanceNumber", 0),
            rows=rows,
            columns=columns,
            modality=text(dataset, "Modality").upper(),
            sop_class=text(dataset, "SOPClassUID") or text(dataset.file_meta, "MediaStorageSOPClassUID"),
            image_type=text(dataset, "ImageType").upper(),
            conversion=text(dataset, "ConversionType").upper(),
            series=integer(dataset, "SeriesNumber", 0),
            series_description=text(dataset, "SeriesDescription"),
            position=_position(dataset),
            device="\\".join(text(dataset, name) for name in ("Manufacturer", "ManufacturerModelName")),
        )


def identity_of(dataset: Dataset) -> tuple[str, str]:
    """Which instance and whose it is: SOP Instance UID and Patient ID, as the file has them; "" where absent."""
    uid = text(dataset, "SOPInstanceUID") or text(dataset.file_meta, "MediaStorageSOPInstanceUID")
    return uid, text(dataset, "PatientID")


def _position(dataset: Dataset) -> int:
    """Where the slice lies along its normal (PS3.3 C.7.6.2.1.1), in micrometres; 0 where the header does not say."""
    numbers = [_numbers(dataset, name) for name in ("ImagePositionPatient", "ImageOrientationPatient")]
    if [len(n) for n in numbers] != [3, 6]:
        return 0
    place, turned = np.array(numbers[0]), np.array(numbers[1])
    along = 1000 * float(place @ np.cross(turned[:3], turned[3:]))
    return round(along) if abs(along) < 1e12 else 0


def _numbers(dataset: Dataset, keyword: str) -> list[float]:
    try:
        found = [float(part) for part in text(dataset, keyword).split("\\")]
    except ValueError:
        return []
    return found if all(map(math.isfinite, found)) else []


def load_dicom(path: Path, frame: int, rules: PixelRules) -> Picture:
    """The 0-based ``frame`` as a picture by ``rules``; only that frame is decoded. See `window` for how it is shown.

    Raises DropRecord: all of `read_header`; TOO_SMALL and TOO_LARGE by the declared size, before decoding; CHANGED
    where the header has no such frame; UNSUPPORTED_SYNTAX; TRUNCATED where bytes of the frame are missing; UNDECODABLE;
    ENCAPSULATION, PIXEL_LENGTH, PIXEL_BITS, STREAM_SIZE, FRAME_COUNT where header and data contradict each other and
    the data do not say what is right (`prove`, `cells`); BLANK where every pixel of the result has one value.
    """
    with open_dicom(path, rules.max_bytes) as file:
        _check_picture(file)
        declared = declared_layout(file)
        if frame >= declared.frames:
            raise DropRecord(Reason.CHANGED)
        rules.check_size(*_size(declared))
        pixels = prove(file, frame)
        rules.check_size(*_size(pixels.layout))
        stored, layout = decode_frame(pixels, frame)
        stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        if layout.photometric == "PALETTE COLOR":
            shown = show_palette(stored, file.dataset, layout, rules)
        elif stored.ndim == 3:
            shown = show_colour(stored, layout.stored, rules)
        else:
            shown = show_grey(stored, file.dataset, layout, frame, rules)
        return Picture(finish(shown), file.dataset)


def _size(layout: Layout) -> tuple[int, int, int]:
    return layout.rows, layout.columns, layout.samples * max(layout.allocated // 8, 1)


def _check_picture(file: DicomFile) -> None:
    dataset = file.dataset
    if file.pixels is None and not len(dataset) and not len(dataset.file_meta):
        raise DropRecord(Reason.NOT_AN_IMAGE)
    if file.pixels is None or file.pixels.length == 0:
        raise DropRecord(Reason.NO_PIXELS)
    sop_class = text(dataset, "SOPClassUID")
    if sop_class in NUMBERS or (file.pixels.tag in FLOAT_PIXELS and not sop_class):
        raise DropRecord(Reason.NOT_A_PICTURE)
    if text(dataset, "Modality") in _NUMBER_MODALITIES:
        raise DropRecord(Reason.NOT_A_PICTURE)
