"""presidio-image-redactor over a folder of PNG files, with Tesseract; writes the redacted PNG files and {file: CPU s}.

    python presidio_image_driver.py FOLDER OUT

Every word that its reader sees is redacted, whatever it says: no language model for its analyzer is to be had from the
package index by its publisher, so what is measured is what it could find at best.
"""

import json
import logging
import os
import sys
from pathlib import Path

import spacy
import tldextract.tldextract
from PIL import Image
from presidio_analyzer import AnalyzerEngine, Pattern, PatternRecognizer, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from presidio_image_redactor import ImageAnalyzerEngine, ImageRedactorEngine

logging.disable(logging.CRITICAL)
tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())  # the bundled list, no download

FILL = (255, 0, 255)  # no picture has it


class Engine(SpacyNlpEngine):
    """A blank pipeline."""

    def __init__(self):
        super().__init__()
        self.nlp = {"en": spacy.blank("en")}

    def load(self):
        """Loaded already."""


registry = RecognizerRegistry(supported_languages=["en"])
registry.add_recognizer(PatternRecognizer("WORD", patterns=[Pattern("any", r"\S+", 1.0)]))
analyzer = AnalyzerEngine(nlp_engine=Engine(), registry=registry, supported_languages=["en"])
redactor = ImageRedactorEngine(ImageAnalyzerEngine(analyzer))
source, out = Path(sys.argv[1]), Path(sys.argv[2])
out.mkdir(exist_ok=True)
seconds = {}
for path in sorted(source.glob("*.png")):
    picture = Image.open(path).convert("RGB")
    start = os.times()
    redacted = redactor.redact(picture, fill=FILL)
    seconds[path.name] = sum(os.times()[:4]) - sum(start[:4])  # with Tesseract's process
    redacted.save(out / path.name)
(out / "seconds.json").write_text(json.dumps(seconds))
