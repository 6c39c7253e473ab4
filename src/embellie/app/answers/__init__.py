"""Answers: what frame and decide say together about a question, part by part. `embellie.app.deciding` joins the parts."""
