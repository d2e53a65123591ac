"""Presidio's analyzer over a JSONL of notes; writes {"outs", "cpu", "model"}.

    python presidio_driver.py IN.jsonl OUT.json

With RADSIFT_BENCH_SPACY set to the name or path of an installed spaCy model it uses that; otherwise a blank English
pipeline, so that only the pattern recognizers work: no spaCy model is to be had from the package index by its
publisher.
"""

import json
import logging
import os
import sys
import time
from pathlib import Path

import spacy
import tldextract.tldextract
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine

logging.disable(logging.CRITICAL)
tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())  # the bundled list, no download
MODEL = os.environ.get("RADSIFT_BENCH_SPACY", "")


class Engine(SpacyNlpEngine):
    """The model named, or a blank pipeline."""

    def __init__(self):
        super().__init__()
        self.nlp = {"en": spacy.load(MODEL) if MODEL else spacy.blank("en")}

    def load(self):
        """Loaded already."""


def masked(text, found):
    """The text with every span found replaced by its type; overlapping ones are one."""
    out, at = [], 0
    for hit in sorted(found, key=lambda h: (h.start, -h.end)):
        if hit.end <= at:
            continue
        out += [text[at : max(at, hit.start)], f"<{hit.entity_type}>"]
        at = hit.end
    return "".join([*out, text[at:]])


registry = RecognizerRegistry()
registry.load_predefined_recognizers(languages=["en"])
analyzer = AnalyzerEngine(nlp_engine=Engine(), registry=registry, supported_languages=["en"])
texts = [json.loads(line)["text"] for line in Path(sys.argv[1]).read_text().splitlines()]
analyzer.analyze(texts[0], language="en")
start = time.process_time()
outs = [masked(text, analyzer.analyze(text, language="en")) for text in texts]
answer = {"outs": outs, "cpu": time.process_time() - start, "model": MODEL or "patterns only: no spaCy model installed"}
Path(sys.argv[2]).write_text(json.dumps(answer))
