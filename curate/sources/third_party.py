"""Third-party parsers and decoders held at arm's length: what they raise, warn or log never goes on.

Their messages echo header values and paths, which are PHI, and on bad bytes they raise anything at all: pydicom
alone raises its own errors, ValueError, TypeError, KeyError, AttributeError, OSError, EOFError, struct.error,
zlib.error, RecursionError, NotImplementedError and AssertionError.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import pydicom  # noqa: F401  pydicom sets its logger's level when imported, so ours must come after

from curate.errors import DropRecord, RadsiftError
from curate.record import Reason
from curate.sources.faults import stop_for_source

P = ParamSpec("P")
T = TypeVar("T")

for _name in ("pydicom", "pylibjpeg", "libjpeg", "openjpeg", "rle", "PIL"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")  # for values of a Picture's dataset read by others, later


def call_third_party(reason: Reason, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``call(*args, **kwargs)`` in silence; DropRecord(``reason``), without cause or context, where it raises.

    Running out of memory is DropRecord(TOO_LARGE). A DropRecord of our own passes as it is, and so does what the system
    says of the archive or the machine (`curate.sources.faults`). Hand it calls into
    other people's code only: a bug of ours inside would be mistaken for bad data.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(*args, **kwargs)
    except RadsiftError:
        raise
    except OSError as error:
        stop_for_source(error)
        drop = DropRecord(reason)
    except MemoryError:
        drop = DropRecord(Reason.TOO_LARGE)
    except Exception:  # noqa: BLE001  third-party decoders raise anything on bad bytes; each becomes a DropRecord
        drop = DropRecord(reason)
    raise drop  # outside the handler, so that not even __context__ carries the cause
