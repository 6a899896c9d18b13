"""The demo: its audit, what it checks, and that it notices when something is not as expected."""

from __future__ import annotations

import io
import json
from datetime import datetime

import pytest
from fleet import fleet, instance, old_copy
from localcloud import layout
from localcloud.demo import expectations, show
from rich.console import Console

SCENARIO = layout.SCENARIOS / "demo.json"
FIELDS = {"kind", "id", "outcome", "source", "copy", "reason", "startedAt", "finishedAt", "pruned"}


@pytest.fixture
def perform(cloud, tmp_path):
    """Runs the demo in the session's cloud, faster than usual. Returns differences, audit and what was printed."""

    def perform(scenario, expected):
        cloud.set_scale(240)
        printed = io.StringIO()
        differences = show(Console(file=printed, width=150), cloud, scenario, expected, tmp_path / "audit.json")
        return differences, json.loads((tmp_path / "audit.json").read_text()), printed.getvalue()

    return perform


def test_the_demo_shows_what_its_scenario_expects(perform):
    scenario = json.loads(SCENARIO.read_text())
    source = scenario["regions"][layout.SOURCE_REGION]
    assert len(source["instances"]) >= 16
    assert len(source["clusters"]) >= 6

    differences, audit, printed = perform(scenario, expectations(SCENARIO))
    assert differences == [], printed

    databases = {("instance", one["id"]) for one in source["instances"]} | {
        ("cluster", one["id"]) for one in source["clusters"]
    }
    assert {(record["kind"], record["id"]) for record in audit} == databases
    assert len(audit) == len(databases)
    for record in audit:
        assert FIELDS <= record.keys()
        assert record["reason"], record
        started, finished = (
            datetime.fromisoformat(record[at].replace("Z", "+00:00")) for at in ("startedAt", "finishedAt")
        )
        assert started <= finished
        assert isinstance(record["pruned"], list)
        if record["outcome"] in ("copied", "current"):
            assert record["source"].startswith("rds:")
            assert record["copy"].startswith(f"{layout.OWNER_ID}-")
        if record["outcome"] in ("nothing", "left out"):
            assert record["source"] is None and record["copy"] is None
    by_name = {record["id"]: record for record in audit}
    assert by_name["ledger"]["outcome"] == "failed"
    assert by_name["ledger"]["error"] == "CopyFailed"
    assert by_name["ledger"]["copy"].startswith("acme-ledger-")
    assert by_name["payments"]["copy"] == "acme-payments-under-way"
    for expected in ("ledger, failed (CopyFailed)", "The scenario lets RDS give up", "5 hand-made snapshots survived"):
        assert expected in printed, printed


def test_the_demo_notices_what_is_not_as_expected(perform):
    scenario = fleet([instance("orders")], destination=[old_copy("orders", age) for age in (27, 51, 75)])
    expected = {
        "outcomes": {"instance:orders": "failed"},
        "errors": {"instance:orders": "CopyFailed"},
        "deleted": ["theirs"],
    }
    differences, _, printed = perform(scenario, expected)
    assert differences == [
        "The outcome of instance:orders is copied, expected was failed.",
        "The error of instance:orders is None, expected was CopyFailed.",
        "acme-orders-75h-old was deleted, which was not expected.",
        "theirs should have been deleted.",
    ]
    for difference in differences:
        assert difference in printed
