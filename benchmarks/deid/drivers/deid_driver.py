"""deid as its documentation does it: the default recipe, private tags removed; known regions blanked where asked for.

`DEID_PIXELS=1` runs the recipe's pixel rules (DicomCleaner) first, as the burned-in part wants.
"""

import os
import shutil
import tempfile
from pathlib import Path

from deid.config import DeidRecipe
from deid.dicom import DicomCleaner, get_identifiers, replace_identifiers
from loop import main

recipe = DeidRecipe()


def handle(source, target):
    with tempfile.TemporaryDirectory() as folder:
        if os.environ.get("DEID_PIXELS"):
            cleaner = DicomCleaner(output_folder=folder)
            cleaner.detect(source)
            cleaner.clean()
            source = cleaner.save_dicom() or source
        ids = get_identifiers([source])
        done = replace_identifiers([source], ids=ids, deid=recipe, save=True, overwrite=True, remove_private=True,
                                   output_folder=folder)  # fmt: skip
        shutil.move(str(Path(done[0])), target)


main(handle)
