"""dicognito as its command does it: one Anonymizer with a seed for all files."""

import pydicom
from dicognito.anonymizer import Anonymizer
from loop import main

anonymizer = Anonymizer(seed="benchmark")


def handle(source, target):
    with pydicom.dcmread(source, force=False) as dataset:
        anonymizer.anonymize(dataset)
        dataset.save_as(target, enforce_file_format=False)


main(handle)
