"""What drills leave behind in a local cloud: their proofs, and databases that should be gone."""

from __future__ import annotations

import json
from typing import Any

from . import layout
from .cloud import LocalCloud

Json = Any


def proofs(cloud: LocalCloud) -> dict[str, Json]:
    """The last proof of each database, by its kind and resource id (`instance-db-ORDERS`)."""
    ssm = cloud.client("ssm", layout.DESTINATION_REGION)
    path = f"/snapferry/{layout.OWNER_ID}/{layout.SOURCE_REGION}/drills"
    found = ssm.get_parameters_by_path(Path=path)["Parameters"]
    return {parameter["Name"].rsplit("/", 1)[1]: json.loads(parameter["Value"]) for parameter in found}


def drill_databases(cloud: LocalCloud) -> list[str]:
    """What drills restored that is still there."""
    databases = cloud.simulator.state()["regions"][layout.DESTINATION_REGION]["databases"]
    return [one["id"] for one in databases if "-drill-" in one["id"]]
