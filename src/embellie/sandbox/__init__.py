"""A synthetic newspaper whose true effects are known."""
