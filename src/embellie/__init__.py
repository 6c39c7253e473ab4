"""embellie: find out, in production, whether recommending articles pays.

frame → recommend → serve → measure → decide → release, and again
"""

__version__ = "0.1.0"
