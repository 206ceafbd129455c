"""Holds the document at a URL against the JSON Schema of its OpenAPI version. Arguments: the URL and the version it must have."""

import json
import sys
import urllib.request

from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

VALIDATORS = {"3.0": OpenAPIV30SpecValidator, "3.1": OpenAPIV31SpecValidator}

url, version = sys.argv[1:]
with urllib.request.urlopen(url, timeout=10) as answer:
    document = json.load(answer)
if not document["openapi"].startswith(version + "."):
    sys.exit(f"the document says it is OpenAPI {document['openapi']}, not {version}")
problems = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in VALIDATORS[version](document).iter_errors()]
if problems:
    sys.exit("\n".join(problems))
