#!/usr/bin/env python3
"""Runs the security suites of others over what is released, and compares what they find with accepted.yaml.

  check.py            fails on a finding that is not accepted, on one that is accepted and no longer found, and when
                      docs/security.md does not have the list
  check.py --write    writes the list into docs/security.md

`make security` installs the suites and runs this. What it reads is written by inputs.py.
"""

from __future__ import annotations

import argparse
import collections
import fnmatch
import importlib
import json
import os
import platform
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
INPUTS = ROOT / "target" / "security"
TOOLS = Path(sys.prefix)
"""The environment that the suites are installed in, those of npm too."""

DOCUMENT = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- infra/security/accepted.yaml -->\n", "<!-- end -->\n"

Json = Any


@dataclass(frozen=True, order=True)
class Finding:
    """What a suite says about a resource."""

    id: str
    """Suite and rule."""
    detail: str
    """What of the resource, if the rule says it."""
    resource: str
    """Template and logical id."""
    settings: str
    """`default` or `organization`."""


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    # A suite that finds something ends with a status of its own. Without an answer it has failed.
    if not done.stdout.strip():
        raise SystemExit(f"{command[0]} said nothing: {done.stderr[-2000:]}")
    return done.stdout


def templates() -> list[Path]:
    return sorted(INPUTS.glob("*/*.json"))


def at(template: Path, logical: str) -> tuple[str, str]:
    """The resource, and the settings of its template."""
    return f"{template.stem}.{logical}", template.parent.name


def checkov() -> list[Finding]:
    """Rules of Prisma Cloud's checkov for CloudFormation."""
    options = ["--framework", "cloudformation", "--compact", "--quiet", "--output", "json"]
    said = json.loads(run(TOOLS / "bin/checkov", "--directory", INPUTS, *options, BC_SKIP_MAPPING="TRUE"))
    found = []
    for part in said if isinstance(said, list) else [said]:
        if part["summary"]["parsing_errors"]:
            raise SystemExit("checkov could not read a template")
        for one in part["results"]["failed_checks"]:
            template = INPUTS / one["file_path"].lstrip("/")
            resource, settings = at(template, one["resource"].rsplit(".", 1)[-1])
            found.append(Finding(f"checkov/{one['check_id']}", "", resource, settings))
    return found


def cdk_nag() -> list[Finding]:
    """Packs of cdk-nag: AWS Solutions, Serverless, NIST 800-53 rev. 5, HIPAA, PCI DSS 3.2.1."""
    found = []
    for one in json.loads(run("node", TOOLS / "nag.mjs", *templates())):
        rule, _, detail = one["rule"].partition("[")
        resource, settings = at(Path(one["template"]), one["resource"])
        found.append(Finding(f"cdk-nag/{rule}", plain(detail.removesuffix("]")), resource, settings))
    return found


def plain(detail: str) -> str:
    """A detail as it is written without functions: `<Name>` for what is filled in."""
    text = detail.removeprefix("Resource::")
    if text.startswith("["):
        text = json.loads(text)[0]
    return re.sub(r"\$\{([^}]*)\}", r"<\1>", text)


def cfn_guard() -> list[Finding]:
    """The rules of AWS Control Tower's proactive controls, by cfn-guard."""
    package = TOOLS / "node_modules/@cdklabs/cdk-validator-cfnguard"
    machine = "aarch64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    system = "macos" if sys.platform == "darwin" else "ubuntu"
    program = package / "bin" / system / machine / "cfn-guard"
    program.chmod(0o755)
    found = []
    for template in templates():
        options = ["--show-summary", "none", "--output-format", "json", "--structured"]
        said = run(program, "validate", "--rules", package / "rules/control-tower", "--data", template, *options)
        for report in json.loads(said):
            for failed in report["not_compliant"]:
                text = json.dumps(failed)
                [rule] = set(re.findall(r"\[(CT\.[A-Z0-9]+\.PR\.\d+)\]", text))
                for logical in set(re.findall(r'"path": "/Resources/([A-Za-z0-9]+)', text)):
                    resource, settings = at(template, logical)
                    found.append(Finding(f"cfn-guard/{rule}", "", resource, settings))
    return found


def of_policies() -> list[Finding]:
    """parliament (mistakes in policies) and cloudsplaining (too much in them), on the policies of each role."""
    parliament = importlib.import_module("parliament")
    document = importlib.import_module("cloudsplaining.scan.policy_document").PolicyDocument
    found = []
    for file in sorted(INPUTS.glob("*/policies/*.json")):
        text, settings = file.read_text(), file.parents[1].name
        resource = file.stem.replace("-watch-", "-watch.") if "-watch-" in file.stem else file.stem.replace("-", ".")
        for one in parliament.analyze_policy_string(text).findings:
            detail = one.detail if isinstance(one.detail, str) else json.dumps(one.detail, sort_keys=True)
            found.append(Finding(f"parliament/{one.issue}", detail, resource, settings))
        policy = document(json.loads(text))
        for name, said in (
            ("privilege-escalation", [one["type"] for one in policy.allows_privilege_escalation]),
            ("data-exfiltration", policy.allows_data_exfiltration_actions),
            ("permissions-management", policy.permissions_management_without_constraints),
            ("credentials-exposure", policy.credentials_exposure),
            ("service-wildcard", policy.service_wildcard),
            ("infrastructure-modification", policy.infrastructure_modification),
        ):
            found += [Finding(f"cloudsplaining/{name}", action, resource, settings) for action in said]
    return found


def is_accepted(finding: Finding, entry: Json) -> bool:
    """Whether an entry of accepted.yaml is about this finding."""
    if entry["id"] != finding.id or finding.settings not in entry.get("settings", [finding.settings]):
        return False
    if not any(fnmatch.fnmatchcase(finding.resource, one) for one in entry["resources"]):
        return False
    return "details" not in entry or finding.detail in entry["details"]


def table(accepted: list[Json]) -> str:
    """The list as docs/security.md has it."""
    by_reason: dict[str, list[Json]] = collections.defaultdict(list)
    for entry in accepted:
        by_reason[" ".join(entry["reason"].split())].append(entry)
    lines = ["| Finding | Where | Why it stays |", "|---|---|---|"]
    for reason, entries in by_reason.items():
        ids = ", ".join(f"`{one}`" for one in dict.fromkeys(entry["id"] for entry in entries))
        resources = ", ".join(
            f"`{one}`" for one in dict.fromkeys(one for entry in entries for one in entry["resources"])
        )
        lines.append(f"| {ids} | {resources} | {reason} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--write", action="store_true", help="write the list into docs/security.md")
    write = arguments.parse_args().write
    accepted: list[Json] = yaml.safe_load((HERE / "accepted.yaml").read_text())
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    listed, after = rest.split(END)
    if write:
        DOCUMENT.write_text(f"{before}{BEGIN}{table(accepted)}{END}{after}")
        return 0

    wrong = 0
    if listed != table(accepted):
        print("docs/security.md has another list than infra/security/accepted.yaml: run check.py --write")
        wrong += 1
    with ThreadPoolExecutor(2) as threads:
        suites = [threads.submit(suite) for suite in (checkov, cdk_nag, cfn_guard, of_policies)]
        found = sorted({finding for suite in suites for finding in suite.result()})
    used = set()
    for finding in found:
        entry = next((one for one, entry in enumerate(accepted) if is_accepted(finding, entry)), None)
        if entry is None:
            wrong += 1
            print(f"new: {finding.id} {finding.detail} on {finding.resource} ({finding.settings})")
        else:
            used.add(entry)
    for number, entry in enumerate(accepted):
        if number not in used:
            wrong += 1
            print(f"no longer found: {entry['id']} on {', '.join(entry['resources'])}. Take it off the list")
    counts = collections.Counter(finding.id.split("/")[0] for finding in found)
    print(f"{len(found)} findings, {wrong} of them new or out of date: {dict(sorted(counts.items()))}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
