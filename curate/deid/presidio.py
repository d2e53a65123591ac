"""A second opinion on report text by Microsoft Presidio, if installed: its spans are masked as well.

Presidio finds names by a spaCy model; an installed one is used, none is downloaded. Mail and web addresses are left to
the rules, because Presidio's check of them loads a list of domains from the network.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from curate.deid.patterns.prefilter import Span
from curate.deid.text.fold import BARRIER
from curate.errors import RecipeError

_MODELS = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm", "en_core_web_trf")
_FIX = "pip install 'presidio-analyzer>=2.2' and a spaCy model: python -m spacy download en_core_web_lg"
_FIELD = "text.second_opinion"
_LABELS = {
    "PERSON": "NAME", "LOCATION": "ADDRESS", "ORGANIZATION": "FACILITY", "PHONE_NUMBER": "PHONE",
    "IP_ADDRESS": "ID", "US_SSN": "ID", "CREDIT_CARD": "ID", "IBAN_CODE": "ID",
    "US_DRIVER_LICENSE": "ID", "US_PASSPORT": "ID", "US_BANK_NUMBER": "ID", "MEDICAL_LICENSE": "ID", "UK_NHS": "ID",
    "UK_NINO": "ID", "AU_MEDICARE": "ID", "CRYPTO": "ID", "US_ITIN": "ID", "NRP": "NAME",
}  # fmt: skip
_SURE = 0.35


def presidio_spans(text: str) -> Iterator[Span]:
    """Presidio's spans in folded ``text``; dates and ages are left to the rules, which can shift them.

    RecipeError if the package or a spaCy model is not installed.
    """
    for result in _analyzer().analyze(text=text.replace(BARRIER, "_"), language="en", entities=[*_LABELS]):
        if result.score >= _SURE:
            yield result.start, result.end, _LABELS[result.entity_type]


@cache
def _analyzer() -> Any:
    try:
        analyzer = importlib.import_module("presidio_analyzer")
        provider = importlib.import_module("presidio_analyzer.nlp_engine")
        installed = importlib.import_module("spacy.util").get_installed_models()
    except ImportError:
        raise RecipeError(_FIELD, "presidio-analyzer is not installed", _FIX) from None
    model = next((name for name in _MODELS if name in installed), None)
    if model is None:
        raise RecipeError(_FIELD, "no English model of spaCy is installed", _FIX)
    settings = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
    engine = provider.NlpEngineProvider(nlp_configuration=settings).create_engine()
    return analyzer.AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
