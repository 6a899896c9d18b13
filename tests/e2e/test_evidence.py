"""The evidence of a day, as keep-evidence writes it to a bucket."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from e2e.conftest import EVIDENCE_BUCKET
from e2e.fleet import cluster, fleet, instance
from local_cloud import layout
from local_cloud.cloud import LocalCloud
from local_cloud.runs import Execution, Runs

Json = Any

pytestmark = pytest.mark.xdist_group("drills")

DATABASES_PER_PART = 30
"""As in functions/measure-copies/src/evidence.rs."""


def written(cloud: LocalCloud, folder: str) -> dict[str, bytes]:
    """What is in a folder of the bucket, by name."""
    s3 = cloud.client("s3", layout.DESTINATION_REGION)
    listed = s3.list_objects_v2(Bucket=EVIDENCE_BUCKET, Prefix=folder).get("Contents", [])
    read = {one["Key"]: s3.get_object(Bucket=EVIDENCE_BUCKET, Key=one["Key"])["Body"].read() for one in listed}
    return {name.removeprefix(folder): content for name, content in read.items()}


def record(drills: Runs, seconds: float = 60) -> Execution:
    machine = drills.copy_fleet.replace("copy-fleet", "keep-evidence")
    return drills.wait(drills.start({}, machine), seconds)


@pytest.mark.parametrize("as_json", [False, True], ids=["as it is", "as JSON"])
def test_a_day_is_a_record_and_a_page_however_aws_writes_strings(
    cloud: LocalCloud, runs: Runs, drills: Runs, seed: Callable[[Json], dict[str, str]], as_json: bool
) -> None:
    seed(fleet([instance("orders")], [cluster("billing")]))
    runs.run()
    cloud.write_strings_to_buckets(as_json=as_json)
    try:
        ended = record(drills)
    finally:
        cloud.write_strings_to_buckets(as_json=False)
    assert ended.status == "SUCCEEDED", ended
    folder = ended.output["folder"]
    assert re.fullmatch(rf"{layout.OWNER_ID}/{layout.SOURCE_REGION}/\d{{4}}-\d\d-\d\d/", folder)
    assert ended.output == {"bucket": EVIDENCE_BUCKET, "folder": folder, "parts": 1, "databases": 2}

    kept = written(cloud, folder)
    of_day = json.loads(kept["part-001.json"])
    assert {(one["kind"], one["id"]) for one in of_day["databases"]} == {
        ("instance", "orders"),
        ("cluster", "billing"),
    }
    assert (of_day["databasesInAll"], of_day["region"]) == (2, layout.DESTINATION_REGION)
    assert all(one["restorable"] == "yes" and one["withinObjective"] for one in of_day["databases"]), of_day
    page = kept["part-001.html"].decode()
    assert (page[0] == page[-1] == '"') is as_json
    assert page.strip('"').startswith("<!doctype html>")
    assert page.strip('"').endswith("</html>")
    assert "orders" in page
    assert '"' not in page.strip('"')


def test_many_databases_are_written_in_parts_and_the_same_day_once(
    cloud: LocalCloud, runs: Runs, drills: Runs, seed: Callable[[Json], dict[str, str]]
) -> None:
    names = {f"orders-{number:02}" for number in range(DATABASES_PER_PART + 5)}
    seed(fleet([instance(name) for name in sorted(names)]))
    runs.run()
    folder = ""
    for _time in range(2):
        ended = record(drills)
        assert (ended.output["parts"], ended.output["databases"]) == (2, len(names))
        folder = ended.output["folder"]
    kept = written(cloud, folder)
    assert set(kept) == {f"part-00{number}.{kind}" for number in (1, 2) for kind in ("json", "html")}
    parts = [json.loads(kept[f"part-00{number}.json"])["databases"] for number in (1, 2)]
    assert [len(part) for part in parts] == [DATABASES_PER_PART, 5]
    assert {one["id"] for part in parts for one in part} == names
    assert b"href='part-002.html'" in kept["part-001.html"]
    assert b"href=" not in kept["part-002.html"]


def test_a_bucket_that_is_gone_fails_the_day_and_says_so(
    cloud: LocalCloud, drills: Runs, seed: Callable[[Json], dict[str, str]]
) -> None:
    seed(fleet([instance("orders")]))
    s3 = cloud.client("s3", layout.DESTINATION_REGION)
    for one in s3.list_objects_v2(Bucket=EVIDENCE_BUCKET).get("Contents", []):
        s3.delete_object(Bucket=EVIDENCE_BUCKET, Key=one["Key"])
    s3.delete_bucket(Bucket=EVIDENCE_BUCKET)
    cloud.set_wait_scale(1e9)
    try:
        ended = record(drills)
    finally:
        where = {"LocationConstraint": layout.DESTINATION_REGION}
        s3.create_bucket(Bucket=EVIDENCE_BUCKET, CreateBucketConfiguration=where)
    assert (ended.status, ended.error) == ("FAILED", "S3.NoSuchBucketException"), ended
