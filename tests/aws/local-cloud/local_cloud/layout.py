"""Where things are, and the few names that the whole local cloud agrees on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
"""The root of the checkout."""

TEMPLATE = ROOT / "infra" / "template.yaml"
WATCH_TEMPLATE = ROOT / "infra" / "destination.yaml"
SCENARIOS = ROOT / "tests" / "aws" / "local-cloud" / "scenarios"
WORKSPACE = Path(os.environ.get("LOCAL_CLOUD_WORKSPACE") or ROOT / "target" / "local-cloud")
"""Everything that local clouds write, one folder each, and the state file of the one that keeps running."""

BUILD_LOCK = ROOT / "target" / "local-cloud.lock"
"""Held while the functions are built."""

STACK = "snapferry"
ACCOUNT = "123456789012"
SOURCE_REGION = "eu-west-1"
DESTINATION_REGION = "eu-central-1"
OWNER_ID = "acme"
KEY_ARN = f"arn:aws:kms:{DESTINATION_REGION}:{ACCOUNT}:key/22222222-2222-4222-8222-222222222222"

EVENT_SOURCE = "local.rds"
"""MiniStack, like EventBridge, takes no `aws.*` events from callers, so here the rule listens to this source."""

OPERATOR_KEY = "test"
"""The access key of whoever sits at the keyboard: MiniStack's root user, and the simulator's operator."""

OPERATOR_SECRET = "test"

FUNCTIONS = {
    "list-targets": "ListTargetsFunction",
    "find-latest-snapshot": "FindLatestSnapshotFunction",
    "start-copy": "StartCopyFunction",
    "check-copy-status": "CheckCopyStatusFunction",
    "prune-old": "PruneOldFunction",
}
"""Each function's name and its logical id in the template."""

WATCH_FUNCTIONS = {
    "measure-copies": "MeasureCopiesFunction",
    "plan-drills": "PlanDrillsFunction",
    "start-restore": "StartRestoreFunction",
    "check-restore": "CheckRestoreFunction",
    "end-restore": "EndRestoreFunction",
}
"""The same of the stack in the destination region."""

WATCH_STACK = f"{STACK}-watch"

PROGRAMS = ["rds-simulator", "snapferry", *FUNCTIONS, *WATCH_FUNCTIONS]
"""What a local cloud consists of, by the names of packages and of what they build."""


def clean_environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of every process started here: this one's, without anything of a real AWS account.

    A profile, a key or an endpoint left over from real work must never reach the local cloud, nor the other way
    round.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    if sys.prefix != sys.base_prefix:
        # The tools of the virtual environment, whether or not it has been activated.
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment.update(
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_ACCESS_KEY_ID=OPERATOR_KEY,
        AWS_SECRET_ACCESS_KEY=OPERATOR_SECRET,
        AWS_REGION=SOURCE_REGION,
        AWS_DEFAULT_REGION=SOURCE_REGION,
        # A proxy of this machine has no business with loopback addresses.
        NO_PROXY="127.0.0.1,localhost",
        no_proxy="127.0.0.1,localhost",
        PYTHONUNBUFFERED="1",
    )
    environment.update(extra or {})
    return environment


def forget_real_account() -> None:
    """Applies `clean_environment` to this process, so that boto3 finds no profile either."""
    environment = clean_environment()
    os.environ.clear()
    os.environ.update(environment)
