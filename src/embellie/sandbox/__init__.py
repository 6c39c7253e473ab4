"""A synthetic newspaper whose true effects are known.

newspaper   the Gazette of Embellie: its articles, and when they appear
readers     who reads it, and what they do before a page
truth       what showing slates changes, known because each visit can be played twice
"""
