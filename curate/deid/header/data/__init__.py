"""Facts of the DICOM standard as data, written by `curate.deid.header.regenerate`."""
