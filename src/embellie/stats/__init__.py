"""The numbers: distributions, draws, estimators; knows no newspaper."""
