"""Prints the newest service models of the installed botocore: {"botocore": version, "models": {service: model}}."""
import json
import sys

import botocore
from botocore.loaders import Loader

loader = Loader()
models = {}
for name in sys.argv[1:]:
    version = loader.determine_latest_version(name, "service-2")
    models[name] = loader.load_service_model(name, "service-2", version)
json.dump({"botocore": botocore.__version__, "models": models}, sys.stdout)
