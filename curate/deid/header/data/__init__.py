"""Facts of the DICOM standard as data, written by `benchmarks.deid.header.tables`."""
