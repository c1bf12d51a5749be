"""HTTP: the page for supervisors, the API, signing in. No SQL and no rule."""
