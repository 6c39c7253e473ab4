"""Rotating a site's salt: all its readers are new from then on; between experiments only."""

from datetime import datetime

from embellie.app.log_keeping import Place
from embellie.app.pseudonyms import FILE, Pseudonyms, require_no_experiment
from embellie.store.log_place import holds_log, open_log


def rotate_salt(place: Place, site: str, *, now: datetime, anyway: bool = False) -> str:
    """Make another salt for a site; returns its name.

    Args:
        place: The installation.
        site: The site; `""` for the only one.
        now: The time.
        anyway: Also while an experiment runs.

    Raises:
        UnknownName: No such site.
        InputError: The site's readers keep their words.
        Conflict: An experiment runs.
    """
    chosen = place.site(site)
    if not anyway and holds_log(place.log):
        with open_log(place.log) as log:
            require_no_experiment(log, chosen)
    Pseudonyms(place.beside / FILE, salted=place.salted, now=now).rotate(chosen, now=now)
    return chosen
