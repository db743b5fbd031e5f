"""All codes and edits here are invented."""

import pytest

from core.errors import SettingsError
from verifiers.chain import CheckOutcome
from verifiers.coding.cms_tables import load_hcpcs, load_pair_edits, load_unit_limits
from verifiers.coding.hcpcs import ProcedureExists
from verifiers.coding.mue import UnitsWithinLimit
from verifiers.coding.ncci import NoEditedPair
from verifiers.coding.procedure_lines import read_procedures

PASS, FAIL, DOUBT = CheckOutcome.PASS, CheckOutcome.FAIL, CheckOutcome.CANNOT_DECIDE

PAIRS = """\
Column 1,Column 2,*=In existence prior to 1996,Effective Date,Deletion Date *=no data,Modifier 0=not allowed
10001,10002,,20240101,*,0
10001,10003,,20240101,*,1
10001,10004,,20200101,20201231,0
10001,10005,,20240101,*,9
"""
LIMITS = """\
HCPCS/CPT Code,Practitioner Services MUE Values,MUE Adjudication Indicator,MUE Rationale
10001,1,2 Date of Service Edit: Policy,Anatomic
10002,4,3 Date of Service Edit: Clinical,Clinical
10003,2,1 Line Edit,Clinical
"""


@pytest.fixture
def files(tmp_path):
    """CMS's files with invented codes."""
    (tmp_path / "pairs.txt").write_text(PAIRS.replace(",", "\t"))
    (tmp_path / "limits.csv").write_text(LIMITS)
    (tmp_path / "hcpcs.txt").write_text("G9999 invented\n10001\n10002,invented\n")
    return tmp_path


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("CPT 10001\nCPT 10002", "pair_never_together"),
        ("CPT 10002\nCPT 10001-59", "pair_never_together"),  # in either order, whatever the modifier
        ("CPT 10001\nCPT 10003", "pair_without_modifier"),
        ("CPT 10001\nCPT 10003-59", "ok"),
        ("CPT 10001\nCPT 10003, modifier XS", "ok"),
        ("CPT 10001\nCPT 10003-76", "pair_without_modifier"),  # no NCCI modifier
        ("CPT 10001\nCPT 10004", "ok"),  # deleted
        ("CPT 10001\nCPT 10005", "ok"),  # indicator 9
        ("CPT 10001 2026-05-03\nCPT 10002 2026-05-04", "ok"),  # two days
        ("CPT 10001", "no_pair_of_procedures"),
    ],
)
def test_pairs_are_edited_as_the_table_says(case, files, answer, reason):
    assert NoEditedPair(file=str(files / "pairs.txt")).judge(case(answer)).reason == reason


def test_an_edit_holds_on_the_days_between_its_dates(case, files):
    check = NoEditedPair(file=str(files / "pairs.txt"))
    answer = "CPT 10001\nCPT 10004"

    assert check.judge(case(answer, date_of_service="2020-12-31")).outcome is FAIL
    assert check.judge(case(answer, date_of_service="2021-01-01")).outcome is PASS
    assert check.judge(case("CPT 10001\nCPT 10002", date_of_service="2023-12-31")).outcome is PASS


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("CPT 10001 x 1", PASS),
        ("CPT 10001 x 2", FAIL),
        ("CPT 10001\nCPT 10001", FAIL),  # two lines of one day
        ("CPT 10002, units: 5", DOUBT),  # a record may explain more
        ("CPT 10003 (2 units)\nCPT 10003 (2 units)", PASS),  # each line within its limit
        ("CPT 10003 (3 units)", DOUBT),
        ("CPT 10009 x 99", PASS),  # no limit published
    ],
)
def test_units_are_held_to_the_published_limits(case, files, answer, outcome):
    assert UnitsWithinLimit(file=str(files / "limits.csv")).judge(case(answer)).outcome is outcome


def test_a_procedure_that_the_file_lacks_fails(case, files):
    check = ProcedureExists(file=str(files / "hcpcs.txt"))

    assert check.judge(case("HCPCS G9999, CPT 10001")).outcome is PASS
    assert check.judge(case("CPT 10008")).evidence == {"procedure": "10008"}
    assert check.judge(case("Code: E11.9")).reason == "no_procedures"


@pytest.mark.parametrize("check", [ProcedureExists(), NoEditedPair(), UnitsWithinLimit()])
def test_without_a_file_procedures_cannot_be_decided_and_other_answers_pass(case, check):
    assert check.judge(case("CPT 10001 x 1\nCPT 10002")).outcome is DOUBT
    assert check.judge(case("Code: E11.9")).outcome is PASS


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        ("10001-25 x 2", [("10001", ("25",), 2)]),
        ("CPT: 10001-59-RT, units 3", [("10001", ("59", "RT"), 3)]),
        ("Procedures:\n- 10001\n- G9999 x2", [("10001", (), 1), ("G9999", (), 2)]),
        ("Code: J4590", []),  # a diagnosis without its dot
        ("Paid 10000 units of heparin in 2024, claim 12345.", []),
        ("Diagnosis: E11.9", []),
    ],
)
def test_procedure_lines_are_read(answer, lines):
    assert [tuple(line)[:3] for line in read_procedures(answer)] == lines


def test_files_of_another_kind_are_refused(tmp_path):
    (tmp_path / "other.csv").write_text("name,age\nx,3\n")
    (tmp_path / "bad.csv").write_text("10001,10002,,soon,*,0\n")
    (tmp_path / "limits.csv").write_text("10001,many,2\n")
    for load in (load_hcpcs, load_pair_edits, load_unit_limits):
        with pytest.raises(SettingsError, match="holds no"):
            load(str(tmp_path / "other.csv"))
        with pytest.raises(SettingsError, match="cannot be read"):
            load(str(tmp_path / "missing.csv"))
    with pytest.raises(SettingsError, match=r"Line 1 of .* holds no NCCI edit"):
        load_pair_edits(str(tmp_path / "bad.csv"))
    with pytest.raises(SettingsError, match=r"Line 1 of .* holds no limit"):
        load_unit_limits(str(tmp_path / "limits.csv"))
