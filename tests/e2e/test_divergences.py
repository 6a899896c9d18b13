"""Where MiniStack is not AWS, as far as it matters here. The table is kept true by tests: when MiniStack moves, one
of them fails, and what leaned on the difference can be looked at again.

Nothing that is deployed is written for these; only the tests and the local cloud know of them.
"""

from __future__ import annotations

import inspect
import json
import time
from typing import Any

import pytest
from ministack.core import iam_actions
from ministack.services import stepfunctions
from ministack.services.cloudformation import engine, provisioners

DIVERGENCES = {
    # name: (what AWS does, what MiniStack does, what follows for us)
    "child_errors": (
        "A failed nested execution (.sync:2) fails its task as States.TaskFailed; its own error is inside Cause.",
        "The task fails under the child's own error name, and Cause is the child's cause.",
        "copy-fleet takes the error from Cause if it is there, else the name. tests/deployment gives it AWS's form.",
    ),
    "states_all": (
        "States.ALL matches neither States.DataLimitExceeded nor States.Runtime.",
        "It matches everything.",
        "No state may lean on catching these two. Payload sizes are tested by measuring them.",
    ),
    "payload_limit": (
        "More than 262,144 bytes of input or output end the execution with States.DataLimitExceeded.",
        "There is no limit.",
        "test_capacity measures every payload of the largest page.",
    ),
    "history_limit": (
        "An execution ends after 25,000 events.",
        "There is no limit.",
        "tests/deployment counts the events of the largest page and of the longest copy.",
    ),
    "machine_timeout": (
        "TimeoutSeconds of a machine ends its execution as TIMED_OUT.",
        "It is not looked at. That of a Task is, in real seconds, whatever SFN_WAIT_SCALE says.",
        "tests/deployment computes the timeouts against each other.",
    ),
    "names_of_nested_executions": (
        "A nested execution whose name was used within 90 days fails with ExecutionAlreadyExists.",
        "It takes the place of the old one.",
        "Names are made from the parent's ARN, so they do not repeat; test_convergence counts executions.",
    ),
    "length_of_names": (
        "An execution's name has 80 characters at most.",
        "Any length is taken.",
        "tests/deployment evaluates the names for databases with the longest names.",
    ),
    "machine_role": (
        "Every call of a state machine is checked against its role.",
        "The role is not evaluated.",
        "tests/deployment compares the role's actions with what the states do.",
    ),
    "stopping": (
        "StopExecution of a parent stops its nested executions and its Map.",
        "Only the execution itself is marked; its children and its Map go on.",
        "`Runs.stop` stops children until none is left.",
    ),
    "stopped_executions_go_on": (
        "A stopped execution does nothing more.",
        "The task that it is in runs on, with its retries, and a failure turns ABORTED into FAILED.",
        "`LocalCloud.cut_off` puts the retries off for ever.",
    ),
    "retries": (
        "Retry waits up to MaxDelaySeconds, with JitterStrategy.",
        "It waits at most 60 s, without jitter.",
        "The queue for copy slots is denser here than on AWS. tests/deployment computes how long it lasts there.",
    ),
    "jsonata_parallel": (
        "A JSONata Parallel state has Output and Assign.",
        "Both are ignored; the result is the list of what the branches gave.",
        "copy-fleet uses neither there; the state after it does the work.",
    ),
    "history_inside_map": (
        "The history has the states inside Map and Parallel.",
        "It has only the attempts of their tasks.",
        "The audit reads the children, not the parent's history.",
    ),
    "redrive_count": (
        "The context has Execution.RedriveCount.",
        "It is not there.",
        "copy-fleet takes its absence for 0: the names of copies have no count appended.",
    ),
    "output_of_failures": (
        "A failed execution has no output.",
        "DescribeExecution gives Error and Cause as its output.",
        "`Runs.look` ignores it.",
    ),
    "conditions": (
        "Conditions of a template know Fn::Select and Fn::Split.",
        "They know no Fn::Split; elsewhere in a template it is known.",
        "`ministack_server` resolves it before MiniStack sees the condition.",
    ),
    "exports": (
        "A stack that exports a name which another stack of the account and region exports is refused.",
        "The last one has the name.",
        "tests/deployment compares the names. Stacks of tests with one OwnerId share the copies that a test seeds.",
    ),
    "metric_math": (
        "An alarm may watch an expression of several metrics.",
        "CloudFormation refuses such an alarm.",
        "`ministack_server` lets it watch the first metric; tests/deployment reads the expression.",
    ),
    "plain_http": (
        "Every call of a service is encrypted.",
        "It serves HTTP, so that aws:SecureTransport is false.",
        "`ministack_server` says true; tests/deployment reads the statements that deny what is not encrypted.",
    ),
    "parameters_by_path": (
        "The resource of GetParametersByPath is the path.",
        "It is everything, which no policy of ours allows.",
        "`ministack_server` names the path.",
    ),
    "objects_from_tasks": (
        "The S3 integration of Step Functions writes objects; whether a string as it is or as JSON is not documented.",
        "It writes none.",
        "`ministack_server` adds it, both ways. keep-evidence writes pages in which nothing has to be escaped.",
    ),
    "output_of_succeed": (
        "A Succeed state in an iteration of a Map may have an Output.",
        "It is passed over.",
        "A Pass before it makes the output.",
    ),
    "rds_events": (
        "RDS sends events to EventBridge with the source aws.rds, which nobody else may use.",
        "Nobody sends them, and PutEvents refuses sources that begin with aws.",
        "The source in the rule's pattern is a parameter of the template.",
    ),
    "delivery_of_events": (
        "A target that cannot be reached is retried, then the event goes to the dead-letter queue.",
        "Neither is done.",
        "tests/deployment looks at the rule's queue, its policy and the retry policy.",
    ),
    "distributed_map": (
        "A JSONata Distributed Map reads Items.",
        "It reads the state's input instead.",
        "None is used: an inline Map with nested executions is the better choice on AWS as well.",
    ),
    "tag_conditions": (
        "SimulatePrincipalPolicy knows conditions on tags.",
        "It ignores them; the evaluator behind it does not.",
        "The simulator judges every request itself, test_permissions asks MiniStack's evaluator directly, and what "
        "`snapferry doctor` says of the roles is `unknown`.",
    ),
    "listeners": (
        "-",
        "It binds all interfaces, and MQTT on port 8883, unless told otherwise.",
        "The local cloud tells it otherwise; test_local_cloud looks at every listener.",
    ),
    "metrics_and_alarms": (
        "Metrics in logs (Embedded Metric Format) become metrics; alarms know dimensions and missing data.",
        "Neither.",
        "local_cloud.metrics puts the metrics; tests/deployment looks at dimensions and missing data.",
    ),
}

NOTES = {
    "history_limit",
    "delivery_of_events",
    "distributed_map",
    "plain_http",
    "tag_conditions",
    "listeners",
    "metrics_and_alarms",
}
"""What a test cannot show cheaply, or what other tests show."""


def test_every_divergence_has_a_test_or_is_a_note():
    tested = {name.removeprefix("test_divergence_") for name in globals() if name.startswith("test_divergence_")}
    assert tested | NOTES == set(DIVERGENCES)
    assert not tested & NOTES


@pytest.fixture
def machine(cloud):
    """Makes a state machine of these states, in JSONata, with a role that allows nothing. Returns its ARN."""
    states, iam = cloud.client("stepfunctions"), cloud.client("iam")
    role = f"may-do-nothing-{time.monotonic_ns()}"
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role_arn = iam.create_role(
        RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    made = []

    def make(start: str, definition: dict[str, Any], **more: Any) -> str:
        answer = states.create_state_machine(
            name=f"divergence-{time.monotonic_ns()}",
            definition=json.dumps({"QueryLanguage": "JSONata", "StartAt": start, "States": definition, **more}),
            roleArn=role_arn,
        )
        made.append(answer["stateMachineArn"])
        return made[-1]

    yield make
    for arn in made:
        states.delete_state_machine(stateMachineArn=arn)
    iam.delete_role(RoleName=role)


def nested(child: str, **more: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Arguments": {"StateMachineArn": child, "Input": {}},
        **more,
    }


FAILS = {"Fails": {"Type": "Fail", "Error": "Broken", "Cause": "because"}}
CRASHES = {"Type": "Task", "Resource": "arn:aws:states:::nosuchservice:nothing", "Arguments": {}}


def test_divergence_child_errors(runs, machine):
    child = machine("Fails", FAILS)
    parent = machine("Nest", {"Nest": nested(child, End=True)})
    run = runs.wait(runs.start(machine=parent))
    assert (run.error, run.cause) == ("Broken", "because")


def test_divergence_states_all(runs, machine):
    caught = {"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "Caught"}
    run = runs.wait(
        runs.start(
            machine=machine("Do", {"Do": {**CRASHES, "Catch": [caught], "End": True}, "Caught": {"Type": "Succeed"}})
        )
    )
    assert run.output["Error"] == "States.Runtime"


def test_divergence_payload_limit(runs, machine):
    large = {"Type": "Pass", "Output": "{% $pad('', 300000, '-') %}", "End": True}
    run = runs.wait(runs.start(machine=machine("Large", {"Large": large})))
    assert len(run.output) == 300_000


def test_divergence_machine_timeout(cloud, runs, machine):
    cloud.set_wait_scale(1)
    slow = machine("Slow", {"Slow": {"Type": "Wait", "Seconds": 2, "End": True}}, TimeoutSeconds=1)
    assert runs.wait(runs.start(machine=slow)).status == "SUCCEEDED"


def test_divergence_names_of_nested_executions(runs, machine):
    child = machine("Ends", {"Ends": {"Type": "Succeed"}})
    arguments = {"StateMachineArn": child, "Name": "the-same", "Input": {}}
    twice = {
        "First": nested(child, Arguments=arguments, Next="Second"),
        "Second": nested(child, Arguments=arguments, End=True),
    }
    assert runs.wait(runs.start(machine=machine("First", twice))).status == "SUCCEEDED"


def test_divergence_length_of_names(runs, machine):
    ends = machine("Ends", {"Ends": {"Type": "Succeed"}})
    assert runs.wait(runs.start(machine=ends, name="x" * 81)).status == "SUCCEEDED"


def test_divergence_machine_role(runs, machine):
    child = machine("Ends", {"Ends": {"Type": "Succeed"}})
    parent = machine("Nest", {"Nest": nested(child, End=True)})
    assert runs.wait(runs.start(machine=parent)).status == "SUCCEEDED"


def test_divergence_stopping(cloud, runs, machine):
    cloud.set_wait_scale(1)
    child = machine("Slow", {"Slow": {"Type": "Wait", "Seconds": 3, "End": True}})
    parent = runs.start(machine=machine("Nest", {"Nest": nested(child, End=True)}))
    while not (running := runs.states.list_executions(stateMachineArn=child)["executions"]):
        time.sleep(0.02)
    runs.states.stop_execution(executionArn=parent)
    assert runs.look(parent).status == "ABORTED"
    assert runs.look(running[0]["executionArn"]).status == "RUNNING"


def test_divergence_stopped_executions_go_on(cloud, runs, machine):
    cloud.set_wait_scale(1)
    again = [{"ErrorEquals": ["States.Runtime"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    run = runs.start(machine=machine("Do", {"Do": {**CRASHES, "Retry": again, "End": True}}))
    while not runs.failed_tasks(run):
        time.sleep(0.02)
    runs.states.stop_execution(executionArn=run)
    deadline = time.monotonic() + 10
    while runs.look(run).status == "ABORTED" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert runs.look(run).status == "FAILED"
    assert runs.failed_tasks(run) == 2


def test_divergence_conditions():
    split = {"Fn::Select": [0, {"Fn::Split": [":", "arn:aws"]}]}
    with pytest.raises(KeyError):
        engine._evaluate_conditions({"Conditions": {"IsArn": {"Fn::Equals": [split, "arn"]}}}, {})
    assert engine._resolve_refs(split, {}, {}, {}, {}, "", "") == "arn"


def test_divergence_exports(cloud):
    cloudformation = cloud.client("cloudformation")
    name = f"divergence-{time.monotonic_ns()}"
    queue = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    exported = {"Outputs": {"Name": {"Value": "x", "Export": {"Name": name}}}}
    stacks = [f"{name}-{one}" for one in ("first", "second")]
    for stack in stacks:
        cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps({**queue, **exported}))
        cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    exports = {one["Name"]: one["ExportingStackId"] for one in cloudformation.list_exports()["Exports"]}
    assert f"/{stacks[1]}/" in exports[name]
    for stack in stacks:
        cloudformation.delete_stack(StackName=stack)


def test_divergence_metric_math():
    metric = {"Namespace": "AWS/States", "MetricName": "ExecutionsFailed"}
    stat = {"Metric": metric, "Period": 300, "Stat": "Sum"}
    with pytest.raises(ValueError, match="metric math"):
        provisioners._cw_metric_alarm_record("an-alarm", {"Metrics": [{"Id": "failed", "MetricStat": stat}]})


def test_divergence_retries():
    source = inspect.getsource(stepfunctions._execute_task)
    assert "_scaled_sleep(min(sleep_sec, 60))" in source
    assert "JitterStrategy" not in source
    assert "MaxDelaySeconds" not in source


def test_divergence_jsonata_parallel(runs, machine):
    branch = {"StartAt": "One", "States": {"One": {"Type": "Pass", "Output": 1, "End": True}}}
    parallel = {"Type": "Parallel", "Branches": [branch], "Output": "ignored", "End": True}
    assert runs.wait(runs.start(machine=machine("Both", {"Both": parallel}))).output == [1]


def test_divergence_history_inside_map(runs, machine):
    inside = {"StartAt": "Inside", "States": {"Inside": {"Type": "Pass", "End": True}}}
    over = {"Type": "Map", "Items": [1, 2], "ItemProcessor": inside, "End": True}
    run = runs.start(machine=machine("Over", {"Over": over}))
    runs.wait(run)
    names = {event.get("stateEnteredEventDetails", {}).get("name") for event in runs.history(run)}
    assert names == {None, "Over"}


def test_divergence_parameters_by_path():
    headers = {"x-amz-target": "AmazonSSM.GetParametersByPath"}
    body = json.dumps({"Path": "/snapferry"}).encode()
    resource = iam_actions.extract_resource_arn("ssm", "POST", "/", headers, body, {}, "eu-west-1", "123456789012")
    assert resource == "*"


def test_divergence_objects_from_tasks():
    assert "PutObject" not in stepfunctions._S3_OP_SPECS


def test_divergence_output_of_succeed(runs, machine):
    inside = {"StartAt": "Inside", "States": {"Inside": {"Type": "Succeed", "Output": "ignored"}}}
    over = {"Type": "Map", "Items": [1, 2], "ItemProcessor": inside, "End": True}
    assert runs.wait(runs.start(machine=machine("Over", {"Over": over}))).output == [1, 2]


def test_divergence_redrive_count(runs, machine):
    shows = {"Type": "Pass", "Output": "{% $exists($states.context.Execution.RedriveCount) %}", "End": True}
    assert runs.wait(runs.start(machine=machine("Shows", {"Shows": shows}))).output is False


def test_divergence_output_of_failures(runs, machine):
    run = runs.wait(runs.start(machine=machine("Fails", FAILS)))
    described = runs.states.describe_execution(executionArn=run.arn)
    assert json.loads(described["output"]) == {"Error": "Broken", "Cause": "because"}
    assert run.output is None


def test_divergence_rds_events(cloud):
    entry = {"Source": "aws.rds", "DetailType": "RDS DB Snapshot Event", "Detail": "{}"}
    answer = cloud.client("events").put_events(Entries=[entry])
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
