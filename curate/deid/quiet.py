"""Reading DICOM without warnings and log lines: pydicom's contain the values that they are about."""

from __future__ import annotations

import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.tag import BaseTag

# What pydicom raises for elements whose bytes do not fit their VR, length or character set.
UNPARSEABLE = (
    ValueError,  # UnicodeDecodeError, BytesLengthException and decimal errors among them
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    NotImplementedError,
    ArithmeticError,
    LookupError,
    EOFError,
    OSError,  # a deferred read of a file that is gone, or of a broken sequence
    RecursionError,
    BytesLengthException,
    struct.error,
)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings and pydicom's log lines."""
    log = logging.getLogger("pydicom")
    before = log.disabled
    log.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = before


def element(ds: Dataset, tag: BaseTag) -> DataElement | None:
    """The parsed element, or None if it does not parse. Call it inside `quiet`."""
    try:
        data_element = ds[tag]
        _ = data_element.value
    except UNPARSEABLE:
        return None
    return data_element
