"""Words that fill the slots of the sentences for the fit (`benchmarks.deid.fit_texts`)."""

from __future__ import annotations

ANATOMY = """lung|liver|spleen|left kidney|right kidney|pancreas|aorta|heart|mediastinum|brain|cerebellum|thalamus
brainstem|left femur|right tibia|distal radius|lumbar spine|cervical spine|thoracic spine|sacrum|pelvis|left hip
right knee|ankle|shoulder|rotator cuff|supraspinatus tendon|Achilles tendon|medial meniscus|gallbladder|common bile duct
stomach|duodenum|colon|rectum|appendix|bladder|uterus|left ovary|right ovary|prostate|left breast|thyroid|trachea
left upper lobe|right lower lobe|right middle lobe|lingula|left hilum|pleura|diaphragm|ribs|sternum|clavicle|humerus
scapula|orbit|maxillary sinus|mastoid|temporal bone|skull base|sella|pituitary|corpus callosum|basal ganglia|carotid
left MCA|portal vein|hepatic veins|inferior vena cava|renal artery|celiac axis|adrenal gland|ureter|testis|epididymis
placenta|fetal spine|cord|cauda equina|conus|disc|facet joints|ligamentum flavum|crista galli|foramen magnum|nasal bone
mandible|parotid gland|larynx|tongue base|oropharynx|esophagus|peritoneum|mesentery|omentum|retroperitoneum|psoas muscle
abdominal wall|soft tissues|subcutaneous fat|bone marrow|growth plate|scaphoid|lunate|metatarsal|calcaneus|navicular"""
FINDING = """effusion|pleural effusion|pneumothorax|consolidation|opacity|nodule|mass|cyst|calcification|fracture|oedema
edema|haemorrhage|hemorrhage|infarct|stenosis|aneurysm|dissection|thrombus|embolism|collection|abscess|ascites|stone
calculus|hydronephrosis|lymphadenopathy|atelectasis|fibrosis|emphysema|bronchiectasis|cardiomegaly|hernia|obstruction
perforation|free air|free fluid|metastasis|lesion|tumour|haemangioma|polyp|diverticulosis|wall thickening|fat stranding
tear|sprain|dislocation|subluxation|osteophytes|joint space narrowing|erosion|osteopenia|scoliosis|disc bulge|herniation
canal stenosis|cord compression|midline shift|mass effect|hydrocephalus|atrophy|gliosis|demyelination
white matter change|enhancement|restricted diffusion|signal abnormality|dilatation|reflux|fibroid|adenomyosis
fetal heart motion|acute disease|foreign body|scarring|granuloma|pneumonia|infiltrate|congestion
pericardial effusion|valve calcification|varices
cirrhosis|steatosis|pancreatitis|appendicitis|cholecystitis|colitis|sinusitis|mucosal thickening|air-fluid level"""
ADJECTIVE = """small|large|mild|moderate|severe|acute|chronic|focal|diffuse|stable|new|old|healed|subtle|left|right
bilateral|displaced|comminuted|simple|complex|calcified|cystic|solid|enhancing|patchy|basal|peripheral|subsegmental|trace
tiny|lobulated|spiculated|loculated|layering|nonspecific|degenerative|postsurgical|hypodense|hyperintense|echogenic"""
EXAMS = """CT|MRI|MR|X-ray|XR|CXR|Ultrasound|US|USG|CT Chest|CT Head|CT Abdomen|CT Pelvis|MRI Brain|MRI Spine|MRI Knee
Chest X-ray|PET CT|HRCT|CTA|MRA|MRCP|Mammogram|DEXA|Fluoroscopy|Barium swallow|Doppler|Bone scan|Echo|CT Angio|MR Hip"""
STARTS = """No|Mild|Moderate|Severe|Small|Large|Minimal|Acute|Chronic|Left|Right|Bilateral|Stable|Possible|Probable
Multiple|Subtle|Trace|New|Old|Normal|Without|Focal|Diffuse|Suspected|Early|Late|Interval|Few|Several|Large right"""
