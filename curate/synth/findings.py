"""The catalogue: the kinds of pictures, the possible findings of each, and radiologists' phrases for them.

Templates may use ``{side}`` (left, right), ``{other}`` (the other side), ``{size}``, ``{level}`` (spine) and the same
with a capital for the start of a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One finding: its name in ground truth, whether it has a side, and sentences that state or deny it."""

    name: str
    sided: bool
    present: tuple[str, ...]
    summary: tuple[str, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """One kind of picture; ``weight`` is its share of the archive."""

    name: str
    modality: str
    body_part: str
    weight: float
    title: str
    techniques: tuple[str, ...]
    indications: tuple[str, ...]
    normal: tuple[str, ...]
    other_side: tuple[str, ...]  # sentences about the healthy other side
    findings: tuple[Finding, ...]


def _sided(name: str, *present: str, absent: tuple[str, ...], summary: tuple[str, ...] = ()) -> Finding:
    usual = (f"{{Size}} {{side}} {name}.", f"{{Side}} {name}, {{size}}.", f"{{Side}}-sided {name}.")
    return Finding(name, True, present, usual + summary, absent)


def _unsided(name: str, *present: str, absent: tuple[str, ...], summary: tuple[str, ...] = ()) -> Finding:
    usual = (f"{name.capitalize()}.", f"{{Grade}} {name}.")
    return Finding(name, False, present, usual + summary, absent)


EFFUSION = _sided(
    "pleural effusion",
    "There is a {size} {side} pleural effusion.",
    "{Size} {side}-sided pleural effusion with blunting of the costophrenic angle.",
    "Fluid layers in the {side} pleural space, {size} in volume.",
    "Opacity at the {side} base with a meniscus, in keeping with a {size} effusion.",
    absent=(
        "No pleural effusion.",
        "The pleural spaces are free of fluid.",
        "There is no pleural effusion on either side.",
    ),
)
PNEUMOTHORAX = _sided(
    "pneumothorax",
    "There is a {size} {side} pneumothorax with a visible pleural edge.",
    "{Size} pneumothorax on the {side}, without lung markings beyond the pleural line.",
    "Air in the {side} pleural space with partial collapse of the {side} lung; the pneumothorax is {size}.",
    absent=("No pneumothorax.", "There is no pneumothorax.", "Negative for pneumothorax."),
)
CONSOLIDATION = _sided(
    "consolidation",
    "{Size} area of consolidation in the {side} lung with air bronchograms.",
    "Patchy airspace opacity in the {side} lung, {size} in extent.",
    "There is {side} lung consolidation, in keeping with pneumonia.",
    absent=("No focal consolidation.", "No airspace opacity.", "The lungs are free of consolidation."),
    summary=("{Side} lung pneumonia.", "{Side} airspace disease."),
)
NODULE = _sided(
    "pulmonary nodule",
    "A {size} rounded nodule is seen in the {side} lung.",
    "{Size} well-defined nodule projecting over the {side} lung field.",
    "Solitary {side} pulmonary nodule, {size}, with smooth margins.",
    absent=("No pulmonary nodule.", "No suspicious nodule or mass.", "There is no lung nodule."),
)
CARDIOMEGALY = _unsided(
    "cardiomegaly",
    "The cardiac silhouette is enlarged.",
    "The heart is enlarged, with a cardiothoracic ratio above 0.5.",
    "There is {grade} cardiomegaly.",
    absent=("No cardiomegaly.", "The heart is normal in size.", "The cardiac silhouette is not enlarged."),
)
HAEMORRHAGE = _sided(
    "intracerebral haemorrhage",
    "{Size} hyperdense haemorrhage in the {side} cerebral hemisphere with surrounding oedema.",
    "There is a {size} acute {side} intraparenchymal haematoma.",
    "Acute parenchymal bleed on the {side}, {size}.",
    absent=("No intracranial haemorrhage.", "No acute intracranial bleed.", "There is no parenchymal haematoma."),
)
SUBDURAL = _sided(
    "subdural haematoma",
    "{Size} crescentic hyperdense collection over the {side} cerebral convexity.",
    "There is a {size} acute {side} subdural haematoma.",
    "Extra-axial blood along the {side} convexity, {size}, subdural in shape.",
    absent=("No extra-axial collection.", "No subdural haematoma.", "There is no subdural blood."),
)
INFARCT = _sided(
    "infarct",
    "Wedge-shaped territory of infarction in the {side} cerebral hemisphere.",
    "{Size} {side} middle cerebral artery territory infarct.",
    "Loss of grey-white differentiation on the {side}, in keeping with a {size} infarct.",
    absent=("No territorial infarct.", "No evidence of infarction.", "There is no acute infarct."),
)
SHIFT = _sided(
    "midline shift",
    "There is {size} midline shift to the {side}.",
    "The midline structures are displaced to the {side}; the shift is {size}.",
    "Mass effect with {size} shift of the midline towards the {side}.",
    absent=("No midline shift.", "The midline is central.", "There is no mass effect or midline shift."),
    summary=("Midline shift to the {side}.", "Mass effect with shift towards the {side}."),
)
HYDROCEPHALUS = _unsided(
    "hydrocephalus",
    "The lateral ventricles are dilated, in keeping with hydrocephalus.",
    "There is {grade} hydrocephalus.",
    "Marked enlargement of the ventricles out of proportion to the sulci.",
    absent=("No hydrocephalus.", "The ventricles are normal in size.", "There is no ventricular dilatation."),
)
MASS = _sided(
    "mass",
    "{Size} heterogeneous mass in the {side} cerebral hemisphere with surrounding oedema.",
    "There is a {size} intra-axial mass on the {side}.",
    "Space-occupying lesion of the {side} hemisphere, {size}, with perilesional signal.",
    absent=("No intracranial mass.", "No mass lesion.", "There is no space-occupying lesion."),
    summary=("{Side} hemispheric tumour.",),
)
WHITE_MATTER = _unsided(
    "white matter disease",
    "Scattered foci of T2 hyperintensity in the white matter of both hemispheres.",
    "There is {grade} white matter disease of small vessel type.",
    "Multiple bright white matter lesions bilaterally.",
    absent=("No white matter disease.", "White matter signal is normal.", "There are no white matter lesions."),
)
STONE = _sided(
    "renal stone",
    "{Size} calculus in the {side} kidney.",
    "There is a {size} hyperdense stone in the {side} renal pelvis.",
    "{Side} nephrolithiasis with a {size} stone.",
    absent=("No renal stone.", "No renal calculus.", "There is no nephrolithiasis."),
    summary=("{Side} nephrolithiasis.",),
)
CYST = _sided(
    "renal cyst",
    "{Size} simple cyst of the {side} kidney.",
    "There is a {size} low-density cyst arising from the {side} kidney.",
    "Exophytic {side} renal cyst, {size}, of water density.",
    absent=("No renal cyst.", "No cystic renal lesion.", "There is no renal cyst."),
)
HYDRONEPHROSIS = _sided(
    "hydronephrosis",
    "{Grade} {side} hydronephrosis.",
    "The {side} renal collecting system is dilated.",
    "There is {grade} dilatation of the {side} renal pelvis, in keeping with hydronephrosis.",
    absent=("No hydronephrosis.", "The collecting systems are not dilated.", "There is no hydronephrosis."),
)
LIVER = _unsided(
    "liver lesion",
    "{Size} hypodense lesion in the liver.",
    "There is a {size} focal hepatic lesion.",
    "Focal low-density mass of the hepatic parenchyma, {size}.",
    absent=("No focal liver lesion.", "The liver is homogeneous.", "There is no hepatic mass."),
    summary=("Indeterminate hepatic lesion.",),
)
SPLEEN = _unsided(
    "splenomegaly",
    "The spleen is enlarged.",
    "There is {grade} splenomegaly.",
    "Enlargement of the spleen, {grade}.",
    absent=("No splenomegaly.", "The spleen is normal in size.", "There is no splenic enlargement."),
)
ASCITES = _unsided(
    "ascites",
    "Free fluid surrounds the abdominal organs.",
    "There is {grade} ascites.",
    "Intraperitoneal free fluid, {grade} in amount.",
    absent=("No ascites.", "No free fluid.", "There is no intraperitoneal fluid."),
)
HERNIATION = _unsided(
    "disc herniation",
    "Disc herniation at {level} indenting the thecal sac.",
    "There is a {size} disc protrusion at {level} with narrowing of the canal.",
    "Posterior extrusion of the {level} disc.",
    absent=("No disc herniation.", "No disc protrusion.", "There is no significant disc bulge."),
    summary=("{Size} disc herniation at {level}.",),
)
FRACTURE = _unsided(
    "compression fracture",
    "Loss of height of a lumbar vertebral body with marrow oedema.",
    "There is a {grade} vertebral compression fracture.",
    "Wedge deformity of a vertebral body with bright marrow signal, in keeping with a recent fracture.",
    absent=("No compression fracture.", "Vertebral body heights are maintained.", "There is no vertebral fracture."),
    summary=("Acute vertebral compression fracture.",),
)
SYRINX = _unsided(
    "syrinx",
    "Fluid-filled cavity within the lower cord.",
    "There is a {size} syrinx of the conus.",
    "Central cord cavitation, in keeping with a syrinx.",
    absent=("No syrinx.", "Cord signal is normal.", "There is no cord cavity."),
)
GALLSTONES = _unsided(
    "gallstones",
    "Echogenic stone in the gallbladder with posterior shadowing.",
    "The gallbladder contains a {size} shadowing calculus.",
    "There is cholelithiasis.",
    absent=("No gallstones.", "The gallbladder is free of stones.", "There is no cholelithiasis."),
    summary=("Cholelithiasis.",),
)
LIVER_CYST = _unsided(
    "liver cyst",
    "{Size} anechoic cyst in the liver.",
    "There is a {size} simple hepatic cyst.",
    "Well-defined anechoic hepatic lesion, {size}.",
    absent=("No liver cyst.", "No focal hepatic lesion.", "There is no cystic liver lesion."),
)
KIDNEY_HYDRO = _unsided(
    "hydronephrosis",
    "The collecting system of the examined kidney is dilated.",
    "There is {grade} hydronephrosis.",
    "Anechoic dilatation of the renal pelvis and calyces.",
    absent=("No hydronephrosis.", "The collecting system is not dilated.", "There is no pelvicalyceal dilatation."),
)
KIDNEY_STONE = _unsided(
    "renal stone",
    "Echogenic renal calculus with posterior shadowing.",
    "There is a {size} stone in the examined kidney.",
    "Shadowing echogenic focus in the renal sinus, in keeping with a stone.",
    absent=("No renal stone.", "No renal calculus.", "There is no shadowing focus."),
    summary=("Nephrolithiasis.",),
)
THYROID_NODULE = _sided(
    "thyroid nodule",
    "{Size} hypoechoic nodule in the {side} lobe.",
    "There is a {size} solid nodule of the {side} thyroid lobe.",
    "{Side} lobe nodule, {size}, markedly hypoechoic.",
    absent=("No thyroid nodule.", "No focal nodule in either lobe.", "There is no nodule."),
)
GOITRE = _unsided(
    "goitre",
    "Both thyroid lobes are diffusely enlarged.",
    "There is a {grade} diffuse goitre.",
    "Diffuse enlargement of the gland.",
    absent=("No goitre.", "The gland is normal in size.", "There is no thyroid enlargement."),
)

_LUNGS = ("The {other} lung is clear.", "The {other} hemithorax is normal.", "Normal appearance on the {other}.")
_BRAIN = ("The {other} hemisphere is normal.", "No abnormality on the {other}.")
_COUGH = ("cough and fever", "shortness of breath", "chest pain", "follow-up after admission", "hypoxia")
_HEAD = ("acute confusion", "fall with head injury", "new weakness", "severe headache", "reduced consciousness")

SCENES: tuple[Scene, ...] = (
    Scene("chest_film", "DX", "CHEST", 0.24, "Chest radiograph",
          ("Single frontal view of the chest.", "PA chest radiograph.", "Portable AP projection."), _COUGH,
          ("The mediastinal contours are normal.", "The bones are intact.", "The lungs are well inflated."), _LUNGS,
          (EFFUSION, PNEUMOTHORAX, CONSOLIDATION, NODULE, CARDIOMEGALY)),
    Scene("chest_film", "CR", "CHEST", 0.16, "Portable chest radiograph",
          ("Portable AP chest film.", "Frontal chest radiograph, supine.", "AP view at the bedside."), _COUGH,
          ("No displaced rib fracture.", "The trachea is central.", "The upper abdomen is unremarkable."), _LUNGS,
          (EFFUSION, PNEUMOTHORAX, CONSOLIDATION, NODULE, CARDIOMEGALY)),
    Scene("ct_head", "CT", "HEAD", 0.12, "CT of the head",
          ("Axial non-contrast CT of the head.", "Unenhanced helical CT of the brain."), _HEAD,
          ("The basal cisterns are patent.", "The calvarium is intact.", "The sinuses are aerated."), _BRAIN,
          (HAEMORRHAGE, SUBDURAL, INFARCT, SHIFT, HYDROCEPHALUS)),
    Scene("ct_chest", "CT", "CHEST", 0.08, "CT of the chest",
          ("Axial CT of the chest without contrast.", "Helical CT of the thorax after intravenous contrast."), _COUGH,
          ("No mediastinal lymphadenopathy.", "The thoracic aorta is normal in calibre.", "The airways are patent."),
          _LUNGS,
          (EFFUSION, PNEUMOTHORAX, CONSOLIDATION, NODULE)),
    Scene("ct_abdomen", "CT", "ABDOMEN", 0.10, "CT of the abdomen",
          ("Axial CT of the abdomen in the portal venous phase.", "CT of the abdomen and pelvis with contrast."),
          ("flank pain", "abdominal distension", "weight loss", "haematuria"),
          ("No bowel obstruction.", "The aorta is normal in calibre.", "The pancreas is unremarkable."),
          ("The {other} kidney is normal.", "No abnormality of the {other} kidney."),
          (STONE, CYST, HYDRONEPHROSIS, LIVER, SPLEEN, ASCITES)),
    Scene("mr_brain", "MR", "BRAIN", 0.12, "MRI of the brain",
          ("Axial T2-weighted MRI of the brain.", "Multiplanar multisequence MRI of the brain."), _HEAD,
          ("Flow voids are preserved.", "The orbits are unremarkable.", "The brainstem is normal."), _BRAIN,
          (MASS, INFARCT, WHITE_MATTER, HYDROCEPHALUS)),
    Scene("mr_spine", "MR", "LSPINE", 0.06, "MRI of the lumbar spine",
          ("Sagittal T2-weighted MRI of the lumbar spine.", "Lumbar spine MRI without contrast."),
          ("low back pain", "sciatica", "leg weakness"),
          ("Alignment is maintained.", "The paraspinal soft tissues are normal."), ("",),
          (HERNIATION, FRACTURE, SYRINX)),
    Scene("us_liver", "US", "ABDOMEN", 0.04, "Ultrasound of the upper abdomen",
          ("Curvilinear probe, real-time greyscale imaging.", "Transabdominal ultrasound."),
          ("epigastric pain", "abnormal liver function tests"),
          ("The common bile duct is not dilated.", "Hepatic echotexture is normal."), ("",), (GALLSTONES, LIVER_CYST)),
    Scene("us_kidney", "US", "KIDNEY", 0.03, "Renal ultrasound",
          ("Greyscale ultrasound of the kidney in the long axis.",), ("flank pain", "raised creatinine"),
          ("Cortical thickness is preserved.", "Renal echogenicity is normal."), ("",), (KIDNEY_HYDRO, KIDNEY_STONE)),
    Scene("us_thyroid", "US", "THYROID", 0.05, "Ultrasound of the thyroid",
          ("High-resolution linear probe, transverse plane.",), ("palpable neck lump", "abnormal thyroid function"),
          ("No cervical lymphadenopathy.", "The isthmus is normal."),
          ("The {other} lobe is normal.",), (THYROID_NODULE, GOITRE)),
)  # fmt: skip
