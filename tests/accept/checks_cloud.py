"""The questions about other services than RDS."""

from __future__ import annotations

import json
from typing import Any

from accept.checks import NotAsked, answers
from accept.life import INSTANCE_CLASS, World
from accept.recording import Asker

Json = Any


@answers("F12")
def tolerated_failure_in_an_inline_map(world: World, ask: Asker) -> None:
    machine = {
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Map",
                "ToleratedFailurePercentage": 5,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "One",
                    "States": {"One": {"Type": "Pass", "End": True}},
                },
                "End": True,
            }
        },
    }
    found = ask.call(
        "stepfunctions", world.run.region, "validate_state_machine_definition", definition=json.dumps(machine)
    )
    if found.ok:
        ask.say(result=found.answer["result"], diagnostics=[one["code"] for one in found.answer["diagnostics"]])


@answers("J13")
def price_of_the_smallest_instance(world: World, ask: Asker) -> None:
    filters = {
        "regionCode": world.run.region,
        "instanceType": INSTANCE_CLASS,
        "databaseEngine": "PostgreSQL",
        "deploymentOption": "Single-AZ",
    }
    if world.place.is_local:
        raise NotAsked("needs AWS: the local cloud has no price list")
    found = ask.call(
        "pricing",
        "us-east-1",
        "get_products",
        ServiceCode="AmazonRDS",
        Filters=[{"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in filters.items()],
        MaxResults=5,
    )
    for product in found.answer["PriceList"] if found.ok else []:
        for term in json.loads(product)["terms"]["OnDemand"].values():
            for dimension in term["priceDimensions"].values():
                ask.measure(dollars_per_hour=dimension["pricePerUnit"].get("USD"))


@answers("B9")
def session_tokens_in_an_opt_in_region(world: World, ask: Asker) -> None:
    ec2 = world.account.client("ec2", world.run.region)
    found = ec2.describe_regions(RegionNames=[world.run.destination], AllRegions=True)["Regions"][0]
    if found.get("OptInStatus") == "opt-in-not-required":
        raise NotAsked("needs a DESTINATION that is an opt-in region")
    # The functions of the source region have read and written there: the copy of the run is the answer.
    ask.say(opt_in=found.get("OptInStatus"), copied=world.memo.get("copied", False))


@answers("B10")
def deployed_at_the_first_attempt(world: World, ask: Asker) -> None:
    if "attempts" not in world.memo:
        raise NotAsked("the stacks were not deployed")
    ask.say(attempts=world.memo["attempts"])


@answers("C1")
def strings_in_buckets(world: World, ask: Asker) -> None:
    if "page" not in world.memo:
        raise NotAsked("no evidence was written")
    ask.say(written="as JSON" if world.memo["page"].startswith(b'"') else "as it is")


@answers("B11")
def pseudo_parameters_in_rules(world: World, ask: Asker) -> None:
    differs = {"Fn::Not": [{"Fn::Equals": [{"Ref": "Where"}, {"Ref": "AWS::Region"}]}]}
    template = {
        "Parameters": {"Where": {"Type": "String"}},
        "Rules": {"Differs": {"Assertions": [{"Assert": differs, "AssertDescription": "They are the same."}]}},
        "Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
    }
    # If it is taken after all, it carries the marks, and goes with the rest.
    ask.call(
        "cloudformation",
        world.run.region,
        "create_stack",
        StackName=world.name("rules"),
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "Where", "ParameterValue": world.run.region}],
        Tags=world.run.tags(),
    )
