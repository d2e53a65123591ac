"""Fates of a folder of DICOM files by transfer syntax, as a Markdown table: python benchmarks/dicom_fates.py DIR

`docs/dicom-fates.md` is what this prints for the public test files of pydicom, fo-dicom, highdicom and others.
"""

from __future__ import annotations

import collections
import logging
import sys
import warnings
from pathlib import Path

import pydicom
from pydicom.filereader import read_file_meta_info
from pydicom.pixels import get_decoder

from curate.errors import DropRecord
from curate.sources.dicom.read import load_dicom
from curate.sources.picture import PixelRules
from curate.sources.sniff import sniff

NOT_DICOM = "(not DICOM by content)"
NO_META = "(no transfer syntax in the file)"


def syntax_of(path: Path) -> str:
    """Name and UID of the file's transfer syntax, as its file meta information states it."""
    if sniff(path) != "dicom":
        return NOT_DICOM
    try:
        uid = read_file_meta_info(path).get("TransferSyntaxUID")
    except Exception:  # noqa: BLE001  whatever a malformed file makes pydicom raise, the file states no syntax
        uid = None
    return f"{uid.keyword or '(unknown to pydicom)'} `{uid}`" if uid else NO_META


def fate_of(path: Path) -> str:
    """ "picture", or the reason the file is dropped for."""
    try:
        if sniff(path) != "dicom":
            return "not_an_image"
        load_dicom(path, 0, PixelRules())
    except DropRecord as dropped:
        return dropped.reason.value
    return "picture"


def pydicom_reads(path: Path) -> bool:
    """Does pydicom decode the first frame by its own plugins?"""
    try:
        decoder = get_decoder(read_file_meta_info(path).TransferSyntaxUID)
        plugins = list(decoder.available_plugins) or [""]
    except Exception:  # noqa: BLE001
        return False
    for plugin in plugins:
        try:
            pydicom.pixels.pixel_array(pydicom.dcmread(path, force=True), index=0, decoding_plugin=plugin)
        except Exception:  # noqa: BLE001
            continue
        return True
    return False


def main(folder: Path) -> None:
    """Print the table of every file under ``folder`` but lists and notes (.csv, .md)."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    fates: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    plain: collections.Counter[str] = collections.Counter()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in (".csv", ".md"):
            syntax = syntax_of(path)
            fates[syntax][fate_of(path)] += 1
            plain[syntax] += pydicom_reads(path)
    print("| transfer syntax | files | pydicom decodes | picture | dropped, by reason |\n|---|---:|---:|---:|---|")
    total: collections.Counter[str] = collections.Counter()
    for syntax in sorted(fates, key=lambda name: (name.startswith("("), name.partition("`")[2], name)):
        print(_row(syntax, fates[syntax], plain[syntax]))
        total += fates[syntax]
    print(_row("**all**", total, plain.total()))


def _row(name: str, fates: collections.Counter[str], plain: int) -> str:
    dropped = ", ".join(f"{reason} {n}" for reason, n in sorted(fates.items()) if reason != "picture")
    return f"| {name} | {fates.total()} | {plain} | {fates['picture']} | {dropped} |"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
