"""Titles, labels and reasons in the words of the CHT's own messages."""

from typing import Any

import pytest

from pipeline.database import engine
from pipeline.worklist import reference_data
from tests.integration.recorded_programme import Programme

pytestmark = pytest.mark.one_server


def messages(code: str, generic: Any, custom: Any) -> dict[str, Any]:
    return {
        "_id": f"messages-{code}",
        "_rev": "3-a",
        "type": "translations",
        "code": code,
        "generic": generic,
        "custom": custom,
    }


def said(programme: Programme, language: str, *keys: str) -> dict[str, str]:
    made = engine(programme.address)
    with made.connect() as connection:
        found = reference_data.translations(connection, language, keys)
    made.dispose()
    return found


def test_the_programme_s_own_words_go_first_then_english_then_the_key(
    programme: Programme,
) -> None:
    keys = ("task.verify", "task.english_only", "task.unknown", "task.empty")
    programme.save(
        messages(
            "en",
            {"task.verify": "Verify", "task.english_only": "Only here", "task.empty": ""},
            {"task.verify": "Verify visit"},
        )
    )
    programme.save(messages("fr", {"task.verify": "Vérifier"}, {"task.empty": None}))
    programme.refresh()
    assert said(programme, "en", *keys) == {
        "task.verify": "Verify visit",
        "task.english_only": "Only here",
    }
    assert said(programme, "fr", *keys) == {
        "task.verify": "Vérifier",
        "task.english_only": "Only here",
    }
    assert said(programme, "ny", "task.verify") == {"task.verify": "Verify visit"}


def test_words_that_are_changed_or_taken_away_are_so_after_the_refresh(
    programme: Programme,
) -> None:
    programme.save(messages("fr", {}, {"reason.moved": "Parti", "reason.lost": "Perdu"}))
    programme.refresh()
    programme.save(messages("fr", [], {"reason.moved": "Déménagé"}))
    programme.refresh()
    assert said(programme, "fr", "reason.moved", "reason.lost") == {"reason.moved": "Déménagé"}
    programme.delete("messages-fr")
    programme.refresh()
    assert said(programme, "fr", "reason.moved") == {}
