"""The templates that are released: plain YAML, which says the same as those in the repository."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]


def _release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / "infra" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RELEASE = _release()
SOURCES = {name: yaml_parse((ROOT / "infra" / name).read_text()) for name in RELEASE.TEMPLATES}
BOTH = pytest.mark.parametrize("template", SOURCES)


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
    lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([lint, tmp_path / template], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
