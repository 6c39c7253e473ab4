"""Contract suites that a third party's store or policy can run."""
