"""`curate deid`: a folder of DICOM, images and reports in, a folder of the same kinds without identities out."""
