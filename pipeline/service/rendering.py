"""Jinja templates in the language of the request. Every value put into a page is escaped."""

import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.service import i18n, language

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"


def page(template: str, **values: object) -> str:
    words = language.current()
    return (
        _environment()
        .get_template(template)
        .render(
            language=words,
            languages=i18n.languages().values(),
            label=words.label,
            day=words.day,
            day_of=words.day_of,
            moment=words.moment,
            time=words.time,
            age=words.age,
            **values,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        lambda message: language.current().gettext(message),
        lambda singular, plural, number: language.current().ngettext(singular, plural, number),
        newstyle=True,
    )
    environment.globals.update(static=_static)
    return environment


@cache
def _static(name: str) -> str:
    """The address of a static file; it changes with the content, so browsers may keep it."""
    version = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={version}"
