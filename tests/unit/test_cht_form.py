"""What `deploy/cht` ships is what a CHT takes, and what our reports and definitions mean."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree

import pytest

from pipeline.packaged_files import TASKS
from pipeline.tasks import rules as definitions
from pipeline.worklist import rules
from pipeline.worklist.records import Answer
from tests.unit.worklist.test_verification_rules import TASK

FOLDER = Path(__file__).parents[2] / "deploy" / "cht"
PATH = FOLDER / "forms" / "app" / f"{rules.FORM}.xml"
ROOT = f"/{rules.FORM}"
LANGUAGES = ("en", "fr", "sw", "ny")
XFORMS = "{http://www.w3.org/2002/xforms}"
XHTML = "{http://www.w3.org/1999/xhtml}"
ITEXT = re.compile(r"jr:itext\('([^']+)'\)")
PATH_IN_XPATH = re.compile(r"(?:\.\.?/|/)[\w/.-]+")


@pytest.fixture(scope="module")
def form() -> ElementTree.Element:
    text = PATH.read_text()
    assert "<!DOCTYPE" not in text
    assert "<!ENTITY" not in text
    return ElementTree.fromstring(text)  # noqa: S314 - our own file


@pytest.fixture(scope="module")
def instance(form: ElementTree.Element) -> ElementTree.Element:
    found = form.find(f".//{XFORMS}instance/{XFORMS}{rules.FORM}")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def nodes(instance: ElementTree.Element) -> dict[str, ElementTree.Element]:
    """Every node of the model by its path."""

    def below(node: ElementTree.Element, path: str) -> dict[str, ElementTree.Element]:
        found = {path: node}
        for child in node:
            found |= below(child, f"{path}/{child.tag.removeprefix(XFORMS)}")
        return found

    return below(instance, ROOT)


def binds(form: ElementTree.Element) -> list[ElementTree.Element]:
    return form.findall(f".//{XFORMS}bind")


def texts(form: ElementTree.Element, language: str) -> dict[str, str]:
    translation = form.find(f".//{XFORMS}translation[@lang='{language}']")
    assert translation is not None
    return {
        text.attrib["id"]: text.findtext(f"{XFORMS}value") or ""
        for text in translation.findall(f"{XFORMS}text")
    }


def translations(language: str) -> dict[str, str]:
    path = FOLDER / "translations" / f"messages-{language}.properties"
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split(" = ", 1) for line in lines)


def sent_fields() -> dict[str, object]:
    report = rules.verification_report(
        report_id="r",
        reported_at=datetime(2026, 11, 20, tzinfo=UTC),
        lineage=["supervisor", "site"],
        task=TASK,
        answer=Answer("visited"),
        verification_id=UUID(int=1),
        verified_by="supervisor_matope",
        round_=1,
        replaces=None,
    )
    fields = report["fields"]
    assert isinstance(fields, dict)
    return fields


def leaves(value: object, path: str = "") -> set[str]:
    if not isinstance(value, dict):
        return {path}
    return set().union(*(leaves(inner, f"{path}/{key}") for key, inner in value.items()))


def absolute(path: str, nodeset: str) -> str:
    """A path of an expression of the bind of `nodeset`, from the root."""
    if path.startswith("/"):
        return path
    at = nodeset.split("/")
    for step in path.split("/"):
        if step == "..":
            at = at[:-1]
        elif step != ".":
            at = [*at, step]
    return "/".join(at)


def test_the_form_is_called_as_its_reports_are(
    form: ElementTree.Element, instance: ElementTree.Element
) -> None:
    assert instance.attrib["id"] == rules.FORM
    assert {"version", "prefix", "delimiter"} <= instance.attrib.keys()
    assert form.findtext(f".//{XHTML}title")
    body = form.find(f".//{XHTML}body")
    assert body is not None
    assert body.attrib["class"] == "pages"


def test_every_bind_and_every_question_has_its_node(
    form: ElementTree.Element, nodes: dict[str, ElementTree.Element]
) -> None:
    nodesets = [bind.attrib["nodeset"] for bind in binds(form)]
    assert len(nodesets) == len(set(nodesets))
    assert set(nodesets) <= nodes.keys()
    body = form.find(f".//{XHTML}body")
    assert body is not None
    asked = {
        node.attrib["ref"] for node in body.iter() if node.attrib.get("ref", "").startswith("/")
    }
    assert asked <= nodes.keys()


def test_every_expression_names_nodes_that_exist(
    form: ElementTree.Element, nodes: dict[str, ElementTree.Element]
) -> None:
    seen = 0
    for bind in binds(form):
        for name in ("calculate", "relevant", "constraint"):
            expression = bind.attrib.get(name, "")
            expression = re.sub(r"instance\('contact-summary'\)/[\w/]+|'[^']*'", "", expression)
            for path in PATH_IN_XPATH.findall(expression):
                assert absolute(path, bind.attrib["nodeset"]) in nodes, (path, bind.attrib)
                seen += 1
    assert seen > 8


def test_a_form_opened_from_a_task_keeps_the_tasks_id(
    form: ElementTree.Element, nodes: dict[str, ElementTree.Element]
) -> None:
    (inputs,) = [bind for bind in binds(form) if bind.attrib["nodeset"] == f"{ROOT}/inputs"]
    assert inputs.attrib["relevant"] == "./source = 'user'"
    assert nodes[f"{ROOT}/inputs/source"].text == "user"
    assert f"{ROOT}/inputs/task_id" in nodes
    selector = form.find(f".//{XFORMS}input[@ref='{ROOT}/inputs/contact/_id']")
    assert selector is not None
    assert selector.attrib["appearance"] == "db-object"


def test_everything_that_we_send_has_a_place_in_the_form(
    nodes: dict[str, ElementTree.Element],
) -> None:
    """Or it would be lost when somebody edits one of our reports in the CHT."""
    assert {f"{ROOT}{leaf}" for leaf in leaves(sent_fields())} <= nodes.keys()


def test_what_our_reports_hide_the_form_hides_too(
    nodes: dict[str, ElementTree.Element],
) -> None:
    hidden = {
        path.removeprefix(f"{ROOT}/")
        for path, node in nodes.items()
        if node.attrib.get("tag") == "hidden"
    }
    assert set(rules.HIDDEN_FIELDS) - {"inputs"} <= hidden  # the CHT hides inputs always


def test_the_answers_are_those_of_the_definition(form: ElementTree.Element) -> None:
    def values(name: str) -> list[str | None]:
        question = form.find(f".//{XFORMS}select1[@ref='{ROOT}/verification/{name}']")
        assert question is not None
        return [item.findtext(f"{XFORMS}value") for item in question.findall(f"{XFORMS}item")]

    shipped = definitions.parse(TASKS.read_text())
    (definition,) = [task for task in shipped.tasks if task.name == "verify-missed-appointment"]
    assert tuple(values("outcome")) == rules.OUTCOMES
    assert values("reason") == list(definition.reasons)


def test_the_day_of_the_visit_goes_with_visited_and_is_not_in_the_future(
    form: ElementTree.Element,
) -> None:
    (visit,) = [bind for bind in binds(form) if bind.attrib["nodeset"].endswith("/visit_date")]
    assert visit.attrib["relevant"] == "../outcome = 'visited'"
    assert visit.attrib["constraint"] == "decimal-date-time(.) <= decimal-date-time(today())"
    (reason,) = [bind for bind in binds(form) if bind.attrib["nodeset"].endswith("/reason")]
    assert reason.attrib["relevant"] == "../outcome = 'not_visited'"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_form_is_there_in_every_language(
    form: ElementTree.Element, language: str
) -> None:
    used = set(ITEXT.findall(PATH.read_text()))
    known = texts(form, language)
    assert known.keys() == used
    assert all(known.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_label_of_a_report_is_there_in_every_language(
    form: ElementTree.Element, language: str
) -> None:
    shown = {
        leaf.strip("/").replace("/", ".")
        for leaf in leaves(sent_fields())
        if leaf.split("/")[1] not in rules.HIDDEN_FIELDS
    }
    keys = {f"report.{rules.FORM}.{name}" for name in {*shown, "verification"}}
    known = translations(language)
    assert keys <= known.keys()
    assert known.keys() == translations("en").keys()
    for key in keys:
        text = f"{ROOT}/{key.split('.', 2)[2].replace('.', '/')}:label"
        assert known[key] == texts(form, language).get(text, known[key])


@pytest.mark.parametrize("language", ["fr", "sw", "ny"])
def test_what_a_native_speaker_must_check_says_so(language: str) -> None:
    path = FOLDER / "translations" / f"messages-{language}.properties"
    assert path.read_text().startswith("# TO BE CHECKED by a native speaker")


def test_its_properties_are_those_that_cht_conf_knows() -> None:
    properties = json.loads(PATH.with_suffix(".properties.json").read_text())
    known = {"title", "icon", "context", "subject_key", "hidden_fields", "xml2sms"}
    assert properties.keys() <= known
    assert [title["locale"] for title in properties["title"]] == list(LANGUAGES)
    assert (properties["context"]["person"], properties["context"]["place"]) == (True, False)


def test_the_readme_names_every_file_and_both_channels() -> None:
    readme = (FOLDER / "README.md").read_text()
    shipped = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".md"]
    for path in shipped:
        name = path.relative_to(FOLDER).as_posix()
        assert name in readme or re.sub("-[a-z]{2}[.]", "-{en,fr,sw,ny}.", name) in readme, name
    for permission in ("can_edit", "can_create_records", "can_view_reports"):
        assert f"`{permission}`" in readme
    assert Path(PATH).is_file()


def test_what_chw_tasks_wait_for_is_what_the_definition_says() -> None:
    """`verification-extras.js` repeats the definition, since a phone cannot read tasks.yml."""
    text = (FOLDER / "verification-extras.js").read_text()

    def constant(name: str) -> str:
        (found,) = re.findall(rf"^const {name} = ([^;]+);", text, re.MULTILINE)
        return str(found).replace("'", '"')

    (definition,) = definitions.parse(TASKS.read_text()).tasks
    (event,) = definition.events
    assert json.loads(constant("DEFINITION")) == definition.name
    assert json.loads(constant("FORM")) == definition.actions[0].form == rules.FORM
    assert f"fields.{json.loads(constant('APPOINTMENT_DATE'))}" == definition.appointment_date
    assert int(constant("LAST_DAY")) == (event.days or 0) + event.end
    assert json.loads(constant("NOBODY_GOES")) == definition.tracing.not_for
    (pattern,) = re.findall(r"^  /(.+)/\.test\(", text, re.MULTILINE)
    assert f'like_regex "{pattern}"' in (definition.applies_if or "")
