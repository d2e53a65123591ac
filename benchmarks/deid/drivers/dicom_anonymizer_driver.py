"""dicom-anonymizer as its README calls it: one call a file, private tags deleted."""

from dicomanonymizer import anonymize_dicom_file
from loop import main

main(anonymize_dicom_file)
