"""What is repeated of dbt's messages."""

from types import SimpleNamespace

from pipeline.refresh import dbt_process

MESSAGE = """
Database Error in model patient (models/pii/patient.sql)
  could not create unique index "patient_pkey"
  DETAIL:  Key (patient_name)=(Grace Banda) is duplicated.
"""


def test_a_failed_model_is_reported_without_the_rows_that_postgresql_quotes() -> None:
    nodes = [
        SimpleNamespace(node=SimpleNamespace(name=name), message=MESSAGE, status=status)
        for name, status in (("place", "success"), ("patient", "error"), ("task", "skipped"))
    ]
    result = SimpleNamespace(exception=None, result=SimpleNamespace(results=nodes))
    [(name, said)] = dbt_process._failures(result)
    assert name == "patient"
    assert said.endswith('could not create unique index "patient_pkey"')
