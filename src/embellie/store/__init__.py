"""Where it is kept: log, catalogue, analysis."""
