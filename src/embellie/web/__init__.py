"""HTTP API, dashboard, templates, static files."""
