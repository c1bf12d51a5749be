"""tasks.yml → validated definitions → the tables that dbt reads (app.task_definition, …)."""
