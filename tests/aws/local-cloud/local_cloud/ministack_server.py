"""Serves MiniStack on a free loopback port and says which, in one line of JSON on standard output.

MiniStack itself wants to be told a port, and a port that was free a moment ago may not be free now. Here the socket
is bound first and MiniStack is started on it.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import threading
from collections import Counter
from typing import Any


def select_in_conditions() -> None:
    """Lets MiniStack evaluate Fn::Select of Fn::Split in a template's Conditions: see test_divergences."""
    from ministack.services.cloudformation import changesets, engine, handlers, stacks

    evaluate = engine._evaluate_conditions

    def selected(node: Any, parameters: dict[str, Any]) -> Any:
        if isinstance(node, list):
            return [selected(one, parameters) for one in node]
        if not isinstance(node, dict):
            return node
        if "Fn::Select" in node:
            return engine._resolve_refs(node, {}, parameters, {}, {}, "", "")
        return {name: selected(value, parameters) for name, value in node.items()}

    def evaluate_conditions(template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, bool]:
        conditions = selected(template.get("Conditions", {}), parameters)
        return evaluate({**template, "Conditions": conditions}, parameters)

    for module in (changesets, engine, handlers, stacks):
        module._evaluate_conditions = evaluate_conditions


def watch_the_first_metric() -> None:
    """Lets MiniStack deploy an alarm of metric math, and watch its first metric: see test_divergences."""
    from ministack.services.cloudformation import provisioners

    record = provisioners._cw_metric_alarm_record

    def record_of_first(name: str, properties: dict[str, Any]) -> Any:
        measured = [one["MetricStat"] for one in properties.get("Metrics", []) if "MetricStat" in one]
        if not measured:
            return record(name, properties)
        plain = {key: value for key, value in properties.items() if key != "Metrics"}
        first = measured[0]
        return record(name, {**plain, **first["Metric"], "Period": first["Period"], "Statistic": first["Stat"]})

    provisioners._cw_metric_alarm_record = record_of_first


def take_loopback_for_encrypted() -> None:
    """Lets policies that deny plain HTTP allow what is sent within this cloud: see test_divergences."""
    from ministack.core import iam_evaluator

    resolve = iam_evaluator._resolve_condition_key

    def resolve_as_encrypted(key: str, context: Any) -> Any:
        return "true" if key.lower() == "aws:securetransport" else resolve(key, context)

    iam_evaluator._resolve_condition_key = resolve_as_encrypted


def name_the_path_of_parameters() -> None:
    """Lets a policy allow GetParametersByPath on a path, which is its resource on AWS: see test_divergences."""
    from ministack.core import iam_actions

    extract = iam_actions.extract_resource_arn

    def extract_with_path(service: str, *rest: Any) -> Any:
        _method, _path, headers, body, _query, region, account = rest
        if service == "ssm" and iam_actions._action_from_target(headers) == "GetParametersByPath":
            return f"arn:aws:ssm:{region}:{account}:parameter{json.loads(body)['Path']}"
        return extract(service, *rest)

    iam_actions.extract_resource_arn = extract_with_path


def script_tasks() -> None:
    """Lets the Tasks of an execution answer as a script says, attempt by attempt.

    MiniStack knows the format of Step Functions Local, in which a Task that fails once fails at every attempt. The
    scripts come with the same setting: `{"Scripts": {execution name: {state: [answer, ...]}}}`, where an answer is
    `{"result": ...}` or `{"error": ..., "cause": ...}`, and the last one holds for all further attempts.
    """
    from ministack.services import stepfunctions

    current = threading.local()
    turns: Counter[tuple[str, str]] = Counter()
    execute = stepfunctions._execute_task

    def execute_task(state: Any, given: Any, execution: Any, context: Any) -> Any:
        script = stepfunctions._sfn_mock_config.get("Scripts", {}).get((execution or {}).get("name"), {})
        name = context.get("State", {}).get("Name", "")
        before = getattr(current, "state", None)
        current.state = (execution["executionArn"], name, script[name]) if name in script else None
        try:
            return execute(state, given, execution, context)
        finally:
            current.state = before

    def scripted(invoke: Any) -> Any:
        def answer(*arguments: Any) -> Any:
            if getattr(current, "state", None) is None:
                return invoke(*arguments)
            execution, name, answers = current.state
            said = answers[min(turns[execution, name], len(answers) - 1)]
            turns[execution, name] += 1
            if "error" in said:
                raise stepfunctions._ExecutionError(said["error"], said.get("cause") or "")
            return said["result"]

        return answer

    stepfunctions._execute_task = execute_task
    for function in ("_invoke_resource", "_invoke_resource_with_timeout"):
        setattr(stepfunctions, function, scripted(getattr(stepfunctions, function)))


def put_objects_from_tasks() -> None:
    """Adds the S3 integration of Step Functions that writes an object: see test_divergences.

    Nobody has said whether AWS writes a string as it is or as JSON. The admin endpoint chooses:
    POST /_ministack/strings-in-buckets {"asJson": true}.
    """
    from ministack import app
    from ministack.core.responses import get_region
    from ministack.services import stepfunctions

    strings = {"asJson": False}
    invoke = stepfunctions._invoke_aws_sdk_integration

    def invoke_or_put(resource: str, given: Any) -> Any:
        if not resource.endswith(":aws-sdk:s3:putObject"):
            return invoke(resource, given)
        body = given["Body"]
        plain = isinstance(body, str) and not strings["asJson"]
        content = (body if plain else json.dumps(body)).encode()
        headers = {
            "host": "s3.amazonaws.com",
            "authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{get_region()}/s3/aws4_request",
            "content-type": given.get("ContentType", "application/octet-stream"),
            "content-length": str(len(content)),
        }
        path = f"/{given['Bucket']}/{given['Key']}"
        put = app.SERVICE_HANDLERS["s3"]
        status, answered, said = app.call_service_handler_sync(put, "PUT", path, headers, content, {})
        if status >= 300:
            text = said.decode() if isinstance(said, bytes) else said
            found = re.search(r"<Code>(\w+)</Code>", text)
            code = found.group(1) if found else "S3"
            raise stepfunctions._ExecutionError(f"S3.{code}Exception", text)
        return {"ETag": {name.lower(): value for name, value in answered.items()}.get("etag", "")}

    stepfunctions._invoke_aws_sdk_integration = invoke_or_put
    handle = app._handle_admin_config_request

    async def handle_or_choose(path: str, method: str, body: bytes) -> Any:
        if (method, path) != ("POST", "/_ministack/strings-in-buckets"):
            return await handle(path, method, body)
        strings.update(json.loads(body))
        return 200, {"Content-Type": "application/json"}, b"{}"

    app._handle_admin_config_request = handle_or_choose


def take_requests_of_any_time() -> None:
    """Lets whoever lives in another time than this cloud call MiniStack: its clock may have been put forward."""
    from ministack.core import iam_evaluator

    iam_evaluator.request_time_failure = lambda _signature: None


def forget_executions() -> None:
    """Adds POST /_ministack/forget-executions, after which it is as if no execution that has ended had ever been."""
    from ministack import app
    from ministack.services import stepfunctions

    handle = app._handle_admin_config_request

    async def handle_or_forget(path: str, method: str, body: bytes) -> Any:
        if (method, path) != ("POST", "/_ministack/forget-executions"):
            return await handle(path, method, body)
        executions = stepfunctions._executions._data
        for key in [key for key, execution in executions.items() if execution["status"] != "RUNNING"]:
            del executions[key]
        return 200, {"Content-Type": "application/json"}, b"{}"

    app._handle_admin_config_request = handle_or_forget


def main() -> None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    # Read by MiniStack when it is imported. The functions call back to the endpoint.
    os.environ.update(
        GATEWAY_PORT=str(port),
        AWS_ENDPOINT_URL=endpoint,
        BIND_HOST="127.0.0.1",
        AUTH="true",
        # Two listeners that nobody here needs, on fixed ports and all interfaces.
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        PERSIST_STATE="0",
        LAMBDA_EXECUTOR="local",
    )
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    import asyncio

    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    select_in_conditions()
    watch_the_first_metric()
    take_loopback_for_encrypted()
    name_the_path_of_parameters()
    put_objects_from_tasks()
    script_tasks()
    take_requests_of_any_time()
    forget_executions()
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    stop = asyncio.Event()

    async def run() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await serve(app, config, shutdown_trigger=stop.wait)

    print(json.dumps({"listening": endpoint}), flush=True)
    asyncio.run(run())


if __name__ == "__main__":
    main()
