"""Every language says everything, and no page says a word that cannot be translated."""

import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import pytest
from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from pipeline.service import api, i18n, list_view, rendering
from pipeline.service.messages_by_code import MESSAGES
from pipeline.worklist import rules, store

PROJECT = Path(__file__).parents[3]
ENGLISH, FRENCH = i18n.languages()["en"], i18n.languages()["fr"]
TEMPLATES = sorted((rendering.FOLDER / "templates").glob("*.html"))
TRANSLATED = [code for code in i18n.languages() if code != i18n.DEFAULT]
VALUES = re.compile(r"%\((\w+)\)s")
MARKERS = {"gettext_noop": None, "pgettext_noop": ((1, "c"), 2), "gettext": None}
# Not words: units, symbols and names, as they stand between the tags of a template.
NO_WORDS = re.compile(r"[\s·,()←?–]*|[jknvco/]|Esc|[VN]|[↓↑]")


@pytest.fixture(scope="module")
def extracted() -> Catalog:
    """What `make messages` finds."""
    mappings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    found = Catalog()
    for _, _, message, _, context in extract_from_dir(
        PROJECT,
        method_map=[(one["pattern"], one["method"]) for one in mappings],
        keywords={"_": None, "ngettext": (1, 2), **MARKERS},
    ):
        found.add(message, context=context)
    return found


def read(code: str) -> Catalog:
    with (i18n.FOLDER / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file)


def messages(catalogue: Catalog) -> dict[tuple[str | None, str], Message]:
    return {(one.context, first(one.id)): one for one in catalogue if one.id}


def first(text: str | list[str] | tuple[str, ...]) -> str:
    return text if isinstance(text, str) else text[0]


def unbroken(text: str) -> str:
    return text.replace(" ", "\u00a0")


def forms(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_holds_exactly_the_messages_of_templates_and_code(
    code: str, extracted: Catalog
) -> None:
    assert messages(read(code)).keys() == messages(extracted).keys()
    assert not read(code).obsolete


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_message_is_translated_and_none_is_a_guess(code: str) -> None:
    catalogue = read(code)
    for message in messages(catalogue).values():
        assert not message.fuzzy, message.id
        assert len(forms(message)) == (catalogue.num_plurals if message.pluralizable else 1)
        for form in forms(message):
            assert form.strip() == form != "", message.id


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_has_the_values_of_its_message_and_no_markup(code: str) -> None:
    for (_, english), message in messages(read(code)).items():
        for form in forms(message):
            assert set(VALUES.findall(form)) == set(VALUES.findall(english)), english
            assert not set('<>&"') & set(english + form), english
            assert "%" not in VALUES.sub("", form), english


def test_french_is_set_as_french_is() -> None:
    """No-break spaces before high punctuation, and the apostrophe of print."""
    for message in messages(read("fr")).values():
        for form in forms(message):
            assert not re.search(r"(?<!\u202f)[;!?]|(?<!\u00a0):|'", form), form


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: str(template.name))
def test_a_template_has_no_words_of_its_own(template: Path) -> None:
    shown = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}|<!doctype html>", "", template.read_text(), flags=re.S)
    for text in re.split(r"<[^>]*>", shown):
        assert NO_WORDS.fullmatch(text), text
    for attribute in re.findall(r'(?:title|aria-label|alt|placeholder)="([^"]*)"', shown):
        assert NO_WORDS.fullmatch(attribute), attribute


def test_every_code_of_data_and_rules_has_its_message() -> None:
    deliveries = ("pending", "sent", "confirmed", "refused", "withdrawn", "landed")
    codes = {
        "standing": (*list_view.TABS, *list_view.MORE_TABS),
        "status": get_args(api.Standing),
        "flag": get_args(api.Flag),
        "order": store.ORDERS,
        "answer": rules.OUTCOMES,
        "delivery": deliveries,
        "why_not": rules.WHY_NOT,
        "report": ("reported", "visited", "traced"),
        "viewer": ("reads", "online", "no_worklist", "contact"),
        "lack": [code for code in get_args(rules.Missing) if code != "online"],
        "error": ("400", "403", "404", "409", "422", "500", "503"),
        "advice": ("400", "404", "409", "422", "500", "503"),
        "void": ("no_outcome", "not_authorised"),
        "reason": ("deceased", "muted"),
    }
    wanted = {f"{kind}.{code}" for kind, known in codes.items() for code in known}
    assert wanted - MESSAGES.keys() == set()
    assert set(list_view.ORDERS) == set(store.ORDERS)


def test_every_message_with_a_key_is_shown_somewhere() -> None:
    sources = [*TEMPLATES, *rendering.FOLDER.glob("*.py")]
    code = "".join(path.read_text() for path in sources if path.name != "messages.py")
    for key in MESSAGES:
        kind, _, _ = key.partition(".")
        if kind == "title":
            continue
        by_kind = (f"label('{kind}.' ~", f'"{kind}.{{', f'f"{kind}.')
        assert re.search(rf"['\"]{key}['\"]", code) or any(one in code for one in by_kind), key


def test_titles_that_we_ship_are_translated() -> None:
    shipped = re.findall(r"^ +title: (.+)$", (PROJECT / "dbt_project/tasks.yml").read_text(), re.M)
    assert shipped == [MESSAGES[key] for key in MESSAGES if key.startswith("title.")]


def test_the_same_words_differ_where_another_language_needs_it() -> None:
    assert ENGLISH.label("status.verified") == ENGLISH.label("standing.verified") == "Verified"
    assert FRENCH.label("standing.verified") == "Vérifiés"
    assert FRENCH.label("status.verified") == "Vérifié"


def test_a_code_without_a_message_is_shown_in_words() -> None:
    assert ENGLISH.label("reason.refused_treatment") == "Refused treatment"
    assert ENGLISH.problem("new_rule") == ENGLISH.label("problem.other")


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("", "en"),
        ("fr-CM,fr;q=0.9,en;q=0.8", "fr"),
        ("en;q=0.5, fr;q=0.7", "fr"),
        ("de, fr;q=0, en;q=0.1", "en"),
        ("de", "en"),
        ("fr;q=x, *", "en"),
    ],
)
def test_the_browser_gets_the_language_that_it_prefers_of_ours(accepted: str, code: str) -> None:
    assert i18n.negotiate(accepted).code == code


def test_a_language_is_called_as_its_speakers_call_it() -> None:
    assert [language.name for language in i18n.languages().values()] == ["English", "Français"]


@pytest.mark.parametrize(
    ("born", "age"),
    [
        (date(2026, 11, 20), "0 months"),
        (date(2024, 11, 21), "23 months"),
        (date(2024, 11, 20), "2 years"),
        (date(1984, 2, 29), "42 years"),
        (date(2030, 1, 1), "0 months"),
    ],
)
def test_age_is_in_years_and_of_small_children_in_months(born: date, age: str) -> None:
    assert ENGLISH.age(born, date(2026, 11, 20)) == age


def test_counts_follow_the_language() -> None:
    left = ("%(num)s day left", "%(num)s days left")
    assert [ENGLISH.ngettext(*left, number) for number in (0, 1, 2)] == [left[1], *left]
    assert FRENCH.ngettext(*left, 0) == "encore %(num)s jour"


def test_moments_are_in_the_zone_of_the_programme_and_the_language_of_the_reader() -> None:
    late, zone = datetime(2026, 11, 19, 23, 5, tzinfo=UTC), "Africa/Blantyre"
    assert ENGLISH.moment(late, zone) == unbroken("20 Nov 2026, 01:05")
    assert FRENCH.moment(late, zone) == unbroken("20 nov. 2026 à 01:05")
    assert ENGLISH.time(late, zone, date(2026, 11, 20)) == "01:05"
    assert ENGLISH.time(late, zone, date(2026, 11, 21)) == unbroken("20 Nov 2026, 01:05")


def test_what_is_put_into_a_message_is_escaped() -> None:
    template = rendering._environment().from_string("{{ _('Did %(name)s come?', name=name) }}")
    assert template.render(name="<b>") == "Did &lt;b&gt; come?"
    assert "&lt;b&gt;" in rendering.page("problem.html", status=403, detail="<b>")
