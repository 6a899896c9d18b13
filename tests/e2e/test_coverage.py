"""Every Task under every error: MiniStack must end executions as the runner in Rust does.

The scenarios, what their Tasks return and how they end: `tests/deployment/scenarios.json`, which
`tests/deployment/tests/coverage.rs` writes. `docs/faults.md` is the same as a table.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from local_cloud import layout

FILE = json.loads((layout.ROOT / "tests" / "deployment" / "scenarios.json").read_text())
SCENARIOS = FILE["scenarios"]
MACHINES = sorted({one["machine"] for one in SCENARIOS})
DRILLS = {"drill-fleet", "drill-copy", "keep-evidence"}
"""The machines of the stack of the destination region, which one worker deploys."""
WITH_MAP = {"copy-fleet", "drill-fleet"}
"""Machines whose history has no states inside Map and Parallel: see `history_inside_map` of test_divergences."""
STATES = [
    pytest.param(
        machine,
        state,
        id=f"{machine}-{state}",
        marks=[pytest.mark.xdist_group("drills")] if machine in DRILLS else [],
    )
    for machine, state in sorted({(one["machine"], one["state"]) for one in SCENARIOS})
]

DIVERGENT = {"States.DataLimitExceeded"}
"""Errors that MiniStack catches and AWS does not: see `states_all` of test_divergences."""
ALL_THE_SAME = {("drill-copy", "RunCheck"), ("drill-fleet", "PlanDrills")}
"""Where that makes no difference: the first names the error, the second fails under its name, caught or not."""


@pytest.fixture
def scripted(cloud):
    """Waits and retries that take no time, and scripts that are forgotten afterwards."""
    cloud.set_wait_scale(1e9)
    yield lambda scripts: cloud.configure("stepfunctions._sfn_mock_config", {"Scripts": scripts})
    cloud.configure("stepfunctions._sfn_mock_config", {})


def answer(word):
    """What a Task returns by a word of a script."""
    if word in FILE["answers"]:
        return FILE["answers"][word]
    if word == "States.Timeout":
        return {"error": word}
    if "." in word:
        return {"error": word, "cause": "As the test wants it."}
    return {"error": word, "cause": json.dumps({"errorType": word, "errorMessage": "As the test wants it."})}


def script(scenario):
    """The answers of all Tasks of a scenario."""
    words = {**FILE["usual"], **scenario["script"]}
    return {state: [answer(word) for word in said] for state, said in words.items()}


def without_digests(text):
    """A digest in a name is of the execution's ARN, which is another one here."""
    return re.sub(r"-[0-9a-f]{8}", "-########", text)


def story(runs, arn, scenario):
    """How an execution ended, as far as MiniStack reports."""
    execution = runs.wait(arn, 120)
    ended = {"status": execution.status}
    if execution.status == "SUCCEEDED":
        ended["output"] = {field: execution.output.get(field) for field in scenario["ended"].get("output", {})}
    else:
        ended |= {"error": execution.error, "cause": execution.cause}
    events = runs.history(arn)
    ended["tries"] = sum(event["type"] == "TaskScheduled" for event in events)
    if scenario["machine"] not in WITH_MAP:
        ended["path"] = [
            event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event
        ]
    return json.loads(without_digests(json.dumps(ended)))


def expected(scenario):
    """What the file says, as far as MiniStack reports."""
    ended = dict(scenario["ended"])
    ended["tries"] = sum(ended.pop("attempts").values())
    if scenario["machine"] in WITH_MAP:
        del ended["path"]
    return ended


@pytest.mark.parametrize(("machine", "state"), STATES)
def test_a_task_under_every_error(request, cloud, scripted, machine, state):
    runs = request.getfixturevalue("drills" if machine in DRILLS else "runs")
    scenarios = {
        f"covered-{state}-{number}": one
        for number, one in enumerate(SCENARIOS)
        if (one["machine"], one["state"]) == (machine, state)
    }
    scripted({name: script(one) for name, one in scenarios.items()})
    arn = runs.copy_fleet.replace("copy-fleet", machine)

    def run(item):
        name, scenario = item
        started = runs.start(FILE["inputs"][machine], arn, name)
        return scenario, story(runs, started, scenario)

    with ThreadPoolExecutor(8) as pool:
        for scenario, ended in pool.map(run, scenarios.items()):
            agrees = ended == expected(scenario)
            diverges = scenario["error"] in DIVERGENT and (machine, state) not in ALL_THE_SAME
            assert agrees != diverges, (scenario["error"], scenario["times"], ended, expected(scenario))


def test_every_error_that_a_machine_names_is_in_a_scenario():
    for machine in MACHINES:
        text = (layout.ROOT / "statemachine" / f"{machine}.asl.json").read_text()
        named = {name for names in re.findall(r'"ErrorEquals": (\[[^]]*\])', text) for name in json.loads(names)}
        covered = {one["error"] for one in SCENARIOS if one["machine"] == machine}
        assert named - {"States.ALL"} <= covered
