"""Other renderers' pictures of a DICOM file: DCMTK's command-line tools, pydicom's own functions, GDCM, dcmjs-imaging.

None shares code with the product: pixels are decoded by pydicom's other plugins, or by DCMTK, GDCM and dcmjs-codecs.
dcmjs-imaging (JavaScript) is asked where RADSIFT_DCMJS names a folder in which it is installed:
`npm install --prefix FOLDER dcmjs-imaging@0.2.5`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import warnings
from functools import cache
from pathlib import Path

import cv2
import gdcm
import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, get_decoder, pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLSLossless, JPEGLSNearLossless

from benchmarks.input.dicom_make import shade

_FAR = 1e7  # a value beyond any window


def inverted(ds: Dataset) -> bool:
    """Is the picture shown inverted (PS3.3 C.11.6, else C.7.6.3.1.2)?"""
    shape = str(ds.get("PresentationLUTShape", "")).upper()
    return shape == "INVERSE" if shape in ("INVERSE", "IDENTITY") else ds.PhotometricInterpretation == "MONOCHROME1"


def mapping(ds: Dataset) -> str:
    """What makes shades of a grey file: "lut", "window", "bits" (8 and fewer, as they are) or "range"."""
    if any(item.get("LUTData") is not None for item in ds.get("VOILUTSequence") or []):
        return "lut"
    if ds.get("WindowCenter") is not None and ds.get("WindowWidth") is not None:
        return "window"
    return "bits" if ds.get("BitsStored", 16) <= 8 else "range"


def head(path: Path) -> Dataset:
    """The file's header; an empty one where pydicom cannot read it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pydicom.dcmread(path, force=True, stop_before_pixels=True)
        except Exception:  # noqa: BLE001
            return Dataset()


def decoded(path: Path, *, raw: bool = False) -> np.ndarray | None:
    """Frame 0 by pydicom's plugins, without the product's; None where they cannot. ``raw``: YBR as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            syntax = pydicom.filereader.read_file_meta_info(path).TransferSyntaxUID
            plugins = [p for p in ("gdcm", "pylibjpeg", "pydicom") if p in get_decoder(syntax).available_plugins] or [
                ""
            ]
            # of a path it looks for pixels in what is deflated still
            source = pydicom.dcmread(path) if syntax == DeflatedExplicitVRLittleEndian else path
        except Exception:  # noqa: BLE001  whatever is wrong with the file, this judge does not know it
            return None
        for plugin in plugins:
            try:
                if head(path).PhotometricInterpretation.startswith("YBR_FULL"):
                    ybr = pixel_array(source, index=0, decoding_plugin=plugin, raw=True)
                    return ybr if raw else _rgb(ybr)
                return pixel_array(source, index=0, decoding_plugin=plugin)
            except Exception:  # noqa: BLE001
                continue
    return None


def _rgb(ybr: np.ndarray) -> np.ndarray:
    """uint8 of 8-bit YBR_FULL by PS3.3 C.7.6.3.1.2 solved for RGB, in float64."""
    y, b, r = np.moveaxis(ybr.astype(np.float64) - (0, 128, 128), -1, 0)
    rgb = np.stack([y + 1.402 * r, y - (0.114 * 1.772 * b + 0.299 * 1.402 * r) / 0.587, y + 1.772 * b], -1)
    return np.clip(np.floor(rgb + 0.5), 0, 255).astype(np.uint8)


def by_pydicom(path: Path) -> np.ndarray | None:
    """uint8 shades or RGB; where nothing in the header maps the values, the extremes become black and white."""
    pixels = decoded(path)
    if pixels is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = head(path)
        try:
            if ds.PhotometricInterpretation == "PALETTE COLOR":
                table = apply_color_lut(pixels, ds)
                return (table >> 8).astype(np.uint8) if table.max() > 255 else table.astype(np.uint8)
            if pixels.ndim == 3:
                return pixels if ds.BitsStored == 8 else shade(pixels / (2.0**ds.BitsStored - 1))
            return _grey(pixels, ds)
        except Exception:  # noqa: BLE001
            return None


def _grey(pixels: np.ndarray, ds: Dataset) -> np.ndarray:
    # as wide numbers: of int8 and int16 its index into a modality LUT runs over
    values = apply_modality_lut(pixels.astype(np.int64), ds).astype(np.float64)
    how = mapping(ds)
    if how == "lut":
        bits = ds.VOILUTSequence[0].LUTDescriptor[2]
        share = apply_voi_lut(values.astype(np.int64), ds, prefer_lut=True) / (2.0**bits - 1)
    elif how == "window":
        ends = apply_voi_lut(np.concatenate([values.ravel(), [-_FAR, _FAR]]), ds, prefer_lut=False)
        share = ((ends[:-2] - ends[-2]) / (ends[-1] - ends[-2])).reshape(values.shape)
    elif how == "bits":
        low = -(1 << (ds.BitsStored - 1)) if ds.PixelRepresentation else 0
        ends = apply_modality_lut(np.array([low, low + (1 << ds.BitsStored) - 1]), ds).astype(np.float64)
        share = (values - ends.min()) / (ends.max() - ends.min())
    else:
        share = (values - values.min()) / (values.max() - values.min())
    return 255 - shade(share) if inverted(ds) else shade(share)


def is_dcmtks_arithmetic(path: Path, shown: np.ndarray) -> bool:
    """Is what DCMTK has ``shown`` just what its own short cuts make of the file, which PS3.3 does not have?

    Colours of YBR_FULL are centred at half of 255 where C.7.6.3.1.2 says 128, and cut to whole numbers, of 4:2:2 once
    and else term by term; rescaled values are cut to whole numbers before the window, where C.11.1.1.2 keeps them.
    """
    pixels, ds = decoded(path, raw=True), head(path)
    if pixels is None:
        return False
    values = pixels.astype(np.float64)
    if pixels.ndim == 3:
        y, b, r = np.moveaxis(values, -1, 0)
        red, green, blue = 1.402 * r - 0.701 * 255, (0.3441 * b, 0.7141 * r - 0.5291 * 255), 1.772 * b - 0.8859 * 255
        apart = np.stack([y + np.trunc(red), y - np.trunc(green[0]) - np.trunc(green[1]), y + np.trunc(blue)], -1)
        at_once = np.trunc(np.stack([y + red, y - green[0] - green[1], y + blue], -1))
        return any(np.array_equal(np.clip(found, 0, 255), shown) for found in (apart, at_once))
    whole = np.trunc(values * float(ds.RescaleSlope) + float(ds.RescaleIntercept))
    centre, width = float(ds.WindowCenter), float(ds.WindowWidth)
    found = np.clip(((whole - (centre - 0.5)) / (width - 1) + 0.5) * 255, 0, 255)
    return float(np.abs((255 - found if inverted(ds) else found) - shown).max()) <= 1


def dcmtk_version() -> str | None:
    """DCMTK's release, None where it is not installed."""
    if shutil.which("dcmj2pnm") is None:
        return None
    said = subprocess.run(["dcmj2pnm", "--version"], capture_output=True, text=True, check=False)
    return (said.stdout + said.stderr).split(" v")[1].split()[0]


def by_dcmtk(path: Path) -> np.ndarray | None:
    """uint8 shades or RGB of frame 1 by DCMTK; where nothing maps the values, by its min-max window (``+Wm``)."""
    ds = head(path)
    syntax = getattr(ds, "file_meta", Dataset()).get("TransferSyntaxUID")
    tool = "dcml2pnm" if syntax in (JPEGLSLossless, JPEGLSNearLossless) else "dcmj2pnm"
    if shutil.which(tool) is None or ds.get("VOILUTFunction", "LINEAR") not in ("LINEAR", "SIGMOID"):
        return None  # it knows no LINEAR_EXACT, and says so
    grey = str(ds.get("PhotometricInterpretation", "")).startswith("MONO")
    flags = {"lut": ["+Wl", "1"], "window": ["+Wi", "1"], "bits": [], "range": ["+Wm"]}[mapping(ds)] if grey else []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.pnm"
        ran = subprocess.run([tool, "+op", "-O", *flags, path, out], capture_output=True, check=False)
        if ran.returncode or not out.exists():
            return None
        found = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    if found is None:
        return None
    return np.ascontiguousarray(found[..., ::-1]) if found.ndim == 3 else found


def by_gdcm(path: Path) -> np.ndarray | None:
    """uint8 RGB of frame 0 by GDCM. Of greys it has no rule for windows, of halved colours none at all: None."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    photometric = str(head(path).get("PhotometricInterpretation", ""))
    if photometric not in ("RGB", "YBR_FULL", "PALETTE COLOR") or not reader.Read():
        return None
    image = reader.GetImage()
    if photometric != "RGB":
        change = gdcm.ImageApplyLookupTable() if photometric[0] == "P" else gdcm.ImageChangePhotometricInterpretation()
        change.SetInput(image)
        if photometric[0] == "Y":
            change.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.RGB))
        if not (change.Apply() if photometric[0] == "P" else change.Change()):
            return None
        image = change.GetOutput()
    by_plane = image.GetPlanarConfiguration() == 1
    width, height = image.GetDimension(0), image.GetDimension(1)
    values = np.frombuffer(image.GetBuffer().encode("utf-8", "surrogateescape"), np.uint8)[: height * width * 3]
    return np.moveaxis(values.reshape(3, height, width), 0, -1) if by_plane else values.reshape(height, width, 3)


@cache
def _dcmjs() -> subprocess.Popen[str] | None:
    folder = os.environ.get("RADSIFT_DCMJS")
    if folder is None or shutil.which("node") is None:
        return None
    script = Path(__file__).with_name("dicom_dcmjs.js")
    return subprocess.Popen(["node", script], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def by_dcmjs(path: Path) -> np.ndarray | None:
    """uint8 RGB of frame 0 by dcmjs-imaging. It reads no tables but palettes and no LINEAR_EXACT, takes 8 signed bits
    for unsigned ones and stretches 8 bits without a window: None."""
    ds, node = head(path), _dcmjs()
    grey, narrow = str(ds.get("PhotometricInterpretation", "")).startswith("MONO"), ds.get("BitsStored", 16) <= 8
    unknown = "ModalityLUTSequence" in ds or mapping(ds) == "lut" or ds.get("VOILUTFunction") == "LINEAR_EXACT"
    if node is None or unknown or (grey and narrow and (ds.PixelRepresentation or mapping(ds) == "bits")):
        return None
    assert node.stdin is not None
    assert node.stdout is not None
    node.stdin.write(f"{path.resolve()}\n")
    node.stdin.flush()
    size = node.stdout.readline().split()
    if not size:
        return None
    shown = path.with_name(path.name + ".rgba")
    pixels = np.fromfile(shown, np.uint8).reshape(int(size[1]), int(size[0]), 4)[..., :3]
    shown.unlink()
    return pixels
