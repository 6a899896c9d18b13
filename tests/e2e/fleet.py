"""Small fleets for the tests, as scenarios of the simulator (`tests/aws/rds-simulator/src/scenario.rs`)."""

from __future__ import annotations

import hashlib
from typing import Any

from local_cloud import layout
from local_cloud.copies import copy_of

Json = dict[str, Any]

SOURCE_KEY = "11111111-1111-4111-8111-111111111111"
COPY_KEY = layout.KEY_ARN.rsplit("/", 1)[-1]
OTHER_KEY = "33333333-3333-4333-8333-333333333333"
"""A key of the destination region that the stack of the fixture `rules` allows, and the usual one does not."""
STRANGE_KEY = "44444444-4444-4444-8444-444444444444"
"""A key of the destination region that no stack allows."""


def resource_id(kind: str, name: str) -> str:
    """A resource id of the shape that RDS gives, the same for the same name."""
    return ("db-" if kind == "instance" else "cluster-") + hashlib.sha256(name.encode()).hexdigest().upper()[:26]


def instance(name: str, *ages_hours: float, **more: Any) -> Json:
    """An encrypted PostgreSQL instance with automated snapshots of these ages; one, three hours old, by default."""
    return {
        "id": name,
        "resourceId": resource_id("instance", name),
        "kmsKey": "alias/databases",
        "snapshots": [{"ageHours": age} for age in ages_hours or (3,)],
        "copies": {"durationSeconds": 60},
        **more,
    }


def cluster(name: str, *ages_hours: float, **more: Any) -> Json:
    """An encrypted Aurora cluster, likewise."""
    return instance(name, *ages_hours, **{"resourceId": resource_id("cluster", name), "members": 1, **more})


def oracle(name: str, option_group: str, **more: Any) -> Json:
    """An Oracle instance whose option group has a time zone, which nobody can remove from it."""
    return instance(name, engine="oracle-ee", optionGroup=option_group, permanentOptions=["Timezone"], **more)


def oracle_group(name: str) -> Json:
    """An option group with a time zone."""
    return {"name": name, "engine": "oracle-ee", "options": [{"name": "Timezone", "permanent": True}]}


def old_copy(name: str, age_hours: float, kind: str = "instance", verified: bool = True, **more: Any) -> Json:
    """A copy that an earlier run made of the automated snapshot of that age.

    It is recognised only if its name is the one that follows from its tags, so its `id` here is an alias.
    """
    given = {
        "id": f"{layout.OWNER_ID}-{name}-{age_hours:g}h-old",
        "engine": "postgres" if kind == "instance" else "aurora-postgresql",
        **more,
    }
    requested = age_hours - 1
    return copy_of(
        kind,
        name,
        resource_id(kind, name),
        age=age_hours,
        requested=requested,
        verified=requested if verified else None,
        **given,
    )


def by_hand(name: str, database: str, kind: str = "instance", **more: Any) -> Json:
    """A snapshot in the destination region that is none of ours."""
    return {
        "kind": kind,
        "id": name,
        "database": database,
        "ageHours": 1000,
        "engine": "postgres" if kind == "instance" else "aurora-postgresql",
        "kmsKey": "alias/copies",
        **more,
    }


def fleet(
    instances: list[Json] | None = None,
    clusters: list[Json] | None = None,
    destination: list[Json] | None = None,
    **destination_region: Any,
) -> Json:
    """A scenario: databases in the source region, snapshots (and settings) in the destination region."""
    return {
        "account": layout.ACCOUNT,
        "regions": {
            layout.SOURCE_REGION: {
                "kmsKeys": [{"id": SOURCE_KEY, "aliases": ["alias/databases"]}],
                "instances": instances or [],
                "clusters": clusters or [],
            },
            layout.DESTINATION_REGION: {
                "kmsKeys": [
                    {"id": COPY_KEY, "aliases": ["alias/copies"]},
                    {"id": OTHER_KEY, "aliases": ["alias/other"]},
                    {"id": STRANGE_KEY, "aliases": ["alias/strange"]},
                ],
                "snapshots": destination or [],
                **destination_region,
            },
        },
    }
