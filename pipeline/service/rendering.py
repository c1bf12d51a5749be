"""Jinja templates with the texts at hand. Everything put into a page is escaped."""

import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.service import texts
from pipeline.service.language import spoken

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"


def page(template: str, **values: object) -> str:
    """In the language of the request."""
    words = spoken()
    return (
        _environment()
        .get_template(template)
        .render(
            language=words,
            languages=texts.languages().values(),
            say=words.say,
            count=words.count,
            coded=words.coded,
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
    )
    environment.globals.update(static=_static)
    return environment


@cache
def _static(name: str) -> str:
    """The address of a static file; it changes with the content, so browsers may keep it."""
    version = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={version}"
