"""Keys: made once, kept hashed, revoked at once."""

import stat
import threading

import pytest

from embellie.app.keys import ROLES, SESSION_DAYS, Keys
from embellie.domain.errors import Conflict, InputError, UnknownName


@pytest.fixture
def keys(tmp_path):
    return Keys(tmp_path / "keys.json", sites=["gazette", "herald"])


def test_each_site_keeps_its_public_key(tmp_path, keys):
    """Opening again finds the same keys; a new site gets one."""
    again = Keys(tmp_path / "keys.json", sites=["gazette", "herald", "courier"])
    assert {site: again.public[site] for site in ("gazette", "herald")} == dict(keys.public)
    assert again.site_of(again.public["courier"]) == "courier"
    assert again.public["courier"].startswith("pk_")
    assert again.site_of("pk_other") is None


def test_a_secret_is_not_kept(tmp_path, keys):
    """The file holds a hash, and only its owner may read it."""
    secret = keys.issue("editor", name="desk")
    file = tmp_path / "keys.json"
    assert secret.startswith("sk_")
    assert secret not in file.read_text()
    assert secret.removeprefix("sk_") not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("role", ROLES)
def test_a_secret_finds_its_token(keys, role):
    """By the secret alone, and only by it."""
    secret = keys.issue(role, name="x")
    assert keys.token_of(secret).role == role
    assert keys.token_of(secret + "x") is None
    assert keys.token_of("") is None


def test_another_process_changes_take_effect(tmp_path, keys):
    """What was issued or revoked beside a running server holds at its next call."""
    other = Keys(tmp_path / "keys.json", sites=[])
    secret = other.issue("viewer", name="v")
    assert keys.token_of(secret).name == "v"
    other.revoke("v")
    assert keys.token_of(secret) is None


def test_a_session_lasts_its_days_and_cannot_be_forged(keys):
    """The cookie is signed, names no secret, expires, and falls with its token."""
    token = keys.token_of(keys.issue("operator", name="anna"))
    cookie = keys.session(token, now=1000.0)
    assert keys.session_token(cookie, now=1001.0) == token
    assert keys.session_token(cookie, now=1001.0 + SESSION_DAYS * 86_400) is None
    name, expires, signature = cookie.split(".")
    for forged in (
        f"{name}.{int(expires) + 1}.{signature}",
        f"{name}.{expires}.{signature[:-1]}",
        "",
        "a.b.c",
        "zz.99999999999.é",
    ):
        assert keys.session_token(forged, now=1001.0) is None
    keys.revoke("anna")
    assert keys.session_token(cookie, now=1001.0) is None
    keys.issue("admin", name="anna")
    assert keys.session_token(cookie, now=1001.0) is None


def test_names_and_roles_are_checked(keys):
    """A taken name, an unknown one, a wrong role and an empty name are each said to be so."""
    keys.issue("viewer", name="v")
    with pytest.raises(Conflict, match="exists already"):
        keys.issue("viewer", name="v")
    with pytest.raises(UnknownName, match="Unknown role `boss`"):
        keys.issue("boss", name="w")
    with pytest.raises(InputError, match="no name"):
        keys.issue("viewer", name="")
    with pytest.raises(UnknownName, match="Unknown token"):
        keys.revoke("w")


def test_a_broken_file_is_not_overwritten(tmp_path):
    """Keys that cannot be read are an error, never replaced."""
    file = tmp_path / "keys.json"
    file.write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        Keys(file, sites=["gazette"])
    assert file.read_text() == "{"


def test_two_that_open_the_same_folder_first_agree(tmp_path):
    """Servers that start at once, before there is a file: one public key for each site, one key that signs sessions."""
    file, opened = tmp_path / "keys.json", []
    starting = [
        threading.Thread(target=lambda: opened.append(Keys(file, sites=["gazette", "herald"]))) for _ in range(6)
    ]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()
    assert len({tuple(one.public.items()) for one in opened}) == 1
    token = opened[0].token_of(opened[0].issue("viewer", name="desk"))
    cookie = opened[0].session(token, now=0.0)
    assert [one.session_token(cookie, now=1.0) for one in opened] == [token] * 6


def test_what_two_change_at_once_is_kept_of_both(tmp_path):
    """Tokens made and revoked in two processes, again and again: none comes back, and none is lost."""
    one, other = (Keys(tmp_path / "keys.json", sites=["gazette"]) for _ in range(2))

    def change(keys, name):
        for number in range(15):
            keys.issue("viewer", name=f"{name}-{number}")
            if number % 3 == 0:
                keys.revoke(f"{name}-{number}")

    changing = [threading.Thread(target=change, args=(keys, name)) for keys, name in ((one, "a"), (other, "b"))]
    for thread in changing:
        thread.start()
    for thread in changing:
        thread.join()
    wanted = {f"{name}-{number}" for name in "ab" for number in range(15) if number % 3}
    assert {token.name for token in one.tokens()} == {token.name for token in other.tokens()} == wanted
