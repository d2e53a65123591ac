"""Recipes of public sets, each on a small tree made in that set's layout: what pairs, which split, what is counted."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from curate.engine import Engine
from curate.sources.images.encode import encode_jpeg, encode_png
from curate.step import read_parts
from pipelines.recipe.load import load_recipe
from pipelines.run.check import check
from pipelines.run.execute import run_pipeline
from tests.curate.pools import png, write_zip

RECIPES = Path(__file__).parents[2] / "pipelines" / "recipes"
QUICK = ("deid.burned_in=trust", "filters={}", "select={}", "dedup.image_near=off")


def jpg(seed: int) -> bytes:
    return encode_jpeg(np.random.default_rng(seed).integers(0, 255, (48, 48)).astype(np.uint8), 90)


def deep(seed: int) -> bytes:
    """A 16-bit PNG."""
    return encode_png(np.random.default_rng(seed).integers(0, 4000, (48, 48)).astype(np.uint16))


def put(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@dataclass(frozen=True)
class Made:
    """``places``: overrides of the recipe; ``texts``: words of the records that are kept; ``dropped``: by reason."""

    places: list[str]
    texts: list[str]
    dropped: dict[str, int] = field(default_factory=dict)
    splits: dict[str | None, int] = field(default_factory=dict)


def mimic_cxr_jpg(tree: Path) -> Made:
    rows, reports = ["dicom_id,study_id,subject_id,split"], []
    for n, split in ((1, "train"), (2, "validate"), (3, "test")):
        place = f"p1{n}/p1{n}00000{n}/s5000000{n}"
        put(tree / "files" / place / f"aa-{n}.jpg", jpg(n))
        reports.append((f"files/{place}.txt", f"FINAL REPORT\n FINDINGS: There is effusion {n}.".encode()))
        rows.append(f"aa-{n},5000000{n},1{n}00000{n},{split}")
    put(tree / "split.csv.gz", gzip.compress("\n".join(rows).encode()))
    write_zip(tree / "reports.zip", [*reports, ("files/p10/p10000009/s59999999.txt", b"FINDINGS: Of no image here.")])
    places = ["images.0.path={}/files", "reports.0.path={}/reports.zip", "split.table.path={}/split.csv.gz"]
    told = [f"There is effusion {n}." for n in (1, 2, 3)]
    return Made(places, told, {"report_without_image": 1}, {"train": 1, "val": 1, "test": 1})


def iu_xray(tree: Path) -> Made:
    for name in ("1_IM-0001-4001.dcm.png", "1_IM-0001-3001.dcm.png", "2_IM-0652-1001.dcm.png", "7_IM-1-1.dcm.png"):
        put(tree / "images" / name, png(sum(name.encode())))
    head = "uid,MeSH,Problems,image,indication,comparison,findings,impression\n"
    rows = '1,normal,normal,Xray,Pain,None,"The heart, mediastinum and lungs are normal.",Normal chest.\n'
    put(tree / "r.csv", head + rows + "2,Cardiomegaly,Cardiomegaly,Xray,,,,The heart is enlarged.\n")
    told = ["Normal chest.", "Normal chest.", "The heart is enlarged."]
    return Made(["images.0.path={}/images", "reports.0.path={}/r.csv"], told, {"image_without_report": 1})


OPENI = """<?xml version="1.0" encoding="utf-8"?><eCitation><meta type="rr"/><uId id="CXR{n}"/><pmcId id="{n}"/>
<MedlineCitation><Article><ArticleTitle>Indiana University Chest X-ray Collection</ArticleTitle><Abstract>
<AbstractText Label="COMPARISON">None.</AbstractText><AbstractText Label="FINDINGS">The heart &amp; lungs {n}.
</AbstractText><AbstractText Label="IMPRESSION"/></Abstract></Article></MedlineCitation>
<parentImage id="CXR{n}_1_IM-0001-3001"/></eCitation>"""
BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<eCitation><uId id="CXR9"/><AbstractText Label="FINDINGS">&b;</AbstractText></eCitation>"""


def openi(tree: Path) -> Made:
    for n, views in ((1, ("3001", "4001")), (2, ("1001",))):
        put(tree / "xml" / f"{n}.xml", OPENI.format(n=n))
        for view in views:
            put(tree / "images" / f"CXR{n}_1_IM-000{n}-{view}.png", png(n * 7 + int(view)))
    put(tree / "xml" / "9.xml", BOMB)
    put(tree / "xml" / "8.xml", OPENI.format(n=8)[:300])
    put(tree / "xml" / "7.xml", "<other/>")
    put(tree / "xml" / "6.xml", b"\xff\xfe\x00 no xml")
    places = ["images.0.path={}/images", "reports.0.path={}/xml", "reports.0.format=openi", "reports.0.columns={ }",
              r"images.0.key_pattern=(?P<study>CXR\d+)_(?P<image>[^/]+)\.png$"]  # fmt: skip
    told = ["The heart & lungs 1."] * 2 + ["The heart & lungs 2."]
    return Made(places, told, {"decompression_limit": 1, "malformed_report_row": 2, "not_a_report": 1})


def padchest(tree: Path) -> Made:
    (tree / "images").mkdir(parents=True)
    write_zip(tree / "images" / "0.zip", [("20536_a.png", deep(1)), ("20536_b.png", deep(2))])
    put(tree / "images" / "1" / "20537_c.png", deep(3))
    head = ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientSex_DICOM,Projection,Report,Labels\n"
    rows = "0,20536_a.png,0,20140915,20536,8466,F,PA,sin hallazg patolog edem,['normal']\n"
    rows += "1,20536_b.png,0,20140915,20536,8466,F,L,sin hallazg patolog edem,['normal']\n"
    rows += "2,20537_c.png,1,20140916,20537,8467,M,PA,cardiomegali moder,['cardiomegaly']\n"
    put(tree / "t.csv.gz", gzip.compress((head + rows).encode()))
    told = ["sin hallazg patolog edem"] * 2 + ["cardiomegali moder"]
    places = ["images.0.path={}/images", "reports.0.path={}/t.csv.gz"]
    return Made([*places, "images.0.declared_clean=true", "reports.0.declared_clean=true"], told)


def chexpert_plus(tree: Path) -> Made:
    head = "path_to_image,frontal_lateral,deid_patient_id,report,section_findings,section_impression,age,sex,split\n"
    rows = ""
    for n, split in ((1, "train"), (2, "valid")):
        for view in ("view1_frontal", "view2_lateral"):
            place = f"{split}/patient0000{n}/study1/{view}"
            put(tree / "PNG" / f"{place}.png", png(n * 7 + len(view) + (view[4] == "2")))
            told = f'{view[6:].title()},patient0000{n},"all, of it",Clear lungs {n}.,No edema.,61,Male,{split}'
            rows += f"{place}.jpg,{told}\n"
    put(tree / "df.csv", head + rows)
    texts = ["Clear lungs 1."] * 2 + ["Clear lungs 2."] * 2
    return Made(["images.0.path={}/PNG", "reports.0.path={}/df.csv"], texts, {}, {"train": 2, "val": 2})


def roco(tree: Path) -> Made:
    for n, split in enumerate(("train", "valid", "test")):
        name = f"ROCOv2_2023_{split}_00000{n}"
        put(tree / f"{split}_images" / f"{name}.jpg", jpg(n))
        put(tree / f"{split}_captions.csv", f'ID,Caption\n{name},"CT of the chest, a nodule {n}."\n')
        put(tree / f"{split}_concepts.csv", f"ID,CUIs\n{name},C0040405\n")
    captions = [f"reports.{n}.path={{}}/{split}_captions.csv" for n, split in enumerate(("train", "valid", "test"))]
    told = [f"CT of the chest, a nodule {n}." for n in range(3)]
    dropped = {"not_an_image": 3, "read_as_a_report": 3}
    return Made(["images.0.path={}", *captions], told, dropped, {"train": 1, "val": 1, "test": 1})


def roco_v1(tree: Path) -> Made:
    for n, (split, table) in enumerate((("train", "traindata"), ("validation", "valdata"), ("test", "testdata"))):
        rows = ""
        for m in range(2):
            put(tree / split / "radiology" / "images" / f"PMC{n}_x-0{m}-g00{m}.jpg", jpg(10 * n + m))
            rows += f'ROCO_0000{n}{m},PMC{n}_x-0{m}-g00{m}.jpg," Radiograph of the chest, a nodule {n}{m}."\n'
        put(tree / split / "radiology" / f"{table}.csv", f"id,name,caption\n{rows}")
        put(tree / split / "radiology" / "captions.txt", f"ROCO_0000{n}0\t Radiograph of the chest, a nodule {n}0.\n")
        put(tree / split / "non-radiology" / "images" / f"PMC{n}_graph.jpg", jpg(90 + n))
        put(tree / split / "non-radiology" / f"{table}.csv", f"id,name,caption\nROCO_9,PMC{n}_graph.jpg,A graph.\n")
    places = {"train/radiology/traindata": 0, "validation/radiology/valdata": 1, "test/radiology/testdata": 2}
    told = [f"Radiograph of the chest, a nodule {n}{m}." for n in range(3) for m in range(2)]
    dropped = {"not_an_image": 3, "read_as_a_report": 3}
    given = ["images.0.path={}", *(f"reports.{n}.path={{}}/{name}.csv" for name, n in places.items())]
    return Made(given, told, dropped, {"train": 2, "val": 2, "test": 2})


def pmc_oa(tree: Path) -> Made:
    names = ["PMC212319_Fig3_4.jpg", "PMC212319_Fig4_1.jpg", "PMC500000_Fig1.jpg"]
    write_zip(put(tree / "images.zip", b""), [(f"images/{name}", jpg(n)) for n, name in enumerate(names)])
    lines = [{"image": name, "caption": f"Chest radiograph with a nodule, {n}.", "alignment_score": 0.1}
             for n, name in enumerate(names[:2])]  # fmt: skip
    put(tree / "pmc_oa.jsonl", "\n".join(map(json.dumps, lines)))
    told = [f"Chest radiograph with a nodule, {n}." for n in range(2)]
    return Made(["images.0.path={}/images.zip", "reports.0.path={}/pmc_oa.jsonl"], told, {"image_without_report": 1})


RECIPE_OF = {"openi": "iu_xray"}
LAYOUTS: list[Callable[[Path], Made]] = [mimic_cxr_jpg, iu_xray, openi, padchest, chexpert_plus, roco, roco_v1, pmc_oa]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_a_public_sets_tree(
    layout: Callable[[Path], Made], tmp_path: Path, secret_file: Path, local_engine: Engine
) -> None:
    made = layout(tmp_path / "tree")
    places = [place.replace("{}", str(tmp_path / "tree")) for place in made.places]
    name = RECIPE_OF.get(layout.__name__, layout.__name__)
    recipe = load_recipe(
        RECIPES / f"{name}.yaml", [*places, f"out={tmp_path / 'run'}", f"secret={secret_file}", *QUICK]
    )
    check(recipe)
    done, _ = run_pipeline(recipe, local_engine, lambda *_: None, "ingest")
    index = read_parts(done.index.folder(done.run))
    dropped = Counter(reason for reason in index["drop_reason"].to_pylist() if reason)
    assert dropped == made.dropped
    records = read_parts(done.ingest.folder(done.run)).to_pylist()
    assert [r["drop_reason"] for r in records] == [None] * len(made.texts)
    left = [r["text"] for r in records]
    for told in made.texts:
        left.remove(next(text for text in left if told in text))
    assert len({(r["study"], r["patient"]) for r in records}) == len({r["study"] for r in records})
    if made.splits:
        assert Counter(r["official_split"] for r in records) == made.splits


def test_what_is_in_no_language_is_withheld_until_it_is_declared(
    tmp_path: Path, secret_file: Path, inline_engine: Engine
) -> None:
    made = padchest(tmp_path / "tree")
    places = [place.replace("{}", str(tmp_path / "tree")) for place in made.places if "declared" not in place]
    recipe = load_recipe(
        RECIPES / "padchest.yaml", [*places, f"out={tmp_path / 'run'}", f"secret={secret_file}", *QUICK]
    )
    done, _ = run_pipeline(recipe, inline_engine, lambda *_: None, "ingest")
    records = read_parts(done.ingest.folder(done.run)).to_pylist()
    assert Counter(r["drop_reason"] for r in records) == {"quarantine_language": 2, None: 1}  # of two words it is none
