#!/usr/bin/env python3
"""Writes data/vectors.json: requests signed by botocore, for the tests to verify.

Run it with botocore installed; the output is committed. The time and the keys are fixed, so a
second run changes nothing.
"""
import datetime
import json
import pathlib
import unittest.mock

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from urllib.parse import urlsplit

NOW = datetime.datetime(2026, 1, 31, 12, 34, 56, tzinfo=datetime.timezone.utc)
KEY, SECRET, TOKEN = "AKIAKILNEXAMPLE00001", "kilnTestSecret/With+Slash0123456789abcdef", "FQoG/token+with=signs=="
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
HOST = "http://127.0.0.1:4566"

# name, signer, service, region, method, url, headers, body, token
CASES = [
    ("sts query post", auth.SigV4Auth, "sts", "us-east-1", "POST", HOST + "/", FORM, "Action=GetCallerIdentity&Version=2011-06-15", None),
    ("ec2 with session token", auth.SigV4Auth, "ec2", "eu-west-1", "POST", HOST + "/", FORM, "Action=DescribeInstances&Version=2016-11-15", TOKEN),
    ("ssm json", auth.SigV4Auth, "ssm", "us-east-1", "POST", HOST + "/", {"X-Amz-Target": "AmazonSSM.GetParameter", "Content-Type": "application/x-amz-json-1.1"}, '{"Name": "/a/\u00fc"}', None),
    ("get with query", auth.SigV4Auth, "iam", "us-east-1", "GET", HOST + "/?Version=2010-05-08&Action=GetUser&b=%2F%20x&b=a&empty=", {}, "", None),
    ("encoded path", auth.SigV4Auth, "lambda", "us-east-1", "GET", HOST + "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aa%20b/x", {}, "", None),
    ("dot segments and double slashes", auth.SigV4Auth, "execute-api", "us-east-1", "GET", HOST + "/a//b/../c/./d/", {}, "", None),
    ("header white space", auth.SigV4Auth, "sts", "us-east-1", "POST", HOST + "/", {"X-Amz-Thing": "  a   b  c ", **FORM}, "x", None),
    ("odd method and utf-8 path", auth.SigV4Auth, "es", "us-east-1", "DELETE", HOST + "/%E2%82%AC/~x-_.", {}, "", None),
    ("s3 object", auth.S3SigV4Auth, "s3", "us-east-1", "PUT", HOST + "/bucket/a%20b//c/..%2Bd", {}, "hello", None),
    ("presigned sts", auth.SigV4QueryAuth, "sts", "us-east-1", "GET", HOST + "/?Action=GetCallerIdentity&Version=2011-06-15", {"x-k8s-aws-id": "cluster"}, "", None),
    ("presigned sts with token", auth.SigV4QueryAuth, "sts", "us-east-1", "GET", HOST + "/?Action=GetCallerIdentity&Version=2011-06-15", {}, "", TOKEN),
    ("presigned s3", auth.S3SigV4QueryAuth, "s3", "us-east-1", "GET", HOST + "/bucket/key%20x?versionId=1", {}, "", None),
]


def signed(name, signer, service, region, method, url, headers, body, token):
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body.encode())
    # botocore would find out by itself; the tests need to know it is the plain digest.
    request.context["client_config"] = None
    request.context["payload_signing_enabled"] = True
    with unittest.mock.patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        signer(Credentials(KEY, SECRET, token), service, region).add_auth(request)
    parts = urlsplit(request.url)
    sent = {k: v for k, v in request.headers.items()}
    sent["Host"] = parts.netloc
    return {
        "name": name, "service": service, "region": region, "method": method,
        "path": parts.path, "query": parts.query, "headers": sent, "body": body, "token": token,
    }


if __name__ == "__main__":
    out = {
        "now": NOW.strftime("%Y%m%dT%H%M%SZ"), "access_key_id": KEY, "secret": SECRET,
        "requests": [signed(*case) for case in CASES],
    }
    path = pathlib.Path(__file__).parent / "data" / "vectors.json"
    path.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")
