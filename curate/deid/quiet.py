"""Reading DICOM without a word: pydicom's warnings and log lines echo the values they complain about."""

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

# What pydicom raises where an element's bytes do not fit its VR, length or character set.
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
    """No warning, and no log line of pydicom's, inside."""
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
    """The element parsed, or None where it does not parse. Call it inside `quiet`."""
    try:
        found = ds[tag]
        _ = found.value
    except UNPARSEABLE:
        return None
    return found
