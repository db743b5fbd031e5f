"""The checks of coding against planted faults, and against right answers in other words than the faults' own."""

import json
import time
from collections import Counter

import numpy as np
import pytest

from benchmarks.faults.coding import KINDS, seeded
from core.records import Query, messages_of
from verifiers.case import Case
from verifiers.chain import CheckOutcome, run_chain
from verifiers.coding import CHECKS
from verifiers.coding.code_set import load_code_set
from verifiers.coding.term_index import load_term_index
from verifiers.packs import checks_of

N_EACH = 60

HANDWRITTEN = (
    ("62M with T2DM on metformin, A1c 7.1, no complications.", "E11.9"),
    ("Pt with long-standing type 2 diabetes and diabetic nephropathy.", "E11.21"),
    ("Type 2 DM w/ hyperglycemia, glucose 380 in clinic.", "E11.65"),
    ("Diabetic foot ulcer in a type 2 diabetic, left heel, fat layer exposed.", "Codes: E11.621, L97.422"),
    ("BP 160/95, known hypertension, started lisinopril.", "I10"),
    ("Community acquired pneumonia, organism not identified.", "J18.9"),
    ("NSTEMI, troponin rising, cath planned.", "I21.4"),
    ("Coronary artery disease of native vessel without angina.", "I25.10"),
    ("Cerebral infarction, left MCA thrombosis.", "I63.312"),
    ("Cholelithiasis without cholecystitis, no obstruction.", "K80.20"),
    ("Low back pain for 3 weeks, no radiculopathy.", "M54.50"),
    ("R shoulder pain after gardening.", "M25.511"),
    ("Gout of left great toe, idiopathic.", "M10.072"),
    ("Closed fracture of distal right radius, initial visit in ED after a fall.", "S52.501A"),
    ("Healing closed intertrochanteric fracture of left femur, routine healing, follow-up visit.", "S72.142D"),
    ("Breast cancer, upper-outer quadrant of right female breast.", "C50.411"),
    ("T2DM with diabetic CKD, stage 4 CKD, HTN.", "1. E11.22\n2. I12.9\n3. N18.4"),
    ("70yo woman: osteoporosis, age-related, no current fracture. Also hypothyroid.", "M81.0\nE03.9"),
    ("Fell from ladder, fracture of left clavicle shaft displaced, initial.", "S42.022A\nW11.XXXA"),
    ("RLQ pain, fever; CT shows appendicitis", "K35.80"),
    ("What is the ICD-10-CM code for this visit? Please list the billable code only.", "J45.909"),
)


@pytest.fixture(scope="module")
def checks():
    return tuple(check for check in checks_of("medical_coding") if check.id in CHECKS)


def test_planted_faults_are_caught_and_clean_answers_are_let_through(checks):
    planted = seeded(np.random.default_rng(11), N_EACH)
    caught = Counter(each.fault for each in planted if is_stopped(checks, each.faulty))
    alarms = [each.clean.answer for each in planted if is_stopped(checks, each.clean)]

    assert len(planted) == N_EACH * len(KINDS)
    assert {kind: caught[kind] >= 0.95 * N_EACH for kind in KINDS} == dict.fromkeys(KINDS, True)
    assert len(alarms) <= 0.01 * len(planted)


@pytest.mark.slow
def test_right_answers_to_the_demos_queries_are_let_through(checks):
    from examples.medical_coding.code_set import load_code_set as load_demo_set
    from examples.medical_coding.queries import build_queries

    queries = build_queries(load_demo_set())
    asked = [queries[place] for place in np.random.default_rng(5).permutation(len(queries))[:1000]]
    alarms = [
        query.id
        for query in asked
        if is_stopped(checks, case_of(query.prompt, f"Code: {query.case.code}. It names what the note says."))
    ]

    assert len(alarms) <= 10


@pytest.mark.parametrize(("note", "answer"), HANDWRITTEN)
def test_right_answers_to_notes_in_words_of_their_own_are_let_through(checks, note, answer):
    assert run_chain(checks, case_of(note, answer)).reasons == ()


def test_the_checks_of_coding_judge_a_long_note_and_a_long_answer_in_little_time(checks):
    note = "Assessment: type 2 diabetes with chronic kidney disease, left knee pain. Plan unchanged.\n" * 400
    answer = "Codes: E11.22, N18.30, M25.562\nRationale: " + "the note says so, and not E11.21. " * 400
    run_chain(checks, case_of(note, answer))

    started = time.process_time()
    run_chain(checks, case_of(note, answer + " "))

    assert time.process_time() - started < 0.5  # 36,000 characters each, of which the first 20,000 are read


def test_the_code_set_and_its_index_are_loaded_once():
    assert load_code_set() is load_code_set()
    assert load_term_index() is load_term_index()


def test_no_result_holds_words_of_the_answer_or_the_note(checks):
    verdict = run_chain(checks, case_of("Jane Roe, MRN 55512, has asthma.", "Code: ROE-55512 for Jane Roe, x 3 units"))
    recorded = json.dumps([result.model_dump(mode="json") for result in verdict.results])

    assert verdict.outcome is CheckOutcome.FAIL
    assert not any(word in recorded.lower() for word in ("jane", "roe", "55512", "asthma"))


def is_stopped(checks, case):
    return run_chain(checks, case).outcome is not CheckOutcome.PASS


def case_of(note, answer):
    return Case(query=Query(id="q", messages=messages_of(note)), answer=answer)
