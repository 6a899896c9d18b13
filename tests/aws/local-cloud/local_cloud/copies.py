"""Copies that an earlier run made, as the simulator is seeded with them: the one place where Python spells their tags.

Ages are hours before the moment of seeding. The simulator replaces `{time:HOURS}` and `{stamp:HOURS}`, and names the
copies as Snapferry does, by their tags.
"""

from __future__ import annotations

from typing import Any

from . import layout

Json = Any

OWNER_TAG = f"{layout.SOURCE_REGION}/{layout.OWNER_ID}"


def source_arn(kind: str, database: str, age: float) -> str:
    """The ARN of the automated snapshot of that age."""
    resource = {"instance": "snapshot", "cluster": "cluster-snapshot"}[kind]
    return f"arn:aws:rds:{layout.SOURCE_REGION}:{layout.ACCOUNT}:{resource}:rds:{database}-{{stamp:{age:g}}}"


def tags(
    kind: str,
    database: str,
    resource_id: str,
    age: float,
    requested: float,
    verified: float | None,
    version: int = 1,
) -> dict[str, str]:
    """The tags of a copy of the automated snapshot of that age; those of its settings are left out.

    Those of version 1, which is recognised for ever, or of version 2.
    """
    known = {
        "owner": OWNER_TAG,
        "source-arn": source_arn(kind, database, age),
        "source-id": database,
        "source-resource-id": resource_id,
        "source-created": f"{{time:{age:g}}}",
        "requested": f"{{time:{requested:g}}}",
        "attempt": "0",
    }
    if version == 1:
        known["kms-key"] = layout.KEY_ARN
    else:
        known |= {"format": str(version), "copy-kms-key": layout.KEY_ARN, "stack": layout.STACK}
    if verified is not None:
        known["verified"] = f"{{time:{verified:g}}}"
    return {f"snapferry:{name}": value for name, value in known.items()}


def copy_of(
    kind: str, database: str, resource_id: str, *, age: float, requested: float, verified: float | None, **more: Json
) -> Json:
    """Such a copy as a snapshot of a scenario; it wants an `id`, and more if it is not like every other.

    The `id` is an alias: its identifier is the one that the naming function makes of its tags.
    """
    return {
        "kind": kind,
        "database": database,
        "ageHours": requested,
        "originalAgeHours": age,
        "sourceArn": source_arn(kind, database, age),
        "resourceId": resource_id,
        "kmsKey": "alias/copies",
        "tags": tags(kind, database, resource_id, age, requested, verified),
        "copyOf": {"attempt": 0},
        **more,
    }
