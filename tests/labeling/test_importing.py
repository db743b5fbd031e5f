import csv
import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import DataError, PreceptorError
from core.ledger import Ledger
from labeling.content.importing import clear_item, import_pairs
from labeling.queueing.offering import next_task
from labeling.tables import ANSWERS, ITEMS, PAIRS, PHI_FINDINGS, SAMPLING
from tests.labeling.conftest import STRONG, WEAK, row, write_rows


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


def test_an_item_with_an_identifier_is_held_back_until_it_is_cleared(store, tmp_path, clock, expert):
    path = write_rows(tmp_path / "pairs.jsonl", [row(1, query="Call 555-010-2233 about the fracture.")])
    report = import_pairs(store, [path], by="lead", now=clock())
    dana = expert(store)

    assert (report.held, report.items_by_phi_kind) == (("task-001",), {"phone": 1})
    assert next_task(store, dana.name, now=clock()) is None

    clear_item(store, "task-001", by="steward", now=clock())

    assert next_task(store, dana.name, now=clock()) is not None
    event = Ledger(store).events(action="phi.clear")[0]
    assert (event.actor, event.subject, event.details) == ("steward", "task-001", {"kinds": "phone"})


def test_findings_are_kept_without_the_text(store, tmp_path, clock):
    path = write_rows(tmp_path / "pairs.jsonl", [row(1, query="Call 555-010-2233 about the fracture.")])
    import_pairs(store, [path], by="lead", now=clock())

    with store.connect() as connection:
        findings = [tuple(found) for found in connection.execute(sa.select(PHI_FINDINGS))]
    assert findings == [("task-001", "phone", 1)]
    assert "555" not in json.dumps([event.__dict__ for event in Ledger(store).events()])


def test_clearing_what_is_not_held_says_so(imported, clock):
    store = imported(1)

    with pytest.raises(PreceptorError, match="is not held back, it is clean"):
        clear_item(store, "task-000", by="steward", now=clock())
    with pytest.raises(PreceptorError, match="There is no item 'nothing'"):
        clear_item(store, "nothing", by="steward", now=clock())


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
