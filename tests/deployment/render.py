#!/usr/bin/env python3
"""Shows what the templates become once their parameters are known.

Linters, tests and readers need the state machines with their placeholders filled in, and the policies of each role
without intrinsic functions. This resolves infra/template.yaml for given parameter values, offline, and writes

  policies.json             role and policies of each function and state machine
  copy-fleet.asl.json       the state machine definitions as they are deployed
  copy-snapshot.asl.json
  events.json               rules, their patterns or schedules, and what their targets receive
  template.json             parameters as declared, resources and outputs resolved

and the same for infra/destination.yaml, with its machines, to the directory destination beside them: with drills, a
network, a check function and a bucket for evidence, so that everything it can have is there.

What a deployment chooses itself (the names of roles, of functions and of the queue) is made up: that of a function from
its binary, and the others from the logical ids.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import functools
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]

EXAMPLES = """\
examples:
  render.py
      for a database region us-east-1 and copies in eu-west-1, with the template's defaults
  render.py --source-region us-gov-west-1 --destination-region us-gov-east-1 --output /tmp/gov
      the same for another partition
  render.py --parameter KeepCopies=7 --parameter DestinationKmsKey=alias/copies
      with other parameter values
  render.py --template infra/destination.yaml --parameter Drills=false --output /tmp/watch
      only that template, with other parameter values
"""

Json = Any

TEMPLATE = ROOT / "infra" / "template.yaml"
DESTINATION = ROOT / "infra" / "destination.yaml"

NO_VALUE = object()
"""What `Ref: AWS::NoValue` returns: the list or the map that it stands in goes without it."""


NAMED_BY = {
    "AWS::Serverless::Function": "FunctionName",
    "AWS::Serverless::StateMachine": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::IAM::Role": "RoleName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::Events::Rule": "Name",
}
"""The property that names a resource, by its type."""


class TemplateError(Exception):
    """The template, or a parameter value, cannot be rendered. The message names the place."""


def partition_of(region: str) -> str:
    """The partition that a region belongs to."""
    known = {"us-gov-": "aws-us-gov", "cn-": "aws-cn", "eusc-": "aws-eusc", "us-iso-": "aws-iso"}
    return next((partition for prefix, partition in known.items() if region.startswith(prefix)), "aws")


def parameter_values(template: Json, given: dict[str, str]) -> dict[str, str]:
    """The value of every parameter: the given one or the default, held to the template's constraints."""
    declared = template["Parameters"]
    for name in given:
        if name not in declared:
            raise TemplateError(f"{name} is not a parameter of the template. It has {', '.join(sorted(declared))}.")
    values = {}
    for name, rules in declared.items():
        if name not in given and "Default" not in rules:
            raise TemplateError(f"The parameter {name} has no default: give --parameter {name}=...")
        value = str(given.get(name, rules.get("Default")))
        allowed = [str(one) for one in rules.get("AllowedValues", [value])]
        fits = value in allowed and bool(re.search(rules.get("AllowedPattern", ""), value))
        fits = fits and len(value) <= int(rules.get("MaxLength", len(value)))
        if fits and rules.get("Type") == "Number":
            fits = float(rules.get("MinValue", value)) <= float(value) <= float(rules.get("MaxValue", value))
        if not fits:
            raise TemplateError(f"{name}={value} is refused: {rules.get('ConstraintDescription', 'see the template')}")
        values[name] = value
    return values


class Renderer:
    """Replaces the intrinsic functions of one template by what they return."""

    def __init__(self, template: Json, parameters: dict[str, str], region: str, account: str, stack: str):
        partition = partition_of(region)
        self.template = template
        self.values: dict[str, Json] = parameters | {
            "AWS::AccountId": account,
            "AWS::Partition": partition,
            "AWS::NoValue": NO_VALUE,
            "AWS::Region": region,
            "AWS::StackName": stack,
            "AWS::URLSuffix": "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com",
        }

    def resolve(self, node: Json) -> Json:
        """The node without intrinsic functions."""
        if isinstance(node, list):
            return [one for one in map(self.resolve, node) if one is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            name, argument = next(iter(node.items()))
            if name == "Ref":
                return self.reference(argument)
            if name == "Fn::GetAtt":
                return self.attribute(*(argument.split(".", 1) if isinstance(argument, str) else argument))
            if name == "Fn::Sub":
                return self.substitute(argument)
            if name == "Fn::Equals":
                left, right = self.resolve(argument)
                return left == right
            if name == "Fn::Contains":
                values, value = self.resolve(argument)
                return value in values
            if name == "Fn::Not":
                return not self.resolve(argument)[0]
            if name == "Fn::Or":
                return any(self.resolve(argument))
            if name == "Fn::If":
                # Both branches are resolved, so that neither holds what CloudFormation might refuse.
                taken, other = (self.resolve(branch) for branch in argument[1:])
                return taken if self.condition(argument[0]) else other
            if name == "Fn::Split":
                delimiter, whole = self.resolve(argument)
                return whole.split(delimiter)
            if name == "Fn::Select":
                return self.select(*self.resolve(argument))
            if name.startswith("Fn::"):
                raise TemplateError(f"render.py does not know {name}: add it to Renderer.resolve.")
        resolved = {key: self.resolve(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not NO_VALUE}

    def made(self, part: Json) -> Json:
        """The resources or the outputs that are made: those without a condition, and those whose condition holds."""
        return {name: one for name, one in part.items() if "Condition" not in one or self.condition(one["Condition"])}

    def check(self, rules: Json) -> None:
        """The template's rules about its parameters, as CloudFormation holds them before it makes anything."""
        for name, rule in rules.items():
            if not self.resolve(rule.get("RuleCondition", True)):
                continue
            for assertion in rule["Assertions"]:
                if not self.resolve(assertion["Assert"]):
                    raise TemplateError(f"{name}: {assertion['AssertDescription']}")

    def condition(self, name: str) -> bool:
        """One of the template's conditions."""
        try:
            return self.resolve(self.template["Conditions"][name])
        except KeyError:
            raise TemplateError(f"{name} is not a condition of the template.") from None

    @staticmethod
    def select(index: int, pieces: list[str]) -> str:
        """Fn::Select, which CloudFormation refuses where there is no such piece."""
        if not 0 <= int(index) < len(pieces):
            raise TemplateError(f"Fn::Select: there is no piece {index} in {pieces}.")
        return pieces[int(index)]

    def substitute(self, argument: Json) -> str:
        """Fn::Sub, in its short form and in the one with variables of its own."""
        text, own = (argument, {}) if isinstance(argument, str) else argument

        def value(found: re.Match[str]) -> str:
            name = found.group(1)
            if name in own:
                return str(self.resolve(own[name]))
            return str(self.attribute(*name.split(".", 1)) if "." in name else self.reference(name))

        return re.sub(r"\$\{([^!}][^}]*)\}", value, text)

    def reference(self, name: str) -> str:
        """Ref: a parameter, a pseudo parameter, or what a resource gives."""
        if name in self.values:
            return self.values[name]
        kind, properties = self.resource(name)
        if kind == "AWS::Serverless::StateMachine":
            return self.attribute(name, "Arn")
        if kind == "AWS::Logs::LogGroup":
            return self.resolve(properties["LogGroupName"])
        if kind == "AWS::SNS::Topic":
            return self.arn("sns", self.own_name(name))
        if kind == "AWS::SQS::Queue":
            host = f"sqs.{self.values['AWS::Region']}.{self.values['AWS::URLSuffix']}"
            return f"https://{host}/{self.values['AWS::AccountId']}/{self.own_name(name)}"
        return self.own_name(name)

    def attribute(self, name: str, attribute: str) -> str:
        """Fn::GetAtt: ARNs, the name of a queue, and the id of a security group."""
        kind, properties = self.resource(name)
        if (kind, attribute) == ("AWS::EC2::SecurityGroup", "GroupId"):
            return "sg-0123456789abcdef0"
        if (kind, attribute) == ("AWS::SQS::Queue", "QueueName"):
            return self.own_name(name)
        of_kind = {
            "AWS::Serverless::Function": ("lambda", "function:"),
            "AWS::Serverless::StateMachine": ("states", "stateMachine:"),
            "AWS::Logs::LogGroup": ("logs", "log-group:"),
            "AWS::IAM::Role": ("iam", f"role{self.resolve(properties.get('Path', '/'))}"),
            "AWS::SQS::Queue": ("sqs", ""),
            "AWS::Events::Rule": ("events", "rule/"),
        }
        if attribute != "Arn" or kind not in of_kind:
            raise TemplateError(
                f"render.py cannot make up {name}.{attribute} of a {kind}: add it to Renderer.attribute."
            )
        service, prefix = of_kind[kind]
        suffix = ":*" if service == "logs" else ""
        return self.arn(service, f"{prefix}{self.own_name(name)}{suffix}")

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something in the stack's own region, or of a role, which is in none."""
        region = "" if service == "iam" else self.values["AWS::Region"]
        return f"arn:{self.values['AWS::Partition']}:{service}:{region}:{self.values['AWS::AccountId']}:{resource}"

    def resource(self, name: str) -> tuple[str, Json]:
        """Type and properties of a resource, by its logical id."""
        try:
            resource = self.template["Resources"][name]
        except KeyError:
            raise TemplateError(f"{name} is neither a parameter nor a resource of the template.") from None
        return resource["Type"], resource.get("Properties", {})

    def own_name(self, name: str) -> str:
        """The name that the template gives a resource, or else one that CloudFormation might choose."""
        kind, properties = self.resource(name)
        given = self.resolve(properties.get(NAMED_BY.get(kind, ""), NO_VALUE))
        return self.made_up(name) if given is NO_VALUE else str(given)

    def made_up(self, name: str) -> str:
        """Stands for the name that CloudFormation would choose."""
        metadata = self.template["Resources"][name].get("Metadata", {})
        return f"{self.values['AWS::StackName']}-{metadata.get('BuildProperties', {}).get('Binary', name)}"


def with_globals(template: Json) -> Json:
    """The template with Globals merged into its functions, as SAM does it (maps merged, all else replaced)."""

    def merged(base: Json, over: Json) -> Json:
        if isinstance(base, dict) and isinstance(over, dict):
            return base | {key: merged(base.get(key), value) for key, value in over.items()}
        return over

    shared = template.get("Globals", {}).get("Function", {})
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"] = merged(shared, resource["Properties"])
    return template


def render(template_path: Path, given: dict[str, str], region: str, account: str, stack: str) -> dict[str, str]:
    """The text of each rendered file, by file name, of a stack in this region."""
    template = with_globals(parsed(template_path))
    renderer = Renderer(template, parameter_values(template, given), region, account, stack)
    renderer.check(template.get("Rules", {}))
    resolved = renderer.resolve({key: renderer.made(template[key]) for key in ("Resources", "Outputs")})
    resources = resolved["Resources"]

    policies, events, files = {}, {}, {}
    for logical_id, resource in resources.items():
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind in ("AWS::Serverless::Function", "AWS::Serverless::StateMachine"):
            own_name = re.sub(r"(Function|StateMachine)$", "", logical_id)
            role_arn = properties["Role"]
            role = next(
                one["Properties"]
                for role_id, one in resources.items()
                if one["Type"] == "AWS::IAM::Role" and renderer.attribute(role_id, "Arn") == role_arn
            )
            policies[own_name] = {
                "role": role_arn,
                "policies": [policy["PolicyDocument"] for policy in role["Policies"]],
            }
        if kind == "AWS::Serverless::StateMachine":
            definition_path = template_path.parent / properties["DefinitionUri"]
            definition = definition_path.read_text(encoding="utf-8")
            for placeholder, value in properties["DefinitionSubstitutions"].items():
                definition = definition.replace("${" + placeholder + "}", value)
            left = sorted(set(re.findall(r"\$\{[^}]*\}", definition)))
            if left:
                raise TemplateError(f"{definition_path.name}: {', '.join(left)} has no value in {logical_id}.")
            files[definition_path.name] = definition
        if kind == "AWS::Events::Rule":
            events[logical_id] = properties

    for name, content in (
        ("policies", policies),
        ("events", events),
        ("template", {"Parameters": template["Parameters"], **resolved}),
    ):
        files[f"{name}.json"] = json.dumps(content, indent=2) + "\n"
    return files


@functools.cache
def _parsed(path: Path) -> Json:
    return yaml_parse(path.read_text(encoding="utf-8"))


def parsed(path: Path) -> Json:
    """A template as it is written. To parse it takes a second, so that it is done once."""
    return copy.deepcopy(_parsed(path))


def serve() -> int:
    """Renders again and again.

    A line of standard input is a JSON list of arguments, a line of output what was said against them, or an empty text.
    """
    for line in sys.stdin:
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
            main(json.loads(line))
        print(json.dumps(said.getvalue()), flush=True)
    return 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source-region", default="us-east-1", help="region of the databases [%(default)s]")
    parser.add_argument("--destination-region", default="eu-west-1", help="region of the copies [%(default)s]")
    parser.add_argument("--account", default="123456789012", help="account number [%(default)s]")
    parser.add_argument("--stack-name", default="snapferry", help="name of either stack [%(default)s]")
    parser.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="another template parameter; repeatable"
    )
    parser.add_argument("--template", type=Path, help="only this one [infra/template.yaml and infra/destination.yaml]")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "target" / "rendered", help="directory to write to [target/rendered]"
    )
    parser.add_argument(
        "--serve", action="store_true", help="render for each line that is read, a JSON list of arguments"
    )
    options = parser.parse_args(arguments)
    if options.serve:
        return serve()

    source, destination = options.source_region, options.destination_region
    key = (
        f"arn:{partition_of(destination)}:kms:{destination}:{options.account}:key/11111111-2222-3333-4444-555555555555"
    )
    check = f"arn:{partition_of(destination)}:lambda:{destination}:{options.account}:function:check-orders"
    of_template = {
        TEMPLATE: (source, {"DestinationRegion": destination, "DestinationKmsKey": key}),
        DESTINATION: (
            destination,
            {
                "SourceRegion": source,
                "Drills": "true",
                "DrillSubnetGroup": "drills",
                # Its rules are read by the machine, which those of the stack's own group are not.
                "DrillSecurityGroup": "sg-0123abcd",
                "CheckFunctionArn": check,
                "CheckFunctionSecurityGroup": "sg-0fedcba9876543210",
                "EvidenceBucket": "evidence-123456789012",
                "EvidenceKeyArn": key,
            },
        ),
    }
    outputs = {TEMPLATE: options.output, DESTINATION: options.output / "destination"}
    if options.template:
        path = options.template.resolve()
        if path not in of_template:
            parser.error(f"--template {options.template}: it is neither infra/template.yaml nor infra/destination.yaml")
        outputs = {path: options.output}
    assigned = {}
    for assignment in options.parameter:
        name, equals, value = assignment.partition("=")
        if not equals:
            parser.error(f"--parameter {assignment}: write it as NAME=VALUE")
        assigned[name] = value

    try:
        declared = {path: parsed(path)["Parameters"] for path in outputs}
        for name in assigned:
            if not any(name in parameters for parameters in declared.values()):
                known = sorted({one for parameters in declared.values() for one in parameters})
                raise TemplateError(f"{name} is not a parameter of the template. It has {', '.join(known)}.")
        rendered = {}
        for path, directory in outputs.items():
            region, given = of_template[path]
            given = given | {name: value for name, value in assigned.items() if name in declared[path]}
            rendered[directory] = render(path, given, region, options.account, options.stack_name)
    except TemplateError as error:
        print(f"render.py: {error}", file=sys.stderr)
        return 1
    for directory, files in rendered.items():
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
