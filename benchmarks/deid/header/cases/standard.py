"""Identities in standard attributes of the top level: where they belong, and in the free text beside."""

from __future__ import annotations

from pydicom.dataset import Dataset

from benchmarks.deid.header.cases.build import Built, base_ct, one, written
from benchmarks.deid.plant import Ledger


def _with(ledger: Ledger, **values: object) -> Built:
    ds = base_ct(ledger)
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return one(written(ds))


def direct_identifiers(p: Ledger) -> Built:
    return _with(
        p,
        AccessionNumber=p.number("A########"),
        ReferringPhysicianName=p.name("{s}^{g}^^Dr"),
        InstitutionName=p.plant("Saint Wilfreda Infirmary", "Wilfreda"),
        PatientAddress=p.plant("14 Butterwick Lane, Thornaby", "Butterwick", "Thornaby"),
        PatientTelephoneNumbers=p.number("(###) ###-####"),
        OperatorsName=p.name(),
        StationName=p.plant("CTROOM7XZ"),
        DeviceSerialNumber=p.number("SN######"),
    )


def study_description(p: Ledger) -> Built:
    return _with(p, StudyDescription="CHEST FOR " + p.name("{s} {g}", common=True).upper())


def other_descriptors(p: Ledger) -> Built:
    return _with(
        p,
        SeriesDescription="Thorax " + p.name("{s}, {g}"),
        ProtocolName="Routine_" + p.name("{s}_{g}"),
        ImageComments="Patient " + p.name("{g} {s}") + " moved during the scan",
        AcquisitionComments="repeat per " + p.name("{s}"),
        DerivationDescription="reformat by " + p.name("{g} {s}"),
        ContrastBolusAgent="Omnipaque given by " + p.name("{s}"),
        RequestedProcedureDescription="CT " + p.name("{s}"),
        PerformedProcedureStepDescription=p.name("{s}") + " CT chest",
        AdmittingDiagnosesDescription="cough, " + p.name("{g}") + "'s mother smokes",
        WindowCenterWidthExplanation=p.name("{s}"),
    )


def third_parties_who_are_words(p: Ledger) -> Built:
    return _with(
        p,
        StudyDescription="CT CHEST CALL " + p.name("{s}", common=True).upper(),
        SeriesDescription="compare film " + p.name("{s}", common=True) + " brought",
        ImageComments="as " + p.name("{s}", common=True).lower() + " asked",
    )


def identifiers_inside_words(p: Ledger) -> Built:
    """The patient's own identifiers, joined to ordinary words or written in another way."""
    ds = base_ct(p)
    surname, given = str(ds.PatientName).split("^")
    ds.StudyDescription = f"CHEST{ds.PatientID}AP"
    ds.SeriesDescription = f"Thorax_{surname.lower()}_{given}"
    ds.ProtocolName = f"{given[:1]}.{surname.title()}-LUNG"
    p.plant(surname.lower()[:8])
    ds.ImageComments = " ".join(surname)
    p.plant(" ".join(surname))
    return one(written(ds))


def identifiers(p: Ledger) -> Built:
    ds = base_ct(p)
    ds.add_new(0x00101000, "LO", [p.number("OLD######"), p.number("X-###-####")])
    for keyword in ("IssuerOfPatientID", "AdmissionID", "MedicalRecordLocator", "PatientBirthName", "StudyID",
                    "PatientMotherBirthName", "OtherPatientNames", "FillerOrderNumberImagingServiceRequest",
                    "PlacerOrderNumberImagingServiceRequest", "RequestedProcedureID", "PerformedProcedureStepID",
                    "ServiceEpisodeID", "InsurancePlanIdentification", "ScheduledProcedureStepID"):  # fmt: skip
        setattr(ds, keyword, p.number("ID#######"))
    return one(written(ds))


def contact_and_place(p: Ledger) -> Built:
    return _with(
        p,
        PatientAddress=p.plant("7 Quernmore Drive", "Quernmore"),
        CountryOfResidence=p.plant("Ruritania"),
        RegionOfResidence=p.plant("Zubrowka"),
        PatientTelecomInformation=p.plant("perpetuah@example.org"),
        Occupation="sexton at " + p.plant("Grindlewick"),
        PatientReligiousPreference=p.plant("Pastafarian"),
        CurrentPatientLocation="ward " + p.plant("Eiderdown"),
        PatientInstitutionResidence=p.plant("Larkspurhome"),
        AdditionalPatientHistory="lives with sister " + p.name("{g}"),
        PatientComments="call " + p.number("07### ######"),
        ResponsiblePerson=p.name(),
    )


def devices(p: Ledger) -> Built:
    ds = base_ct(p)
    for keyword in ("DeviceSerialNumber", "DetectorID", "GantryID", "PlateID", "CassetteID", "GeneratorID",
                    "StationName", "InstitutionalDepartmentName", "PerformedStationName", "ScheduledStudyLocation",
                    "PerformedLocation", "ScheduledStationAETitle", "PerformedStationAETitle", "XRaySourceID",
                    "DeviceLabel", "LensSerialNumber"):  # fmt: skip
        try:
            setattr(ds, keyword, p.number("DEV######"))
        except (ValueError, TypeError):
            continue
    ds.DeviceUID = p.uid()
    ds.UDISequence = [Dataset()]
    ds.UDISequence[0].UniqueDeviceIdentifier = p.number("(01)##############(21)########")
    return one(written(ds))


def oldest_patient(p: Ledger) -> Built:
    return _with(
        p,
        PatientAge=p.plant("094Y"),
        AdditionalPatientHistory=p.plant("94-year-old with cough"),
        StudyDescription=p.plant("CHEST 94YO F", "94YO"),
    )


def dates_of_every_vr(p: Ledger) -> Built:
    day = p.date(2011, 2022)
    y, m, d = day[:4], day[4:6], day[6:]
    for form in (f"{d}.{m}.{y}", f"{m}/{d}/{y}", f"{y}-{m}-{d}"):
        p.plant(form)
    return _with(
        p,
        AcquisitionDateTime=f"{day}101530.123456+0100",
        SeriesDate=day,
        ContentDate=day,
        DateOfSecondaryCapture=day,
        SeriesTime=f"{day}",  # a date where a time belongs
        StudyDescription=f"CHEST {d}.{m}.{y}",
        SeriesDescription=f"after op {m}/{d}/{y}",
        ImageComments=f"prior {y}-{m}-{d}",
        ProtocolName=f"THORAX{day}",
        LastMenstrualDate=day,
        DateOfLastCalibration=[day, day],
        FrameReferenceDateTime=f"{day}093000",
    )


def uids_in_every_place(p: Ledger) -> Built:
    ds = base_ct(p)
    ds.FrameOfReferenceUID, ds.IrradiationEventUID, ds.ConcatenationUID = p.uid(), p.uid(), p.uid()
    ds.SynchronizationFrameOfReferenceUID, ds.DeviceUID = p.uid(), p.uid()
    ds.ImageComments = "see " + p.uid()
    for keyword in ("ReferencedImageSequence", "SourceImageSequence", "ReferencedStudySequence"):
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = ds.SOPClassUID, p.uid()
        setattr(ds, keyword, [reference])
    return one(written(ds))


def numbers_that_are_identifiers(p: Ledger) -> Built:
    ds = base_ct(p)
    digits = p.number("########")
    ds.PatientID = digits
    ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = int(digits), int(digits), int(digits)
    ds.SliceLocation, ds.TableHeight = digits, digits
    ds.StudyID = digits
    return one(written(ds))


CASES = (direct_identifiers, study_description, other_descriptors, third_parties_who_are_words,
         identifiers_inside_words, identifiers, contact_and_place, devices, oldest_patient, dates_of_every_vr,
         uids_in_every_place, numbers_that_are_identifiers)  # fmt: skip
