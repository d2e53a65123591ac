"""Sentences as radiologists write them, and what each of them claims."""

from __future__ import annotations

import json
import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.synth.case import Purpose, draw_case, rng_for
from curate.synth.faults import SynthConfig
from curate.synth.identities import Ledger, make_patient, make_visit
from curate.synth.reports import Author, write_report
from filters.findings import Claim, concept, extract
from filters.findings.lexicon import lexicon
from tests.realdata import real


def brief(text: str) -> set[str]:
    return {
        "|".join(filter(None, (c.finding, c.state, c.side, c.size, c.level, "past" if c.historic else "")))
        for c in extract(text)
    }


CLAIMS = {
    # negation and how far it reaches
    "No pleural effusion or pneumothorax.": {"pleural effusion|absent", "pneumothorax|absent"},
    "There is a small left pleural effusion, but no pneumothorax.": {
        "pleural effusion|present|left|small",
        "pneumothorax|absent",
    },
    "No focal consolidation, pneumothorax, or large pleural effusion.": {
        "consolidation|absent",
        "pneumothorax|absent",
        "pleural effusion|absent|large",
    },
    "Negative for rib fracture.": {"rib fracture|absent"},
    "Hydronephrosis is not seen.": {"hydronephrosis|absent"},
    "The effusion has resolved.": {"pleural effusion|absent"},
    "Partially resolved left effusion.": {"pleural effusion|present|left"},
    "Residual left effusion, partially drained.": {"pleural effusion|present|left"},
    "Bowel is free of obstruction; there is ascites.": {"ascites|present"},
    "No significant change in the left effusion.": {"pleural effusion|present|left"},
    "Pneumothorax, no longer visible.": {"pneumothorax|absent"},
    # normality denies without naming
    "The heart is normal in size.": {"cardiomegaly|absent"},
    "The cardiac silhouette is not enlarged.": {"cardiomegaly|absent"},
    "Vertebral body heights are maintained.": {"compression fracture|absent"},
    "No acute cardiopulmonary process.": {"abnormality|absent"},
    "Unremarkable study.": {"abnormality|absent"},
    "The midline is central.": {"midline shift|absent"},
    "The trachea is midline.": {"mediastinal shift|absent"},
    "Central lung opacity.": {"lung opacity|present"},
    # doubt
    "Possible pneumonia in the right lower lobe.": {"pneumonia|uncertain|right"},
    "A small apical pneumothorax cannot be excluded.": {"pneumothorax|uncertain|small"},
    "Atelectasis versus consolidation.": {"atelectasis|uncertain", "consolidation|uncertain"},
    "Hyperdensity in keeping with an acute subdural haematoma.": {"subdural haematoma|present"},
    # organ and head put together
    "The spleen is enlarged.": {"splenomegaly|present"},
    "Enlargement of the spleen.": {"splenomegaly|present"},
    "Moderately dilated right renal collecting system.": {"hydronephrosis|present|right|moderate"},
    "There is a 6 mm stone in the left ureter.": {"ureteric stone|present|left"},
    "Large hypodense lesion within the liver.": {"liver lesion|present|large"},
    "The liver and spleen are enlarged.": {"hepatomegaly|present", "splenomegaly|present"},
    "Hepatosplenomegaly.": {"hepatomegaly|present", "splenomegaly|present"},
    "Torn anterior cruciate ligament.": {"ligament tear|present"},
    # sides
    "Right pleural effusion and left pneumothorax.": {"pleural effusion|present|right", "pneumothorax|present|left"},
    "Bilateral pleural effusions, left greater than right.": {"pleural effusion|present|both"},
    "Consolidation is seen in the left lower lobe.": {"consolidation|present|left"},
    "RLL opacity.": {"lung opacity|present|right"},
    "L hemisphere infarct.": {"infarct|present|left"},
    "Midline shift to the left.": {"midline shift|present|left"},
    "Severe right hydronephrosis; the left kidney is unremarkable.": {
        "hydronephrosis|present|right|large",
        *(f"{f}|absent|left" for f in ("renal stone", "hydronephrosis", "renal mass", "renal cyst")),
    },
    # levels of the spine, and not the weightings of MRI
    "Disc protrusion at L4/5.": {"disc herniation|present|L4-L5"},
    "T12 compression fracture.": {"compression fracture|present|T12"},
    "Axial T1 and T2 weighted images show hydrocephalus.": {"hydrocephalus|present"},
    # history
    "Status post cholecystectomy.": {"cholecystectomy|present|past"},
    "INDICATION: rule out pneumonia.\nFINDINGS: Lobar collapse.": {"pneumonia|uncertain|past", "atelectasis|present"},
    # both spellings
    "Esophageal varices and edema of the brain.": {"portal hypertension|present", "cerebral oedema|present"},
    "Haemorrhage in the left thalamus": {"intracerebral haemorrhage|present|left"},
    "Hemorrhage in the left thalamus": {"intracerebral haemorrhage|present|left"},
    # nothing
    "The patient left the department at 3 pm.": set(),
    "": set(),
}


@pytest.mark.parametrize("text", CLAIMS)
def test_claims(text: str) -> None:
    assert brief(text) == CLAIMS[text]


def test_lexicon_covers_the_body() -> None:
    words = lexicon()
    assert len(words.findings) >= 250
    regions = {f.region for f in words.findings.values()}
    assert regions >= {"chest", "neuro", "spine", "abdomen", "pelvis", "msk", "neck", "breast", "vascular", "device"}
    named = {*words.composed.values(), *(n for names in words.denied.values() for n in names)}
    assert named <= set(words.findings)


def test_spans_point_at_the_words() -> None:
    text = "FINDINGS: The left kidney has a small stone. No ascites."
    spans = {c.finding: text[c.span[0] : c.span[1]] for c in extract(text)}
    assert spans["ascites"] == "ascites"
    assert spans["renal stone"] == "kidney has a small stone"


def test_concept() -> None:
    assert concept("Left effusion. Cardiomegaly. No pneumothorax.") == "cardiomegaly;pleural effusion@left"
    assert concept("No pneumothorax.") == concept("Normal study.") == "normal"
    assert concept("Axial image.") == ""
    assert concept("Possible pneumonia.") == ""
    assert concept("Left effusion. Pleural effusion.") == "pleural effusion@left"


@given(st.text(alphabet="no left rght.,;:\n/LR4-5 effusionİstumr", max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_will_do(text: str) -> None:
    for claim in extract(text):
        assert isinstance(claim, Claim)
        assert 0 <= claim.span[0] < claim.span[1] <= len(text)


@given(st.lists(st.sampled_from(sorted(t for t in CLAIMS if t.endswith("."))), min_size=1, max_size=6), st.randoms())
@settings(max_examples=60, deadline=None)
def test_sentences_do_not_disturb_each_other(texts: list[str], shuffle: random.Random) -> None:
    """What is named outright is claimed the same whatever stands around it."""
    texts = [t for t in texts if "INDICATION" not in t]
    one = {b for t in texts for b in brief(t)}
    shuffle.shuffle(texts)
    assert brief(" ".join(texts)) == one


def test_long_texts_take_linear_time() -> None:
    text = "large mass with oedema near the left kidney and the right lung " * 1000  # no full stop in 12,000 words
    begin = time.thread_time()
    assert len(extract(text)) >= 1000
    assert time.thread_time() - begin < 5


def test_reports_of_the_synthetic_hospital() -> None:
    """Every report: the finding is found, on its side, unless the report was made to hide it; none where none is."""
    config = SynthConfig(studies=400, seed=11, side=64)
    found, sides, false, healthy = [], [], 0, 0
    for index in range(220):
        case = draw_case(config.seed, index, False, False)
        report = _report(config, index)
        shown = [c for c in extract(report) if c.state != "absent" and not c.historic]
        if case.finding is None:
            healthy += 1
            false += bool(shown)
            continue
        words = set(case.finding.name.split()) - {"of"}
        mine = [c for c in shown if words & set(c.finding.split()) or c.finding in _NEAR.get(case.finding.name, ())]
        found.append(bool(mine))
        if case.side and mine:
            sides.append({c.side for c in mine if c.side} == {case.side})
    assert np.mean(found) >= 0.97 and np.mean(sides) >= 0.97
    assert false / healthy <= 0.03


_NEAR = {
    "intracerebral haemorrhage": ("intracranial haemorrhage",),
    "mass": ("brain mass",),
    "renal stone": ("calculus",),
}


def _report(config: SynthConfig, index: int) -> str:
    """The findings and impression of a study, without a fault."""
    case = draw_case(config.seed, index, False, False)
    who = Author(make_patient(config.seed, case.patient), make_visit(config.seed, index), Ledger(), config.seed)
    return write_report(case, case.scene.title, "none", who, rng_for(config.seed, Purpose.WORDS, index))


def test_real_reports_against_their_coding() -> None:
    """Indiana reports were coded by radiologists: what they coded is found, and few others are."""
    lines = (real("reports") / "iu_reports.jsonl").read_text("utf-8").splitlines()[:700]
    coded = {"Cardiomegaly": "cardiomegaly", "Pleural Effusion": "pleural effusion", "Hernia, Hiatal": "hiatal hernia",
             "Pulmonary Atelectasis": "atelectasis", "Scoliosis": "scoliosis"}  # fmt: skip
    right = missed = extra = 0
    for row in map(json.loads, lines):
        text = f"FINDINGS: {row['findings']}\nIMPRESSION: {row['impression']}"
        seen = {c.finding for c in extract(text) if c.state != "absent" and not c.historic}
        truth = {m.split("/")[0] for m in row["mesh_major"]}
        for name, finding in coded.items():
            right += name in truth and finding in seen
            missed += name in truth and finding not in seen
            extra += name not in truth and finding in seen
    assert right / (right + missed) >= 0.9 and right / (right + extra) >= 0.8
