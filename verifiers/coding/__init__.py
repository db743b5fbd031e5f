"""Checks of medical coding answers: ICD-10-CM diagnoses, HCPCS procedures and the public edits over both."""

from collections.abc import Mapping

CHECKS: Mapping[str, str] = {
    "icd10cm.exists": "verifiers.coding.icd10cm:CodeExists",
    "icd10cm.billable": "verifiers.coding.icd10cm:CodeBillable",
    "icd10cm.candidate": "verifiers.coding.candidates:CodeIsCandidate",
    "icd10cm.valid_on_date": "verifiers.coding.service_date:ValidOnServiceDate",
    "icd10cm.description": "verifiers.coding.description:DescriptionMatches",
    "icd10cm.laterality": "verifiers.coding.laterality:SideMatches",
    "icd10cm.seventh_character": "verifiers.coding.seventh_character:SeventhCharacterMatches",
    "icd10cm.excludes1": "verifiers.coding.excludes1:NoExcludes1Pair",
    "icd10cm.sequence": "verifiers.coding.sequence:InSequence",
    "icd10cm.repeated": "verifiers.coding.sequence:NotRepeated",
    "icd10cm.age": "verifiers.coding.ages:AgeSuits",
    "hcpcs.exists": "verifiers.coding.hcpcs:ProcedureExists",
    "ncci.pair": "verifiers.coding.ncci:NoEditedPair",
    "mue.units": "verifiers.coding.mue:UnitsWithinLimit",
}
"""Where each check lives; a pack names the id."""
