"""Models: where an installation keeps those of each site, and which one is to be served."""

from pathlib import Path
from urllib.parse import quote

from embellie.store.models import FOLDER as MODELS
from embellie.store.models import Current, ModelStore, Run

__all__ = ["Current", "ModelStore", "Run", "current_model", "find_model", "models_of"]


def models_of(data: Path, site: str) -> ModelStore:
    """Return the store of one site's models in a data folder."""
    return ModelStore(data / MODELS / quote(site, safe=""))


def find_model(data: Path, model: str) -> bytes:
    """Return a model that a release names, whichever site it is of.

    Raises:
        InputError: It is not in the data folder, or damaged.
    """
    stores = [
        ModelStore(folder) for folder in sorted((data / MODELS).glob("*")) if (folder / f"{model}.model").is_file()
    ]
    return (stores[0] if stores else ModelStore(data / MODELS)).load(model)


def current_model(data: Path, site: str) -> str:
    """Return the address of the model that a site's last good training made; `""` when there is none."""
    current = models_of(data, site).current()
    return "" if current is None else current.run.model
