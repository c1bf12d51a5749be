"""One round: read a tasks.yml, ask PostgreSQL about its predicates, store the definitions."""

from datetime import datetime

import psycopg
from psycopg import sql

from pipeline.tasks import rules, store, unknown_names
from pipeline.tasks.yaml_lines import File, Problem, read


def check(connection: psycopg.Connection, text: str, file_name: str) -> rules.Programme:
    """Raises SettingsWrong with every problem, those that only PostgreSQL can see included."""
    file = read(text)
    programme, problems = rules.judge(file)
    problems = [*problems, *_not_evaluable(connection, file)]
    if programme is None or problems:
        raise rules.refusal(file_name, problems)
    return programme


def _not_evaluable(connection: psycopg.Connection, file: File) -> list[Problem]:
    return [
        Problem(
            line,
            f"{where} is not a predicate that PostgreSQL can evaluate: {complaint}; write a"
            " comparison, such as '$.fields.visit == \"yes\"'",
        )
        for line, where, predicate in rules.predicates(file)
        if (complaint := store.predicate_error(connection, predicate))
    ]


def find_unknown_names(
    connection: psycopg.Connection, text: str, documents: sql.Identifier
) -> list[Problem] | None:
    """The forms, roles and contact types of a valid tasks.yml that nothing landed knows, by line.

    `documents` is the landing's table; None where no document of it can be read.
    """
    if not store.has_landed(connection, documents):
        return None
    file = read(text)
    named = unknown_names.names(file.content)
    forms = [one.name for one in named if one.kind is unknown_names.Kind.FORM]
    known = store.configured_names(connection, documents, forms)
    if unknown_names.unknown(file, named, known):
        known |= store.used_names(connection, documents)
    return sorted(unknown_names.unknown(file, named, known), key=lambda problem: problem.line)


def store_definitions(
    connection: psycopg.Connection, text: str, file_name: str, stored_at: datetime
) -> rules.Programme:
    """Checks and writes; the caller commits."""
    programme = check(connection, text, file_name)
    store.save_programme(connection, rules.programme_row(programme), stored_at)
    store.save_definitions(
        connection,
        [rules.definition_row(programme, definition) for definition in programme.tasks],
    )
    store.save_events(
        connection,
        [row for definition in programme.tasks for row in rules.event_rows(definition)],
    )
    store.save_resolvers(
        connection,
        [row for definition in programme.tasks for row in rules.resolver_rows(definition)],
    )
    store.analyze(connection)
    return programme
