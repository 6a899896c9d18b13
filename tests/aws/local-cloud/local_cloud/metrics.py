"""What the functions write to their logs, and the metrics in it.

CloudWatch makes metrics of log lines in the Embedded Metric Format; MiniStack does not. This reads the lines, holds
them to the format, and puts their metrics where CloudWatch would.

The format: CloudWatch user guide, Specification: Embedded metric format.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from . import layout

if TYPE_CHECKING:
    from .cloud import LocalCloud

Json = Any

UNITS = {"Count", "Seconds", "Milliseconds", "Bytes", "Gigabytes", "Percent", "None"}
MAX_DIMENSIONS = 30
MAX_METRICS = 100
PLATFORM = ("START ", "END ", "REPORT ", "INIT_START ")
"""How the lines begin that Lambda itself writes."""


class NotTheFormat(Exception):
    """A line that says it holds metrics, and that CloudWatch would make none of. The message says why."""


@dataclass(frozen=True)
class Measurement:
    """One value of one metric."""

    namespace: str
    name: str
    unit: str
    value: float
    dimensions: tuple[tuple[str, str], ...]
    at: datetime


def lines_by_function(cloud: LocalCloud, stack: str = layout.STACK, since: float = 0) -> dict[str, list[str]]:
    """What each function of a stack wrote since a time, without what Lambda adds."""
    logs = cloud.client("logs")
    found = {}
    for function in layout.FUNCTIONS:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{stack}-{function}", startTime=int(since * 1000)
        )
        written = [event["message"].rstrip("\n") for page in pages for event in page["events"]]
        found[function] = [line for line in written if line and not line.startswith(PLATFORM)]
    return found


def records(cloud: LocalCloud, stack: str = layout.STACK, since: float = 0) -> list[Json]:
    """The same of all functions, each line as the JSON that it must be."""
    written = lines_by_function(cloud, stack, since)
    return [json.loads(line) for of_function in written.values() for line in of_function]


def measurements(record: Json) -> Iterator[Measurement]:
    """The metrics that CloudWatch would make of a line; none of a line that does not say that it holds any."""
    metadata = record.get("_aws")
    if metadata is None:
        return
    demand(isinstance(metadata.get("Timestamp"), int), "Timestamp is no whole number of milliseconds", record)
    at = datetime.fromtimestamp(metadata["Timestamp"] / 1000, timezone.utc)
    directives = metadata.get("CloudWatchMetrics")
    demand(isinstance(directives, list) and directives, "CloudWatchMetrics is no list", record)
    for directive in directives:
        namespace = directive.get("Namespace")
        demand(isinstance(namespace, str) and 1 <= len(namespace) <= 1024, "Namespace is missing", record)
        metrics = directive.get("Metrics", [])
        demand(1 <= len(metrics) <= MAX_METRICS, f"{len(metrics)} metrics", record)
        sets = directive.get("Dimensions")
        demand(isinstance(sets, list) and sets, "Dimensions is not a list of lists", record)
        for names in sets:
            demand(isinstance(names, list) and len(names) <= MAX_DIMENSIONS, f"dimensions {names}", record)
            dimensions = tuple((name, dimension(record, name)) for name in names)
            for metric in metrics:
                name, unit = metric.get("Name"), metric.get("Unit", "None")
                demand(unit in UNITS, f"CloudWatch does not know the unit {unit}", record)
                value = record.get(name)
                number = isinstance(value, (int, float)) and not isinstance(value, bool)
                demand(number, f"{name} is not a number: {value!r}", record)
                yield Measurement(namespace, name, unit, float(value), dimensions, at)


def dimension(record: Json, name: str) -> str:
    """The value of a dimension, which must be a text that CloudWatch takes."""
    value = record.get(name)
    demand(isinstance(value, str), f"the dimension {name} has no text", record)
    demand(1 <= len(value) <= 1024 and value.isascii(), f"the dimension {name} cannot be {value!r}", record)
    demand(not value.startswith(":"), f"the dimension {name} begins with a colon", record)
    return str(value)


def demand(holds: Any, problem: str, record: Json) -> None:
    """Refuses a line that does not hold to the format."""
    if not holds:
        raise NotTheFormat(f"{problem}: {json.dumps(record)}")


def put(cloud: LocalCloud, found: list[Measurement], earlier: timedelta = timedelta()) -> None:
    """Gives CloudWatch these values, as if they had been measured so much earlier."""
    cloudwatch = cloud.client("cloudwatch")
    for one in found:
        cloudwatch.put_metric_data(
            Namespace=one.namespace,
            MetricData=[
                {
                    "MetricName": one.name,
                    "Unit": one.unit,
                    "Value": one.value,
                    "Timestamp": one.at - earlier,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in one.dimensions],
                }
            ],
        )
