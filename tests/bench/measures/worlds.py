"""What the simulator is seeded with: the largest fleet of one page, and one database with very many snapshots."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from local_cloud import layout
from local_cloud.copies import source_arn, tags

Json = Any

TEAM_TAGS = {f"team:label-{number}": f"{number} is a rather long value".ljust(100, ".") for number in range(34)}
"""With our own 16, as many tags as AWS allows."""

MAX_IDENTIFIER_LENGTH = 63
"""Characters of the longest identifier that RDS takes."""

ENGINES = {"instance": ("postgres", "16.4", 200), "cluster": ("aurora-postgresql", "16.4", 1)}
"""Engine, version and allocated GiB by kind; Aurora says 1 whatever it holds."""


def long_name(name: str) -> str:
    """As long as an identifier can be."""
    return name + "x" * (MAX_IDENTIFIER_LENGTH - len(name))


def fleet(instances: int, clusters: int, copies: Iterable[Json] = ()) -> Json:
    """This many databases with names of full length, each cluster with two members, which are no targets."""
    return scenario(
        instances=[database("instance", long_name(f"instance-{number:03}-")) for number in range(instances)],
        clusters=[
            database("cluster", long_name(f"cluster-{number:03}-"))
            | {"members": [f"member-{number:03}-writer", f"member-{number:03}-reader"]}
            for number in range(clusters)
        ],
        copies=copies,
    )


def one_database(kind: str, snapshots: Iterable[int] = (), copies: Iterable[Json] = ()) -> Json:
    """The database `orders` with automated snapshots of these ages in hours, and these copies in the destination."""
    orders = database(kind, "orders") | {"snapshots": [{"ageHours": hours, "tags": TEAM_TAGS} for hours in snapshots]}
    return scenario(**{f"{kind}s": [orders]}, copies=list(copies))


def target(kind: str, **more: Json) -> Json:
    """The database `orders` as list-targets names it."""
    return {"kind": kind, "id": "orders", "resourceId": _resource_id(kind, "orders"), **more}


def database(kind: str, name: str) -> Json:
    """One database, encrypted and tagged."""
    engine, version, gib = ENGINES[kind]
    return {
        "id": name,
        "resourceId": _resource_id(kind, name),
        "engine": engine,
        "engineVersion": version,
        "allocatedStorage": gib,
        "kmsKey": "alias/databases",
        "tags": TEAM_TAGS,
    }


def scenario(*, instances: Json = (), clusters: Json = (), copies: Json = ()) -> Json:
    """Two regions with a key each, and room for every copy."""
    return {
        "regions": {
            layout.SOURCE_REGION: {
                "kmsKeys": [{"id": "11111111-1111-4111-8111-111111111111", "aliases": ["alias/databases"]}],
                "instances": list(instances),
                "clusters": list(clusters),
            },
            layout.DESTINATION_REGION: {
                "kmsKeys": [{"id": layout.KEY_ARN.rsplit("/", 1)[1], "aliases": ["alias/copies"]}],
                "manualSnapshotQuota": {"instances": 5000, "clusters": 5000},
                "snapshots": list(copies),
            },
        }
    }


def own_copy(kind: str, hours: int, name: str = "orders") -> Json:
    """A verified copy of the snapshot of this many hours ago, with the tags that start-copy writes.

    Named by them: the `id` is an alias.
    """
    engine, version, _ = ENGINES[kind]
    settings = {
        "class": "db.r6g.large",
        "engine-version": version,
        "parameter-group": f"default.{engine}16",
        "source-option-group": "default:postgres-16",
        "multi-az": "true",
    }
    return hand_made(kind, f"{layout.OWNER_ID}-{name}-{hours:012x}", hours) | {
        "database": name,
        "sourceArn": source_arn(kind, name, hours),
        "copyOf": {"attempt": 0},
        "tags": {
            **TEAM_TAGS,
            **tags(kind, name, _resource_id(kind, name), age=hours, requested=hours, verified=hours, version=2),
            **{f"snapferry:{setting}": value for setting, value in settings.items()},
        },
    }


def hand_made(kind: str, name: str, hours: int) -> Json:
    """A snapshot that somebody made by hand in the destination region, of a database called `orders` as well."""
    engine, version, gib = ENGINES[kind]
    return {
        "kind": kind,
        "id": name,
        "database": "orders",
        "type": "manual",
        "ageHours": hours,
        "engine": engine,
        "engineVersion": version,
        "allocatedStorage": gib,
        "kmsKey": "alias/copies",
        "tags": TEAM_TAGS,
    }


def _resource_id(kind: str, name: str) -> str:
    prefix = {"instance": "db", "cluster": "cluster"}[kind]
    # As long as real ones: 26 characters after the prefix.
    return f"{prefix}-{name.upper().replace('-', '')[:24]:0<26}"
