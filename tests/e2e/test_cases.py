"""What people who do this job ran into, and what is right: every file of `cases`, as `make scenario` runs it.

A local cloud of their own: some of them put its clock forward.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud import scenario_file
from local_cloud.cloud import LocalCloud
from local_cloud.report import Problem, Report
from local_cloud.scenario import SCALE, check_parameters, play

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))

NOT_RIGHT_YET: dict[str, str] = {
    "01b-restored-tags-on-the-database-only": "tags that travel count as facts (H2, H5)",
    "03-one-copy-is-deleting": "a snapshot that is `deleting` ends the pruning (M1)",
    "04-one-copy-cannot-be-deleted": "a refused delete ends the pruning (M1)",
    "06-thirty-seven-tags": "no room for the tag `verified` (H1)",
    "07-renamed-and-the-old-snapshots-have-expired": "retention does not find copies under an old name (P1)",
    "08-read-replica-without-backups": "what makes no snapshots is measured (D3)",
    "09-aws-backup-holds-the-snapshots": "a guess is given as the reason (D3)",
    "11-event-after-a-switchover": "an event finds its database by name (H6, L3)",
    "12-tag-keys-in-another-case": "a tag in another spelling is ignored (M6)",
    "13-look-alike-of-a-restored-database": "ownership by prefix and tag alone (H5)",
    "14-source-key-of-another-account": "the source key's account is taken for ours (D8)",
    "15-names-of-the-members-of-a-restored-cluster": "member names are cut at a fixed place (D11)",
    "20-a-partition-that-is-not-known": "an unknown partition is taken for the commercial one",
    "22-stopped-so-that-there-is-no-newer-snapshot": "the program advises a run that copies nothing",
    "25-a-class-that-is-not-offered-there": "the class is not looked up; nor does the simulator answer what is offered",
    "event-about-a-snapshot-that-has-expired": "an event about what is gone fails (L3)",
    "look-alike-made-on-the-way": "ownership by prefix and tag alone (H5)",
    "signature-refused-because-the-clock-is-off": "the advice is to sign in again",
    "two-stacks-with-one-owner-id": "another stack's copies are pruned without a word (M11)",
}
"""Cases by name, with the reason why what they expect does not come yet. One that comes has to go from here."""

pytestmark = pytest.mark.xdist_group("cases")


@pytest.fixture(scope="module")
def cases_cloud(pytestconfig: pytest.Config) -> Iterator[LocalCloud]:
    """One local cloud for all cases, with the functions as `make scenario` builds them."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    name = f"cases-{worker}" if worker else "cases"
    cloud = LocalCloud(name, scale=SCALE, report=Report(sys.stderr, quiet=bool(worker)))
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        cloud.__enter__()
    try:
        yield cloud
    finally:
        cloud.stop()


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_what_a_case_expects_comes(cases_cloud, file):
    case = scenario_file.read(file)
    check_parameters(case.parameters)
    reason = NOT_RIGHT_YET.get(case.name)
    try:
        answer, differences = play(cases_cloud, case)
    except Problem as problem:
        if not reason:
            raise
        answer, differences = {}, [str(problem)]
    if reason and differences:
        pytest.xfail(f"{reason}: {'; '.join(differences)}")
    assert not reason, f"{case.name} comes out right: strike it off NOT_RIGHT_YET"
    assert not differences, json.dumps(answer, indent=2)


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_a_case_expects_something(file):
    case = scenario_file.read(file)
    demanded = [step for step in case.then if step.keys() & {"exit", "says"}]
    assert case.expect or demanded
