"""One local cloud for the whole session; each test seeds its own fleet into it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_cloud import layout, scenarios
from local_cloud.cloud import LocalCloud
from local_cloud.report import Report
from local_cloud.runs import Runs

layout.forget_real_account()

EVIDENCE_BUCKET = f"evidence-{layout.ACCOUNT}"
SCALE = 100.0
"""How many times faster than on AWS copies, waits and retries are, unless a test says otherwise."""


@pytest.fixture(scope="session")
def session_cloud(pytestconfig: pytest.Config) -> Iterator[LocalCloud]:
    """MiniStack with the deployed template, and the simulator. Stopped at the end, whatever happens."""
    # With pytest-xdist each worker has a cloud of its own.
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    cloud = LocalCloud(
        f"e2e-{worker}" if worker else "e2e",
        scale=SCALE,
        report=Report(sys.stderr, quiet=bool(worker)),
        released=True,
    )
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        cloud.__enter__()
    try:
        yield cloud
    finally:
        cloud.stop()


@pytest.fixture
def cloud(session_cloud: LocalCloud) -> Iterator[LocalCloud]:
    """The session's cloud, at its usual pace, without faults, and left with nothing running."""
    session_cloud.set_scale(SCALE)
    yield session_cloud
    session_cloud.simulator.release_all()
    session_cloud.simulator.clear_faults()
    session_cloud.stop_all_runs()


@pytest.fixture
def runs(cloud: LocalCloud) -> Runs:
    """The deployed state machines."""
    return cloud.runs()


@pytest.fixture
def rules(cloud: LocalCloud) -> Runs:
    """The state machines of a stack of which every rule is set, the one of the demo.

    Its key is given as an alias, another key is allowed, an option group is mapped, Neptune and DocumentDB are
    included, and copies of deleted databases are pruned.
    """
    return cloud.runs(rules_stack(cloud))


def rules_stack(cloud: LocalCloud) -> str:
    """The name of that stack, which is deployed when first asked for."""
    return cloud.stack_with("rules", **scenarios.parameters(layout.SCENARIOS / "demo.json"))


@pytest.fixture(scope="session")
def drilled_cloud(session_cloud: LocalCloud) -> LocalCloud:
    """The session's cloud with the stack of the destination region, and a bucket for its evidence."""
    where = {"LocationConstraint": layout.DESTINATION_REGION}
    s3 = session_cloud.client("s3", layout.DESTINATION_REGION)
    s3.create_bucket(Bucket=EVIDENCE_BUCKET, CreateBucketConfiguration=where)
    session_cloud.deploy_watch(DrillClusters="full", EvidenceBucket=EVIDENCE_BUCKET)
    return session_cloud


@pytest.fixture
def drills(cloud: LocalCloud, drilled_cloud: LocalCloud) -> Runs:
    """The state machines of the drills."""
    assert cloud is drilled_cloud
    return cloud.runs(layout.WATCH_STACK, layout.DESTINATION_REGION)


@pytest.fixture
def seed(cloud: LocalCloud) -> Callable[[Any], dict[str, str]]:
    """Replaces everything in the simulator by a scenario. Returns the identifiers of the copies in it by their `id`."""

    def seed(scenario: Any) -> dict[str, str]:
        cloud.simulator.seed(scenario)
        return {alias: name for name, alias in cloud.simulator.aliases().items()}

    return seed


class Counts:
    """The simulator's counters, read when asked."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud

    def calls(self, *operations: str, region: str | None = None) -> int:
        """How often these operations were called, refused calls included."""
        by_operation = self.cloud.simulator.counters()["calls"]
        return sum(
            count
            for operation in operations
            for where, count in by_operation.get(operation, {}).items()
            if region in (None, where)
        )

    def copies_asked_for(self) -> int:
        """How often a copy was asked for."""
        return self.calls("CopyDBSnapshot", "CopyDBClusterSnapshot")

    def writes(self) -> int:
        """How often anything was asked for that changes something."""
        return self.copies_asked_for() + self.calls("AddTagsToResource", "DeleteDBSnapshot", "DeleteDBClusterSnapshot")

    def of_copies(self, kind: str = "instance") -> Any:
        """The counters of copies of a kind into the destination region."""
        return self.cloud.simulator.counters()["copies"].get(layout.DESTINATION_REGION, {}).get(f"{kind}s", {})

    def refusals(self) -> Any:
        """Refused calls by reason."""
        return self.cloud.simulator.counters()["refusals"]


@pytest.fixture
def counts(cloud: LocalCloud) -> Counts:
    """What was called since the fleet was seeded."""
    return Counts(cloud)


class Destination:
    """The destination region as an operator sees it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.rds = cloud.client("rds", layout.DESTINATION_REGION)

    def snapshots(self, kind: str = "instance") -> dict[str, Any]:
        """Manual snapshots by name, each with its tags as a dictionary under `Tags`, but for those that are going."""
        operation, field, name = (
            ("describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier")
            if kind == "instance"
            else ("describe_db_cluster_snapshots", "DBClusterSnapshots", "DBClusterSnapshotIdentifier")
        )
        found = {}
        for page in self.rds.get_paginator(operation).paginate(SnapshotType="manual"):
            for snapshot in page[field]:
                if snapshot["Status"] == "deleting":
                    continue
                snapshot["Tags"] = {tag["Key"]: tag["Value"] for tag in snapshot.get("TagList", [])}
                found[snapshot[name]] = snapshot
        return found

    def verified(self, kind: str = "instance") -> dict[str, int]:
        """Verified, available copies by the ARN of their source."""
        found: dict[str, int] = {}
        for snapshot in self.snapshots(kind).values():
            verified = snapshot["Tags"].get("snapferry:verified", "mismatch")
            if snapshot["Status"] == "available" and verified != "mismatch":
                source = snapshot["Tags"]["snapferry:source-arn"]
                found[source] = found.get(source, 0) + 1
        return found


@pytest.fixture
def destination(cloud: LocalCloud) -> Destination:
    """Where the copies are."""
    return Destination(cloud)
