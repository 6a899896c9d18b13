"""What the security suites of others are given, and the list of what they find. The suites run in `make security`."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ["snapferry", "snapferry-watch"]
SUITES = {"checkov", "cdk-nag", "cfn-guard", "parliament", "cloudsplaining"}


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "infra" / "security" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclass looks itself up there.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


CHECK, INPUTS = _script("check"), _script("inputs")
ACCEPTED: list[Any] = yaml.safe_load((ROOT / "infra" / "security" / "accepted.yaml").read_text())


def test_the_document_has_the_list() -> None:
    document = (ROOT / "docs" / "security.md").read_text()
    assert document.split(CHECK.BEGIN)[1].split(CHECK.END)[0] == CHECK.table(ACCEPTED)


def test_every_entry_of_the_list_names_a_rule_of_a_suite_a_resource_and_a_reason() -> None:
    for entry in ACCEPTED:
        assert set(entry) <= {"id", "settings", "resources", "details", "reason"}
        assert entry["id"].split("/")[0] in SUITES
        assert entry["resources"]
        assert "*" not in entry["resources"]
        assert len(entry["reason"].split()) >= 5
    entries = [json.dumps(entry, sort_keys=True) for entry in ACCEPTED]
    assert len(set(entries)) == len(entries)


@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        ({}, True),
        ({"id": "checkov/CKV_AWS_2"}, False),
        ({"detail": "arn:*"}, False),
        ({"resource": "snapferry.OtherRole"}, False),
        ({"settings": "organization"}, False),
    ],
)
def test_a_finding_is_accepted_only_where_it_is_listed(change: dict[str, str], accepted: bool) -> None:
    entry = {"id": "checkov/CKV_AWS_1", "settings": ["default"], "resources": ["*.ARole"], "details": ["*"]}
    finding = {"id": "checkov/CKV_AWS_1", "detail": "*", "resource": "snapferry.ARole", "settings": "default"}
    assert CHECK.is_accepted(CHECK.Finding(**(finding | change)), entry) is accepted


def test_what_is_new_and_what_is_no_longer_found_both_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["check.py"])
    for suite in ("checkov", "cdk_nag", "cfn_guard"):
        monkeypatch.setattr(CHECK, suite, list)
    new = CHECK.Finding("parliament/NEW", "", "snapferry.PruneOld", "default")
    monkeypatch.setattr(CHECK, "of_policies", lambda: [new])
    assert CHECK.main() == 1
    said = capsys.readouterr().out
    assert "new: parliament/NEW  on snapferry.PruneOld (default)" in said
    assert said.count("no longer found: ") == len(ACCEPTED)


def test_the_suites_see_no_condition_and_all_that_an_organization_demands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(INPUTS, "OUTPUT", tmp_path)
    INPUTS.main()
    for name, settings in ((name, settings) for name in TEMPLATES for settings in ("default", "organization")):
        template = json.loads((tmp_path / settings / f"{name}.json").read_text())
        text = json.dumps(template)
        assert "Fn::If" not in text
        assert "AWS::NoValue" not in text
        kinds = [one["Type"] for one in template["Resources"].values()]
        in_organization = settings == "organization"
        assert ("AWS::SNS::Topic" in kinds) is not in_organization
        for resource in template["Resources"].values():
            properties = resource["Properties"]
            if resource["Type"] == "AWS::Lambda::Function":
                assert ("VpcConfig" in properties) is in_organization
            if resource["Type"] == "AWS::IAM::Role":
                assert ("PermissionsBoundary" in properties) is in_organization
        policies = [path.stem for path in (tmp_path / settings / "policies").glob("*.json")]
        people = sorted(name for name in policies if name.startswith("policy-"))
        assert people == ([] if in_organization else ["policy-deploys", "policy-reads", "policy-runs"])
        assert len(policies) == 15 + len(people)
