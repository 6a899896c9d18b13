"""The templates that are released: plain YAML, which says the same as those in the repository."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

from local_cloud.release import script

ROOT = Path(__file__).resolve().parents[2]


RELEASE = script()
SOURCES = {name: yaml_parse((ROOT / "infra" / name).read_text()) for name in RELEASE.TEMPLATES}
BOTH = pytest.mark.parametrize("template", SOURCES)
RELEASE_ID = "0.1.0+0123456789ab"


def _flattened(template: str, arch: str = "x86_64") -> tuple[str, Any]:
    text: str = RELEASE.flattened(RELEASE.of_release(SOURCES[template], RELEASE_ID), arch)
    return text, yaml.safe_load(text)


def _cfn_lint(path: Path) -> None:
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([lint, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_that_can_be_deployed_is_released() -> None:
    # `make build` leaves one for each architecture beside them.
    assert set(SOURCES) == {path.name for path in (ROOT / "infra").glob("*.yaml") if path.name.count(".") == 1}
    assert set(RELEASE.STATE_MACHINES) == {path.name for path in (ROOT / "statemachine").iterdir()}


@BOTH
@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_the_released_template_has_no_anchor_no_alias_and_no_merge_key(template: str, arch: str) -> None:
    text = RELEASE.packaged(SOURCES[template], arch)
    tokens = list(yaml.scan(text))
    assert not [token for token in tokens if isinstance(token, (yaml.AnchorToken, yaml.AliasToken))]
    assert not [
        token for token in tokens if isinstance(token, yaml.ScalarToken) and token.value == "<<" and token.plain
    ]
    assert yaml.safe_load(text)["Globals"]["Function"]["Architectures"] == [arch]


@BOTH
def test_the_released_template_says_the_same_but_for_where_the_parts_are(template: str) -> None:
    expected: dict[str, Any] = json.loads(json.dumps(SOURCES[template]))
    expected["Globals"]["Function"].pop("CodeUri")
    programs = []
    for resource in expected["Resources"].values():
        properties = resource.get("Properties", {})
        if "Metadata" in resource:
            programs.append(resource.pop("Metadata")["BuildProperties"]["Binary"])
            properties["CodeUri"] = f"{programs[-1]}.zip"
        if "DefinitionUri" in properties:
            properties["DefinitionUri"] = properties["DefinitionUri"].removeprefix("../statemachine/")
    assert len(programs) == 5
    assert yaml.safe_load(RELEASE.packaged(SOURCES[template], "x86_64")) == expected


@BOTH
def test_cfn_lint_passes_on_the_released_template(template: str, tmp_path: Path) -> None:
    (tmp_path / template).write_text(RELEASE.packaged(SOURCES[template], "x86_64"))
    for machine in RELEASE.STATE_MACHINES:
        shutil.copyfile(ROOT / "statemachine" / machine, tmp_path / machine)
    _cfn_lint(tmp_path / template)


# The flattened templates


@BOTH
@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_the_flattened_template_is_plain_cloudformation_without_an_alias(template: str, arch: str) -> None:
    text, parsed = _flattened(template, arch)
    assert not [token for token in yaml.scan(text) if isinstance(token, (yaml.AnchorToken, yaml.AliasToken))]
    parts = ["Description", "Metadata", "Parameters", "Rules", "Conditions", "Resources", "Outputs"]
    assert set(parsed) == {"AWSTemplateFormatVersion", *parts}
    assert "Fn::Transform" not in text
    assert "AWS::Serverless" not in text
    # CloudFormation takes a megabyte from a bucket. In a call it takes 51,200 bytes, which these are too long for.
    assert 51_200 < len(text.encode()) < 1_000_000
    functions = [one for one in parsed["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]
    assert [one["Properties"]["Architectures"] for one in functions] == [[arch]] * 5


@BOTH
def test_the_flattened_template_takes_its_code_from_the_bucket_and_the_prefix_of_the_release(template: str) -> None:
    _, parsed = _flattened(template)
    programs = {
        name: resource["Metadata"]["BuildProperties"]["Binary"]
        for name, resource in SOURCES[template]["Resources"].items()
        if "BuildProperties" in resource.get("Metadata", {})
    }
    code = {
        name: resource["Properties"]["Code"]
        for name, resource in parsed["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    assert code == {
        name: {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Fn::Sub": f"${{CodePrefix}}{program}.zip"}}
        for name, program in programs.items()
    }
    own = {name: rules for name, rules in parsed["Parameters"].items() if name not in RELEASE.CODE_PARAMETERS}
    assert own == json.loads(json.dumps(SOURCES[template]["Parameters"]))
    for name, rules in RELEASE.CODE_PARAMETERS.items():
        assert parsed["Parameters"][name] == rules
        assert "Default" not in rules
    interface = parsed["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(parsed["Parameters"]) == sorted(interface["ParameterLabels"])


@BOTH
def test_the_flattened_template_holds_the_state_machines_as_they_are(template: str) -> None:
    _, parsed = _flattened(template)
    sources = {
        name: resource["Properties"]
        for name, resource in SOURCES[template]["Resources"].items()
        if resource["Type"] == "AWS::Serverless::StateMachine"
    }
    assert len(sources) == {"template.yaml": 2, "destination.yaml": 3}[template]
    for name, source in sources.items():
        flat = parsed["Resources"][name]["Properties"]
        definition = "\n".join(flat["DefinitionString"]["Fn::Join"][1])
        machine = ROOT / "infra" / source["DefinitionUri"]
        assert json.loads(definition) == json.loads(machine.read_text())
        assert flat["DefinitionSubstitutions"] == json.loads(json.dumps(source["DefinitionSubstitutions"]))
        assert (flat["StateMachineName"], flat["RoleArn"]) == (source["Name"], source["Role"])
        assert flat["LoggingConfiguration"] == source["Logging"]


@BOTH
def test_flattening_changes_nothing_but_functions_and_state_machines(template: str) -> None:
    _, parsed = _flattened(template)
    expected: Any = json.loads(json.dumps(RELEASE.of_release(SOURCES[template], RELEASE_ID)))
    of_sam = {name for name, one in expected["Resources"].items() if one["Type"].startswith("AWS::Serverless::")}
    assert set(parsed["Resources"]) == set(expected["Resources"])
    for name in set(expected["Resources"]) - of_sam:
        assert parsed["Resources"][name] == expected["Resources"][name], name
    for part in ("Rules", "Conditions", "Outputs"):
        assert parsed[part] == expected[part], part
    shared = expected["Globals"]["Function"]
    for name in of_sam:
        before, after = expected["Resources"][name]["Properties"], parsed["Resources"][name]["Properties"]
        if expected["Resources"][name]["Type"] == "AWS::Serverless::Function":
            for field in ("Handler", "Runtime", "MemorySize", "Environment", "VpcConfig"):
                assert after[field] == shared[field], (name, field)
            assert after["Timeout"] == before.get("Timeout", shared["Timeout"])
            for field in ("FunctionName", "Role", "LoggingConfig"):
                assert after[field] == before[field], (name, field)
            assert after["TracingConfig"] == {"Mode": "Active"}


@BOTH
def test_cfn_lint_finds_nothing_in_the_flattened_template(template: str, tmp_path: Path) -> None:
    path = tmp_path / RELEASE.FLATTENED[template]
    path.write_text(_flattened(template)[0])
    _cfn_lint(path)


@BOTH
def test_what_is_released_says_which_release_it_is(template: str) -> None:
    released = RELEASE.of_release(SOURCES[template], RELEASE_ID)
    for text in (RELEASE.packaged(released, "x86_64"), RELEASE.flattened(released, "x86_64")):
        parsed = yaml.safe_load(text)
        assert parsed["Outputs"]["Release"]["Value"] == RELEASE_ID
        said = re.findall(r"RELEASE: (\S+)", text)
        assert set(said) == {RELEASE_ID}
    with pytest.raises(SystemExit):
        RELEASE.of_release(SOURCES[template], "9.9.9")


def test_the_release_is_the_version_and_where_the_commit_has_no_tag_the_commit() -> None:
    said = subprocess.run([ROOT / "infra" / "release-id.sh"], capture_output=True, text=True, check=True).stdout
    version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert re.fullmatch(rf"{re.escape(version.group(1))}(\+[0-9a-f]{{12}})?\n", said)


def test_a_tag_of_the_version_takes_the_commit_off(tmp_path: Path) -> None:
    def git(*command: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", tmp_path, *identity, *command], check=True, capture_output=True)

    def said() -> str:
        script = tmp_path / "infra" / "release-id.sh"
        return subprocess.run([script], capture_output=True, text=True, check=True).stdout.strip()

    (tmp_path / "infra").mkdir()
    shutil.copy(ROOT / "infra" / "release-id.sh", tmp_path / "infra")
    (tmp_path / "Cargo.toml").write_text('[workspace.package]\nversion = "1.2.3"\n')
    git("init")
    git("add", "--all")
    git("commit", "--message", "One")
    assert said().startswith("1.2.3+")
    git("tag", "v1.2.2")
    assert said().startswith("1.2.3+")
    git("tag", "v1.2.3")
    assert said() == "1.2.3"
