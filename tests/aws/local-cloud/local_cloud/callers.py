"""Tells the simulator what each deployed function may do.

MiniStack's own check of a role's policies ignores conditions on tags, so the simulator checks every request itself.
The policies are those of the deployed roles, read back from MiniStack's IAM; nothing is taken from the template.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from . import layout


@dataclass(frozen=True)
class Caller:
    """The credentials that MiniStack gives a function, and what its role allows."""

    function: str
    function_arn: str
    role_arn: str
    policies: list[dict[str, Any]]

    @property
    def _digest(self) -> str:
        return hashlib.sha256(f"{self.function_arn}:{self.role_arn}".encode()).hexdigest()

    @property
    def access_key(self) -> str:
        """As MiniStack derives it (`ministack.core.lambda_runtime.execution_credentials`)."""
        return f"ASIA{self._digest[:16].upper()}"

    @property
    def secret_key(self) -> str:
        """Derived likewise."""
        return hashlib.sha256(f"secret:{self._digest}".encode()).hexdigest()

    @property
    def session_token(self) -> str:
        """Derived likewise."""
        return hashlib.sha256(f"token:{self._digest}".encode()).hexdigest()


def deployed_callers(cloudformation: Any, lambda_: Any, iam: Any, stack: str) -> dict[str, Caller]:
    """Every function of a stack, by logical id, with the policies of its role."""
    callers = {}
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceType"] != "AWS::Lambda::Function":
                continue
            configuration = lambda_.get_function_configuration(FunctionName=resource["PhysicalResourceId"])
            callers[resource["LogicalResourceId"]] = Caller(
                function=configuration["FunctionName"],
                function_arn=configuration["FunctionArn"],
                role_arn=configuration["Role"],
                policies=role_policies(iam, configuration["Role"].rsplit("/", 1)[-1]),
            )
    return callers


def role_policies(iam: Any, role: str) -> list[dict[str, Any]]:
    """The inline and the attached policy documents of a role."""
    documents = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        policy = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]
        version = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=policy["DefaultVersionId"])
        documents.append(version["PolicyVersion"]["Document"])
    return documents


def callers_table(callers: list[Caller]) -> dict[str, dict[str, Any]]:
    """What the simulator is handed: the functions, and the operator at the keyboard, who may do everything."""
    table: dict[str, dict[str, Any]] = {
        caller.access_key: {"arn": caller.role_arn, "policies": caller.policies} for caller in callers
    }
    table[layout.OPERATOR_KEY] = {
        "arn": f"arn:aws:iam::{layout.ACCOUNT}:root",
        "policies": [
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
        ],
    }
    return table
