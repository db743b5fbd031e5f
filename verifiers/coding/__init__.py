"""Checks of medical coding answers: ICD-10-CM diagnoses, HCPCS procedures and the public edits over both."""

from collections.abc import Mapping

CHECKS: Mapping[str, str] = {
    "icd10cm.exists": "verifiers.coding.icd10cm:CodeExists",
    "icd10cm.billable": "verifiers.coding.icd10cm:CodeBillable",
    "icd10cm.candidate": "verifiers.coding.candidates:CodeIsCandidate",
}
"""Where each check lives; a pack names the id."""
