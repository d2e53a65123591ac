"""A run over reports in another language, with letterheads, and of mostly names: each withheld or cut, and counted."""

import json
from pathlib import Path

from curate.engine import Engine
from curate.step import read_parts
from pipelines.recipe.recipe import Recipe
from pipelines.report.summary import write_report
from pipelines.run.check import save_recipe
from pipelines.run.execute import run_pipeline

GERMAN = [
    "BEFUND: Herz normal groß, Lunge frei. BEURTEILUNG: Kein Erguss.",
    "FINDINGS: Kein Nachweis einer Fraktur. IMPRESSION: Unauffälliger Befund.",
    "Kein Erguss. Kein Pneumothorax.",
    "KEINE STAUUNG. KEIN INFILTRAT.",
]
ENGLISH = (
    "Springfield Hospital\nTel: 020 7946 0958\nThe lungs are clear. No effusion.\nElectronically signed by Ann Lee MD"
)
NAMES = (
    "Seen: Xandrine Quorvik, Bertoldo Zwyxel, Ottilina Vraskow, Hemkel Dworzak, Ilvane Skrobun. The heart is normal."
)


def test_every_report_has_its_reason(tmp_path: Path, secret_file: Path, inline_engine: Engine) -> None:
    texts = [*GERMAN * 10, ENGLISH, NAMES]
    rows = [json.dumps({"accession": f"A{i:04}", "report": text}) for i, text in enumerate(texts)]
    (tmp_path / "reports.jsonl").write_text("\n".join(rows), encoding="utf-8")
    source = {"path": tmp_path / "reports.jsonl", "columns": {"text": "report", "accession": "accession"}}
    recipe = Recipe.model_validate(
        {
            "out": tmp_path / "run",
            "secret": secret_file,
            "reports": [source],
            "pair": {"unpaired_reports": "keep"},
            "filters": {},
            "deid": {"languages": ["en"]},
        }
    )
    recipe.out.mkdir()
    save_recipe(recipe)
    pipeline, manifests = run_pipeline(recipe, inline_engine, lambda *_: None)
    ingest = next(m for m in manifests if m.step == "ingest")
    assert dict(ingest.dropped) == {"quarantine_language": 40, "quarantine_mostly_masked": 1}
    [kept] = [r for r in read_parts(pipeline.ingest.folder(pipeline.run)).to_pylist() if r["drop_reason"] is None]
    assert kept["text"] == "The lungs are clear. No effusion."
    assert dict(kept["actions"]) == {"cut LETTERHEAD": 2, "cut SIGNATURE": 1, "words": 6}
    report = write_report(pipeline, manifests)
    assert "40 reports are withheld" in report.warnings[0] and "quarantine_language" in report.warnings[0]
    assert report.attestation is not None
    assert report.attestation["text"] == {"inputs": 1, "words": 6, "masked_mean": 0.0, "masked_p95": 0.0}
    assert "1 texts, 6 words" in (pipeline.run / "report" / "index.html").read_text(encoding="utf-8")
