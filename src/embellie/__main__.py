"""Run the command line: `python -m embellie`."""

from embellie.cli.main import main

main()
