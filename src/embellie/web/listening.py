"""Listening: take the port, or say who has it; never without keys where other machines can call."""

import errno
import socket
from pathlib import Path

from embellie.domain.errors import ConfigError, Conflict, InputError
from embellie.web.access import is_loopback

BACKLOG = 2048


def check_exposure(host: str, *, auth: bool) -> None:
    """Refuse to listen without keys where other machines can call.

    Raises:
        ConfigError: Keys are off and the address is not a loopback one.
    """
    if not auth and not is_loopback(host):
        raise ConfigError(
            f"`auth = false` with host `{host}` would let anyone who reaches this machine operate it.",
            hint='Set auth = true, or host = "127.0.0.1".',
            at="embellie.toml, [server]",
        )


def address_of(host: str, port: int) -> str:
    """Return the address to open in a browser here.

    >>> address_of("0.0.0.0", 8400)
    'http://127.0.0.1:8400'
    """
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 -- read, not bound
    return f"http://{name}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """Take a port.

    Raises:
        Conflict: Another process has it; says which where that is cheap to know.
        InputError: The host is no address of this machine, or the port is not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        taken.close()
        raise _explained(error, host, port) from None
    return taken


def _explained(error: OSError | OverflowError, host: str, port: int) -> Conflict | InputError:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        owner = owner_of(port)
        return Conflict(
            f"Port {port} is in use{f' by {owner}' if owner else ''}.",
            hint=f"Stop that program, or choose another port: --port {port + 1 if port < 65535 else 8400}.",
            code="port_in_use",
        )
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
        return InputError(f"Port {port} may not be taken.", hint="Choose one from 1024, such as --port 8400.")
    return InputError(f"Cannot listen on `{host}:{port}`: {error}.", hint="Use --host 127.0.0.1 and a free port.")


def owner_of(port: int) -> str:
    """Name the process that listens on a port, `""` when it cannot be told."""
    try:
        sockets = _listening_inodes(port)
        if sockets:
            for process in Path("/proc").iterdir():
                if process.name.isdigit() and _holds(process, sockets):
                    return f"process {process.name} ({(process / 'comm').read_text(encoding='utf-8').strip()})"
    except (OSError, ValueError):
        pass
    return ""


def _listening_inodes(port: int) -> set[str]:
    wanted, found = f"{port:04X}", set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[1].rpartition(":")[2] == wanted and fields[3] == "0A":
                found.add(f"socket:[{fields[9]}]")
    return found


def _holds(process: Path, sockets: set[str]) -> bool:
    try:
        return any(str(handle.readlink()) in sockets for handle in (process / "fd").iterdir())
    except OSError:
        return False
