"""The demo: its audit, what it checks, and that it notices when something is not as expected."""

from __future__ import annotations

import io
import json
from datetime import datetime

import pytest
from rich.console import Console

from e2e.conftest import rules_stack
from e2e.fleet import OTHER_KEY, fleet, instance, old_copy
from local_cloud import command_line, layout, scenarios
from local_cloud.build import progress
from local_cloud.demo import Destination, box, duration, endings, show, summary

SCENARIO = layout.SCENARIOS / "demo.json"
FIELDS = {"kind", "id", "outcome", "source", "copy", "reason", "startedAt", "finishedAt", "pruned"}


@pytest.fixture
def perform(cloud, tmp_path):
    """Runs the demo in the session's cloud, faster than usual. Returns differences, audit and what was printed."""

    def perform(scenario, expected, stack=layout.STACK, drills=None):
        cloud.set_scale(240)
        # The audit is of this fleet alone, whatever other tests have run on the same stack.
        cloud.forget_executions()
        printed = io.StringIO()
        console = Console(file=printed, width=150, highlight=False)
        differences = show(console, cloud, scenario, expected, tmp_path / "audit.json", stack, drills)
        return differences, json.loads((tmp_path / "audit.json").read_text()), printed.getvalue()

    return perform


@pytest.mark.xdist_group("rules")
def test_the_demo_shows_what_its_scenario_expects(cloud, perform, tmp_path):
    scenario = scenarios.read(SCENARIO)
    source = scenario["regions"][layout.SOURCE_REGION]
    assert len(source["instances"]) >= 16
    assert len(source["clusters"]) >= 6

    drills = scenarios.drills(SCENARIO)
    cloud.deploy_watch(**drills["parameters"])

    differences, audit, printed = perform(scenario, scenarios.expectations(SCENARIO), rules_stack(cloud), drills)
    assert differences == [], printed

    databases = {("instance", one["id"]) for one in source["instances"]} | {
        ("cluster", one["id"]) for one in source["clusters"]
    }
    retired = {("instance", "old-shop"), ("instance", "campaign")}
    assert {(record["kind"], record["id"]) for record in audit} == databases | retired
    assert len(audit) == len(databases | retired)
    for record in audit:
        assert record.keys() >= FIELDS
        assert record["reason"], record
        started, finished = (
            datetime.fromisoformat(record[at].replace("Z", "+00:00")) for at in ("startedAt", "finishedAt")
        )
        assert started <= finished
        assert isinstance(record["pruned"], list)
        if record["outcome"] in ("copied", "current"):
            assert record["source"].startswith("rds:")
            assert record["copy"].startswith(f"{layout.OWNER_ID}-")
        if record["outcome"] in ("nothing", "left out", "retired"):
            assert record["source"] is None
            assert record["copy"] is None
    by_name = {record["id"]: record for record in audit}
    aliases = cloud.simulator.aliases()
    assert by_name["ledger"]["outcome"] == "failed"
    assert by_name["ledger"]["error"] == "CopyFailed"
    assert by_name["ledger"]["copy"].startswith("acme-ledger-")
    assert aliases[by_name["payments"]["copy"]] == "acme-payments-unverified"
    assert by_name["payroll"]["error"] == "OptionGroupMissing"
    assert by_name["payroll"]["copy"] is None
    assert "[Timezone]" in by_name["payroll"]["reason"]
    assert [aliases[kept] for kept in by_name["old-shop"]["kept"]] == [
        "acme-old-shop-54d-old",
        "acme-old-shop-47d-old",
        "acme-old-shop-40d-old",
    ]
    # One more is too many, but a run deletes two at most.
    assert "acme-orders-75h-old" in [aliases[kept] for kept in by_name["orders"]["kept"] if kept in aliases]
    assert by_name["reporting"]["pruned"] == []
    assert "not encrypted" in by_name["events"]["warnings"][0]
    # Where lines are broken is of no importance.
    printed = " ".join(printed.split())
    for expected in (
        # What the program says of it.
        "snapferry run --follow --stack",
        "instance customers: copying",
        "instance campaign (retired): succeeded",
        ": 20 copied, 1 current, 1 nothing, 1 unsupported, 2 retired, 2 failed.",
        "instance ledger: CopyFailed RDS reports the copy acme-ledger-",
        "2 of 23 databases miss the RPO of 26 h: no verified copy of data that young in eu-central-1.",
        "snapferry drill customers identity analytics --follow",
        # And the demo.
        "identity: failed. Its copy is encrypted with alias/vault",
        "ledger, failed (CopyFailed)",
        "The scenario lets RDS give up",
        "payroll, failed (OptionGroupMissing)",
        "Found out before the first copy",
        "tickets, unsupported: RDS cannot copy snapshots of Multi-AZ DB clusters",
        "holds 21 of 37 manual instance snapshots",
        "cluster events is not encrypted",
        "instance reporting: the tag snapferry:keep-days is not a whole number",
        "6 copies are of databases that no longer exist: campaign (2), old-shop (4)",
        "The copy of instance identity is encrypted with another key than the others",
        "The copy of instance finance has the option group copies-tz",
        "5 hand-made snapshots survived",
        # N21.
        "20 databases copied and verified (1.8 TiB).",
        "2 failed on purpose: ledger, payroll.",
        "5 foreign snapshots untouched.",
        "3 drills: 1 passed, 1 failed, 1 not-run.",
        "Everything was as expected.",
    ):
        assert expected in printed, printed
    assert "a fortnight" not in printed
    page = (tmp_path / "audit.html").read_text()
    assert "2 of 23 databases miss the RPO of 26 h: no verified copy of data that young." in page
    assert f"as a shareable page in {tmp_path}/audit.html" in printed
    # The program's audit and that of the demo, which reads the executions on its own, say the same.
    latest = {}
    for entry in reversed(json.loads(snapferry_audit(cloud))["entries"]):
        deleted = sorted(copy["id"] for copy in entry["deleted"])
        latest[entry["kind"], entry["database"]] = (entry["outcome"], entry.get("error"), deleted)
    assert latest == {
        (record["kind"], record["id"]): (record["outcome"], record["error"], sorted(record["pruned"]))
        for record in audit
        if record["execution"]
    }


def snapferry_audit(cloud):
    return command_line.run(cloud, "audit", "--json", "--stack", rules_stack(cloud)).stdout


def test_the_demo_notices_what_is_not_as_expected(perform):
    orders = instance("orders", tags={"snapferry:keep": "1"})
    scenario = fleet([orders], destination=[old_copy("orders", age) for age in (27, 51, 75)])
    expected = {
        "outcomes": {"instance:orders": "failed"},
        "errors": {"instance:orders": "CopyFailed"},
        "deleted": ["theirs"],
        "keys": {"instance:orders": OTHER_KEY},
        "optionGroups": {"instance:orders": "copies-tz"},
        "warnings": ["the sky is falling"],
    }
    differences, _, printed = perform(scenario, expected)
    assert differences == [
        "The outcome of instance:orders is copied, expected was failed.",
        "The error of instance:orders is None, expected was CopyFailed.",
        f"The copy of instance:orders is not encrypted with {OTHER_KEY}.",
        "The copy of instance:orders does not have the option group copies-tz.",
        "There was no warning that says: the sky is falling",
        "This warning was not expected: instance orders: the tag snapferry:keep asks for less than the stack keeps, "
        "which holds",
        "acme-orders-75h-old was deleted, which was not expected.",
        "theirs should have been deleted.",
    ]
    for difference in differences:
        assert difference in printed


def test_the_demo_notices_an_exit_code_that_does_not_say_what_happened():
    copied = {"execution": "i-orders", "outcome": "copied", "error": None}
    failed = {"execution": "i-ledger", "outcome": "failed", "error": "CopyFailed"}
    excluded = {"execution": "c-tickets", "outcome": "unsupported", "error": None}
    well = {"drill": 2, "run": 0, "audit": 0, "audit --html": 0, "status": 0}
    assert endings(well, [copied, excluded]) == []
    assert endings({**well, "run": 2, "status": 2}, [copied, failed]) == []
    assert endings({**well, "run": 1, "status": 2}, [failed]) == []
    assert endings({**well, "audit": 1}, [copied, failed]) == [
        "`snapferry run` ended with exit code 0, expected was 2.",
        "`snapferry audit` ended with exit code 1, expected was 0.",
        "`snapferry status` ended with exit code 0, expected was 2.",
    ]


def test_the_demo_ends_with_a_few_lines_whose_words_are_whole():
    """N21."""

    def record(name, outcome, error=None, kind="instance"):
        return {"kind": kind, "id": name, "outcome": outcome, "error": error, "copyArn": f"arn:{name}"}

    def snapshot(owned, size):
        return Destination("id", "alias", "instance", owned, "available", "key", "", size)

    records = [
        record("orders", "copied"),
        record("billing", "copied", kind="cluster"),
        record("ledger", "failed", "CopyFailed"),
        record("tickets", "unsupported", kind="cluster"),
        record("old-shop", "retired"),
    ]
    before = {"arn:old": snapshot(True, 5), "arn:theirs": snapshot(False, 5)}
    after = {"arn:orders": snapshot(True, 1100), "arn:billing": snapshot(True, 900), "arn:theirs": snapshot(False, 5)}
    expected = {"outcomes": {"instance:ledger": "failed"}}
    drills = {"orders": "passed", "billing": "failed", "ledger": "passed"}
    lines = summary(records, expected, [], before, after, "target/demo/audit.html", drills)
    assert lines == [
        "2 databases copied and verified (2.0 TiB).",
        "1 failed on purpose: ledger.",
        "1 not to be copied: cluster:tickets.",
        "3 drills: 2 passed, 1 failed.",
        "1 old copy pruned; 1 foreign snapshot untouched.",
        "Everything was as expected.",
        "Next: open target/demo/audit.html · make local-up · README.md, how to deploy.",
    ]
    wrong = summary(records, {"outcomes": {}}, ["It rains."], before, after, "audit.html", {})
    assert wrong[1] == "1 failed: ledger."
    assert wrong[4] == "1 thing was not as expected: see above."
    for width in (100, 60, 40):
        printed = io.StringIO()
        box(Console(file=printed, width=width, highlight=False), lines, ok=True)
        drawn = printed.getvalue().strip().splitlines()
        assert len(drawn) == 9 or width < 100
        assert all(len(line) <= width for line in drawn)
        words = " ".join(line.strip("│ ") for line in drawn[1:-1]).split()
        assert words == " ".join(lines).split()


def test_nothing_in_the_demo_is_under_way_before_it_starts():
    """N46: its time to go would be that of AWS, beside those of a clock that runs faster."""
    for snapshot in scenarios.read(SCENARIO)["regions"][layout.DESTINATION_REGION]["snapshots"]:
        assert snapshot.get("percent", 100) == 100 or snapshot.get("status") == "failed", snapshot


def test_a_duration_is_never_60_seconds_and_some_minutes():
    """N20."""
    assert [duration(seconds) for seconds in (59.6, 419.96, 420.4)] == ["60 s", "7 min 0 s", "7 min 0 s"]


def test_a_build_tells_how_many_crates_are_done(tmp_path):
    """N22."""
    log = tmp_path / "log"
    log.write_text("   Compiling a v1\n    Building [=>   ] 3/231: aws-sdk-rds, b(build.rs)\r{}\n   Compiling b v1\n")
    assert progress(log) == "crate 3 of 231, aws-sdk-rds"
    log.write_text("    Building [===> ] 229/231: start-copy(bin), prune-old(bin)\r")
    assert progress(log) == "crate 229 of 231, linking start-copy"
    log.write_text("sam: \n Uploading x\n")
    assert progress(log) == " Uploading x"
