"""What no document can say: a cursor is opaque, so that only one a server gave out for the same order is a right one; and an
idempotency key names one request.

Schemathesis makes cursors up and uses keys again. Where a request is meant to be right, a cursor that was made up is left out of
it, and a key that another request had is a new one; where a request is meant to be wrong, it is sent as it is.
"""

import json
import uuid

import schemathesis
from schemathesis.generation import GenerationMode


KEY = "Idempotency-Key"
used_keys = set()


@schemathesis.hook
def before_call(context, case, kwargs):
    query, headers = case.query, case.headers
    if case.meta is not None and case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if query and "cursor" in query and not is_given_out(query["cursor"], query.get("sort", "-id")):
        del query["cursor"]
    if headers and KEY in headers:
        if headers[KEY] in used_keys:
            headers[KEY] = str(uuid.uuid4())
        used_keys.add(headers[KEY])


def is_given_out(cursor, sort):
    try:
        parts = json.loads(bytes.fromhex(cursor))
    except ValueError:
        return False
    return isinstance(parts, list) and len(parts) > 1 and parts[0] == sort
