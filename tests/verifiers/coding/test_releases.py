from datetime import date

import pytest

from core.errors import SettingsError
from verifiers.chain import CheckOutcome
from verifiers.coding.dates import UnreadableDate, date_of_service
from verifiers.coding.icd10cm import CodeBillable
from verifiers.coding.releases import load_releases, read_order_file
from verifiers.coding.service_date import ValidOnServiceDate

PASS, FAIL, DOUBT = CheckOutcome.PASS, CheckOutcome.FAIL, CheckOutcome.CANNOT_DECIDE

ORDER = """\
00001 A00     0 Cholera                                                      Cholera
00002 A000    1 Cholera due to Vibrio cholerae 01, biovar cholerae           Cholera due to Vibrio cholerae 01
00003 G35     1 Multiple sclerosis                                           Multiple sclerosis
"""
ADDENDA = """\
Add:         00004 G35A    1 Relapsing-remitting                                        Relapsing-remitting
Revise from: 00003 G35     1 Multiple sclerosis                                         Multiple sclerosis
Revise to:   00003 G35     0 Multiple sclerosis                                         Multiple sclerosis
Delete:      00002 A000    1 Cholera                                                    Cholera
"""


@pytest.fixture
def order_files(tmp_path):
    """The release of fiscal year 2025, and invented addenda to it."""
    (tmp_path / "order.txt").write_text(ORDER)
    (tmp_path / "addenda.txt").write_text(ADDENDA)
    return {"2024-10-01": str(tmp_path / "order.txt"), "2025-04-01": str(tmp_path / "addenda.txt")}


@pytest.mark.parametrize(
    ("day", "code", "outcome"),
    [
        ("2024-10-01", "G35", PASS),
        ("2025-03-31", "G35", PASS),
        ("2025-04-01", "G35", FAIL),  # a header since the addenda
        ("2025-04-01", "G35.A", PASS),
        ("2025-04-01", "A00.0", FAIL),  # deleted
        ("2025-09-30", "G35.A", PASS),
        ("2025-10-01", "G35.A", DOUBT),  # no release at hand governs that winter
        ("2024-09-30", "G35", DOUBT),
        ("2026-04-01", "G35", FAIL),  # the bundled release
        ("2026-09-30", "G35.A", PASS),
        ("2026-10-01", "G35.A", DOUBT),
    ],
)
def test_the_release_in_force_on_the_date_of_service_decides(case, order_files, day, code, outcome):
    assert ValidOnServiceDate(order_files).judge(case(f"Code: {code}", date_of_service=day)).outcome is outcome


def test_a_code_of_an_old_release_is_billable_on_its_own_day_alone(case, order_files):
    old = case("Code: G35", date_of_service="2025-01-15")

    assert CodeBillable().judge(old).outcome is FAIL
    assert CodeBillable(order_files).judge(old).outcome is PASS


def test_without_a_date_of_service_the_check_passes_unless_it_is_required(case):
    assert ValidOnServiceDate().judge(case("Code: E11.9")).reason == "no_date_of_service"
    assert ValidOnServiceDate(required=True).judge(case("Code: E11.9")).outcome is DOUBT


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("DOS: 05/03/2026. Asthma.", date(2026, 5, 3)),
        ("Date of service 3 May 2026", date(2026, 5, 3)),
        ("Admitted on 2026-05-01, discharged on 2026-05-03.", date(2026, 5, 3)),
        ("Born 2020-01-01, seen on May 3, 2026", date(2026, 5, 3)),
        ("Symptoms since 2026-01-01", None),
    ],
)
def test_a_date_of_service_is_read_where_the_query_labels_it(case, text, day):
    assert date_of_service(case("E11.9", text)) == day


@pytest.mark.parametrize("facts", [{"date_of_service": "soon"}, {"date_of_service": 20260503}])
def test_a_date_of_service_that_is_none_cannot_be_decided(case, facts):
    with pytest.raises(UnreadableDate):
        date_of_service(case("E11.9", **facts))
    assert ValidOnServiceDate().judge(case("Code: E11.9", **facts)).reason == "date_of_service_unreadable"


def test_two_dates_of_service_are_not_chosen_between(case):
    result = ValidOnServiceDate().judge(case("E11.9", "DOS 2026-05-01. Date of service: 2026-06-01"))

    assert result.reason == "date_of_service_unreadable"


def test_files_that_are_no_releases_are_refused_with_what_to_do(tmp_path):
    (tmp_path / "notes.txt").write_text("not an order file\n")
    (tmp_path / "addenda.txt").write_text(ADDENDA)
    with pytest.raises(SettingsError, match=r"Line 1 of .* is no line of an order file"):
        read_order_file(tmp_path / "notes.txt", before=None)
    with pytest.raises(SettingsError, match="no release before them"):
        load_releases({"2024-10-01": str(tmp_path / "addenda.txt")})
    with pytest.raises(SettingsError, match="Releases begin on 1 April and on 1 October"):
        load_releases({"2024-07-01": str(tmp_path / "addenda.txt")})
    with pytest.raises(SettingsError, match="cannot be read"):
        load_releases({"2024-10-01": str(tmp_path / "missing.txt")})
