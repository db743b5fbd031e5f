"""The policy: exhaustively over roles and acts, and word for word against docs/access.md."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import CLOSED_TO_ADMINS, MAY, NOTHING, SEPARATIONS, Act, Actor, Facts, Role, refusal, require
from core.errors import AccessDenied

ROLE_SETS = [frozenset(some) for size in (0, 1, 2) for some in itertools.combinations(Role, size)]
names = st.sampled_from(["ann", "Bob", "cy"])
facts = st.builds(
    Facts,
    **{
        name: st.lists(names, max_size=2).map(tuple)
        for name in ("trainers", "validators", "approvers", "judges", "authors")
    },
)


@pytest.mark.parametrize("act", Act)
def test_an_act_is_open_to_exactly_the_roles_of_the_table(act):
    for roles in ROLE_SETS:
        is_admin_shut_out = Role.ADMIN in roles and act in CLOSED_TO_ADMINS
        allowed = bool(roles & MAY[act]) and not is_admin_shut_out

        assert (refusal(act, Actor("ann", roles)) is None) == allowed, (act, roles)


@given(act=st.sampled_from(Act), roles=st.sets(st.sampled_from(Role)), known=facts, name=names, at_open=st.booleans())
def test_nobody_checks_their_own_work_whatever_their_roles(act, roles, known, name, at_open):
    own = [rule for rule in SEPARATIONS if rule.act is act and name in getattr(known, rule.did)]
    if own:
        assert refusal(act, Actor(name, frozenset(roles), at_open_command_line=at_open), known) is not None


@given(act=st.sampled_from(Act), roles=st.sets(st.sampled_from(Role)), known=facts, name=names)
def test_more_hands_in_a_thing_never_allow_more(act, roles, known, name):
    actor = Actor(name, frozenset(roles))
    if refusal(act, actor) is not None:
        assert refusal(act, actor, known) is not None


def test_trainer_validator_and_approver_of_a_release_are_three_people():
    every = frozenset(Role) - {Role.ADMIN}
    trained, checked = Facts(trainers=("ann",)), Facts(trainers=("ann",), validators=("bob",))

    assert refusal(Act.VALIDATE, Actor("ann", every), trained)
    assert refusal(Act.APPROVE_RELEASE, Actor("ann", every), checked)
    assert refusal(Act.APPROVE_RELEASE, Actor("bob", every), checked)
    assert refusal(Act.APPROVE_RELEASE, Actor("cy", every), checked) is None
    assert refusal(Act.APPROVE_RELEASE, Actor("cy", every), replace(checked, approvers=("cy",)))


def test_who_judged_an_item_may_not_adjudicate_it_however_their_name_is_written():
    dana = Actor("Dana Ruiz", frozenset({Role.SENIOR}))

    assert refusal(Act.ADJUDICATE, dana, Facts(judges=("Lee",))) is None
    assert "judged this item" in (refusal(Act.ADJUDICATE, dana, Facts(judges=("Lee", "DANA  ruiz"))) or "")


def test_an_author_does_not_approve_their_own_guideline():
    lead = Actor("ann", frozenset({Role.LEAD}))

    assert "wrote this guideline" in (refusal(Act.APPROVE_GUIDELINE, lead, Facts(authors=("Ann",))) or "")


@pytest.mark.parametrize(
    "act", [Act.JUDGE, Act.ADJUDICATE, Act.APPROVE_RELEASE, Act.APPROVE_GUIDELINE, Act.VIEW_PHI, Act.CLEAR_PHI]
)
def test_an_admin_neither_labels_nor_approves_nor_reads_phi_even_with_every_role(act):
    assert "looks after people alone" in (refusal(act, Actor("ann", frozenset(Role))) or "")


def test_nobody_grants_a_role_to_themselves():
    admin = Actor("ann", frozenset({Role.ADMIN}))

    assert "to themselves" in (refusal(Act.GRANT_ROLE, admin, Facts(grantee="Ann", role=Role.LEAD)) or "")
    assert refusal(Act.GRANT_ROLE, admin, Facts(grantee="bob", role=Role.LEAD)) is None


def test_an_admin_holds_no_other_role():
    admin = Actor("ann", frozenset({Role.ADMIN}))
    of_bob = {"grantee": "bob", "roles_held": frozenset({Role.LEAD})}

    assert refusal(Act.GRANT_ROLE, admin, Facts(**of_bob, role=Role.SENIOR)) is None
    assert "holds lead" in (refusal(Act.GRANT_ROLE, admin, Facts(**of_bob, role=Role.ADMIN)) or "")
    held = Facts(grantee="bob", roles_held=frozenset({Role.ADMIN}), role=Role.STEWARD)
    assert "is an admin" in (refusal(Act.GRANT_ROLE, admin, held) or "")


@pytest.mark.parametrize("act", Act)
def test_on_an_open_store_a_command_needs_a_name_and_no_role(act):
    assert refusal(act, Actor("ann", at_open_command_line=True)) is None
    assert "Nobody is named" in (refusal(act, Actor("  ", at_open_command_line=True)) or "")


@pytest.mark.parametrize("act", [Act.JUDGE, Act.ADJUDICATE])
def test_a_qualification_that_ran_out_stops_judging(act):
    assert "has run out" in (refusal(act, Actor("ann", frozenset({Role.SENIOR}), is_qualified=False)) or "")


def test_a_refusal_is_raised_with_the_roles_that_would_do():
    with pytest.raises(AccessDenied, match=r"'ann' may not freeze; it takes one of these roles: lead\."):
        require(Act.FREEZE, Actor("ann", frozenset({Role.ANNOTATOR})))


def test_every_act_and_every_role_is_in_the_policy():
    assert set(MAY) == set(Act)
    assert all(MAY.values())
    assert set().union(*MAY.values()) == set(Role)
    assert refusal(Act.STOP, Actor("ann", frozenset({Role.LEAD})), NOTHING) is None


def test_the_tables_of_the_docs_are_those_of_the_code():
    page = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
    header = "| act | " + " | ".join(Role) + " |"
    rows = [f"| {act} | " + " | ".join("yes" if role in MAY[act] else "" for role in Role) + " |" for act in Act]
    separations = [f"| {rule.act} | {rule.have} |" for rule in SEPARATIONS]

    assert "\n".join([header, "|---|" + "---|" * len(Role), *rows]) in page
    assert "\n".join(["| act | not for whoever has |", "|---|---|", *separations]) in page
