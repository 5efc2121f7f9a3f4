"""Holds the codecs against botocore, both ways, for every operation that has tables.

    cargo xtask wire [--write]      builds the example `wire` and runs this with its path

A request with every member filled is written by botocore's serializer and read by Kiln; an answer
with every member filled is written by Kiln and read by botocore's parser. What comes back must be
what went in. `--write` keeps a readable selection as tests/data/vectors.json, which the Rust tests
compare with, so that they need no Python.
"""
import base64, datetime, io, json, os, pathlib, re, subprocess, sys, tomllib, urllib.parse

import botocore.awsrequest
import botocore.compat
import botocore.handlers
import botocore.model
import botocore.session
import botocore.utils
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

HERE = os.path.dirname(os.path.abspath(__file__))
SERVICES = os.path.join(HERE, "..", "..", "services")
# Models that no service has yet, for rest-json and rpc-v2-cbor.
MODELS = sorted(path.parent.name for path in pathlib.Path(HERE, "models").glob("*/operations.txt"))
# Of a service that is not named, its first operation.
KEPT = {
    ("autoscaling", "CreateOrUpdateTags"), ("autoscaling", "DescribeScalingActivities"),
    ("autoscaling", "DescribeAutoScalingGroups"), ("cloudformation", "DescribeStackEvents"), ("cloudtrail", "LookupEvents"),
    ("ec2", "CreateTags"), ("ec2", "CreateSecurityGroup"), ("ec2", "DescribeVpcs"),
    ("ec2", "DescribeAddresses"), ("elbv2", "RegisterTargets"), ("elbv2", "DescribeTargetHealth"),
    ("iam", "CreateRole"), ("iam", "DeleteUser"), ("kms", "CreateKey"), ("ssm", "PutParameter"), ("ssm", "GetParameter"),
    ("ssm", "GetParametersByPath"), ("s3", "CreateBucket"), ("s3", "DeleteObjects"), ("s3", "HeadObject"),
    ("s3", "ListObjectsV2"), ("s3", "PutBucketAcl"), ("s3", "PutBucketTagging"), ("secretsmanager", "CreateSecret"),
    ("sts", "AssumeRole"), ("sts", "GetCallerIdentity"),
}
TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc)


def services():
    """Folder and botocore's name of every service (services/*/service.toml)."""
    for path in sorted(pathlib.Path(SERVICES).glob("*/service.toml")):
        yield path.parent.name, tomllib.loads(path.read_text())["botocore"]


def fill(shape, seen=(), n=1):
    """A value for the shape, with every member; a shape inside itself is left out."""
    t = shape.type_name
    if t == "structure":
        if shape.name in seen:
            return None
        made = {k: fill(m, seen + (shape.name,), n) for k, m in shape.members.items()}
        return {k: v for k, v in made.items() if v is not None}
    if t == "list":
        made = [fill(shape.member, seen, i) for i in (1, 2)]
        return None if None in made else made
    if t == "map":
        made = fill(shape.value, seen, n)
        return None if made is None else {"key.%d" % i: made for i in (1, 2)}
    if t == "string":
        return shape.enum[0] if getattr(shape, "enum", None) else "te<x>t & \"q\" é %d" % n
    if t in ("integer", "long"):
        return 40 + n
    if t in ("float", "double"):
        return 0.25 * n
    if t == "boolean":
        return n == 1
    if t == "timestamp":
        return TIME
    if t == "blob":
        return b"\x00\xffbytes"
    raise SystemExit("no value for " + t)


def plain(value, shape):
    """The value as Kiln's JSON shows it."""
    t = shape.type_name
    if t == "structure":
        return {k: plain(v, shape.members[k]) for k, v in value.items() if k in shape.members}
    if t == "list":
        return [plain(v, shape.member) for v in value]
    if t == "map":
        return {k: plain(v, shape.value) for k, v in value.items()}
    if t == "timestamp":
        value = value.timestamp() if isinstance(value, datetime.datetime) else value
        # Some headers' and query formats know whole seconds only.
        return round(float(value), 3)
    if t == "blob":
        return base64.b64encode(value).decode()
    return value


def differs(a, b, at=""):
    """Where two values differ; times in whole seconds count as equal, however they are written."""
    if isinstance(a, dict) and isinstance(b, dict):
        for k in sorted(set(a) | set(b)):
            if k not in a or k not in b:
                return "%s.%s is only %s" % (at, k, "expected" if k in a else "found")
            found = differs(a[k], b[k], at + "." + k)
            if found:
                return found
        return None
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            found = differs(x, y, "%s[%d]" % (at, i))
            if found:
                return found
        return None
    if isinstance(a, float) and a > 1e9 and isinstance(b, str):
        b = botocore.utils.parse_timestamp(b).timestamp()
    if isinstance(a, float) and isinstance(b, (int, float)) and int(a) == int(b) and a > 1e9:
        return None
    return None if a == b and type(a) in (type(b), float, int) else "%s: expected %r, found %r" % (at, a, b)


def sent(request):
    """Head and body of a request as they go over the wire."""
    body = request["body"]
    if not isinstance(body, (str, bytes, bytearray)):
        body = urllib.parse.urlencode(body)
    url = botocore.awsrequest.AWSRequest(request["method"], "http://x" + request["url_path"], params=request["query_string"])
    head = {
        "method": request["method"],
        "url": url.prepare().url.removeprefix("http://x"),
        "headers": {name: str(value) for name, value in request["headers"].items()},
    }
    return head, bytes(body) if not isinstance(body, str) else body.encode()


def received(answer):
    """Kiln's answer as botocore's parsers take it."""
    return {
        "body": base64.b64decode(answer["body"]),
        "status_code": answer["status"],
        "headers": botocore.compat.HTTPHeaders.from_dict(answer["headers"]),
    }


def check_model(session, service, ask, wrong):
    """Holds a whole model that no service has yet against botocore; gives how many texts were compared."""
    raw = session.get_component("data_loader").load_service_model(service, "service-2")
    model, checked = botocore.model.ServiceModel(raw, service), 0
    # The model's own protocol, which is not always the one that botocore would choose.
    protocol = raw["metadata"]["protocol"]
    serializer, parser = create_serializer(protocol, include_validation=False), create_parser(protocol)
    for name in open(os.path.join(HERE, "models", service, "operations.txt")).read().split():
        operation = model.operation_model(name)
        given = fill(operation.input_shape) if operation.input_shape else {}
        expected = plain(given, operation.input_shape) if operation.input_shape else {}
        head, body = sent(serializer.serialize_to_request(given, operation))
        answer = ask(service=service, operation=name, head=head, decode=base64.b64encode(body).decode())
        found = answer.get("failed") or differs(expected, answer["value"])
        if found:
            wrong.append("%s %s request: %s" % (service, name, found))
        shape = operation.output_shape
        given = fill(shape) if shape else {}
        expected = plain(given, shape) if shape else {}
        answer = ask(service=service, operation=name, encode=expected)
        found = answer.get("failed")
        if not found:
            response = received(answer)
            if operation.has_streaming_output:
                # botocore hands a stream on unread.
                response["body"] = io.BytesIO(response["body"])
            read = parser.parse(response, shape)
            read.pop("ResponseMetadata", None)
            if operation.has_streaming_output:
                payload = shape.serialization["payload"]
                read[payload] = read[payload].read()
            found = differs(expected, plain(read, shape) if shape else read)
        if found:
            wrong.append("%s %s answer: %s" % (service, name, found))
        checked += 2
    answer = ask(service=service, operation="", error={"code": "Some.Code", "message": "a <b> & c"})
    read = parser.parse(received(answer), None)
    if read["Error"]["Code"] != "Some.Code" or read["Error"]["Message"] != "a <b> & c":
        wrong.append("%s error: %r" % (service, read))
    return checked + 1


def check_query_errors(ask, wrong):
    """Errors of a service that spoke query once: in its newer protocol the code of then, and in query too."""
    checked = 0
    for protocol, parser in (("smithy-rpc-v2-cbor", create_parser("smithy-rpc-v2-cbor")), ("query", create_parser("query"))):
        for name, code in (("InvalidParameterValueException", "InvalidParameterValue"), ("Some.Code", "Some.Code")):
            answer = ask(service="cloudwatch", operation="", error={"code": name, "message": "no", "protocol": protocol})
            read = parser.parse(received(answer), None)["Error"]
            expected = {"Code": code, "Type": "Sender", "Message": "no"}
            if protocol != "query":
                expected["QueryErrorCode"] = name
            if {key: read.get(key) for key in expected} != expected:
                wrong.append("cloudwatch %s %s: %r" % (protocol, name, read))
            checked += 1
    return checked


def rest_xml(session):
    """What is wrong with the list of services that speak rest-xml (src/model.rs)."""
    listed = re.search(r"pub const REST_XML: .*? = \[(.*)\];", pathlib.Path(HERE, "..", "src", "model.rs").read_text())
    listed = re.findall(r'"(.*?)"', listed[1])
    models = map(session.get_service_model, session.get_available_services())
    there = sorted({model.signing_name for model in models if model.protocol == "rest-xml"})
    return [] if listed == there else ["REST_XML is %s, and botocore has %s" % (listed, there)]


def main():
    example = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(**request):
        example.stdin.write(json.dumps(request) + "\n")
        example.stdin.flush()
        return json.loads(example.stdout.readline())

    session, vectors, wrong, checked = botocore.session.get_session(), [], [], 0
    wrong += rest_xml(session)
    for service, botocore_name in services():
        model = session.get_service_model(botocore_name)
        facts = json.load(open(os.path.join(SERVICES, service, "shapes", "model.json")))
        serializer = create_serializer(model.protocol, include_validation=False)
        parser = create_parser(model.protocol)
        # One at least of each service.
        kept = {pair for pair in KEPT if pair[0] == service} or {(service, min(facts["operations"]))}
        for name in facts["operations"]:
            operation = model.operation_model(name)
            vector = {"service": service, "operation": name}
            if operation.input_shape:
                given = fill(operation.input_shape)
                head, body = sent(serializer.serialize_to_request(given, operation))
                expected = plain(given, operation.input_shape)
                answer = ask(service=service, operation=name, head=head, decode=base64.b64encode(body).decode())
                found = answer.get("failed") or differs(expected, answer["value"])
                checked += 1
                if found:
                    wrong.append("%s %s request: %s" % (service, name, found))
                # As Kiln's JSON shows it: it writes some times as texts.
                vector.update(request=body, input=answer.get("value"))
                if model.protocol.startswith("rest"):
                    vector["head"] = head
            given = fill(operation.output_shape) if operation.output_shape else {}
            expected = plain(given, operation.output_shape) if operation.output_shape else {}
            answer = ask(service=service, operation=name, encode=expected)
            found = answer.get("failed")
            if not found:
                response = received(answer)
                if operation.has_streaming_output:
                    # botocore hands a stream on unread.
                    response["body"] = io.BytesIO(response["body"])
                read = parser.parse(response, operation.output_shape)
                metadata = read.pop("ResponseMetadata", {})
                # botocore's CBOR parser takes it from the head only of answers that have a shape.
                told = metadata.get("RequestId")
                if "cbor" in model.protocol and operation.output_shape is None:
                    told = metadata.get("HTTPHeaders", {}).get("x-amzn-requestid")
                if model.protocol != "json" and told != "id-1":
                    found = "no request id: %r" % metadata
                if (service, name) == ("s3", "GetBucketLocation"):
                    # The root itself is the text (S3 API Reference, response syntax); botocore reads it by a
                    # handler of its own, not by its parser.
                    raw = botocore.awsrequest.AWSResponse("", 200, {}, object())
                    raw._content = response["body"]
                    botocore.handlers.parse_get_bucket_location(read, raw)
                if operation.has_streaming_output:
                    payload = operation.output_shape.serialization["payload"]
                    read[payload] = read[payload].read()
                read = plain(read, operation.output_shape) if operation.output_shape else read
                found = found or differs(expected, read)
            checked += 1
            if found:
                wrong.append("%s %s answer: %s" % (service, name, found))
            if (service, name) in kept and not found:
                body = vector.pop("request", None)
                if "cbor" in model.protocol:
                    # Bytes that are no text: under names of their own.
                    vector["request_base64"] = base64.b64encode(body).decode() if body is not None else None
                    vector["response_base64"] = base64.b64encode(response["body"]).decode()
                else:
                    vector["request"] = body.decode() if body is not None else None
                    vector["response"] = response["body"].decode()
                vector.update(output=expected)
                vector.update(status=answer["status"], headers=answer["headers"])
                vectors.append(vector)
        answer = ask(service=service, operation="", error={"code": "Some.Code", "message": "a <b> & c"})
        read = parser.parse(received(answer), None)
        checked += 1
        if read["Error"]["Code"] != "Some.Code" or read["Error"]["Message"] != "a <b> & c":
            wrong.append("%s error: %r" % (service, read))
    for service in MODELS:
        checked += check_model(session, service, ask, wrong)
    checked += check_query_errors(ask, wrong)
    example.stdin.close()
    example.wait()
    print("\n".join(wrong))
    print("%d checked, %d wrong" % (checked, len(wrong)))
    if "--write" in sys.argv and not wrong:
        os.makedirs(os.path.join(HERE, "data"), exist_ok=True)
        with open(os.path.join(HERE, "data", "vectors.json"), "w") as out:
            json.dump(vectors, out, indent=1, ensure_ascii=False, sort_keys=True)
            out.write("\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
