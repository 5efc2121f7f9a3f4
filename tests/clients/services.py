"""The services of this kiln and what they serve, from services/*/service.toml: nothing here lists them."""
import json
import tomllib

from kiln import ROOT

FOLDERS = sorted(path.parent for path in (ROOT / "services").glob("*/service.toml"))


def botocore_names():
    """What botocore calls each service that has a folder."""
    return [tomllib.loads((folder / "service.toml").read_text())["botocore"] for folder in FOLDERS]


def served(botocore_name):
    """The operations of a service that have a row."""
    return served_by(FOLDERS[botocore_names().index(botocore_name)])


def served_by(folder):
    """The same of the service that has this folder."""
    return sorted(json.loads((folder / "shapes" / "model.json").read_text())["operations"])
