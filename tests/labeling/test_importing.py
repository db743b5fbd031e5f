import csv
import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import DataError, PreceptorError
from core.ledger import Ledger
from core.store import writing
from labeling.content.importing import import_pairs, write_pairs
from labeling.content.inspecting import ImportRules, inspect_pairs
from labeling.content.sources import Source
from labeling.tables import ANSWERS, ITEMS, PAIRS, PHI_FINDINGS, QUEUE, SAMPLING
from tests.labeling.conftest import ONCE, STRONG, WEAK, row, write_rows


def n_rows(store, table):
    with store.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_importing_the_same_file_again_changes_nothing(store, tmp_path, clock):
    path = write_rows(tmp_path / "pairs.jsonl", [row(number) for number in range(3)])
    first = import_pairs(store, [path], by="lead", now=clock(), rules=ONCE)
    events = Ledger(store).events()
    again = import_pairs(store, [path], by="lead", now=clock(), rules=ONCE)

    assert (first.n_new, first.n_duplicates) == (3, 0)
    assert (again.n_new, again.n_duplicates) == (0, 3)
    assert n_rows(store, PAIRS) == 3
    assert Ledger(store).events() == events


def test_the_same_question_and_answers_under_another_id_are_a_duplicate(store, tmp_path, clock):
    path = write_rows(tmp_path / "pairs.jsonl", [row(1), row(1, id="other")])
    report = import_pairs(store, [path], by="lead", now=clock())

    assert (report.n_new, report.n_duplicates) == (1, 1)


def test_one_bad_row_keeps_all_rows_out_and_every_bad_row_is_named(store, tmp_path, clock):
    rows = [row(0), row(1, answers={"one": "alone"}), row(2), row(3, query=""), row(4, stakes="extreme")]
    path = write_rows(tmp_path / "pairs.jsonl", rows)

    with pytest.raises(DataError) as refused:
        import_pairs(store, [path], by="lead", now=clock())

    assert [fault.split(":")[1] for fault in refused.value.faults] == ["2", "4", "5"]
    assert n_rows(store, ITEMS) == 0


def test_an_id_that_stands_for_another_question_is_refused(store, tmp_path, clock):
    import_pairs(store, [write_rows(tmp_path / "a.jsonl", [row(1)])], by="lead", now=clock())
    changed = write_rows(tmp_path / "b.jsonl", [row(2, id="task-001")])

    with pytest.raises(DataError, match=r"b\.jsonl:1: id 'task-001' stands already for another query"):
        import_pairs(store, [changed], by="lead", now=clock())


def test_a_changed_answer_under_the_same_id_is_refused(store, tmp_path, clock):
    import_pairs(store, [write_rows(tmp_path / "a.jsonl", [row(1)])], by="lead", now=clock())
    changed = write_rows(tmp_path / "b.jsonl", [row(1, answers={WEAK: "another", STRONG: "text"})])

    with pytest.raises(DataError, match="has another answer of"):
        import_pairs(store, [changed], by="lead", now=clock())


def test_a_dry_run_reports_and_changes_nothing(store, tmp_path, clock):
    path = write_rows(tmp_path / "pairs.jsonl", [row(0, note="x"), row(1, query="Patient with SSN 123-45-6789")])
    report = import_pairs(store, [path], by="lead", now=clock(), dry_run=True)

    assert (report.n_new, report.held, report.fields_not_used) == (2, ("task-001",), ("note",))
    assert n_rows(store, ITEMS) == 0
    assert Ledger(store).events() == []


def test_an_item_with_an_identifier_is_held_back(store, tmp_path, clock):
    path = write_rows(tmp_path / "pairs.jsonl", [row(1, query="Call 555-010-2233 about the fracture.")])
    report = import_pairs(store, [path], by="lead", now=clock())

    assert (report.held, report.items_by_phi_kind) == (("task-001",), {"phone": 1})
    with writing(store) as connection:
        assert connection.execute(sa.select(ITEMS.c.phi_state)).scalar_one() == "held"
        assert not connection.execute(sa.select(QUEUE.c.is_open)).scalar_one()


@pytest.mark.parametrize("data_class", ["synthetic", "public"])
def test_of_made_up_and_public_texts_findings_are_only_reported(store, tmp_path, clock, data_class):
    path = write_rows(tmp_path / "pairs.jsonl", [row(1, query="Call 555-010-2233 about the fracture.")])
    report = import_pairs(store, [path], by="lead", now=clock(), rules=ImportRules(data_class=data_class))

    assert (report.held, report.phi_by_item) == ((), {"task-001": {"phone": 1}})
    with store.connect() as connection:
        assert connection.execute(sa.select(ITEMS.c.phi_state)).scalar_one() == "clean"


def test_findings_are_kept_without_the_text(store, tmp_path, clock):
    path = write_rows(tmp_path / "pairs.jsonl", [row(1, query="Call 555-010-2233 about the fracture.")])
    import_pairs(store, [path], by="lead", now=clock())

    with store.connect() as connection:
        findings = [tuple(found) for found in connection.execute(sa.select(PHI_FINDINGS))]
    assert findings == [("task-001", "phone", 1)]
    assert "555-010" not in json.dumps([event.__dict__ for event in Ledger(store).events()])


def test_answers_that_name_their_model_are_counted(store, tmp_path, clock):
    answers = {WEAK: "As GPT-4, I would code I10.", STRONG: "I10."}
    path = write_rows(tmp_path / "pairs.jsonl", [row(0), row(1, answers=answers)])

    assert import_pairs(store, [path], by="lead", now=clock()).names_a_model == ("task-001",)


def test_weak_and_strong_choose_the_pair_among_more_models(store, tmp_path, clock):
    answers = {WEAK: "a", STRONG: "b", "third": "c"}
    path = write_rows(tmp_path / "pairs.jsonl", [row(1, answers=answers)])

    with pytest.raises(DataError, match="choose with --weak --strong"):
        import_pairs(store, [path], by="lead", now=clock())
    import_pairs(store, [path], by="lead", now=clock(), rules=ONCE)

    with store.connect() as connection:
        assert set(connection.execute(sa.select(ANSWERS.c.model)).scalars()) == {WEAK, STRONG}
        assert connection.execute(sa.select(PAIRS.c.weak, PAIRS.c.strong)).one() == (WEAK, STRONG)


def test_a_model_that_a_row_lacks_is_named_with_those_it_has(store, tmp_path, clock):
    path = write_rows(tmp_path / "pairs.jsonl", [row(1)])

    with pytest.raises(DataError, match=f"no answer of 'gone'; the row has answers of {WEAK}, {STRONG}"):
        import_pairs(store, [path], by="lead", now=clock(), rules=ImportRules(weak="gone", strong=STRONG))


def test_only_one_of_weak_and_strong_is_refused(store, tmp_path, clock):
    path = write_rows(tmp_path / "pairs.jsonl", [row(1)])

    with pytest.raises(PreceptorError, match="Name two models"):
        import_pairs(store, [path], by="lead", now=clock(), rules=ImportRules(weak=WEAK))


def as_csv(path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "query", "domain", f"answers.{WEAK}", f"answers.{STRONG}", f"cost_usd.{WEAK}"])
        writer.writerow(["one", "Code it,\nall of it.", "infectious", "I10", "I11.9", "0.001"])
    return path


def as_parquet(path: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    query = [{"role": "system", "content": "You code."}, {"role": "user", "content": "Go."}]
    rows = [{"id": "one", "messages": query, "answers": {WEAK: {"text": "I10"}, STRONG: {"text": "I11.9"}}}]
    parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize(("write", "name"), [(as_csv, "pairs.csv"), (as_parquet, "pairs.parquet")])
def test_csv_and_parquet_say_the_same_as_jsonl(store, tmp_path, clock, write, name):
    report = import_pairs(store, [write(tmp_path / name)], by="lead", now=clock(), rules=ONCE)

    assert (report.n_new, report.fields_not_used) == (1, ())


def test_the_order_of_a_pair_does_not_follow_the_models_names(imported):
    store = imported(40)

    with store.connect() as connection:
        first = sa.select(ANSWERS.c.model).join(PAIRS, PAIRS.c.first_answer_id == ANSWERS.c.id)
        n_weak_first = list(connection.execute(first).scalars()).count(WEAK)
    assert 8 < n_weak_first < 32


def test_how_a_query_was_chosen_is_kept_and_a_weight_out_of_range_is_named(store, tmp_path, clock):
    good = write_rows(tmp_path / "a.jsonl", [row(1, weight=2, inclusion_probability=0.25), row(2, weight="")])
    report = import_pairs(store, [good], by="lead", now=clock())
    bad = write_rows(tmp_path / "b.jsonl", [row(3, weight=-1), row(4, inclusion_probability=2)])
    with pytest.raises(DataError) as refused:
        import_pairs(store, [bad], by="lead", now=clock())
    with store.connect() as connection:
        kept = connection.execute(sa.select(SAMPLING)).all()

    assert report.fields_not_used == ()
    assert [tuple(one) for one in kept] == [("task-001", 2.0, 0.25)]
    assert refused.value.faults == (
        f"{bad}:1: weight: Input should be greater than 0",
        f"{bad}:2: inclusion_probability: Input should be less than or equal to 1",
    )


def test_a_foreign_column_is_read_under_the_name_it_is_mapped_to(store, tmp_path, clock):
    rows = [{"id": "a", "question_text": "Code it.", "query": "old", "answers": {WEAK: "x", STRONG: "y"}}]
    path = write_rows(tmp_path / "pairs.jsonl", rows)
    source = Source((path,), mapping={"query": "question_text"})
    wrong = inspect_pairs(store, Source((path,), mapping={"topic": "subject"}), rules=ONCE).report
    report = import_pairs(store, source, by="lead", now=clock())

    with store.connect() as connection:
        assert json.loads(connection.execute(sa.select(ITEMS.c.messages)).scalar_one())[0]["content"] == "Code it."
    assert {(one.name, one.read_as) for one in report.columns} == {
        ("id", "id"),
        ("question_text", "query"),
        ("query", None),
        ("answers", "answers"),
    }
    assert wrong.faults == ("--map topic=subject: no row has a field 'subject'",)


def test_a_dry_run_tells_the_faults_and_the_work_that_is_asked_of_experts(store, tmp_path, clock):
    rows = [*(row(number) for number in range(10)), row(10, query="")]
    path = write_rows(tmp_path / "pairs.jsonl", rows)
    rules = ImportRules(overlap_high_stakes=2, overlap_low_stakes=1)
    report = import_pairs(store, [path], by="lead", now=clock(), rules=rules, dry_run=True)

    assert report.faults == (f"{path}:11: no query: give 'query' as a text or as a list of {{role, content}}",)
    assert not report.can_be_imported
    assert report.pairs_by_stakes == {"high": 5, "low": 5}
    assert report.n_judgements_wanted == 15
    assert report.expert_hours == (0.5, 1.0)  # 15 judgements of 2 to 4 minutes


def test_the_same_question_but_for_case_and_signs_is_counted(store, tmp_path, clock):
    answers = {WEAK: "x", STRONG: "z"}
    path = write_rows(tmp_path / "pairs.jsonl", [row(1, query="Code it."), row(2, query="CODE, it?!", answers=answers)])
    report = import_pairs(store, [path], by="lead", now=clock())

    assert (report.n_new, report.n_same_question) == (2, 1)


LONG = "Seen for follow-up of type 2 diabetes with stage 3 chronic kidney disease, on insulin, no complaints today"


def test_near_duplicates_in_different_groups_are_named(store, tmp_path, clock):
    rows = [row(1, query=f"{LONG} a"), row(2, query=f"{LONG} b"), row(3, query="Excision of a benign lesion.")]
    apart = import_pairs(store, [write_rows(tmp_path / "a.jsonl", rows)], by="lead", now=clock(), dry_run=True)
    rows = [{**one, "group": "claim-7"} for one in rows]
    together = import_pairs(store, [write_rows(tmp_path / "b.jsonl", rows)], by="lead", now=clock(), dry_run=True)

    assert [(near.first, near.second, near.crosses_audit) for near in apart.near_duplicates] == [
        ("task-001", "task-002", False)
    ]
    assert together.n_near_duplicates == 0


def test_a_near_duplicate_of_an_audited_item_is_named_whatever_its_group(store, tmp_path, clock):
    first = write_rows(tmp_path / "a.jsonl", [row(1, query=f"{LONG} a", group="claim-7")])
    import_pairs(store, [first], by="lead", now=clock())
    with writing(store) as connection:
        connection.execute(QUEUE.update().values(stream="audit"))
    second = write_rows(tmp_path / "b.jsonl", [row(2, query=f"{LONG} b", group="claim-7")])
    report = import_pairs(store, [second], by="lead", now=clock(), dry_run=True)

    assert [(near.first, near.second, near.crosses_audit) for near in report.near_duplicates] == [
        ("task-001", "task-002", True)
    ]


def test_rows_that_changed_after_they_were_searched_are_not_written(store, tmp_path, clock):
    path = write_rows(tmp_path / "pairs.jsonl", [row(0), row(1)])
    source = Source((path,), weak=WEAK, strong=STRONG)
    inspection = inspect_pairs(store, source, rules=ONCE)
    write_rows(path, [row(0), row(1, query="Call 555-010-2233.")])

    with pytest.raises(DataError, match="not searched"):
        write_pairs(store, source, inspection, by="lead", now=clock(), rules=ONCE)
    assert n_rows(store, ITEMS) == 0


def test_an_excluded_item_stays_out_when_another_pair_of_it_comes(store, tmp_path, clock):
    query = "Call 555-010-2233 about the fracture."
    import_pairs(store, [write_rows(tmp_path / "a.jsonl", [row(1, query=query)])], by="lead", now=clock())
    with writing(store) as connection:
        connection.execute(ITEMS.update().values(phi_state="excluded"))
    more = write_rows(
        tmp_path / "b.jsonl", [row(1, query=query, answers={WEAK: row(1)["answers"][WEAK], "third": "z 555-010-2244"})]
    )
    import_pairs(store, [more], by="lead", now=clock())

    with store.connect() as connection:
        assert connection.execute(sa.select(ITEMS.c.phi_state)).scalar_one() == "excluded"
        assert set(connection.execute(sa.select(QUEUE.c.is_open)).scalars()) == {False}


def test_a_character_that_one_of_the_stores_does_not_keep_is_a_fault_of_its_row(store, tmp_path, clock):
    answers = {WEAK: {"text": "B42.8\0"}, STRONG: {"text": "B42.81"}}
    path = write_rows(tmp_path / "pairs.jsonl", [row(0, answers=answers), row(1, topic="a\0b")])

    with pytest.raises(DataError) as refused:
        import_pairs(store, [path], by="lead", now=clock(), rules=ONCE)
    assert [fault.split(": ", 1)[1] for fault in refused.value.faults] == [
        f"the answer of '{WEAK}' holds a character of code 0, which PostgreSQL does not keep",
        "topic holds a character of code 0, which PostgreSQL does not keep",
    ]
