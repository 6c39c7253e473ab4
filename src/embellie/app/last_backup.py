"""The last backup: when it was made, noted in the data folder for `embellie doctor`."""

from datetime import datetime
from pathlib import Path

from embellie.domain.moment import iso

FILE = "last-backup.txt"


def note_backup(data: Path, now: datetime) -> None:
    """Note that a backup was made and read back."""
    (data / FILE).write_text(iso(now) + "\n", encoding="utf-8")


def last_backup(data: Path) -> datetime | None:
    """Return when the last backup was made; None when none is known of."""
    try:
        return datetime.fromisoformat((data / FILE).read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return None
