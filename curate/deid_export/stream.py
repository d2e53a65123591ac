"""Compressed frames without what is not picture: comments, application data, boxes, slack, what follows the end.

A cleaned stream is written anew from the parts that decoding needs, each of its exact length; nothing is copied
because it was there. A stream that does not parse to its last byte this way is `Unparsed`, and its pixels have to be
written otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

from pydicom import uid

from curate.deid_export.stream_jpeg import clean_jpeg
from curate.deid_export.stream_jpeg2000 import clean_jpeg2000
from curate.deid_export.stream_part import Unparsed
from curate.deid_export.stream_rle import clean_rle
from curate.sources.dicom.layout import Layout

__all__ = ["KNOWN", "Unparsed", "clean_stream"]

_CLEANERS: dict[str, Callable[[bytes, Layout], bytes]] = {
    uid.RLELossless: clean_rle,
    **dict.fromkeys((uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit), lambda data, _: clean_jpeg(data, "dct")),
    **dict.fromkeys((uid.JPEGLossless, uid.JPEGLosslessSV1), lambda data, _: clean_jpeg(data, "lossless")),
    **dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), lambda data, _: clean_jpeg(data, "ls")),
    **dict.fromkeys(
        (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K),
        lambda data, _: clean_jpeg2000(data),
    ),
}
KNOWN = frozenset(_CLEANERS)  # transfer syntaxes whose streams can be cleaned


def clean_stream(syntax: str, data: bytes, layout: Layout) -> bytes:
    """The frame's stream in ``syntax`` (one of `KNOWN`) with only what decoding it needs; the same pixels.

    Raises Unparsed where the stream is not wholly understood, is cut short, or seems to hold text.
    """
    return _CLEANERS[syntax](data, layout)
