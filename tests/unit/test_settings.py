"""What an operator may write, and what they are told if it is not valid."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.errors import SettingsWrong
from pipeline.settings import Settings
from pipeline.worklist import sessions

EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_people_are_sent_to_the_cht_s_own_address_unless_it_has_another_for_them() -> None:
    inside = {"COUCHDB_HOST": "couch", "COUCHDB_PORT": "5984"}
    assert Settings.read(inside).cht_url == "http://couch:5984"
    outside = {**inside, "WORKLIST_CHT_URL": "https://cht.example.org/"}
    assert Settings.read(outside).cht_url == "https://cht.example.org"


def test_rights_hold_for_twelve_hours_and_never_longer_than_a_session() -> None:
    assert Settings.read({}).rights_hold == timedelta(hours=12)
    longest = int(sessions.LIFETIME.total_seconds())
    assert Settings.read({"WORKLIST_RIGHTS_HOLD": str(longest)}).rights_hold == sessions.LIFETIME
    for seconds in ("0", "299", str(longest + 1), "12h"):
        with pytest.raises(SettingsWrong, match="WORKLIST_RIGHTS_HOLD"):
            Settings.read({"WORKLIST_RIGHTS_HOLD": seconds})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKLIST_PROXIES", "*"),
        ("WORKLIST_PROXIES", "10.0.0.1, proxy.example.org"),
        ("WORKLIST_PROXIES", "10.0.0.1/8"),
        ("WORKLIST_KEEP_DELETED", "perhaps"),
        ("WORKLIST_PORT", "0"),
        ("WORKLIST_PORT", "65536"),
        ("WORKLIST_CHT_URL", "cht.example.org"),
        ("WORKLIST_CHT_URL", "javascript:alert(1)"),
        ("WORKLIST_CHT_URL", "https://medic:password@cht.example.org"),
        ("COUCHDB_HOST", "https://medic:password@cht.example.org/"),
        ("COUCHDB_HOST", "cht.example.org/medic"),
        ("COUCHDB_HOST", "cht example.org"),
        ("COUCHDB_HOST", "https://"),
        ("COUCHDB_HOST", "fe80::1%eth0"),
        ("COUCHDB_HOST", f"{'long' * 16}.example.org"),
        ("COUCHDB_DBS", " , "),
        ("POSTGRES_HOST", "db:5432"),
        ("POSTGRES_SCHEMA", "app"),
        ("POSTGRES_SCHEMA", "worklist_pii"),
        ("POSTGRES_SCHEMA", "pg_catalog"),
        ("POSTGRES_SCHEMA", "information_schema"),
        ("POSTGRES_TABLE", "couchdb_progress"),
        ("WORKLIST_NOW", "2026-02-30"),
        ("WORKLIST_NOW", "2026-11-20T25:00Z"),
        ("WORKLIST_NOW", "2026-11-20T08:30+23:00"),
    ],
)
def test_an_invalid_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsWrong, match=name) as refused:
        Settings.read({name: value})
    assert "medic:password" not in str(refused.value)


def test_a_host_may_have_blanks_around_it_and_be_an_ipv6_address() -> None:
    assert Settings.read({"COUCHDB_HOST": " cht.example.org\r"}).couch.host == "cht.example.org"
    for written in ("::1", "[::1]"):
        couch = Settings.read({"COUCHDB_HOST": written}).couch
        assert (couch.url, couch.source("medic")) == ("http://[::1]:5984", "::1/medic")
    assert Settings.read({"POSTGRES_HOST": "  "}).postgres.host is None
    assert Settings.read({"POSTGRES_HOST": "/run/postgresql"}).postgres.host == "/run/postgresql"


@pytest.mark.parametrize(
    ("written", "is_kept"),
    [("", True), ("true", True), ("YES", True), ("1", True), ("false", False), ("no", False)],
)
def test_what_deleted_documents_held_is_kept_unless_that_is_refused(
    written: str, is_kept: bool
) -> None:
    assert Settings.read({"WORKLIST_KEEP_DELETED": written}).keeps_deleted_content is is_kept


def test_the_reports_are_in_medic_or_else_in_the_first_database() -> None:
    assert Settings.read({"COUCHDB_DBS": "medic-sentinel medic"}).couch.medic == "medic"
    assert Settings.read({"COUCHDB_DBS": "first, second"}).couch.medic == "first"


def test_what_is_left_out_of_the_cht_is_as_in_cht_sync() -> None:
    couch = Settings.read({"COUCHDB_PASSWORD": ""}).couch
    assert (couch.url, couch.user, couch.password) == ("http://localhost:5984", "medic", "password")


def test_a_password_is_taken_as_it_is() -> None:
    written = {"COUCHDB_PASSWORD": " a b ", "POSTGRES_PASSWORD": " c "}
    settings = Settings.read(written)
    assert (settings.couch.password, settings.postgres.password) == (" a b ", " c ")


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("https://cht.example.org", "=cht.example.org, COUCHDB_PORT=443, COUCHDB_SECURE=true."),
        ("http://10.0.0.1:5984/medic", "=10.0.0.1, COUCHDB_PORT=5984, COUCHDB_SECURE=false."),
        ("[::1]:443", "=::1, COUCHDB_PORT=443."),
        ("medic:secret@cht", "=cht, COUCHDB_USER and COUCHDB_PASSWORD for the account."),
    ],
)
def test_a_url_for_a_host_is_answered_with_what_to_write(written: str, wanted: str) -> None:
    with pytest.raises(SettingsWrong) as refused:
        Settings.read({"COUCHDB_HOST": written})
    assert str(refused.value).endswith(f"write COUCHDB_HOST{wanted}")


def test_a_database_that_is_named_twice_is_copied_once() -> None:
    assert Settings.read({"COUCHDB_DBS": "medic, medic"}).couch.databases == ("medic",)


def test_a_misspelt_name_is_warned_of_and_other_peoples_names_are_not() -> None:
    warnings: list[str] = []
    written = {
        "WORKLIST_PATIENCES": "3",
        "WORKLIST_XYZ": "",
        "WORKLIST_PORT": "8301",
        "WORKLIST_TEST_POSTGRES_URL": "postgresql://",
        "COUCHDB_SECURITY": "x",
        "CHT_PIPELINE_BRANCH_URL": "https://github.com/medic/cht-pipeline.git",
    }
    assert Settings.read(written, warn=warnings.append).service_port == 8301
    assert warnings == [
        "WORKLIST_PATIENCES is not a setting of CHT Worklist and is ignored: "
        "did you mean WORKLIST_PATIENCE?",
        "WORKLIST_XYZ is not a setting of CHT Worklist and is ignored.",
    ]


def test_every_setting_that_the_example_shows_is_known() -> None:
    names = re.findall(r"^#?([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE)
    Settings.read(dict.fromkeys(names, ""), warn=pytest.fail)
