"""What a version takes up beside judgements: rulings, the audit split, facts, a signature; and what stops it."""

import json
import shutil

import pytest
import sqlalchemy as sa

from core.access import Role
from core.errors import AccessDenied, DataError, LedgerError, PreceptorError
from core.fingerprint import of_folder
from core.ledger import append_in
from core.moments import timestamp
from core.people import actor_of, add_person, grant, qualify, verify_identity
from core.signatures import SIGNATURES, signatures_of
from core.store import writing
from labeling.frozen.audit_split import tied_to
from labeling.frozen.comparing import difference
from labeling.frozen.dataset import Signed
from labeling.frozen.freezing import ATTESTATION, FreezeTerms, freeze
from labeling.frozen.standing import standing_now
from labeling.frozen.versions import open_version
from labeling.quality.adjudicating import ledger_details
from labeling.quality.rulings import ruling_of
from labeling.tables import (
    ADJUDICATIONS,
    ANSWERS,
    DATASETS,
    FLAGS,
    GOLD,
    GUIDELINES,
    ITEMS,
    JUDGEMENTS,
    PAIRS,
    QUEUE,
    REDACTIONS,
    SAMPLING,
    SELECTED,
    SELECTIONS,
)
from tests.labeling.conftest import STRONG, WEAK
from tests.labeling.voting import two_experts, vote

SIGNED = FreezeTerms(intended_use="Certify the ear router.", signing_method="password")


@pytest.fixture
def dana(imported, clock):
    return two_experts(imported(4), clock)


def lines(folder, name):
    return [json.loads(line) for line in (folder / "coding@1" / name).read_text(encoding="utf-8").splitlines()]


def pair_id_of(store, item_id):
    with store.connect() as connection:
        return connection.execute(sa.select(PAIRS.c.id).where(PAIRS.c.item_id == item_id)).scalar_one()


def rule(store, clock, item_id, verdict, *, edition=1):
    """Lee's adjudication of a pair; a later edition takes the place of an earlier one."""
    values = {
        "id": f"ruling-{edition}",
        "pair_id": pair_id_of(store, item_id),
        "edition": edition,
        "by": "Lee Okafor",
        "verdict": verdict,
        "reason": "The record names it.",
        "error_class": "slip",
        "at": timestamp(clock()),
    }
    with writing(store) as connection:
        connection.execute(ADJUDICATIONS.insert().values(values))
        row = connection.execute(sa.select(ADJUDICATIONS).where(ADJUDICATIONS.c.id == values["id"])).one()
        append_in(connection, "Lee Okafor", "adjudicate", values["id"], ledger_details(ruling_of(row)), now=clock())


def test_the_last_edition_of_a_ruling_stands_above_the_experts_and_comes_back_with_the_folder(
    store, dana, clock, tmp_path
):
    item = vote(store, dana, clock, "strong")
    rule(store, clock, item, "neither_acceptable")
    rule(store, clock, item, "both_acceptable", edition=2)
    dataset, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())
    before = of_folder(tmp_path / "coding@1")
    (row,) = lines(tmp_path, "outcomes.jsonl")
    shutil.rmtree(tmp_path / "coding@1")

    assert {model: one["quality"] for model, one in row["results"].items()} == {WEAK: 1.0, STRONG: 1.0}
    assert [one.id for one in dataset.rulings] == ["ruling-2"]
    assert dataset.rulings[0].by.startswith("expert_")
    assert open_version(store, "coding@1", tmp_path) == dataset
    assert of_folder(tmp_path / "coding@1") == before
    assert [(one["method"], one["n_experts"]) for one in lines(tmp_path, "consensus.jsonl")] == [("ruling", 1)]


def test_a_ruling_changed_behind_the_screen_is_not_frozen(store, dana, clock, tmp_path):
    rule(store, clock, vote(store, dana, clock, "strong"), "neither_acceptable")
    with writing(store) as connection:
        connection.execute(ADJUDICATIONS.update().values(verdict="both_acceptable"))

    with pytest.raises(LedgerError, match="Ruling ruling-1 was changed, added or removed"):
        freeze(store, "coding", tmp_path, by="lead", now=clock())


def test_a_new_ruling_makes_a_new_version(store, dana, clock, tmp_path):
    item = vote(store, dana, clock, "strong")
    freeze(store, "coding", tmp_path, by="lead", now=clock())
    rule(store, clock, item, "neither_acceptable")
    second, is_new = freeze(store, "coding", tmp_path, by="lead", now=clock())

    assert (second.reference, is_new) == ("coding@2", True)


def to_audit(store, item_id):
    with writing(store) as connection:
        this = QUEUE.c.pair_id == pair_id_of(store, item_id)
        connection.execute(QUEUE.update().where(this).values(stream="audit"))


def test_audited_queries_and_whatever_shares_their_group_or_text_are_never_learned_from(store, dana, clock, tmp_path):
    items = sorted(vote(store, dana, clock, "strong") for _ in range(4))
    with writing(store) as connection:
        text = connection.execute(sa.select(ITEMS.c.messages).where(ITEMS.c.id == items[1])).scalar_one()
        for item, values in ((items[0], {"group_key": "g"}), (items[1], {"group_key": "g"}), (items[2], {})):
            copied = {"messages": text.replace("?", "!").upper()} if item == items[2] else {}
            copied = {key: value.replace("ROLE", "role").replace("CONTENT", "content") for key, value in copied.items()}
            connection.execute(ITEMS.update().where(ITEMS.c.id == item).values({"topic": "t", **values, **copied}))
    to_audit(store, items[0])
    dataset, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())
    before = of_folder(tmp_path / "coding@1")
    with writing(store) as connection:  # the queue goes on; the version stays as it was
        connection.execute(QUEUE.update().values(stream="plain"))
    shutil.rmtree(tmp_path / "coding@1")
    open_version(store, "coding@1", tmp_path)

    assert [row["id"] for row in lines(tmp_path, "audit.jsonl")] == items[:3]
    assert [row["id"] for row in lines(tmp_path, "outcomes.jsonl")] == items[3:]
    assert sum(judged.is_audit for judged in dataset.pairs) == 3
    assert of_folder(tmp_path / "coding@1") == before


def test_a_chain_of_groups_and_texts_is_followed_to_its_end():
    items = [("a", "x", "1"), ("b", "y", "1"), ("c", "Y!", "2"), ("d", "z", "2"), ("e", "w", "3"), ("f", "v", None)]

    assert tied_to(["a"], items) == {"a", "b", "c", "d"}
    assert tied_to(["f"], items) == {"f"}
    assert tied_to([], items) == frozenset()


def test_the_chance_of_inclusion_is_the_imports_times_the_drawings(store, dana, clock, tmp_path):
    one, two, three = (vote(store, dana, clock, "strong") for _ in range(3))
    with writing(store) as connection:
        connection.execute(SAMPLING.delete())
        connection.execute(
            SAMPLING.insert(),
            [
                {"item_id": one, "weight": 1.0, "inclusion_probability": 0.5},
                {"item_id": two, "weight": 3.0, "inclusion_probability": 0.5},
            ],
        )
        drawing = {"id": "d1", "stream": "active", "policy": "band", "seed": 7, "n_candidates": 9, "n_chosen": 2}
        connection.execute(SELECTIONS.insert().values(**drawing, by="lead", at=timestamp(clock())))
        chosen = {"selection_id": "d1", "score": 0.1, "reason": "near the threshold", "inclusion_probability": 0.25}
        connection.execute(SELECTED.insert(), [{"item_id": one, **chosen}, {"item_id": three, **chosen}])
    dataset, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())
    chances = {row["id"]: row.get("inclusion_probability") for row in lines(tmp_path, "outcomes.jsonl")}

    assert chances == {one: 0.125, two: 0.5, three: 0.25}
    assert dataset.about.selections[0].policy == "band"
    assert "Drawing d1 into the active stream: 2 of 9 candidates, seed 7, policy band" in sheet(tmp_path)


def sheet(folder, reference="coding@1"):
    return (folder / reference / "datasheet.md").read_text(encoding="utf-8")


def test_items_that_are_held_or_excluded_never_enter_and_are_counted(store, dana, clock, tmp_path):
    one, two, three = (vote(store, dana, clock, "strong") for _ in range(3))
    with writing(store) as connection:
        for item, state in ((one, "held"), (two, "excluded")):
            connection.execute(ITEMS.update().where(ITEMS.c.id == item).values(phi_state=state))
    dataset, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())

    assert [judged.pair.query.id for judged in dataset.pairs] == [three]
    assert dataset.about.screening.n_left_out == 2
    for path in (tmp_path / "coding@1").iterdir():
        assert one not in path.read_text(encoding="utf-8")


def test_a_text_masked_since_cannot_be_written_again_and_the_next_version_holds_the_mask(store, dana, clock, tmp_path):
    item = vote(store, dana, clock, "strong")
    freeze(store, "coding", tmp_path, by="lead", now=clock())
    shutil.rmtree(tmp_path / "coding@1")
    with writing(store) as connection:
        answer = connection.execute(sa.select(ANSWERS).where(ANSWERS.c.item_id == item, ANSWERS.c.model == WEAK)).one()
        connection.execute(ANSWERS.update().where(ANSWERS.c.id == answer.id).values(text="Mr. [NAME-1]"))
        masked = {"item_id": item, "part": answer.id, "edition": 0, "original": "Mr. Okafor", "spans": "[]"}
        connection.execute(REDACTIONS.insert().values(**masked, by="steward", at=timestamp(clock())))

    with pytest.raises(DataError, match=r"texts of 1 items were masked or withdrawn since(.|\n)*label freeze coding"):
        open_version(store, "coding@1", tmp_path)
    second, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())
    assert second.reference == "coding@2"
    assert second.about.screening.n_masked == 1
    assert "Mr. [NAME-1]" in (tmp_path / "coding@2" / "pairs.jsonl").read_text(encoding="utf-8")


def test_the_data_class_is_the_strictest_of_the_items(store, dana, clock, tmp_path):
    items = [vote(store, dana, clock, "strong") for _ in range(3)]
    with writing(store) as connection:
        for item, data_class in zip(items, ("public", "limited", "synthetic"), strict=True):
            connection.execute(ITEMS.update().where(ITEMS.c.id == item).values(data_class=data_class))
    dataset, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())

    assert dataset.data_class == "limited"
    assert json.loads((tmp_path / "coding@1" / "MANIFEST.json").read_text())["about"]["data_class"] == "limited"


def test_the_datasheet_says_who_judged_under_what_and_what_is_missing(store, dana, clock, tmp_path):
    hashes = {"sha256": "a" * 64, "text": "Judge well.", "change": "first", "at": timestamp(clock())}
    with writing(store) as connection:
        connection.execute(GUIDELINES.insert().values(version=1, written_by="ann", approved_by="bob", **hashes))
        root = actor_of(connection, "lead", now=clock(), at_command_line=True)
        qualify(connection, dana, text="CPC", until=clock().date().replace(year=2030), by=root, now=clock())
    for _ in range(2):
        assert vote(store, dana, clock, "both") == vote(store, "Lee Okafor", clock, "both")
    gold = vote(store, dana, clock, "both")
    with writing(store) as connection:
        this = pair_id_of(store, gold)
        known = {"kind": "hidden", "verdict": "both_acceptable", "explanation": "", "set_by": "lead", "at": "2026"}
        connection.execute(GOLD.insert().values(pair_id=this, **known))
        connection.execute(JUDGEMENTS.update().where(JUDGEMENTS.c.pair_id == this).values(purpose="gold"))
    dataset, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())
    text = sheet(tmp_path)
    pseudonym = next(one.pseudonym for one in dataset.about.experts if one.qualification)

    assert f"| {pseudonym} | CPC (until 2030-11-24) | 2 | 1 of 1 [0.03, 1.00] | none |" in text
    assert f"version 1: 4 judgements, sha256 {'a' * 64}" in text
    assert "Not signed." in text
    assert "Nobody attested anything." in text
    assert "| **all** | 2 | 1.000" in text
    assert "- domain infectious: 2 pairs" in text
    assert "Dana" not in text


def close(store, clock, *, with_lead="Mia Lang"):
    """Give the store an admin and a lead whose identity is verified."""
    with writing(store) as connection:
        root = actor_of(connection, "lead", now=clock(), at_command_line=True)
        add_person(connection, "Ada", by=root, now=clock())
        grant(connection, "Ada", Role.ADMIN, by=root, now=clock())
        ada = actor_of(connection, "Ada", now=clock())
        add_person(connection, with_lead, by=ada, now=clock())
        grant(connection, with_lead, Role.LEAD, by=ada, now=clock())
        verify_identity(connection, with_lead, by=ada, now=clock())
    return with_lead


def test_a_store_with_accounts_freezes_for_leads_alone_and_signed_alone(store, dana, clock, tmp_path):
    vote(store, dana, clock, "strong")
    lead = close(store, clock)

    with pytest.raises(AccessDenied, match="may not freeze"):
        freeze(store, "coding", tmp_path, by=dana, now=clock(), terms=SIGNED)
    with pytest.raises(AccessDenied, match="/versions"):
        freeze(store, "coding", tmp_path, by=lead, now=clock())
    assert freeze(store, "coding", tmp_path, by=lead, now=clock(), terms=SIGNED)[1]


def test_a_signed_version_shows_who_signed_when_and_why_and_its_signature_stands_under_the_manifest(
    store, dana, clock, tmp_path
):
    vote(store, dana, clock, "strong")
    unsigned, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())
    lead = close(store, clock)
    signed, is_new = freeze(store, "coding", tmp_path, by=lead, now=clock(), terms=SIGNED)
    again = freeze(store, "coding", tmp_path, by=lead, now=clock(), terms=SIGNED)
    with store.connect() as connection:
        row = connection.execute(sa.select(DATASETS).where(DATASETS.c.version == 2)).one()
        (signature,) = signatures_of(connection, "dataset", "coding@2")

    assert (unsigned.about.signed, signed.reference, is_new) == (None, "coding@2", True)
    assert again == (signed, False)
    assert (signature.id, signature.record_sha256) == (row.signature_id, row.manifest_sha256)
    assert f"**Signature.** {signed.about.signed}" in sheet(tmp_path, "coding@2")
    assert str(signed.about.signed).startswith("Signed by Mia Lang on 2026-11-24 at ")
    assert ATTESTATION in sheet(tmp_path, "coding@2")


def take_away(connection):
    connection.execute(DATASETS.update().values(signature_id=None))


def exchange(connection):
    connection.execute(DATASETS.update().values(manifest_sha256="0" * 64))


def rename(connection):
    about = connection.execute(sa.select(DATASETS.c.about)).scalar_one()
    connection.execute(DATASETS.update().values(about=about.replace("Mia Lang", "Max Lang")))


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (take_away, "names is not in the store"),
        (exchange, "its content changed since"),
        (rename, "shows another signature"),
    ],
)
def test_a_version_whose_signature_was_tampered_with_does_not_open(store, dana, clock, tmp_path, harm, sentence):
    vote(store, dana, clock, "strong")
    lead = close(store, clock)
    freeze(store, "coding", tmp_path, by=lead, now=clock(), terms=SIGNED)
    with writing(store) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(SIGNATURES)).scalar_one() == 1
        harm(connection)

    with pytest.raises(LedgerError, match=sentence):
        open_version(store, "coding@1", tmp_path)


@pytest.mark.parametrize(("kind", "stops"), [("identifier", True), ("other", False)])
def test_an_open_flag_about_an_identifier_stops_the_freeze(store, dana, clock, tmp_path, kind, stops):
    item = vote(store, dana, clock, "strong")
    flag = {"id": "f", "pair_id": pair_id_of(store, item), "expert": dana, "kind": kind, "text": "a name"}
    with writing(store) as connection:
        connection.execute(FLAGS.insert().values(**flag, at=timestamp(clock())))

    if stops:
        with pytest.raises(PreceptorError, match="1 open flags say that a judged text shows an identifier"):
            freeze(store, "coding", tmp_path, by="lead", now=clock())
        with writing(store) as connection:
            connection.execute(FLAGS.update().values(resolved_at=timestamp(clock())))
    assert freeze(store, "coding", tmp_path, by="lead", now=clock())[1]


def test_a_vote_that_comes_while_the_store_is_read_is_not_lost_between_version_and_ledger(
    store, dana, clock, tmp_path, monkeypatch
):
    vote(store, dana, clock, "strong")
    readings = []

    def read_while_others_vote(connection, **terms):
        found = standing_now(connection, **terms)
        if not readings:
            vote(store, "Lee Okafor", clock, "weak")
        readings.append(found)
        return found

    monkeypatch.setattr("labeling.frozen.freezing.standing_now", read_while_others_vote)
    dataset, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())

    assert len(readings) == 2
    assert {one.expert for one in dataset.judgements} == {one.pseudonym for one in dataset.about.experts}
    assert len(dataset.judgements) == 2


def test_a_difference_names_pairs_added_removed_and_judged_again(store, dana, clock, tmp_path):
    one, two = (vote(store, dana, clock, "strong") for _ in range(2))
    first, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())
    assert vote(store, "Lee Okafor", clock, "weak") == one
    three = vote(store, dana, clock, "strong")
    with writing(store) as connection:
        connection.execute(ITEMS.update().where(ITEMS.c.id == two).values(phi_state="excluded"))
    second, _ = freeze(store, "coding", tmp_path, by="lead", now=clock())
    found = difference(first, second)

    assert found.added == (pair_id_of(store, three),)
    assert found.removed == (pair_id_of(store, two),)
    assert found.judged_differently == (pair_id_of(store, one),)
    assert found.numbers()["unchanged"] == 0
    assert difference(first, first).numbers()["unchanged"] == 2


def test_the_manifestation_on_the_datasheet_is_that_of_the_signature():
    signed = Signed(person="Ann", meaning="responsibility", method="password", at="2026-11-24T09:30:00.000+00:00")

    assert str(signed) == ("Signed by Ann on 2026-11-24 at 09:30:00 UTC; meaning: responsibility; shown by: password.")
