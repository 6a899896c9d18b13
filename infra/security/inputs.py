#!/usr/bin/env python3
"""Writes what the security suites read, to target/security: the flattened templates with their conditions settled, and
the policies of every role.

  default/<template>.json          as they are deployed with the defaults, and drills
  organization/<template>.json     the same with everything that an organization may demand
  <settings>/policies/<template>-<role>.json
  default/policies/policy-<who>.json   those of infra/policies, for people

The suites cannot follow an Fn::If, and would pass over what stands in one.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "target" / "security"
ACCOUNT = "123456789012"
SOURCE, DESTINATION = "us-east-1", "eu-west-1"

Json = Any

OF_TEMPLATE = {
    "template.yaml": (
        SOURCE,
        {"DestinationRegion": DESTINATION, "DestinationKmsKey": f"arn:aws:kms:{DESTINATION}:{ACCOUNT}:key/1111"},
    ),
    "destination.yaml": (
        DESTINATION,
        {
            "SourceRegion": SOURCE,
            "Drills": "true",
            "DrillSubnetGroup": "drills",
            "DrillVpcId": "vpc-0123456789abcdef0",
            "CheckFunctionArn": f"arn:aws:lambda:{DESTINATION}:{ACCOUNT}:function:check-orders",
            "CheckFunctionSecurityGroup": "sg-0123456789abcdef0",
            "EvidenceBucket": "evidence",
            "EvidenceKeyArn": f"arn:aws:kms:{DESTINATION}:{ACCOUNT}:key/1111",
        },
    ),
}
CODE = {"CodeBucket": "code", "CodePrefix": "snapferry/0.1.0/"}


def of_an_organization(region: str) -> dict[str, str]:
    """Everything that an organization may demand, in this region."""
    return {
        "NamePrefix": "acme",
        "PermissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/Boundary",
        "RolePath": "/backup/",
        "SubnetIds": "subnet-0123456789abcdef0",
        "SecurityGroupIds": "sg-0123456789abcdef1",
        "LogKmsKeyArn": f"arn:aws:kms:{region}:{ACCOUNT}:key/2222",
        "LogRetentionDays": "365",
        "AlertsTopicArn": f"arn:aws:sns:{region}:{ACCOUNT}:on-call",
    }


def module(name: str, path: str) -> ModuleType:
    """A script of this repository."""
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is missing")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def settled(renderer: Any, node: Json) -> Json:
    """The node with the branch that is taken for every Fn::If, and its value for every parameter; what is made of
    other resources, and texts with pieces, stay as they are."""
    nothing = {"Ref": "AWS::NoValue"}
    if isinstance(node, list):
        return [one for one in (settled(renderer, one) for one in node) if one != nothing]
    if not isinstance(node, dict):
        return node
    if set(node) == {"Fn::If"}:
        name, taken, other = node["Fn::If"]
        return settled(renderer, taken if renderer.condition(name) else other)
    if set(node) == {"Ref"} and (parameter := renderer.template["Parameters"].get(node["Ref"])):
        value = renderer.values[node["Ref"]]
        return int(value) if parameter["Type"] == "Number" else value
    if set(node) == {"Fn::Split"}:
        return renderer.resolve(node)
    whole = {name: settled(renderer, value) for name, value in node.items()}
    return {name: value for name, value in whole.items() if value != nothing}


def main() -> None:
    release, render = module("release", "infra/release.py"), module("render", "tests/deployment/render.py")
    shutil.rmtree(OUTPUT, ignore_errors=True)
    for name, (region, required) in OF_TEMPLATE.items():
        source = ROOT / "infra" / name
        plain = yaml.safe_load(release.flattened(yaml_parse(source.read_text()), "x86_64"))
        title = Path(release.FLATTENED[name]).stem
        for settings, more in (("default", {}), ("organization", of_an_organization(region))):
            given = required | more
            renderer = render.Renderer(plain, render.parameter_values(plain, given | CODE), region, ACCOUNT, title)
            template = settled(renderer, plain)
            template["Resources"] = {
                logical: {part: value for part, value in resource.items() if part != "Condition"}
                for logical, resource in renderer.made(template["Resources"]).items()
            }
            for part in ("Conditions", "Rules", "Outputs"):
                template.pop(part, None)
            # Those that are left stand in texts.
            for parameter, value in (given | CODE).items():
                template["Parameters"][parameter]["Default"] = value
            folder = OUTPUT / settings
            (folder / "policies").mkdir(parents=True, exist_ok=True)
            (folder / f"{title}.json").write_text(json.dumps(template, indent=2))
            rendered = render.render(source, given, region, ACCOUNT, title)
            for role, one in json.loads(rendered["policies.json"]).items():
                statements = [statement for policy in one["policies"] for statement in policy["Statement"]]
                document = {"Version": "2012-10-17", "Statement": statements}
                (folder / "policies" / f"{title}-{role}.json").write_text(json.dumps(document, indent=2))
    for policy in sorted((ROOT / "infra" / "policies").glob("*.json")):
        shutil.copy(policy, OUTPUT / "default" / "policies" / f"policy-{policy.name}")


if __name__ == "__main__":
    main()
