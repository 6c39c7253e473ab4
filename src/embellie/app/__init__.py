"""The only place that knows all the steps: configuration, wiring, jobs."""
