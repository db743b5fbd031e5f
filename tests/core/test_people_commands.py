"""The commands of people, as they are typed."""

import json
import shlex

import pytest
from click.testing import CliRunner

from core.errors import AccessDenied, PreceptorError
from core.ledger import Ledger
from core.people_commands import people
from core.store import open_store


@pytest.fixture
def typed(tmp_path):
    """Type a command on a store of its own; errors are raised, as `core.cli` prints them."""

    def run(*words, by="setup"):
        where = ["--store", f"sqlite:///{tmp_path / 'store.db'}", "--by", by]
        result = CliRunner().invoke(people, [*words, *where], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_the_first_admin_closes_the_store(typed):
    typed("add", "Alex", "--role", "admin", "--verified")

    with pytest.raises(AccessDenied, match="'setup' may not manage people"):
        typed("add", "Dana")
    assert "'Dana' added" in typed("add", "Dana", "--role", "annotator", by="alex")


def test_the_command_that_comes_next_is_one_that_the_store_allows(typed):
    first, *_ = (line for line in typed("add", "Dana O'Hara").splitlines() if line.startswith("Next: "))
    second, *_ = (line for line in typed("add", "Alex Moreau", "--role", "admin").splitlines() if "Next: " in line)

    assert shlex.split(first)[1:] == ["preceptor", "people", "invite", "Dana O'Hara", "--by", "setup"]
    assert shlex.split(second)[1:] == ["preceptor", "people", "invite", "Alex Moreau", "--by", "Alex Moreau"]
    assert "/sign-in?token=" in typed("invite", "Alex Moreau", by="Alex Moreau")
    with pytest.raises(AccessDenied, match="'setup' may not manage people"):
        typed("invite", "Alex Moreau")


def test_a_whole_life(typed):
    typed("add", "Alex", "--role", "admin")
    typed("add", "Dana Ruiz", by="Alex")
    typed("verify", "Dana Ruiz", by="Alex")
    typed("qualify", "Dana Ruiz", "CPC 01234567", "--until", "2027-06-30", by="Alex")
    typed("grant", "dana ruiz", "senior", by="Alex")
    typed("grant", "dana ruiz", "steward", "--for-hours", "2", "--reason", "colleague ill", by="Alex")
    typed("revoke", "dana ruiz", "senior", by="Alex")
    link = typed("invite", "Dana Ruiz", "--url", "https://label.example.org/", by="Alex")
    dana = json.loads(typed("list", "--json", by="Alex").splitlines()[1])
    typed("retire", "Dana Ruiz", "--yes", by="Alex")

    assert link.startswith("https://label.example.org/sign-in?token=")
    assert (dana["name"], dana["roles"], dana["verified_by"]) == ("Dana Ruiz", ["steward"], "Alex")
    assert "retired" in typed("list", by="Alex")


def test_a_person_added_with_a_role_that_is_none_is_not_added(typed):
    with pytest.raises(PreceptorError, match="'king' is not a role"):
        typed("add", "Dana", "--role", "king")

    assert typed("list") == ""


def test_what_is_refused_leaves_no_event(typed, tmp_path):
    typed("add", "Alex", "--role", "admin")
    before = len(Ledger(open_store(f"sqlite:///{tmp_path / 'store.db'}")).events())
    with pytest.raises(PreceptorError, match="last admin"):
        typed("retire", "Alex", "--yes", by="Alex")
    with pytest.raises(AccessDenied):
        typed("list")

    assert len(Ledger(open_store(f"sqlite:///{tmp_path / 'store.db'}")).events()) == before


def test_the_roles_on_offer_are_those_of_the_policy():
    from core.access import Role

    offered = next(param for param in people.commands["grant"].params if param.name == "role")
    assert list(offered.type.choices) == list(Role)
