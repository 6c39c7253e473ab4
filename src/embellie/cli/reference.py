"""The reference of commands, written from the commands themselves."""

from collections.abc import Iterator

import click

from embellie.cli.main import COMMANDS, cli

HEAD = """# Commands

Written by `make reference` from the commands themselves. Every command has `--help`; with `--json`, standard output is one JSON document and nothing else, and messages go
to standard error. Exit codes: 0 done; 1 done, and the answer is no; 2 the input or the call is wrong.
"""


def reference() -> str:
    """Return the page `docs/reference/cli.md`."""
    context = click.Context(cli, info_name="embellie")
    sections = [HEAD]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is not None:
            sections += _describe(command, f"embellie {name}", depth=2)
    return "\n".join(sections)


def _describe(command: click.Command, path: str, *, depth: int) -> Iterator[str]:
    context = click.Context(
        command, info_name=path, max_content_width=110, terminal_width=110, help_option_names=["-h", "--help"]
    )
    yield f"{'#' * depth} `{path}`\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _describe(inner, f"{path} {name}", depth=depth + 1)
