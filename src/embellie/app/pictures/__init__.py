"""Pictures: each record of an answer drawn once as SVG, for the mailed report, the notebook and the dashboard."""
