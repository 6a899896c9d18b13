"""A running simulator, and the same calls made by two SDKs."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

Json = Any

ROOT = Path(__file__).resolve().parents[4]


def executable(*build: str) -> str:
    """Builds a binary or an example and tells where it is."""
    done = subprocess.run(
        ["cargo", "build", "--message-format=json-render-diagnostics", *build],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    built = [json.loads(line) for line in done.stdout.splitlines()]
    return [message["executable"] for message in built if message.get("executable")][-1]


@dataclass(frozen=True)
class Call:
    """One call, spelled as for boto3."""

    operation: str
    region: str
    input: dict[str, Json]
    access_key: str = "operator"
    service: str = "rds"


class Simulator:
    """A simulator that listens."""

    def __init__(self, url: str, conformance: str) -> None:
        self.url = url
        self._conformance = conformance

    def control(self, method: str, path: str, body: Json = None) -> Json:
        """One call of the control API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_control/{path}", method=method, data=data)
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def raw(self, region: str, parameters: dict[str, str]) -> tuple[int, bytes]:
        """One call without any SDK: the HTTP status and the XML."""
        scope = f"Credential=operator/20261122/{region}/rds/aws4_request"
        return self._send(scope, urllib.parse.urlencode({"Version": "2014-10-31", **parameters}).encode(), {})

    def _send(self, scope: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        authorization = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
        request = urllib.request.Request(self.url, data=body, headers={"Authorization": authorization, **headers})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def raw_kms(self, region: str, operation: str, body: Json) -> tuple[int, bytes]:
        """One call to KMS without any SDK: the HTTP status and the JSON."""
        scope = f"Credential=operator/20261122/{region}/kms/aws4_request"
        return self._send(scope, json.dumps(body).encode(), {"X-Amz-Target": f"TrentService.{operation}"})

    def by_boto3(self, calls: list[Call]) -> list[Json]:
        """What boto3 reads."""
        return [self._normalised(self._boto3(call)) for call in calls]

    def _boto3(self, call: Call) -> Json:
        connect: Any = boto3.client
        client = connect(
            call.service,
            region_name=call.region,
            endpoint_url=self.url,
            aws_access_key_id=call.access_key,
            aws_secret_access_key="any",
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
        )
        try:
            output = client._make_api_call(call.operation, call.input)
        except ClientError as refused:
            error = refused.response["Error"]
            status = refused.response["ResponseMetadata"]["HTTPStatusCode"]
            return {"error": {"code": error["Code"], "message": error["Message"], "status": status}}
        del output["ResponseMetadata"]
        return {"output": output}

    def by_rust(self, calls: list[Call]) -> list[Json]:
        """What the SDK for Rust reads."""
        script = {
            "endpoint": self.url,
            "calls": [
                {
                    "service": call.service,
                    "operation": call.operation,
                    "region": call.region,
                    "accessKey": call.access_key,
                    "input": call.input,
                }
                for call in calls
            ],
        }
        done = subprocess.run(
            [self._conformance], input=json.dumps(script), check=True, stdout=subprocess.PIPE, text=True, timeout=300
        )
        return [self._normalised(json.loads(line)) for line in done.stdout.splitlines()]

    def _normalised(self, value: Json, key: str = "") -> Json:
        """The same whichever SDK read it, and whenever: times become ages in minutes; empty lists are absent."""
        if isinstance(value, dict):
            members = {name: self._normalised(member, name) for name, member in value.items()}
            return {name: member for name, member in members.items() if member not in ([], None)}
        if isinstance(value, list):
            return [self._normalised(member, key) for member in value]
        if key.endswith(("CreateTime", "DatabaseTime", "LatestTime")) or key == "Date":
            milliseconds = value.timestamp() * 1000 if isinstance(value, datetime) else value
            return round((self._seeded - milliseconds) / 60_000)
        return value

    def seed(self, scenario: Json) -> None:
        """Begins anew."""
        self.control("POST", "seed", scenario)
        now = self.control("GET", "state")["now"].replace("Z", "+00:00")
        # Python 3.10 reads six decimals at most, and the simulator may write nine.
        head, _, tail = now.partition(".")
        self._seeded = datetime.fromisoformat(head + "+00:00" if tail else now).timestamp() * 1000
