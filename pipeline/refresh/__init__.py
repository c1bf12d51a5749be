"""Runs dbt and reads its results; the only Python that knows dbt exists."""
