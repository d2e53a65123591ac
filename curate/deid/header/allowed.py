"""The content of a cleaned header: the allow-list of attributes and the vocabularies of their values, as data.

Everything not listed here is dropped, so the list is by construction tighter than the Basic Profile of
DICOM PS3.15 Table E.1-1. Attribute names are PS3.6 keywords; the terms are the defined terms and enumerated
values of PS3.3, the body parts those of PS3.16 Table L-1. A value outside its vocabulary is dropped, never copied.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Numbers that describe the picture and its acquisition, none of which is in PS3.15 Table E.1-1. Copied only if the
# element has the dictionary's VR and multiplicity and every value is a finite number.
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

# Prefix of a manufacturer's name in lower case -> the canonical name that is written.
MANUFACTURERS: tuple[tuple[str, str], ...] = (
    ("siemens", "Siemens"), ("ge ", "GE"), ("g e ", "GE"),
    ("ge medical", "GE"), ("general electric", "GE"), ("philips", "Philips"),
    ("toshiba", "Toshiba"), ("canon", "Canon"), ("hitachi", "Hitachi"), ("fuji", "Fujifilm"), ("agfa", "Agfa"),
    ("carestream", "Carestream"), ("kodak", "Kodak"), ("eastman kodak", "Kodak"), ("konica", "Konica Minolta"),
    ("hologic", "Hologic"), ("lorad", "Hologic"), ("samsung", "Samsung"), ("shimadzu", "Shimadzu"),
    ("acuson", "Acuson"),
    ("united imaging", "United Imaging"), ("uih", "United Imaging"), ("mindray", "Mindray"), ("varian", "Varian"),
    ("elscint", "Elscint"), ("picker", "Picker"), ("marconi", "Marconi"), ("esaote", "Esaote"), ("aloka", "Aloka"),
)  # fmt: skip

# Attributes whose list above is complete: any other term is dropped.
CLOSED = _words("""
Modality Laterality ImageLaterality FrameLaterality PatientSex PhotometricInterpretation PresentationIntentType
PresentationLUTShape LossyImageCompression VOILUTFunction QualityControlImage BreastImplantPresent PartialView
PatientOrientation PixelIntensityRelationship MRAcquisitionType
""")

# Words of the defined terms of all CS attributes of PS3.3, beyond those of the lists above.
_IN_TERMS = frozenset(w.lower() for terms in TERMS.values() for t in terms for w in re.split(r"[ _/-]+", t))
TERM_WORDS = _IN_TERMS | _words("""
yes no none unknown other on off true false active inactive manual automatic auto semiautomatic fixed moving enabled
disabled mixed undefined unspecified approved unapproved rejected complete partial final prelim verified unverified
left right both bilateral anterior posterior upper lower head foot feet first patient image frame volume slice plane
rectangular circular polygonal bitmap point polyline multipoint circle ellipse ellipsoid polygon closed open planar
nonplanar contour color colour palette mono stereo binary fractional probability occupancy labelmap labeled map surface
absolute relative gy cgy physical effective error plan multi beam fraction control session brachy record tissue
heterogeneity inhomogeneity beam photon electron proton neutron ion static dynamic arc setup treatment prone supine
decubitus erect sitting standing recumbent table scout axial helical spiral sequenced constant angle continuous
stationary free stepped kernel filtered back projection iterative fbp osem line film digital screen scanned digitizer
dsa dv di df ws wsd si drw syn dose level linear sigmoid log table lut identity inverse window pixel display print area
magnify true size scale fit viewport gradient echo spin inversion recovery saturation spoiled steady state phase
contrast diffusion directional isotropic bmatrix bvalue none magnetization transfer flow compensation acceleration
cartesian radial spiral rectilinear reverse single dual triple full half partial readout slab body surface volume
quadrature coil multicoil array transmit receive hydrogen proton phosphorus sodium carbon fluorine xenon
frequency encoding decoupling cardiac respiratory gating gate gated triggered trigger retrospective prospective bellows
belt breath hold navigator ecg ekg vcg pp mg rtc realtime end systole diastole inspiration expiration rest stress tc
whole reprojection tomo recon emission transmission bgsubtract corrected decy dcal attn scat norm dtim dead time random
scatter attenuation decay calibration sensitivity counts cnts nmsi bqml cm2 cm2ml propcnt propcps procps mlmin mlminml
gml smml stddev hu us od ed edw hu mod pct none unspecified energy position list mode delta moments admin start
frontal lateral sagittal coronal oblique transverse transaxial acquired calculated generated inferred direct indirect
flat field dark beveled step scintillator storage phosphor film selenium csi cesium iodide gadolinium
aluminum aluminium copper molybdenum rhodium silver tin niobium europium lead tantalum tungsten wedge butterfly strip
flat shaped mixed air water bone soft lung rgb mask tid avg rev sub kin log lin logm quantitative
pulsed continuous boosted average maximum minimum sum mean median mode variable constant current intensity
white light visible infrared ultraviolet blue green red autofluorescence fluorescein indocyanine
macula optic disc nerve fundus iris cornea pupil dilated internal external both od os ou
ok fail pass valid invalid specified optional required mandatory conditional equal like contains begins
mm cm um deg sec msec ms s hz khz mhz kv ma mas ml l kg g mg mcg min bpm ppm pct percent cps dots db m2 m3
seq iso ir ascii scoord image text num code container composite waveform date datetime time uidref pname tcoord
separate contains properties obs context mod inferred selected from has acq has concept modality
dcmr part10 monochrome rle jpeg mpeg lossy lossless basic color grayscale presentation processing overlay graphic roi
regular annotation pixel cine playback forward reverse sweeping looping native scaled normalized
original derived primary secondary localizer reformat reformatted subtraction fluoroscopy fluoro exposure
single exam study series patient procedure step scheduled performed discontinued completed
transmit normal abnormal positive negative equivocal detected not attempted
altered unaltered neutered spayed human veterinary pregnant possibly definitely smoker
rectum plan planning simulation portal radiograph drr blank fluence target avoidance organ external ptv ctv gtv
cavity contrast_agent bolus isocenter registration marker fiducial support fixation dose_region control
""")

# Tables of samples that belong to the picture or the measurement; any other value of a bulk VR is dropped.
BULK = _words("""
LUTData RedPaletteColorLookupTableData GreenPaletteColorLookupTableData BluePaletteColorLookupTableData
AlphaPaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
SegmentedBluePaletteColorLookupTableData SegmentedAlphaPaletteColorLookupTableData BlendingLookupTableData
WaveformData ChannelMinimumValue ChannelMaximumValue WaveformPaddingValue SpectroscopyData
PointCoordinatesData DoublePointCoordinatesData PointPositionAccuracy PointsBoundingBoxCoordinates
SurfacePointsData TrianglePointIndexList EdgePointIndexList VertexPointIndexList PrimitivePointIndexList
LongPrimitivePointIndexList LongTrianglePointIndexList LongVertexPointIndexList LongEdgePointIndexList
VectorCoordinateData VectorGridData TrackPointIndexList FloatingPointValues CoordinateData
SurfacePointNormalData ContourPointsData LookupTableData ModalityLUTData VOILUTData ImageBoxPixelData
""")

# Attributes without which the pixels cannot be read: if one cannot be kept, the file is dropped.
CORE = _words("""
SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation
""")

# Never copied, in any class: attributes that repeat the data set in another or its original form, and those about a
# person's life, a visit or responsible persons, which no vocabulary makes harmless.
NEVER = _words("""
Occupation PatientBreedDescription PatientSpeciesDescription ResponsiblePersonRole TypeOfPatientID
ServiceEpisodeDescription ContactDisplayName RTPhysicianIntentNarrative SOPAuthorizationComment NTPSourceAddress
AuthorizationEquipmentCertificationNumber ContainerDescription ReferenceLocationDescription ReferenceLocationLabel
BreedRegistrationNumber CertificateType ReasonForTheAttributeModification
IconImageSequence DigitalSignaturesSequence MACParametersSequence EncryptedAttributesSequence OriginalAttributesSequence
ModifiedAttributesSequence PrivateDataElementCharacteristicsSequence PrivateInformation DataSetTrailingPadding
CodingSchemeIdentificationSequence PixelData FloatPixelData DoubleFloatPixelData PixelDataProviderURL
SpecificCharacterSet TimezoneOffsetFromUTC ICCProfile DataSetSubtype LengthToEnd HL7StructuredDocumentReferenceSequence
OverlayData CurveData GraphicAnnotationSequence CompoundGraphicSequence EquivalentCodeSequence
ExtendedOffsetTable ExtendedOffsetTableLengths
""")

# Sequences of codes and the context groups (PS3.16) their codes must be in; meanings are written from there.
CODES: dict[str, tuple[str, ...]] = {
    "AnatomicRegionSequence": ("cid4", "cid4009", "cid4031"),
    "ViewCodeSequence": ("cid4010", "cid4014"),
    "ViewModifierCodeSequence": ("cid4011", "cid4015"),
    "PatientOrientationCodeSequence": ("cid19",),
    "PatientOrientationModifierCodeSequence": ("cid20",),
}

# Codes that SNOMED CT retired and headers still contain -> the current one of the context groups.
SUPERSEDED = {("51185008", "SCT"): ("816094009", "SCT"), ("T-D3000", "SRT"): ("816094009", "SCT")}  # thorax

# Code meaning of a view in lower case -> the equivalent ViewPosition term.
VIEW_OF_MEANING = {
    "antero-posterior": "AP", "postero-anterior": "PA", "left lateral": "LL", "right lateral": "RL",
    "cranio-caudal": "CC", "medio-lateral": "ML", "medio-lateral oblique": "MLO", "latero-medial": "LM",
    "latero-medial oblique": "LMO", "left anterior oblique": "LAO", "right anterior oblique": "RAO",
    "left posterior oblique": "LPO", "right posterior oblique": "RPO",
}  # fmt: skip

# PS3.16 CID 7050, de-identification methods; the Basic Profile applies to every file.
METHODS = {
    "basic": ("113100", "Basic Application Confidentiality Profile"),
    "structured": ("113104", "Clean Structured Content Option"),
    "descriptors": ("113105", "Clean Descriptors Option"),
    "dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "patient_characteristics": ("113108", "Retain Patient Characteristics Option"),
    "device_identity": ("113109", "Retain Device Identity Option"),
    "uids": ("113110", "Retain UIDs Option"),
    "safe_private": ("113111", "Retain Safe Private Option"),
}

# Attributes that an object of an unknown class may keep beside the numbers and terms above.
GENERAL = _words("""
SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID PatientID PatientName PatientBirthDate
PatientAge StudyDate StudyTime SeriesDate SeriesTime AcquisitionDate AcquisitionTime ContentDate ContentTime
AccessionNumber StudyID ReferringPhysicianName Manufacturer SequenceOfUltrasoundRegions AnatomicRegionSequence
RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor
RedPaletteColorLookupTableData GreenPaletteColorLookupTableData BluePaletteColorLookupTableData ModalityLUTSequence
VOILUTSequence FrameIncrementPointer StudyDescription SeriesDescription
""")
