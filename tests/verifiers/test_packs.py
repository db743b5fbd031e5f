import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from core.errors import MissingExtra, SettingsError
from core.records import Query, messages_of
from core.verifier_settings import VerifierSettings
from verifiers.assembling import free_recheck_of, recheck_of, verifier_policy
from verifiers.case import Case
from verifiers.catalogue import CHECKS, make_check
from verifiers.chain import CheckOutcome, Price, run_chain
from verifiers.packs import checks_of, load_pack, pack_names
from verifiers.verdict import price_of

OWN = Path(__file__).with_name("own_checks.py")
DOCS = Path(__file__).parents[2] / "docs" / "verifiers.md"


def written(tmp_path, checks, **fields):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({"name": "claims", "checks": checks, **fields}))
    return str(path)


def case(answer, **facts):
    return Case(query=Query(id="q", messages=messages_of("Q")), answer=answer, facts=facts)


def test_three_packs_come_with_preceptor():
    assert pack_names() == ("finance", "legal", "medical_coding")


@pytest.mark.parametrize("pack", ["finance", "legal", "medical_coding"])
def test_a_pack_of_ours_asks_no_model_and_names_known_checks(pack):
    checks = checks_of(pack)

    assert {price_of(check) for check in checks} == {Price.FREE}
    assert {check.id for check in checks} <= set(CHECKS)


def test_a_pack_may_stand_in_a_file_and_give_options(tmp_path):
    pack = written(tmp_path, [{"check": "wording.length", "options": {"max_words": 2}, "timeout_s": 0.5}])

    verdict = run_chain(checks_of(pack), case("three plain words"))

    assert verdict.outcome is not CheckOutcome.PASS
    assert load_pack(pack).timeouts_s == {"wording.length": 0.5}


def test_a_check_of_ones_own_stands_beside_the_pack(tmp_path):
    shutil.copy(OWN, tmp_path)
    pack = written(tmp_path, [{"check": "own_checks:NoSecrets", "options": {"words": ["Bluebird"]}}])
    checks = checks_of(pack)

    assert run_chain(checks, case("It is project bluebird.")).reasons == ("own.no_secrets:secret_word",)
    assert run_chain(checks, case("It is a project.")).outcome is CheckOutcome.PASS
    assert "own_checks" not in sys.modules


def test_the_documented_check_and_pack_are_those_that_are_tested(tmp_path):
    code, pack = re.findall(r"```(?:python|yaml)\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[:2]

    assert code == OWN.read_text(encoding="utf-8")
    (tmp_path / "own_checks.py").write_text(code)
    path = tmp_path / "claims.yaml"
    path.write_text(pack)
    assert "own.no_secrets" in [check.id for check in checks_of(str(path))]


def test_all_faults_of_a_file_are_told_at_once(tmp_path):
    pack = written(tmp_path, [{"check": "a", "timeout_s": -1}, {"option": {}}, {"check": "b"}], colour="red")

    with pytest.raises(SettingsError) as refused:
        load_pack(pack)

    assert [line.split(":")[0].strip() for line in str(refused.value).splitlines()[1:-1]] == [
        "checks.0.timeout_s",
        "checks.1.check",
        "checks.1.option",
        "colour",
    ]


def test_all_checks_that_cannot_be_made_are_told_at_once(tmp_path):
    pack = written(
        tmp_path,
        [
            {"check": "wording.qoute"},
            {"check": "wording.length", "options": {"words": 3}},
            {"check": "wording.refusal"},
            {"check": "wording.refusal"},
            {"check": "no_such_module:Check"},
        ],
    )

    with pytest.raises(SettingsError) as refused:
        checks_of(pack)

    told = str(refused.value)
    assert "checks.0: There is no check 'wording.qoute'. Near it: wording.quote" in told
    assert "checks.1: The check 'wording.length' has no option words." in told
    assert "checks.3: The check 'wording.refusal' stands in the pack twice" in told
    assert "checks.4: The check 'no_such_module:Check' cannot be loaded (ModuleNotFoundError" in told


def test_a_library_that_is_not_there_is_named_with_its_extra_when_the_pack_is_loaded(tmp_path):
    (tmp_path / "needy.py").write_text(
        "from core.errors import MissingExtra\nfrom verifiers.chain import Price\n"
        "class Needy:\n"
        "    id, price = 'own.needy', Price.FREE\n"
        "    def judge(self, case):\n"
        "        raise MissingExtra('eyecite', 'legal', 'Finding citations')\n"
    )

    with pytest.raises(MissingExtra, match=r"Finding citations needs eyecite.*preceptor\[legal\]"):
        checks_of(written(tmp_path, [{"check": "needy:Needy"}]))


def test_a_missing_pack_is_refused_with_the_packs_there_are():
    with pytest.raises(SettingsError, match=r"no verifier pack 'law'\. The packs are: finance, legal, med"):
        load_pack("law")


def test_the_hash_counts_options_code_and_the_files_that_options_name(tmp_path):
    shutil.copy(OWN, tmp_path)
    table = tmp_path / "known.txt"
    table.write_text("a")
    checks = [{"check": "own_checks:NoSecrets", "options": {"words": ["x", str(table)]}}]
    pack = written(tmp_path, checks)
    first = load_pack(pack).sha256

    assert load_pack(pack).sha256 == first
    table.write_text("b")
    second = load_pack(pack).sha256
    (tmp_path / "own_checks.py").write_text(OWN.read_text() + "# changed\n")
    third = load_pack(pack).sha256
    written(tmp_path, checks, stakes={"version": 2})
    assert len({first, second, third}) == 3
    checks[0]["options"]["words"] = ["y", str(table)]
    written(tmp_path, checks)
    assert load_pack(pack).sha256 not in {first, second, third}


def test_the_policy_in_a_bundle_names_the_packs_hash_and_what_its_files_hold(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("version: 1")
    said = VerifierSettings(pack="legal", policy=rules)

    policy = verifier_policy(said)

    assert policy["pack_sha256"] == load_pack("legal").sha256
    assert list(policy["files_sha256"]) == ["policy"]
    rules.write_text("version: 2")
    assert verifier_policy(said)["files_sha256"] != policy["files_sha256"]
    assert verifier_policy(VerifierSettings())["pack_sha256"] is None


def test_settings_add_the_checks_that_ask_the_models_they_name():
    said = VerifierSettings(
        pack="legal",
        n_samples=2,
        second={"name": "other", "timeout_s": 7},
        judge={"name": "grader", "timeout_s": 9},
        max_calls=3,
    )

    recheck = recheck_of(said)

    assert [check.id for check in recheck.checks if price_of(check) is not Price.FREE] == [
        "doubt.samples",
        "doubt.second_model",
        "doubt.judge",
    ]
    assert recheck.limits.max_calls == 3
    assert recheck.limits.timeout_s("wording.quote") == 2.0


def test_a_model_that_was_named_and_not_handed_in_lets_nothing_leave():
    recheck = recheck_of(VerifierSettings(pack="legal", second={"name": "other"}))

    verdict = run_chain(recheck.checks, case("Yes.", source="Yes."), limits=recheck.limits)

    assert verdict.reasons == ("doubt.second_model:no_second_model",)


def test_rows_of_a_run_are_put_through_checks_of_texts_alone(tmp_path):
    pack = written(tmp_path, [{"check": "wording.refusal"}, {"check": "doubt.logprobs"}, {"check": "doubt.judge"}])

    recheck = free_recheck_of(VerifierSettings(pack=pack, second={"name": "other"}))

    assert [check.id for check in recheck.checks] == ["wording.refusal"]


def test_without_a_pack_there_is_nothing_to_recheck_with():
    assert recheck_of(VerifierSettings(judge={"name": "grader"})).checks == ()


def test_what_the_program_hands_in_is_no_option_of_a_pack(tmp_path):
    with pytest.raises(SettingsError, match="has no option second"):
        make_check("doubt.second_model", {"second": "x"}, beside=None)
