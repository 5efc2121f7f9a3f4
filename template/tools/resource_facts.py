#!/usr/bin/env python3
"""Writes template/facts/: what each CloudFormation resource type has, as compact facts, and all types' names.

The facts (names, kinds, required, enums, limits, update behaviour; never descriptions) come from the resource
schemas bundled with the Python package cfn-lint. Same package version, same bytes.

    python3 template/tools/resource_facts.py            write the files
    python3 template/tools/resource_facts.py --check    fail if a file would change
    python3 template/tools/resource_facts.py --types AWS::SQS::Queue AWS::SNS::Topic    print facts of other types
"""

import argparse
import json
import pathlib
import sys
import tomllib

SERVICES = pathlib.Path(__file__).resolve().parents[2] / "services"


def types():
    """By facts file, which is a namespace in small letters: the types that services/*/service.toml name."""
    found = {}
    for path in sorted(SERVICES.glob("*/service.toml")):
        for namespace, names in tomllib.loads(path.read_text()).get("types", {}).items():
            found[namespace.lower()] = [f"AWS::{namespace}::{name}" for name in names]
    return found


# Facts of cfn-lint's schemas that are wrong, each with its proof.
CORRECTIONS = {
    # Without properties there; the AWS CDK writes this one (its MetadataResource).
    "AWS::CDK::Metadata": lambda same: {**same, "properties": {"Analytics": {"kind": "string"}}},
}
LIMITS = {
    "minLength": "minLength",
    "maxLength": "maxLength",
    "minimum": "minimum",
    "maximum": "maximum",
    "minItems": "minItems",
    "maxItems": "maxItems",
    "pattern": "pattern",
}


def short(paths):
    """/properties/Tags/*/Key -> Tags/*/Key"""
    return sorted(path.removeprefix("/properties/").replace("/properties/", "/") for path in paths)


def value(schema):
    """One property, list item or definition."""
    if "$ref" in schema:
        kind, rest = schema["$ref"].split("/")[-2:]
        if kind not in ("definitions", "properties"):
            raise SystemExit(f"cannot follow {schema['$ref']}")
        return {"kind": "ref", "ref": rest if kind == "definitions" else f"/{rest}"}
    types = schema.get("type")
    types = [types] if isinstance(types, str) else list(types or [])
    out = {}
    if types == ["array"]:
        out["kind"] = "list"
        out["of"] = value(schema.get("items", {}))
        if schema.get("uniqueItems"):
            out["unique"] = True
        # "insertionOrder: false": two lists with the same items in another order are the same
        if schema.get("insertionOrder") is False:
            out["unordered"] = True
    elif types == ["object"] or (not types and "properties" in schema):
        if schema.get("properties"):
            out["kind"] = "object"
            out["properties"] = {name: value(one) for name, one in schema["properties"].items()}
            if schema.get("required"):
                out["required"] = sorted(schema["required"])
            if schema.get("additionalProperties") is not False:
                out["open"] = True
        elif schema.get("patternProperties"):
            out["kind"] = "map"
            out["of"] = value(next(iter(schema["patternProperties"].values())))
        else:
            out["kind"] = "json"
    elif len(types) == 1:
        out["kind"] = types[0]
    else:
        out["kind"] = "json"
    if out["kind"] in ("string", "integer", "number"):
        if "enum" in schema:
            out["enum"] = sorted(schema["enum"], key=str)
        if "enumCaseInsensitive" in schema:
            out["enumAnyCase"] = sorted(schema["enumCaseInsensitive"], key=str)
    for name, short_name in LIMITS.items():
        if name in schema and out["kind"] != "json":
            out[short_name] = schema[name]
    return out


def facts(manager, name):
    resource = manager.get_resource_schema("us-east-1", name)
    schema = resource.schema
    properties = schema.get("properties", {})
    body = value({"type": "object", "properties": properties, "required": schema.get("required", [])})
    out = {"properties": body.get("properties", {}), "required": sorted(schema.get("required", []))}
    if schema.get("definitions"):
        out["definitions"] = {key: value(one) for key, one in schema["definitions"].items()}
    for key, source in (
        ("readOnly", "readOnlyProperties"),
        ("writeOnly", "writeOnlyProperties"),
        ("createOnly", "createOnlyProperties"),
        ("conditionalCreateOnly", "conditionalCreateOnlyProperties"),
        ("primaryIdentifier", "primaryIdentifier"),
    ):
        if schema.get(source):
            out[key] = short(schema[source])
    attributes = []
    for attribute in resource.get_atts:
        # Patterns (nested stack outputs) are written as they are looked up: "Outputs.*"
        attributes.append(attribute.strip("^$").replace("\\..*", ".*") if "\\" in attribute else attribute)
    out["attributes"] = sorted(attributes)
    if schema.get("replacementStrategy") == "delete_then_create":
        out["deleteBeforeCreate"] = True
    tags = schema.get("tagging", {}).get("tagProperty")
    if tags:
        out["tags"] = tags.removeprefix("/properties/")
    elif "Tags" in properties:
        out["tags"] = "Tags"
    return CORRECTIONS.get(name, lambda same: same)(out)


def text(manager, names):
    """One type a line: small, and a change of one type is a change of one line."""
    lines = [
        json.dumps(name) + ":" + json.dumps(facts(manager, name), sort_keys=True, separators=(",", ":"))
        for name in sorted(names)
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def type_names(manager):
    """All resource types AWS has: what is not built is told from what does not exist."""
    names = manager.get_resource_types("us-east-1")
    return "".join(f"{name}\n" for name in sorted(names) if name.startswith("AWS::"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--types", nargs="+")
    arguments = parser.parse_args()
    try:
        from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as manager
    except ImportError:
        raise SystemExit("the Python package cfn-lint is needed: pip install cfn-lint")
    if arguments.types:
        sys.stdout.write(text(manager, arguments.types))
        return
    folder = pathlib.Path(__file__).resolve().parent.parent / "facts"
    stale = []
    files = {
        f"{namespace}.json": text(manager, names)
        for namespace, names in types().items()
    }
    files["aws_types.txt"] = type_names(manager)
    for name, wanted in files.items():
        path = folder / name
        if arguments.check:
            if not path.exists() or path.read_text() != wanted:
                stale.append(path.name)
        else:
            path.write_text(wanted)
    if stale:
        raise SystemExit(f"template/facts is not what python3 template/tools/resource_facts.py writes, run it: {', '.join(stale)}")


if __name__ == "__main__":
    main()
