"""One round: read a tasks.yml, ask PostgreSQL about its predicates, store the definitions."""

from datetime import datetime

import psycopg

from pipeline.tasks import rules, store
from pipeline.tasks.reading import File, Problem, read


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
            f"{where} is no predicate that PostgreSQL can evaluate: {complaint}; write a"
            " comparison, such as '$.fields.visit == \"yes\"'",
        )
        for line, where, predicate in rules.predicates(file)
        if (complaint := store.predicate_error(connection, predicate))
    ]


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
