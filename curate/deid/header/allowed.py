"""What a cleaned header may hold: the allow-list of attributes and the vocabularies of their values, as data.

Everything not named here is dropped, so the list is by construction tighter than the Basic Profile of
DICOM PS3.15 Table E.1-1. Attribute names are PS3.6 keywords; the terms are the defined terms and enumerated
values of PS3.3, the body parts those of PS3.16 Table L-1. A value outside its vocabulary is dropped, never copied.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Numbers that describe the picture and how it was made, none of which PS3.15 Table E.1-1 names. Copied only where
# the element has the dictionary's VR and multiplicity and every value is a finite number.
NUMBERS = _words("""
Rows Columns SamplesPerPixel PlanarConfiguration BitsAllocated BitsStored HighBit PixelRepresentation NumberOfFrames
PixelAspectRatio SmallestImagePixelValue LargestImagePixelValue PixelPaddingValue PixelPaddingRangeLimit
RescaleIntercept RescaleSlope WindowCenter WindowWidth PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing
SliceThickness SpacingBetweenSlices SliceLocation ImagePositionPatient ImageOrientationPatient
LossyImageCompressionRatio EstimatedRadiographicMagnificationFactor
InstanceNumber SeriesNumber AcquisitionNumber TemporalPositionIndex NumberOfTemporalPositions ImagesInAcquisition
KVP ExposureTime XRayTubeCurrent Exposure ExposureInuAs DistanceSourceToDetector DistanceSourceToPatient
GantryDetectorTilt TableHeight ReconstructionDiameter DataCollectionDiameter FocalSpots SingleCollimationWidth
TotalCollimationWidth SpiralPitchFactor CTDIvol
RepetitionTime EchoTime InversionTime NumberOfAverages ImagingFrequency EchoNumbers MagneticFieldStrength
NumberOfPhaseEncodingSteps EchoTrainLength PercentSampling PercentPhaseFieldOfView PixelBandwidth FlipAngle
AcquisitionMatrix SAR DiffusionBValue
BodyPartThickness CompressionForce PositionerPrimaryAngle PositionerSecondaryAngle RelativeXRayExposure ExposureIndex
TargetExposureIndex DeviationIndex FrameTime CineRate RecommendedDisplayFrameRate
RegionSpatialFormat RegionDataType RegionFlags RegionLocationMinX0 RegionLocationMinY0 RegionLocationMaxX1
RegionLocationMaxY1 PhysicalUnitsXDirection PhysicalUnitsYDirection PhysicalDeltaX PhysicalDeltaY
InStackPositionNumber DimensionIndexValues
""")

MODALITIES = _words("""
AR AU BI BMD CR CT DG DX ECG EPS ES FA FS GM HC HD IO IVOCT IVUS KER KO LEN LS MG MR NM OAM OCT OP OPM OPT OPTBSV
OPTENF OPV OSS OT PR PT PX REG RF RG RTDOSE RTIMAGE RTPLAN RTRECORD RTSTRUCT SEG SM SMR SR SRF TG US VA XA XC
""")

# PS3.16 Table L-1 (Body Part Examined), and the unlisted but common spellings of CR and DX consoles.
BODY_PARTS = _words("""
ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA ARM ARTERY AXILLA BACK BLADDER BONE BRAIN BREAST BRONCHUS BUTTOCK CALCANEUS
CALF CAROTID CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS CLAVICLE COCCYX COLON CORNEA CORONARYARTERY
CSPINE CTSPINE DUODENUM EAR ELBOW ENDO ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FINGER FOOT FOREARM GALLBLADDER HAND
HEAD HEADNECK HEART HIP HUMERUS IAC ILEUM ILIUM JAW JEJUNUM KIDNEY KNEE LARYNX LEG LIVER LSPINE LSSPINE LUNG MANDIBLE
MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE ORBIT OVARY PANCREAS PAROTID PATELLA
PELVIS PENIS PHARYNX PROSTATE RECTUM RIB RIBS SACRUM SCALP SCAPULA SCLERA SCROTUM SHOULDER SINUS SKULL SPINE SPLEEN
SSPINE STERNUM STOMACH TESTIS THIGH THORAX THUMB THYMUS THYROID TIBIA TIBIAFIBULA TLSPINE TMJ TOE TONGUE TRACHEA
TSPINE URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA FIBULA RADIUS ULNA RADIUSULNA LEFTHAND RIGHTHAND
BREASTS KUB PELVISHIP CERVICALSPINE THORACICSPINE LUMBARSPINE LSJ SIJOINT
""") | {"C SPINE", "T SPINE", "L SPINE", "S SPINE", "CHEST ABDOMEN", "LUMBAR SPINE", "CERVICAL SPINE", "THORACIC SPINE"}

VIEWS = _words("AP PA LL RL RLD LLD RLO LLO LAO RAO LPO RPO LAT LATERAL OBL OBLIQUE AXIAL SWIMMERS SUNRISE DECUB")
VIEWS |= _words("CC ML LM MLO LMO ISO FB SIO XCC XCCL XCCM AT CV CVR ARM PORTABLE LORDOTIC")

SEXES = frozenset({"M", "F", "O"})
SIDES = frozenset({"R", "L", "U", "B"})

_YES_NO = frozenset({"YES", "NO"})
_IMAGE_TYPE = _words("""
ORIGINAL DERIVED MIXED PRIMARY SECONDARY AXIAL LOCALIZER OTHER PROJECTION MPR MIP MINIP AVERAGE REFORMATTED
SINGLE PLANE BIPLANE A B POST_PROCESSED POST_CONTRAST SUBTRACTION RECON VOLUME WATER FAT IN_PHASE OUT_PHASE M P R I
M_FFE M_SE M_IR P_FFE FFE SE IR ADC TRACEW DIFFUSION DIS2D DIS3D ND NORM FM FIL CSA MOSAIC PERFUSION T1 T2
MAGNITUDE PHASE REAL IMAGINARY NONE CT_SOM5 CSAPARALLEL SPI STATIC DYNAMIC GATED WHOLE_BODY RESAMPLED MONO QUANTITY
PROTON_DENSITY LABEL OVERVIEW THUMBNAIL
0001 0002 0004 0008 0010 0020 0040 CAPTURED TOMO EMISSION TRANSMISSION GENERATED_2D TOMOSYNTHESIS
""") | {"SCREEN SAVE", "PROTON DENSITY", "SINGLE PLANE", "BIPLANE A", "BIPLANE B", "RECON TOMO", "RECON GATED TOMO"}

# CS attributes and the terms each may hold. The pattern of CS alone would let "SMITH" pass.
TERMS: dict[str, frozenset[str]] = {
    "Modality": MODALITIES,
    "BodyPartExamined": BODY_PARTS,
    "ViewPosition": VIEWS,
    "Laterality": SIDES,
    "ImageLaterality": SIDES,
    "FrameLaterality": SIDES,
    "PatientSex": SEXES,
    "ImageType": _IMAGE_TYPE,
    "FrameType": _IMAGE_TYPE,
    "PhotometricInterpretation": _words(
        "MONOCHROME1 MONOCHROME2 RGB YBR_FULL YBR_FULL_422 YBR_PARTIAL_420 YBR_ICT YBR_RCT XYB HSV ARGB CMYK"
    )
    | {"PALETTE COLOR"},
    "PresentationIntentType": frozenset({"FOR PRESENTATION", "FOR PROCESSING"}),
    "PresentationLUTShape": _words("IDENTITY INVERSE"),
    "LossyImageCompression": _words("00 01"),
    "LossyImageCompressionMethod": _words(
        "ISO_10918_1 ISO_14495_1 ISO_15444_1 ISO_15444_15 ISO_13818_2 ISO_14496_10 ISO_23008_2 ISO_18181_1"
    ),
    "PixelIntensityRelationship": _words("LIN LOG DISP OTHER"),
    "VOILUTFunction": _words("LINEAR LINEAR_EXACT SIGMOID"),
    "PatientPosition": _words("HFP HFS HFDR HFDL FFDR FFDL FFP FFS LFP LFS RFP RFS AFDR AFDL PFDR PFDL SITTING"),
    "PatientOrientation": _words("A P R L H F AR AL AH AF PR PL PH PF RA RP RH RF LA LP LH LF HA HP HR HL FA FP FR FL"),
    "PositionerType": _words("CARM COLUMN MAMMOGRAPHIC PANORAMIC CEPHALOSTAT RIGID NONE"),
    "ScanningSequence": _words("SE IR GR EP RM"),
    "SequenceVariant": _words("SK MTC SS TRSS SP MP OSP TOF NONE"),
    "ScanOptions": _words("PER RG CG PPG FC PFF PFP SP FS CT"),
    "MRAcquisitionType": _words("1D 2D 3D"),
    "InPlanePhaseEncodingDirection": _words("ROW COL COLUMN OTHER"),
    "RotationDirection": _words("CW CC"),
    "ExposureModulationType": _words("NONE ANGULAR ZEC"),
    "Grid": _words("FIXED FOCUSED RECIPROCATING PARALLEL CROSSED NONE"),
    "DetectorType": _words("DIRECT SCINTILLATOR STORAGE FILM PHOTOSTIMULABLE"),
    "VolumetricProperties": _words("VOLUME SAMPLED DISTORTED MIXED"),
    "ComplexImageComponent": _words("MAGNITUDE PHASE REAL IMAGINARY MIXED"),
    "AcquisitionContrast": _words("DIFFUSION FLOW_ENCODED FLUID_ATTENUATED PERFUSION PROTON_DENSITY STIR TAGGING T1 T2")
    | _words("T2_STAR TOF UNKNOWN MIXED"),
    "QualityControlImage": _YES_NO,
    "BreastImplantPresent": _YES_NO,
    "PartialView": _YES_NO,
}

# Makers by the spelling a header begins with; the canonical name is what is written.
MANUFACTURERS: tuple[tuple[str, str], ...] = (
    ("siemens", "Siemens"), ("ge ", "GE"), ("ge medical", "GE"), ("general electric", "GE"), ("philips", "Philips"),
    ("toshiba", "Toshiba"), ("canon", "Canon"), ("hitachi", "Hitachi"), ("fuji", "Fujifilm"), ("agfa", "Agfa"),
    ("carestream", "Carestream"), ("kodak", "Kodak"), ("eastman kodak", "Kodak"), ("konica", "Konica Minolta"),
    ("hologic", "Hologic"), ("lorad", "Hologic"), ("samsung", "Samsung"), ("shimadzu", "Shimadzu"),
    ("acuson", "Acuson"),
    ("united imaging", "United Imaging"), ("uih", "United Imaging"), ("mindray", "Mindray"), ("varian", "Varian"),
    ("elscint", "Elscint"), ("picker", "Picker"), ("marconi", "Marconi"), ("esaote", "Esaote"), ("aloka", "Aloka"),
)  # fmt: skip

# Identities that keep their references: remapped, the same source UID always to the same new one.
UIDS = _words("""
SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID SynchronizationFrameOfReferenceUID
ReferencedSOPInstanceUID DimensionOrganizationUID IrradiationEventUID ConcatenationUID
""")
# Names of things in the standard, not of instances: kept only where the standard's registry (PS3.6 Annex A) has them.
CLASS_UIDS = _words("SOPClassUID ReferencedSOPClassUID")
DATES = _words("StudyDate SeriesDate AcquisitionDate ContentDate")

# Sequences entered; their items are cleaned by this same list.
SEQUENCES = _words("""
SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence PixelMeasuresSequence PlanePositionSequence
PlaneOrientationSequence FrameVOILUTSequence PixelValueTransformationSequence FrameAnatomySequence FrameContentSequence
CTImageFrameTypeSequence MRImageFrameTypeSequence MRDiffusionSequence DimensionOrganizationSequence
SequenceOfUltrasoundRegions
""")
# Sequences of codes and the context groups (PS3.16) their codes must be in; meanings are written from there.
CODES: dict[str, tuple[str, ...]] = {
    "AnatomicRegionSequence": ("cid4", "cid4009", "cid4031"),
    "ViewCodeSequence": ("cid4010", "cid4014"),
    "ViewModifierCodeSequence": ("cid4011", "cid4015"),
    "PatientOrientationCodeSequence": ("cid19",),
    "PatientOrientationModifierCodeSequence": ("cid20",),
}

# Codes that SNOMED CT retired and headers still hold -> the one the context groups list now.
SUPERSEDED = {("51185008", "SCT"): ("816094009", "SCT"), ("T-D3000", "SRT"): ("816094009", "SCT")}  # thorax

# Coded views -> the ViewPosition term that says the same, by code meaning in lower case.
VIEW_OF_MEANING = {
    "antero-posterior": "AP", "postero-anterior": "PA", "left lateral": "LL", "right lateral": "RL",
    "cranio-caudal": "CC", "medio-lateral": "ML", "medio-lateral oblique": "MLO", "latero-medial": "LM",
    "latero-medial oblique": "LMO", "left anterior oblique": "LAO", "right anterior oblique": "RAO",
    "left posterior oblique": "LPO", "right posterior oblique": "RPO",
}  # fmt: skip

# PS3.16 CID 7050, what was done: Basic Profile, Retain Longitudinal ... Modified Dates, Retain Patient Characteristics.
METHOD_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
)
