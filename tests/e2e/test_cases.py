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
from local_cloud.report import Report
from local_cloud.scenario import SCALE, check_parameters, play

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))

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
    answer, differences = play(cases_cloud, case)
    assert differences == [], json.dumps(answer, indent=2)


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_a_case_expects_something(file):
    case = scenario_file.read(file)
    demanded = [step for step in case.then if step.keys() & {"exit", "says"}]
    assert case.expect or demanded
