"""Writes AWS's managed policies into policy/src/managed: index.txt and documents.bin.

    python3 scripts/managed_policies.py

The documents are AWS's: what IAM's ListPolicies and GetPolicyVersion answer in every account, in their
default version. They are read from the Python package moto (5.2.1, Apache License 2.0), which carries
them as data; `pip install moto` where this is run is all it needs. The result is committed, so that
neither building nor running Kiln needs it.

index.txt has a line `chunk LENGTH` for each part of documents.bin, a zlib stream of its own, and below
it a line for each policy in it, in order: path and name, default version, created, updated (seconds
since 1970), length of the document in the part. Rows are sorted by path and name.
"""
import datetime
import json
import pathlib
import zlib

from moto.iam.aws_managed_policies import aws_managed_policies_data

TARGET = pathlib.Path(__file__).resolve().parents[1] / "policy" / "src" / "managed"
# About 100 kB of text: reading one policy unpacks its part.
PER_CHUNK = 50
ORDER = ["Version", "Statement", "Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"]


def ordered(value):
    """Elements in the order in which people write them."""
    if isinstance(value, list):
        return [ordered(each) for each in value]
    if not isinstance(value, dict):
        return value
    keys = sorted(value, key=lambda key: (ORDER.index(key) if key in ORDER else len(ORDER), key))
    return {key: ordered(value[key]) for key in keys}


def seconds(text):
    return int(datetime.datetime.fromisoformat(text).timestamp())


def main():
    policies = {each["Path"][1:] + name: each for name, each in json.loads(aws_managed_policies_data).items()}
    index, documents = [], b""
    names = sorted(policies)
    for start in range(0, len(names), PER_CHUNK):
        rows, text = [], b""
        for name in names[start : start + PER_CHUNK]:
            policy = policies[name]
            document = json.dumps(ordered(policy["Document"]), separators=(",", ":"), ensure_ascii=False).encode()
            dates = f"{seconds(policy['CreateDate'])} {seconds(policy['UpdateDate'])}"
            rows.append(f"{name} {policy['DefaultVersionId']} {dates} {len(document)}")
            text += document
        packed = zlib.compress(text, 9)
        index += [f"chunk {len(packed)}", *rows]
        documents += packed
    (TARGET / "index.txt").write_text("\n".join(index) + "\n")
    (TARGET / "documents.bin").write_bytes(documents)
    print(f"{len(names)} policies, index {(TARGET / 'index.txt').stat().st_size}, documents {len(documents)} bytes")


if __name__ == "__main__":
    main()
