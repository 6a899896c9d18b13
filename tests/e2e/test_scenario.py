"""`make scenario`: what a case may hold, how it is compared with what came, and the command itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timezone

import pytest

from e2e.fleet import fleet, instance, old_copy
from e2e.test_local_cloud import call
from local_cloud import layout, scenario_expect, scenario_file, scenario_schema
from local_cloud.clock import Clock
from local_cloud.scenario import check_parameters
from local_cloud.scenario_file import CaseError

# What a case may hold


def problems(**case):
    return list(scenario_file.problems({"seed": {"regions": {"eu-west-1": {}}}, **case}))


def test_a_case_with_every_field_is_read(tmp_path):
    file = tmp_path / "every-field.json"
    whole = {
        "note": "for the reader",
        "seen": "anything",
        "seed": {"account": "123456789012", "regions": {"eu-west-1": {}}},
        "parameters": {"KeepCopies": 5, "DryRun": True, "Selection": "opt-in"},
        "faults": [{"operation": "DeleteDBSnapshot", "times": 1, "action": {"error": {"code": "X"}}}],
        "input": {"only": ["books"]},
        "then": [
            {"run": {}},
            {"wait": 24.5},
            {"delete-snapshot": "a"},
            {"delete-snapshot": {"name": "a", "region": "eu-west-1"}},
            {"create-snapshot": "books"},
            {"create-snapshot": {"database": "cluster:books", "type": "manual", "id": "b", "tags": {"a": "b"}}},
            {"restore": {"snapshot": "a", "database": "books-2"}},
            {"rename": {"name": "books", "to": "books-old"}},
            {"command": ["status", "--json"], "exit": 0, "capture": "(a)", "says": ["b"]},
        ],
        "expect": {
            "run": "SUCCEEDED",
            "outcomes": {"instance:books": "copied*"},
            "reasons": {"cluster:books": "AWS Backup"},
            "copies": [1, 2],
            "left": ["a"],
            "warnings": ["b"],
            "metrics": {"Databases": [1, 1.5]},
            "captured": "distinct identifiers",
        },
    }
    file.write_text(json.dumps(whole))
    case = scenario_file.read(file)
    assert case.name == "every-field"
    assert case.parameters == {"KeepCopies": "5", "DryRun": "true", "Selection": "opt-in"}
    assert (case.input, len(case.then), case.expect["copies"]) == ({"only": ["books"]}, 9, [1, 2])


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ({"faluts": []}, "faluts: unknown field; did you mean `faults`?"),
        ({"seed": {"regions": {"a": {"instance": []}}}}, "seed.regions.a.instance: unknown field; did you mean `inst"),
        (
            {"seed": {"regions": {"a": {"snapshots": [{"ageHours": "3"}]}}}},
            "seed.regions.a.snapshots[0].ageHours: a str",
        ),
        ({"seed": None}, "seed: null where an object is wanted."),
        ({"seed": {}}, "seed.regions: missing. Regions by name"),
        ({"expect": {"copies": 3}}, "expect.copies: a number where an array is wanted. The least and the greatest"),
        ({"expect": {"copies": [4, 3]}}, "expect.copies: [4, 3] holds nothing; write the smaller number first."),
        ({"expect": {"metrics": {"A": [4, 3]}}}, "expect.metrics.A: [4, 3] holds nothing"),
        ({"expect": {"run": "ok"}}, 'expect.run: "ok" is not known here; write one of "SUCCEEDED"'),
        (
            {"expect": {"outcomes": {"books": "copied"}}},
            "expect.outcomes.books: the name cannot be read. Write instance:NAME",
        ),
        ({"expect": {"captured": "all"}}, "expect.captured: "),
        ({"then": {}}, "then: an object where an array is wanted."),
        ({"then": [{}]}, "then[0]: has no step. A step has exactly one of run, wait"),
        ({"then": [{"run": {}, "wait": 1}]}, "then[0]: has run and wait; split it"),
        ({"then": [{"wait": -1}]}, "then[0].wait: "),
        ({"then": [{"wait": 1, "exit": 0}]}, "then[0]: exit, capture and says belong to `command`."),
        ({"then": [{"command": ["status"], "capture": "("}]}, "then[0].capture: not a regular expression"),
        ({"then": [{"command": ["status"], "capture": "a"}]}, "then[0].capture: it has no group"),
        ({"then": [{"rename": {"to": "b"}}]}, "then[0].rename.name: missing."),
        ({"then": [{"delete-snapshot": 3}]}, "then[0].delete-snapshot: 3 cannot be read. Deletes a snapshot"),
        ({"faults": [{"operation": "*"}]}, "faults[0].action: missing. One of"),
    ],
    ids=lambda given: None if isinstance(given, dict) else given[:40],
)
def test_what_is_wrong_is_said_with_the_field_and_the_remedy(case, says):
    assert any(problem.startswith(says) for problem in problems(**case)), problems(**case)


def test_what_a_step_is_about_may_be_named_in_other_ways(tmp_path):
    file = tmp_path / "case.json"
    steps = [
        {"rename": {"from": "a", "to": "b"}},
        {"restore": {"from": "c", "as": "d"}},
        {"delete-snapshot": {"id": "e"}},
    ]
    file.write_text(json.dumps({"seed": {"regions": {"eu-west-1": {}}}, "then": steps}))
    assert scenario_file.read(file).then == [
        {"rename": {"name": "a", "to": "b"}},
        {"restore": {"snapshot": "c", "database": "d"}},
        {"delete-snapshot": {"name": "e"}},
    ]


def test_a_case_has_to_be_an_object():
    (problem,) = scenario_file.problems([])
    assert problem.startswith("the case: an array where an object is wanted.")


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "is not JSON"), ('{"seed": {}, "seed": {}}', "the field 'seed' stands twice"), ("", "is not JSON")],
)
def test_a_file_has_to_be_json(tmp_path, text, says):
    file = tmp_path / "case.json"
    file.write_text(text)
    with pytest.raises(CaseError, match=says):
        scenario_file.read(file)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"KeepCopy": "3"}, "parameters.KeepCopy: the template has no such parameter; did you mean KeepCopies"),
        ({"KeepCopies": "300"}, "parameters.KeepCopies: not '300'. Give a whole number from 1 to 100"),
        ({"KeepCopies": "many"}, "parameters.KeepCopies: not 'many'"),
        ({"Selection": "some"}, "parameters.Selection: not 'some'"),
        ({"DestinationRegion": "Narnia"}, "parameters.DestinationRegion: not 'Narnia'. Give the code of a region"),
    ],
)
def test_a_parameter_that_cloudformation_would_refuse_is_refused_before_anything_is_started(parameters, says):
    with pytest.raises(CaseError, match=says):
        check_parameters(parameters)


def test_every_field_of_the_schema_is_documented():
    def undocumented(schema, place):
        for name, part in schema.items():
            if name in ("properties", "$defs"):
                yield from (
                    f"{place}.{field}" for field, its in part.items() if not its.keys() & {"description", "$ref"}
                )
            if isinstance(part, dict):
                yield from undocumented(part, f"{place}.{name}")
            if isinstance(part, list):
                for one in part:
                    yield from undocumented(one, place) if isinstance(one, dict) else ()

    schema = json.loads(scenario_file.SCHEMA.read_text())
    assert list(undocumented(schema, "case")) == []
    assert list(undocumented(json.loads(scenario_file.SEED_SCHEMA.read_text()), "seed")) == []
    assert set(scenario_file.STEPS) < set(schema["$defs"]["step"]["properties"])


def test_the_schema_of_the_seed_is_that_of_the_simulator():
    written = scenario_file.SEED_SCHEMA.read_text()
    assert written == scenario_schema.text(), "run `.venv/bin/python -m local_cloud.scenario_schema`"


def test_placeholders_are_filled_in_everywhere():
    case = scenario_file.Case(
        "case",
        seed={"a": "{time:1}"},
        input={"detail": {"SourceIdentifier": "rds:books-{stamp:26.5}"}},
        then=[{"delete-snapshot": "rds:books-{stamp:1}"}],
        expect={"left": ["{stamp:0}", "{other:1}"], "warnings": ["{time:24}"]},
    )
    filled = scenario_file.at(case, datetime(2026, 11, 25, 3, 40, tzinfo=timezone.utc))
    assert filled.input == {"detail": {"SourceIdentifier": "rds:books-2026-11-24-01-10"}}
    assert filled.then == [{"delete-snapshot": "rds:books-2026-11-25-02-40"}]
    assert filled.expect == {"left": ["2026-11-25-03-40", "{other:1}"], "warnings": ["2026-11-24T03:40:00.000Z"]}
    assert filled.seed == case.seed, "that is done by the simulator"


# How it is compared

ANSWER = {
    "run": {"status": "FAILED", "error": "CopiesFailed"},
    "outcomes": {"instance:books": "copied, not pruned", "cluster:billing": "KeyNotUsable"},
    "reasons": {"cluster:billing": "the key of AWS Backup"},
    "warnings": ["books: SNAPFERRY:KEEP is not a tag"],
    "copies": ["a", "b", "c"],
    "left": ["by-hand"],
    "metrics": {"Oldest": 720.5},
    "then": [],
}


def differences(expect, steps=(), answers=()):
    return scenario_expect.differences(expect, list(steps), {**ANSWER, "then": list(answers)})


@pytest.mark.parametrize(
    "expect",
    [
        {},
        {"run": "FAILED"},
        {"outcomes": {"instance:books": "copied*", "cluster:billing": "KeyNotUsable"}},
        {"outcomes": {"instance:books": "copied, not pruned*"}},
        {"outcomes": {"instance:books": "*"}},
        {"reasons": {"cluster:billing": "AWS Backup"}},
        {"warnings": ["SNAPFERRY:KEEP", "books"]},
        {"copies": [3, 3]},
        {"copies": [0, 4]},
        {"left": ["by-hand", "a"]},
        {"metrics": {"Oldest": [0, 721]}},
    ],
    ids=json.dumps,
)
def test_what_came_as_expected_is_no_difference(expect):
    assert differences(expect) == []


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        ({"run": "SUCCEEDED"}, "run: FAILED (CopiesFailed) instead of SUCCEEDED"),
        ({"outcomes": {"instance:books": "copied"}}, "outcomes.instance:books: copied, not pruned instead of copied"),
        ({"outcomes": {"instance:gone": "*"}}, "outcomes.instance:gone: none instead of *"),
        ({"reasons": {"cluster:billing": "new"}}, "does not contain 'new'"),
        ({"reasons": {"instance:books": "new"}}, "reasons.instance:books: '' does not contain"),
        ({"warnings": ["Copy"]}, "warnings: none of"),
        ({"copies": [4, 4]}, "copies: 3 instead of 4: a, b, c"),
        ({"copies": [0, 2]}, "copies: 3 instead of 0 to 2"),
        ({"left": ["gone"]}, "left: gone is gone"),
        ({"metrics": {"Oldest": [0, 720]}}, "metrics.Oldest: 720.5 instead of 0 to 720"),
        ({"metrics": {"Newest": [0, 1]}}, "metrics.Newest: not measured by the last run; it should be 0 to 1"),
    ],
)
def test_what_differs_is_said(expect, says):
    (difference,) = differences(expect)
    assert says in difference


@pytest.mark.parametrize(
    ("captured", "says"),
    [
        ([["a-1"], ["a-2"]], []),
        ([["a-1", "a-2"]], []),
        ([["a-1", "a-1"], ["a-2", "a-2"]], []),
        ([["a-1", "a-1"]], ["captured: 1 of at least 2 identifiers"]),
        ([["a-1"], []], ["captured: 1 of at least 2 identifiers"]),
        ([["a"], ["a"]], ["captured: a comes 2 times"]),
        ([["a"], ["b--1"]], ["captured: 'b--1' is not a legal identifier"]),
        ([["a"], ["b-"]], ["captured: 'b-' is not a legal identifier"]),
        ([["a"], ["1b"]], ["captured: '1b' is not a legal identifier"]),
        ([["a"], ["b" * 64]], ["is not a legal identifier"]),
        ([["a"], ["b\n"]], ["is not a legal identifier"]),
    ],
)
def test_captured_identifiers_have_to_be_legal_and_different(captured, says):
    answers = [{"captured": one} for one in captured]
    found = differences({"captured": "distinct identifiers"}, [{"run": {}}] * len(answers), answers)
    assert len(found) == len(says)
    assert all(part in one for part, one in zip(says, found, strict=True)), found


def test_a_command_has_to_end_and_to_speak_as_its_step_says():
    step = {"command": ["status"], "exit": 0, "says": ["late", "good"]}
    assert differences({}, [step], [{"exit": 0, "output": "good and late"}]) == []
    assert differences({}, [step], [{"exit": 3, "output": "good"}]) == [
        "then[0]: `snapferry status` ended with 3 instead of 0",
        "then[0]: `snapferry status` does not say 'late'",
    ]


# The command itself


def test_the_clock_of_a_local_cloud_is_put_forward_for_every_process(tmp_path):
    clock = Clock(tmp_path)
    clock.build()
    program = [sys.executable, "-c", "import time; print(time.time()); input(); print(time.time())"]
    with subprocess.Popen(
        program, env=layout.clean_environment(clock.environment()), stdin=-1, stdout=-1, text=True
    ) as process:
        before = float(process.stdout.readline())
        assert abs(before - clock.now()) < 60
        clock.put_forward(36)
        clock.put_forward(0.5)
        after, _ = process.communicate("\n")
    assert clock.ahead() == 36.5 * 3600
    assert 0 <= float(after) - before - clock.ahead() < 60


@pytest.mark.parametrize("status", [0, 1, 2])
def test_make_ends_as_the_case_does_with_its_answer_alone_on_standard_output(tmp_path, status):
    command = f"{sys.executable} -c 'import sys; print(sys.argv); sys.exit({status})'"
    made = subprocess.run(
        ["make", "scenario", "FILE=a case.json", "INSTALLED=", f"LOCAL_CLOUD={command}"],
        cwd=layout.ROOT,
        # What make hands on to a make below it makes that one name its folder on standard output.
        env={name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (made.returncode, made.stdout) == (status, "['-c', 'scenario', 'a case.json']\n"), made.stderr


def test_a_case_is_run_in_a_local_cloud_that_is_started_for_it(tmp_path):
    def ended(name, **case):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({"seed": seed, **case}))
        return call(tmp_path, "scenario", str(file))

    days_old = [old_copy("orders", 24 * days) for days in (1, 2)]
    seed = fleet([instance("orders", 3)], destination=days_old)
    try:
        refused = ended("refused", expects={})
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "expects: unknown field; did you mean `expect`?" in refused.stderr
        assert not (tmp_path / "detached").exists(), "nothing is started for a case that cannot be read"

        first = ended("first", expect={"run": "SUCCEEDED", "copies": [3, 3], "left": []})
        assert first.returncode == 0, first.stderr
        answer = json.loads(first.stdout)
        assert answer.keys() == {"run", "outcomes", "reasons", "warnings", "copies", "left", "metrics", "then"}
        assert answer["run"] == {"status": "SUCCEEDED", "error": None}
        assert answer["outcomes"] == {"instance:orders": "copied"}
        assert {one["id"] for one in days_old} < set(answer["copies"])
        assert answer["metrics"]["CopiesCompleted"] == 1

        steps = [{"wait": 24}, {"create-snapshot": "orders"}, {"run": {}}, {"command": ["status"], "exit": 0}]
        second = ended("second", parameters={"KeepCopies": 2}, then=steps, expect={"copies": [3, 3]})
        assert "starting MiniStack" not in second.stderr
        assert second.returncode == 2, second.stderr
        assert "differs: copies: 2 instead of 3" in second.stderr
        answers = json.loads(second.stdout)["then"]
        assert [answer.keys() & {"waited", "created", "run", "exit"} for answer in answers] == [
            {"waited"}, {"created"}, {"run"}, {"exit"}
        ]  # fmt: skip

        third = ended("third", expect={"copies": [3, 3]})
        assert third.returncode == 0, f"the parameters of the case before are still in force: {third.stderr}"
    finally:
        call(tmp_path, "down")
