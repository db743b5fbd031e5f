import threading

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from core.access import Actor, Role
from core.errors import AccessDenied, PreceptorError
from core.fingerprint import of_text
from core.ledger import Ledger
from core.people import actor_of, add_person, grant
from core.store import writing
from labeling.commands.group import label
from labeling.quality.changes import Line, changed_lines, outdated, outdated_pairs
from labeling.quality.guideline import (
    Draft,
    acknowledge,
    approve,
    decline,
    has_acknowledged,
    latest,
    open_proposals,
    propose,
    publish,
    versions,
)
from labeling.tables import GUIDELINE_PROPOSALS
from tests.labeling.judged_stores import Simulated, enrol, judge_all

ANN = Actor("ann", frozenset({Role.LEAD}))
BOB = Actor("bob", frozenset({Role.SENIOR}))
FIRST = Draft("# Aim\n\nCode what is documented.\n", "First version.")
SECOND = Draft("# Aim\n\nCode what is documented and no more.\n", "Nothing beyond the record.")


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def guideline_events(store):
    return [
        (event.actor, event.action, event.subject) for event in Ledger(store).events() if "guideline" in event.action
    ]


def test_a_version_is_written_by_one_person_and_approved_by_another(store, clock):
    published = publish(store, FIRST, by=ANN, approved_by=BOB, now=clock())

    assert (published.version, published.written_by, published.approved_by) == (1, "ann", "bob")
    assert guideline_events(store) == [
        ("ann", "guideline.propose", "guideline:1"),
        ("bob", "guideline.approve", "guideline:1"),
    ]
    (event,) = Ledger(store).events(action="guideline.approve")
    assert event.details["sha256"] == of_text(FIRST.text)
    assert FIRST.change not in str(event.details)


def test_nobody_approves_what_they_wrote(store, clock):
    with pytest.raises(AccessDenied, match="wrote this guideline"):
        publish(store, FIRST, by=ANN, approved_by=Actor("Ann", frozenset({Role.LEAD})), now=clock())

    with store.connect() as connection:
        assert latest(connection) is None
        assert open_proposals(connection) == []


def test_an_annotator_neither_proposes_nor_approves(store, clock):
    annotator = Actor("cid", frozenset({Role.ANNOTATOR}))

    with pytest.raises(AccessDenied, match="may not publish guideline"):
        propose(store, FIRST, by=annotator, now=clock())
    with pytest.raises(AccessDenied, match="may not approve guideline"):
        publish(store, FIRST, by=ANN, approved_by=annotator, now=clock())


def test_a_proposal_changes_nothing_until_it_is_approved(store, clock):
    proposal = propose(store, FIRST, by=ANN, now=clock())
    with store.connect() as connection:
        assert latest(connection) is None
        assert [one.change for one in open_proposals(connection)] == ["First version."]
    approve(store, proposal.id, by=BOB, now=clock())

    with store.connect() as connection:
        assert latest(connection).version == 1
        assert open_proposals(connection) == []


def test_a_proposal_on_a_version_that_was_replaced_is_refused(store, clock):
    late = propose(store, FIRST, by=ANN, now=clock())
    publish(store, SECOND, by=ANN, approved_by=BOB, now=clock())

    with pytest.raises(PreceptorError, match="changes version 0, and version 1 is in force"):
        approve(store, late.id, by=BOB, now=clock())
    decline(store, late.id, by=BOB, now=clock())
    with pytest.raises(PreceptorError, match="decided on already"):
        approve(store, late.id, by=BOB, now=clock())


def test_an_author_may_withdraw_a_proposal_and_a_stranger_may_not(store, clock):
    proposal = propose(store, FIRST, by=ANN, now=clock())

    with pytest.raises(AccessDenied):
        decline(store, proposal.id, by=Actor("cid", frozenset({Role.ANNOTATOR})), now=clock())
    decline(store, proposal.id, by=Actor("ann", frozenset({Role.LEAD})), now=clock())
    with store.connect() as connection:
        decided = connection.execute(sa.select(GUIDELINE_PROPOSALS.c.decision, GUIDELINE_PROPOSALS.c.decided_by)).one()
    assert tuple(decided) == ("declined", "ann")


def test_of_two_approvals_at_once_one_counts(store, clock):
    proposals = [propose(store, draft, by=ANN, now=clock()) for draft in (FIRST, SECOND)]
    now, refusals = clock(), []

    def send(proposal):
        try:
            approve(store, proposal.id, by=BOB, now=now)
        except PreceptorError as error:
            refusals.append(str(error))

    threads = [threading.Thread(target=send, args=(one,)) for one in proposals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.connect() as connection:
        assert [one.version for one in versions(connection)] == [1]
        assert len(open_proposals(connection)) == 1
    assert len(refusals) == 1


@pytest.mark.parametrize(
    ("draft", "sentence"),
    [
        (Draft("  \n", "Empty."), "has no text"),
        (Draft("Text.", "  "), "What changed is said in 0 characters"),
        (FIRST, "equals version 1"),
    ],
)
def test_a_draft_that_says_nothing_new_is_refused(store, clock, draft, sentence):
    publish(store, FIRST, by=ANN, approved_by=BOB, now=clock())

    with pytest.raises(PreceptorError, match=sentence):
        propose(store, draft, by=ANN, now=clock())


def test_a_new_version_has_to_be_acknowledged_anew(store, clock):
    enrol(store, ["Dana"], now=clock())
    publish(store, FIRST, by=ANN, approved_by=BOB, now=clock())
    acknowledge(store, 1, expert="Dana", now=clock())
    acknowledge(store, 1, expert="Dana", now=clock())
    with store.connect() as connection:
        assert has_acknowledged(connection, "Dana")
    publish(store, SECOND, by=ANN, approved_by=BOB, now=clock())

    with store.connect() as connection:
        assert not has_acknowledged(connection, "Dana")
    with pytest.raises(PreceptorError, match="Version 1 of the guideline is not in force"):
        acknowledge(store, 1, expert="Dana", now=clock())
    assert len(Ledger(store).events(action="guideline.acknowledge")) == 1


def test_judgements_under_an_older_version_are_listed_by_stratum(imported, clock, rng):
    store = imported(4)
    judge_all(store, [Simulated("Dana")], clock, rng=rng, at_most=1)
    publish(store, FIRST, by=ANN, approved_by=BOB, now=clock())
    judge_all(store, [Simulated("Dana")], clock, rng=rng, at_most=1)
    with store.connect() as connection:
        assert [(one.version, one.n_judgements) for one in outdated(connection)] == [(None, 1)]
    publish(store, SECOND, by=ANN, approved_by=BOB, now=clock())
    judge_all(store, [Simulated("Dana")], clock, rng=rng)

    with store.connect() as connection:
        found = outdated(connection)
        pairs = outdated_pairs(connection)
    assert {one.stratum for one in found} <= {"infectious/high", "infectious/low"}
    assert sorted((one.version or 0, one.n_judgements, one.n_pairs) for one in found) == [(0, 1, 1), (1, 1, 1)]
    assert sum(len(ids) for ids in pairs.values()) == 2


def test_without_a_guideline_nothing_is_outdated(imported, clock, rng):
    store = imported(2)
    judge_all(store, [Simulated("Dana")], clock, rng=rng)

    with store.connect() as connection:
        assert outdated(connection) == []
        assert outdated_pairs(connection) == {}


def test_changed_lines_leave_out_what_is_far_from_a_change():
    before = "\n".join(["a", *"123456789", "z"])
    after = "\n".join(["A", *"123456789", "Z"])

    kinds = [line.kind for line in changed_lines(before, after)]
    assert kinds == ["removed", "added", "same", "same", "gap", "same", "same", "removed", "added"]
    assert changed_lines(before, before) == []
    assert changed_lines("", "new") == [Line("added", "new")]


def test_the_command_publishes_a_file_on_an_open_store(tmp_path):
    (tmp_path / "coding.md").write_text(FIRST.text)
    store = ["--store", f"sqlite:///{tmp_path / 'store.db'}"]
    command = ["guideline", str(tmp_path / "coding.md"), "--change", "First version.", "--by", "ann", *store]

    alone = CliRunner().invoke(label, [*command, "--approved-by", "Ann"])
    assert "wrote this guideline" in str(alone.exception)
    done = CliRunner().invoke(label, [*command, "--approved-by", "bob"])
    assert (done.exit_code, "Version 1 is in force: written by ann, approved by bob." in done.output) == (0, True)


def test_once_there_is_an_admin_the_command_asks_for_the_approver_s_password(store, store_url, clock, tmp_path):
    with writing(store) as connection:
        root = actor_of(connection, "root", now=clock(), at_command_line=True)
        for name, role in (("ann", Role.LEAD), ("bob", Role.SENIOR), ("root", Role.ADMIN)):
            add_person(connection, name, by=root, now=clock())
            grant(connection, name, role, by=root, now=clock())
    (tmp_path / "coding.md").write_text(FIRST.text)
    command = ["guideline", str(tmp_path / "coding.md"), "--change", "First.", "--by", "ann", "--store", store_url]

    refused = CliRunner().invoke(label, [*command, "--approved-by", "bob"], input="guessed\n\n")
    assert isinstance(refused.exception, AccessDenied)
    proposed = CliRunner().invoke(label, command)
    assert (proposed.exit_code, "Proposed as version 1." in proposed.output) == (0, True)
