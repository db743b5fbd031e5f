"""Every form of an export: what becomes of each verdict, and whether other tools read back what experts said."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from core.access import Role
from core.errors import AccessDenied, DataError, PreceptorError
from core.fingerprint import of_text
from core.ledger import Ledger
from core.outcomes import outcome_of
from core.people import actor_of, add_person, grant
from core.reading import Row
from core.records import Verdict
from core.store import writing
from labeling.frozen.annotation_forms import ARGILLA_VERDICTS, LABEL_STUDIO_CONFIG, argilla_user
from labeling.frozen.battles import WINNERS, style
from labeling.frozen.dataset_files import render
from labeling.frozen.exports import FORMS, PER_RATER, ExportTerms, export, export_version, part_of
from labeling.frozen.freezing import freeze
from labeling.frozen.lines import json_lines
from labeling.tables import ITEMS, JUDGEMENTS, PAIRS
from tests.labeling.frozen_datasets import (
    BOTH,
    CANNOT,
    FIRST,
    NEITHER,
    SECOND,
    STRONG,
    WEAK,
    judgement,
    ruling,
    six,
    version,
)
from tests.labeling.voting import judge_six, two_experts, vote

VERDICTS = {"p-001": FIRST, "p-002": SECOND, "p-003": BOTH, "p-004": NEITHER, "p-005": CANNOT, "p-006": FIRST}


def said(rows, key="content"):
    return [turn[key] for turn in rows]


def test_trl_keeps_only_pairs_with_a_better_answer_and_chooses_it():
    rows, n_left_out = export(six(), "trl")

    assert (len(rows), n_left_out) == (3, 3)
    assert [row["pair_id"] for row in rows] == ["p-001", "p-002", "p-006"]
    assert said(rows[0]["chosen"]) == ["**H81.01**, Ménière's disease."]
    assert said(rows[0]["rejected"]) == ["H81.01"]
    assert said(rows[1]["chosen"]) == ["H81.02"]


def test_the_margin_is_the_strength_where_every_row_has_one():
    with_all, _ = export(six(), "trl")
    with_some, _ = export(version([judgement(1, "ann", FIRST, strength=2), judgement(2, "ann", FIRST)]), "trl")

    assert [row["margin"] for row in with_all] == [2.0, 1.0, 3.0]
    assert [("margin" in row, row["strength"]) for row in with_some] == [(False, 2.0), (False, None)]


def test_the_margin_of_several_experts_is_the_mean_of_those_behind_the_verdict():
    three = [judgement(1, "ann", FIRST, strength=3), judgement(1, "bob", FIRST, strength=2)]
    (row,) = export(version([*three, judgement(1, "cy", SECOND, strength=1)]), "trl").rows

    assert (row["margin"], row["weight"], row["n_experts"]) == (2.5, 2 / 3, 3)


def test_kto_labels_each_answer_by_its_own_acceptability():
    rows, n_left_out = export(six(), "kto")
    labels = {(row["pair_id"], row["answer"]): row["label"] for row in rows}

    assert labels == {
        ("p-001", "first"): True,
        ("p-001", "second"): False,
        ("p-002", "first"): False,
        ("p-002", "second"): True,
        ("p-003", "first"): True,
        ("p-003", "second"): True,
        ("p-004", "first"): False,
        ("p-004", "second"): False,
        ("p-006", "first"): True,
        ("p-006", "second"): True,
    }
    assert n_left_out == 2


def test_kto_leaves_out_an_answer_on_which_experts_are_split():
    rows, n_left_out = export(version([judgement(1, "ann", BOTH), judgement(1, "bob", FIRST)]), "kto")

    assert [(row["answer"], row["label"]) for row in rows] == [("first", True)]
    assert n_left_out == 1


def test_routellm_never_counts_neither_acceptable_as_a_tie():
    rows, n_left_out = export(six(), "routellm")

    assert [(row["pair_id"], row["label"], row["route"]) for row in rows] == [
        ("p-001", 0, "strong"),
        ("p-002", 2, "weak"),
        ("p-003", 1, "weak"),
        ("p-006", 0, "weak"),  # the strong one is better, and the weak one may be released
    ]
    assert n_left_out == 2


def test_routellm_needs_to_know_which_model_is_weak():
    with pytest.raises(DataError, match="--weak MODEL --strong MODEL"):
        export(version([judgement(1, "ann", FIRST)], p1={"weak": None, "strong": None}), "routellm")


def test_experts_who_disagree_have_no_winner_together_and_speak_for_themselves_per_rater():
    split = version([judgement(1, "ann", FIRST), judgement(1, "bob", SECOND)])

    assert export(split, "trl") == ([], 1)
    assert [row["judge"] for row in export(split, "trl", per_rater=True).rows] == ["ann", "bob"]
    assert [row["winner"] for row in export(split, "lmarena").rows] == ["model_a", "model_b"]


def test_a_ruling_stands_above_the_experts_in_every_joint_form():
    told = [judgement(1, "ann", FIRST), judgement(1, "bob", FIRST)]
    ruled = version(told, rulings=[ruling(1, SECOND)])
    (outcome,) = export(ruled, "outcomes").rows

    assert (outcome["results"][STRONG]["quality"], outcome["results"][WEAK]["quality"]) == (0.0, 1.0)
    assert outcome["n_experts"] == 2
    assert said(export(ruled, "trl").rows[0]["chosen"]) == ["H81.01"]
    assert export(ruled, "routellm").rows[0]["label"] == 2
    assert [row["winner"] for row in export(ruled, "lmarena", per_rater=False).rows] == ["model_b"]
    assert [row["winner"] for row in export(ruled, "lmarena").rows] == ["model_a", "model_a"]


def test_a_ruling_that_nobody_can_judge_takes_the_pair_out():
    ruled = version([judgement(1, "ann", FIRST)], rulings=[ruling(1, CANNOT)])

    assert [export(ruled, form, per_rater=False).rows for form in FORMS if form != "routellm"] == [[]] * 7


def test_lmarena_rows_read_back_as_the_outcomes_that_experts_gave():
    rows, n_left_out = export(six(), "lmarena")
    read = [outcome_of(Row("battles:1", dict(row))) for row in rows]
    back = {row["pair_id"]: {winner: verdict for verdict, winner in WINNERS.items()}[row["winner"]] for row in rows}

    assert back == {pair: verdict for pair, verdict in VERDICTS.items() if verdict is not CANNOT}
    assert n_left_out == 1
    assert [(one.results[STRONG].quality, one.results[WEAK].quality) for one in read] == [
        (1, 0),
        (0, 1),
        (1, 1),
        (0, 0),
        (1, 0),
    ]


def test_lmarena_counts_the_style_of_both_answers():
    row = export(six(), "lmarena").rows[0]

    # "**H81.01**, Ménière's disease." is * * H81 . 01 * * , Ménière ' s disease . and "H81.01" is H81 . 01
    assert row["conv_metadata"] == {
        "sum_user_tokens": 9,
        "sum_assistant_a_tokens": 13,
        "header_count_a": 0,
        "list_count_a": 0,
        "bold_count_a": 1,
        "sum_assistant_b_tokens": 3,
        "header_count_b": 0,
        "list_count_b": 0,
        "bold_count_b": 0,
    }
    assert [turn["num_tokens"] for turn in row["conversation_a"]] == [9, 13]


def test_marks_inside_a_code_block_are_no_style():
    assert style("```\n# not a header\n- no item\n**no bold**\n```\n1. item\n## Header") == {
        "tokens": 25,
        "header_count": 1,
        "list_count": 1,
        "bold_count": 0,
    }


def read_argilla(records):
    """Verdicts by pair and user, as Argilla keeps them."""
    names = {label: verdict for verdict, label in ARGILLA_VERDICTS.items()}
    return {
        (record["id"], response["user_id"]): names[response["value"]]
        for record in records
        for response in record["responses"]["verdict"]
    }


def test_argilla_records_read_back_as_the_verdicts():
    two = version([judgement(1, "ann", FIRST, reason="wrong code"), judgement(1, "bob", NEITHER)])
    (record,) = export(two, "argilla").rows

    assert read_argilla(export(six(), "argilla").rows) == {
        (pair, argilla_user("ann")): verdict for pair, verdict in VERDICTS.items()
    }
    assert read_argilla([record]) == {("p-001", argilla_user("ann")): FIRST, ("p-001", argilla_user("bob")): NEITHER}
    assert record["fields"]["response_2"] == "H81.01"
    assert [response["value"] for response in record["responses"]["rationale"]] == ["wrong code"]
    assert {response["status"] for response in record["responses"]["verdict"]} == {"submitted"}


def read_labelstudio(tasks):
    """Verdicts by pair and expert; the pairwise result must say the same as the choice."""
    found = {}
    for task in tasks:
        for annotation in task["annotations"]:
            values = {result["from_name"]: result["value"] for result in annotation["result"]}
            verdict = Verdict(values["verdict"]["choices"][0])
            sides = {FIRST: {"selected": "left"}, SECOND: {"selected": "right"}}
            assert values.get("comparison") == sides.get(verdict)
            found[task["data"]["pair_id"], values["expert"]["text"][0]] = verdict
    return found


def test_label_studio_tasks_read_back_as_the_verdicts_and_fit_the_interface_that_is_shipped():
    rows, _ = export(six(), "labelstudio")
    tags = {tag.get("name"): tag for tag in ElementTree.fromstring(LABEL_STUDIO_CONFIG).iter() if tag.get("name")}

    assert read_labelstudio(rows) == {(pair, "ann"): verdict for pair, verdict in VERDICTS.items()}
    for task in rows:
        for result in task["annotations"][0]["result"]:
            tag = tags[result["from_name"]]
            assert (tag.tag.lower(), tag.get("toName")) == (result["type"], result["to_name"])
            choices = {choice.get("value") for choice in tag.iter("Choice")}
            assert set(result["value"].get("choices", [])) <= choices
        assert {tag.get("value") for tag in tags.values() if tag.tag == "Text"} <= {f"${key}" for key in task["data"]}


verdicts = st.sampled_from([FIRST, SECOND, BOTH, NEITHER, CANNOT])
votes = st.dictionaries(
    st.tuples(st.integers(1, 4), st.sampled_from(["ann", "bob", "cy"])), verdicts, min_size=1, max_size=8
)


few = settings(deadline=None, max_examples=25)  # each example fits the rater model


@few
@given(votes)
def test_whatever_experts_said_reads_back_from_the_annotation_forms(cast):
    dataset = version([judgement(pair, expert, verdict) for (pair, expert), verdict in cast.items()])
    known = {(f"p-{pair:03}", expert): verdict for (pair, expert), verdict in cast.items()}

    assert read_labelstudio(export(dataset, "labelstudio").rows) == known
    assert read_argilla(export(dataset, "argilla").rows) == {
        (pair, argilla_user(expert)): verdict for (pair, expert), verdict in known.items()
    }


@few
@given(votes, st.randoms(use_true_random=False))
def test_the_order_in_which_judgements_came_never_changes_a_byte(cast, random):
    told = [judgement(pair, expert, verdict) for (pair, expert), verdict in cast.items()]
    shuffled = random.sample(told, len(told))

    first, second = version(told), version(shuffled)

    assert render(first) == render(second)
    for form in FORMS:
        assert json_lines(export(first, form).rows) == json_lines(export(second, form).rows)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_rows_are_sorted_by_pair_and_hold_no_row_for_audit_unless_asked(form):
    dataset = version(
        [judgement(2, "ann", FIRST), judgement(1, "ann", FIRST), judgement(3, "ann", FIRST)],
        p2={"is_audit": True, "stream": "audit"},
    )
    texts = {part: json_lines(export(dataset, form, part=part).rows) for part in ("train", "audit", "all")}

    assert ["diagnosis 2" in texts[part] for part in ("train", "audit", "all")] == [False, True, True]
    assert ["diagnosis 1" in texts[part] for part in ("train", "audit", "all")] == [True, False, True]
    assert texts["all"].index("diagnosis 1") < texts["all"].index("diagnosis 2") < texts["all"].index("diagnosis 3")


def test_the_part_for_audit_takes_its_rulings_along():
    told = [judgement(1, "ann", FIRST), judgement(2, "ann", FIRST)]
    dataset = version(told, rulings=[ruling(2, BOTH)], p2={"is_audit": True})

    assert [one.pair_id for one in part_of(dataset, "audit").rulings] == ["p-002"]
    assert part_of(dataset, "train").rulings == ()


@pytest.mark.parametrize("form", ["outcomes", "routellm"])
def test_a_form_without_single_experts_says_so(form):
    with pytest.raises(PreceptorError, match="Leave out --per-rater"):
        export(six(), form, per_rater=True)


@pytest.fixture
def frozen(imported, clock, tmp_path):
    store = imported(6)
    two_experts(store, clock)
    judge_six(store, clock)
    freeze(store, "coding", tmp_path, by="lead", now=clock())
    return store


def test_an_export_is_an_event_with_hash_and_recipient_and_comes_with_its_manifest(frozen, clock, tmp_path):
    terms = ExportTerms("lmarena", recipient="Ear clinic")
    one, again = (export_version(frozen, "coding@1", terms, folder=tmp_path, by="lead", now=clock()) for _ in range(2))
    beside = one.write(tmp_path / "battles.jsonl")
    manifest = json.loads(beside.read_text(encoding="utf-8"))
    events = Ledger(frozen).events(action="dataset.export")

    assert (one, beside.name) == (again, "battles.jsonl.manifest.json")
    assert manifest["files"] == {"lmarena": of_text((tmp_path / "battles.jsonl").read_text(encoding="utf-8"))}
    assert (manifest["rows"], manifest["left_out"], manifest["per_rater"]) == (5, 1, "lmarena" in PER_RATER)
    assert [event.details["recipient"] for event in events] == ["Ear clinic", "Ear clinic"]
    assert events[0].details == events[1].details


def test_the_own_form_is_the_file_that_was_frozen(frozen, clock, tmp_path):
    exported = export_version(frozen, "coding@1", ExportTerms(), folder=tmp_path, by="lead", now=clock())

    assert exported.text == (tmp_path / "coding@1" / "outcomes.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("data_class", ["limited", "identified"])
def test_data_of_a_strict_class_leaves_in_no_foreign_form_and_the_attempt_is_an_event(
    imported, clock, tmp_path, data_class
):
    store = imported(2)
    vote(store, two_experts(store, clock), clock, "strong")
    with writing(store) as connection:
        one = connection.execute(sa.select(JUDGEMENTS.c.pair_id)).scalar()
        item = sa.select(PAIRS.c.item_id).where(PAIRS.c.id == one).scalar_subquery()
        connection.execute(ITEMS.update().where(ITEMS.c.id == item).values(data_class=data_class))
    freeze(store, "coding", tmp_path, by="lead", now=clock())
    for form in sorted(set(FORMS) - {"outcomes"}):
        terms = ExportTerms(form, recipient="Vendor")
        with pytest.raises(PreceptorError, match=f"class '{data_class}', which never leave"):
            export_version(store, "coding@1", terms, folder=tmp_path, by="lead", now=clock())
    own = export_version(store, "coding@1", ExportTerms(), folder=tmp_path, by="lead", now=clock())

    assert own.n_rows == 1
    refused = Ledger(store).events(action="dataset.export_refused")
    assert [event.details["recipient"] for event in refused] == ["Vendor"] * 7


def test_a_version_whose_texts_were_withdrawn_since_is_not_exported(frozen, clock, tmp_path):
    with writing(frozen) as connection:
        connection.execute(ITEMS.update().where(ITEMS.c.id == "task-000").values(phi_state="excluded"))

    for form in ("outcomes", "trl"):
        with pytest.raises(PreceptorError, match="texts of 1 items of coding@1 were masked or withdrawn"):
            export_version(frozen, "coding@1", ExportTerms(form), folder=tmp_path, by="lead", now=clock())


def test_once_the_store_has_an_admin_an_export_takes_a_role(frozen, clock, tmp_path):
    with writing(frozen) as connection:
        root = actor_of(connection, "lead", now=clock(), at_command_line=True)
        for name, role in (("Ada", Role.ADMIN), ("Eng", Role.ENGINEER)):
            add_person(connection, name, by=root, now=clock())
            grant(connection, name, role, by=root, now=clock())
            root = actor_of(connection, "Ada", now=clock())
    with pytest.raises(AccessDenied, match="'Dana Ruiz' may not export"):
        export_version(frozen, "coding@1", ExportTerms(), folder=tmp_path, by="Dana Ruiz", now=clock())

    assert export_version(frozen, "coding@1", ExportTerms(), folder=tmp_path, by="Eng", now=clock()).n_rows == 5
