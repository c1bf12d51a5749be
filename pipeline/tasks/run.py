"""One round: read a tasks.yml, ask PostgreSQL about its predicates, store the definitions."""

from datetime import datetime

import psycopg

from pipeline.errors import SettingsWrong
from pipeline.tasks import rules, store


def check(connection: psycopg.Connection, text: str, file_name: str) -> rules.Programme:
    """Raises SettingsWrong with every error, those that only PostgreSQL can see included."""
    programme = rules.parse(text, file_name)
    errors = [
        f"{file_name}: task {definition.name}: appliesIf is no predicate that PostgreSQL can"
        f" evaluate: {complaint}"
        for definition in programme.tasks
        if definition.applies_if is not None
        and (complaint := store.predicate_error(connection, definition.applies_if))
    ]
    if errors:
        raise SettingsWrong("\n".join(errors))
    return programme


def store_definitions(
    connection: psycopg.Connection, text: str, file_name: str, stored_at: datetime
) -> rules.Programme:
    """Checks and writes; the caller commits."""
    programme = check(connection, text, file_name)
    store.save_programme(connection, programme.timezone, programme.area_type, stored_at)
    store.save_definitions(
        connection,
        [rules.definition_row(programme, definition) for definition in programme.tasks],
    )
    store.save_events(
        connection,
        [row for definition in programme.tasks for row in rules.event_rows(definition)],
    )
    return programme
