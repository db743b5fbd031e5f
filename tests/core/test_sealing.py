import base64
import stat

import pytest

from core.errors import PreceptorError
from core.sealing import KEY_VARIABLE, seal, secret_key, unseal
from core.store import open_store


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def test_a_secret_opens_with_its_key_and_context_alone():
    key = bytes(range(32))
    sealed = seal(key, "JBSWY3DP", context="totp:ann")

    assert unseal(key, sealed, context="totp:ann") == "JBSWY3DP"
    assert "JBSWY3DP" not in sealed
    for other_key, text, context in (
        (bytes(32), sealed, "totp:ann"),
        (key, sealed, "totp:bob"),
        (key, sealed[:-6] + "AAAA==", "totp:ann"),
        (key, sealed.removeprefix("v1:"), "totp:ann"),
        (key, "v1:", "totp:ann"),
    ):
        with pytest.raises(PreceptorError, match="does not open with this key"):
            unseal(other_key, text, context=context)


def test_the_same_secret_is_sealed_differently_each_time():
    assert seal(bytes(32), "x", context="c") != seal(bytes(32), "x", context="c")


def test_a_sqlite_store_keeps_its_key_beside_itself_for_its_owner_alone(tmp_path):
    engine = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    key = secret_key(engine)

    file = tmp_path / "store.db.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert base64.b64decode(file.read_text()) == key
    assert secret_key(engine) == key


def test_a_key_that_others_can_read_is_refused(tmp_path):
    engine = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    secret_key(engine)
    (tmp_path / "store.db.key").chmod(0o644)

    with pytest.raises(PreceptorError, match="chmod 600"):
        secret_key(engine)


@pytest.mark.parametrize("text", ["", "short", "not base64 at all!", base64.b64encode(bytes(31)).decode()])
def test_a_variable_that_is_no_key_is_refused_with_how_to_make_one(tmp_path, monkeypatch, text):
    monkeypatch.setenv(KEY_VARIABLE, text)

    with pytest.raises(PreceptorError, match=r"32 bytes in base64\. Make one"):
        secret_key(open_store(f"sqlite:///{tmp_path / 'store.db'}"))


@pytest.mark.postgres
def test_postgresql_needs_the_variable(postgres_url, monkeypatch):
    engine = open_store(postgres_url)
    with pytest.raises(PreceptorError, match=f"{KEY_VARIABLE} is not set"):
        secret_key(engine)
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(range(32))).decode())

    assert secret_key(engine) == bytes(range(32))
    engine.dispose()
