"""What an operator may write, and what is said of what cannot be meant."""

from datetime import timedelta

import pytest

from pipeline.errors import SettingsWrong
from pipeline.settings import Settings
from pipeline.worklist import sessions


def test_people_are_sent_to_the_cht_s_own_address_unless_it_has_another_for_them() -> None:
    inside = {"COUCHDB_HOST": "couch", "COUCHDB_PORT": "5984"}
    assert Settings.read(inside).cht_url == "http://couch:5984"
    outside = {**inside, "WORKLIST_CHT_URL": "https://cht.example.org/"}
    assert Settings.read(outside).cht_url == "https://cht.example.org"


def test_rights_hold_for_twelve_hours_and_never_longer_than_a_session() -> None:
    assert Settings.read({}).rights_hold == timedelta(hours=12)
    longest = int(sessions.LASTS.total_seconds())
    assert Settings.read({"WORKLIST_RIGHTS_HOLD": str(longest)}).rights_hold == sessions.LASTS
    for seconds in ("0", "299", str(longest + 1), "12h"):
        with pytest.raises(SettingsWrong, match="WORKLIST_RIGHTS_HOLD"):
            Settings.read({"WORKLIST_RIGHTS_HOLD": seconds})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKLIST_PROXIES", "*"),
        ("WORKLIST_PROXIES", "10.0.0.1, proxy.example.org"),
        ("WORKLIST_PROXIES", "10.0.0.1/8"),
        ("WORKLIST_CHT_URL", "cht.example.org"),
        ("WORKLIST_CHT_URL", "javascript:alert(1)"),
        ("WORKLIST_CHT_URL", "https://medic:password@cht.example.org"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsWrong, match=name) as refused:
        Settings.read({name: value})
    assert "medic:password" not in str(refused.value)
