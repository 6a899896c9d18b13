#!/usr/bin/env python3
"""Builds what is released, into target/release-artifacts: the same bytes from the same commit, wherever it is built.

  <function>.zip                 one for each function, ready for Lambda
  snapferry.yaml                 the templates of both regions in plain CloudFormation, without macros: the zips come
  snapferry-watch.yaml           from a bucket, and the state machines are in them
  template.yaml                  the same for `sam deploy`: they name the zips and the state machines beside them
  destination.yaml
  deploy.sh                      uploads the zips, and creates or updates both stacks
  snapferry                      the command line for Linux x86_64: one static program, which needs nothing beside it
  policy-<who>.json              IAM policies for who deploys, who runs and who only reads
  RELEASE                        which release this is
  copy-fleet.asl.json            the state machines
  copy-snapshot.asl.json
  drill-fleet.asl.json
  drill-copy.asl.json
  keep-evidence.asl.json
  <program>.cdx.json             its software bill of materials: what is linked into it (CycloneDX)
  SHA256SUMS                     of all of them

The same bytes need the same versions of Rust, of the Python packages and of zlib. Paths are not among what has to be
the same: none of them gets into the binaries, and this checks it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "target" / "release-build"
"""A target directory of its own: with the flags below, the usual one would be rebuilt, and rebuilt again afterwards."""

ARTIFACTS = ROOT / "target" / "release-artifacts"
TEMPLATES = ["template.yaml", "destination.yaml"]
FLATTENED = {"template.yaml": "snapferry.yaml", "destination.yaml": "snapferry-watch.yaml"}
STATE_MACHINES = [
    "copy-fleet.asl.json",
    "copy-snapshot.asl.json",
    "drill-fleet.asl.json",
    "drill-copy.asl.json",
    "keep-evidence.asl.json",
]
TARGETS = {"x86_64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
PROCESSORS = {"x86_64": "haswell", "arm64": "neoverse-n1"}
"""What cargo-lambda builds for, unless there are flags of one's own, as there are here."""

COMMAND_LINE = "snapferry"
STATIC = "x86_64-unknown-linux-musl"
"""What the command line is built for: with musl it needs no C library of the machine that it runs on."""

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)

Json = Any


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--arch", choices=TARGETS, default="x86_64")
    arch = arguments.parse_args().arch
    release = run(str(ROOT / "infra" / "release-id.sh")).strip()
    functions = programs()
    has_command_line = arch == "x86_64"
    if has_command_line and not has_static_library():
        sys.exit(f"the command line is built for {STATIC}, and its library is missing: run rustup target add {STATIC}")

    cargo_home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    run("cargo", "fetch", "--locked")
    build(arch, f"-C target-cpu={PROCESSORS[arch]} {remapped(cargo_home)}")
    # Nothing of an earlier release stays.
    shutil.rmtree(ARTIFACTS, ignore_errors=True)
    ARTIFACTS.mkdir(parents=True)
    binaries = {function: (BUILD / "lambda" / function / "bootstrap").read_bytes() for function in functions}
    write_materials(functions, TARGETS[arch])
    command_line = None
    if has_command_line:
        command_line = build_command_line(remapped(cargo_home))
        write_materials([COMMAND_LINE], STATIC, "--package", COMMAND_LINE)
    for program, binary in {**binaries, COMMAND_LINE: command_line or b""}.items():
        for path in (ROOT, cargo_home, Path.home()):
            if os.fsencode(path) + b"/" in binary:
                sys.exit(f"{program} holds the path {path}: it would differ from machine to machine")
    print(write_release(ARTIFACTS, binaries, arch, release, command_line), end="")


def programs() -> list[str]:
    """The programs that the functions of both templates are built from."""
    templates = [yaml_parse((ROOT / "infra" / name).read_text()) for name in TEMPLATES]
    resources = [resource for template in templates for resource in template["Resources"].values()]
    return [name for resource in resources if (name := binary_of(resource))]


def write_release(
    folder: Path, binaries: dict[str, bytes], arch: str, release: str, command_line: bytes | None = None
) -> str:
    """Writes what is deployed, and the sums of all that is in the folder then, which it returns."""
    for function, binary in binaries.items():
        write_zip(folder / f"{function}.zip", binary)
    for name in TEMPLATES:
        template = of_release(yaml_parse((ROOT / "infra" / name).read_text()), release)
        (folder / name).write_text(packaged(template, arch))
        (folder / FLATTENED[name]).write_text(flattened(template, arch))
    for name in STATE_MACHINES:
        shutil.copyfile(ROOT / "statemachine" / name, folder / name)
    for policy in sorted((ROOT / "infra" / "policies").iterdir()):
        shutil.copyfile(policy, folder / f"policy-{policy.name}")
    shutil.copy(ROOT / "infra" / "deploy.sh", folder)
    (folder / "RELEASE").write_text(f"{release}\n")
    if command_line is not None:
        (folder / COMMAND_LINE).write_bytes(command_line)
        (folder / COMMAND_LINE).chmod(0o755)
    files = sorted(folder.iterdir())
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    (folder / "SHA256SUMS").write_text(sums)
    return sums


def run(*command: str, **environment: str) -> str:
    """What a command prints; its progress goes to the terminal."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def remapped(cargo_home: Path) -> str:
    """Flags that take the paths of this machine out of the binaries: panics name the file that they are in."""
    sources = [(folder, "/crates") for folder in sorted((cargo_home / "registry" / "src").iterdir())]
    return " ".join(f"--remap-path-prefix={folder}={name}" for folder, name in [*sources, (ROOT, "/snapferry")])


def build(arch: str, flags: str) -> None:
    command = ["cargo", "lambda", "build", "--release", "--locked", "--lambda-dir", str(BUILD / "lambda")]
    run(*command, *(["--arm64"] if arch == "arm64" else []), RUSTFLAGS=flags, CARGO_TARGET_DIR=str(BUILD))


def has_static_library() -> bool:
    """Whether Rust's library for static programs is installed."""
    return (Path(run("rustc", "--print", "sysroot").strip()) / "lib" / "rustlib" / STATIC / "lib").is_dir()


def build_command_line(flags: str) -> bytes:
    """The command line as a static program. cargo-lambda builds it, because it brings the C compiler for it, zig."""
    made = BUILD / "command-line"
    command = ["cargo", "lambda", "build", "--release", "--locked", "--package", COMMAND_LINE, "--bin", COMMAND_LINE]
    run(*command, "--target", STATIC, "--lambda-dir", str(made), RUSTFLAGS=flags, CARGO_TARGET_DIR=str(BUILD))
    return (made / COMMAND_LINE / "bootstrap").read_bytes()


def write_zip(path: Path, binary: bytes, level: int = 9) -> None:
    entry = zipfile.ZipInfo("bootstrap", ZIP_EPOCH)
    entry.create_system = 3
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, binary, compresslevel=level)


def of_release(template: Json, release: str) -> Json:
    """The template with the release that is built, where the repository has only its version."""
    version = template["Outputs"]["Release"]["Value"]

    def named(node: Json) -> Json:
        if isinstance(node, dict):
            return {name: release if name == "RELEASE" else named(value) for name, value in node.items()}
        return [named(one) for one in node] if isinstance(node, list) else node

    if not release.startswith(version):
        sys.exit(f"the templates say that they are {version}, and Cargo.toml that this is {release}")
    template = named(template)
    template["Outputs"]["Release"]["Value"] = release
    return template


def with_code(template: Json, arch: str, code: Callable[[str], Json]) -> Json:
    """A copy of the template whose functions are what was built, by the names of the binaries, instead of how to build
    them."""
    template = json.loads(json.dumps(template))
    del template["Globals"]["Function"]["CodeUri"]
    template["Globals"]["Function"]["Architectures"] = [arch]
    for resource in template["Resources"].values():
        if binary := binary_of(resource):
            del resource["Metadata"]
            resource["Properties"]["CodeUri"] = code(binary)
    return template


def machines_of(template: Json) -> list[Json]:
    """The properties of its state machines."""
    all_properties = [resource.get("Properties", {}) for resource in template["Resources"].values()]
    return [properties for properties in all_properties if "DefinitionUri" in properties]


def packaged(template: Json, arch: str) -> str:
    """The template with what it names beside it, instead of how to build that.

    It has no anchors, aliases and merge keys: CloudFormation refuses them, and only `sam` flattens them.
    """
    template = with_code(template, arch, lambda binary: f"{binary}.zip")
    for properties in machines_of(template):
        properties["DefinitionUri"] = Path(properties["DefinitionUri"]).name
    text: str = yaml.safe_dump(template, sort_keys=False, allow_unicode=True, width=120)
    left = [word for word in ("../", "BuildMethod") if word in text]
    if left:
        sys.exit(f"a template has changed its form: {left} is left in what is released")
    return text


CODE_PARAMETERS = {
    "CodeBucket": {
        "Type": "String",
        "AllowedPattern": r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        "ConstraintDescription": "Give the name of a bucket in the region of the stack.",
        "Description": "The bucket, in the region of the stack, that the zips of this release were uploaded to.",
    },
    "CodePrefix": {
        "Type": "String",
        "AllowedPattern": r"^([A-Za-z0-9][A-Za-z0-9!_.*'()+/-]*/)?$",
        "ConstraintDescription": "Give a prefix that ends with a slash, for example snapferry/0.1.0/, or nothing.",
        "Description": "What their names there begin with, another one for each release, as in snapferry/0.1.0/.",
    },
}


def flattened(template: Json, arch: str) -> str:
    """The template in plain CloudFormation: what the macro of SAM makes of it, made here.

    Service-managed StackSets take no macros. Where the zips are is a parameter, and the state machines are in it.
    """

    def code(binary: str) -> Json:
        return {"Bucket": {"Ref": "CodeBucket"}, "Key": {"Fn::Sub": f"${{CodePrefix}}{binary}.zip"}}

    template = with_code(template, arch, code)
    for properties in machines_of(template):
        definition = Path(properties.pop("DefinitionUri")).name
        properties["Definition"] = json.loads((ROOT / "statemachine" / definition).read_text())
    template["Parameters"] = {**CODE_PARAMETERS, **template["Parameters"]}
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    interface["ParameterGroups"].insert(0, {"Label": {"default": "The release"}, "Parameters": list(CODE_PARAMETERS)})
    interface["ParameterLabels"] |= {
        "CodeBucket": {"default": "Bucket of the zips"},
        "CodePrefix": {"default": "Prefix of the zips"},
    }
    # It asks the session of boto3 for the partition of managed policies, which these templates have none of.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    # It warns that it counts what it does, and publishes that nowhere.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    plain = transform(template, {}, ManagedPolicyLoader(None))
    for left in ("Transform", "Globals"):
        plain.pop(left, None)
    if "AWS::Serverless::" in json.dumps(plain):
        sys.exit("a resource of SAM is left in the flattened template")
    # Once more through JSON: the translator shares objects, which YAML would write as aliases.
    return yaml.safe_dump(json.loads(json.dumps(plain)), sort_keys=False, allow_unicode=True, width=120)


def binary_of(resource: Json) -> str | None:
    """The program that a function is built from; nothing for other resources."""
    binary: str | None = resource.get("Metadata", {}).get("BuildProperties", {}).get("Binary")
    return binary


# ---------------------------------------------------------------- bills of materials
# cargo-cyclonedx writes paths, times and random numbers into them, and what other members of the workspace ask for.


def write_materials(programs: list[str], target: str, *selection: str) -> None:
    """Writes the bill of each of the programs, of the packages that cargo builds for the target by the selection."""
    metadata = json.loads(
        run("cargo", "metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", target)
    )
    packages = {(package["name"], package["version"]): package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    commit_time = int(os.environ.get("SOURCE_DATE_EPOCH") or run("git", "log", "-1", "--format=%ct"))
    compiler = run("rustc", "--version").strip()
    checksums = lock_checksums((ROOT / "Cargo.lock").read_text())
    for program, linked in linked_crates(target, *selection).items():
        if program not in programs:
            continue
        materials = bill(program, sorted(linked), packages, nodes, checksums)
        materials["metadata"]["timestamp"] = datetime.fromtimestamp(commit_time, timezone.utc).isoformat()
        materials["metadata"]["properties"] = [
            {"name": "snapferry:rustc", "value": compiler},
            {"name": "snapferry:target", "value": target},
        ]
        content = json.dumps(materials, sort_keys=True).encode()
        # Made of the content, so that the same bill has the same number.
        number = uuid.UUID(bytes=hashlib.sha256(content).digest()[:16], version=4)
        materials["serialNumber"] = f"urn:uuid:{number}"
        (ARTIFACTS / f"{program}.cdx.json").write_text(json.dumps(materials, indent=2, sort_keys=True) + "\n")


def lock_checksums(lock: str) -> dict[tuple[str, str], str]:
    """SHA-256 of each crate's archive, by name and version."""
    entry = re.compile(r'name = "(.+)"\nversion = "(.+)"\nsource = ".+"\nchecksum = "(.+)"')
    return {(name, version): checksum for name, version, checksum in entry.findall(lock)}


def linked_crates(target: str, *selection: str) -> dict[str, set[tuple[str, str]]]:
    """The crates that are linked into each selected member, with the features that a build of all of them has."""
    tree = run(
        "cargo", "tree", "--locked", "--offline", "--edges", "normal,no-proc-macro", "--target", target,
        "--prefix", "depth", "--no-dedupe", "--format", " {p}", *selection,
    )  # fmt: skip
    members: dict[str, set[tuple[str, str]]] = {}
    for line in filter(None, tree.splitlines()):
        depth, name, version = line.split()[:3]
        if depth == "0":
            linked = members.setdefault(name, set())
        linked.add((name, version.removeprefix("v")))
    return members


def bill(program: str, linked: list[tuple[str, str]], packages: Json, nodes: Json, checksums: Json) -> Json:
    """The bill of one program in CycloneDX 1.5."""
    references = {packages[crate]["id"]: reference(crate) for crate in linked}
    root = next(crate for crate in linked if crate[0] == program)
    components = [component(packages[crate], checksums.get(crate)) for crate in linked]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": next(one for one in components if one["bom-ref"] == reference(root))},
        "components": [one for one in components if one["bom-ref"] != reference(root)],
        "dependencies": [
            {
                "ref": name,
                "dependsOn": sorted(
                    references[to["pkg"]]
                    for to in nodes[package]["deps"]
                    if to["pkg"] in references and any(kind["kind"] is None for kind in to["dep_kinds"])
                ),
            }
            for package, name in references.items()
        ],
    }


def component(package: Json, checksum: str | None) -> Json:
    crate = (package["name"], package["version"])
    found = {
        "type": "library" if checksum else "application",
        "bom-ref": reference(crate),
        "name": crate[0],
        "version": crate[1],
        "purl": reference(crate),
        # Old crates write a slash for "or".
        "licenses": [{"expression": re.sub(r" */ *", " OR ", package["license"] or "NOASSERTION")}],
    }
    if checksum:
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return found


def reference(crate: tuple[str, str]) -> str:
    return f"pkg:cargo/{crate[0]}@{crate[1]}"


if __name__ == "__main__":
    main()
