"""What no document can say, or Schemathesis does not read in it: a cursor is opaque, so that only one a server gave out for the same
order is a right one; a filter is an expression about columns; an idempotency key names one request; and no time is of the year 0, which a `pattern` says beside the `format`.

Schemathesis makes cursors and filters up, uses keys again, and has a time of the year 0 among the edges of `date-time`. Where a request is meant
to be right, a cursor or a filter that was made up and a time of the year 0 are left out of its query, one in its body is of the year 2000, and a key that another request had is
a new one; where a request is meant to be wrong, it is sent as it is.
"""

import json
import re
import uuid

import schemathesis
from schemathesis.generation import GenerationMode


KEY = "Idempotency-Key"
YEAR_0 = re.compile("0000-[0-9]{2}-[0-9]{2}[Tt]")
used_keys = set()


@schemathesis.hook
def before_call(context, case, kwargs):
    query, headers = case.query, case.headers
    if case.meta is not None and case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if query and "cursor" in query and not is_given_out(query["cursor"], query.get("sort", "-id")):
        del query["cursor"]
    filters = [name for name in query or {} if name.split(".")[-1] == "filter"]
    for name in [name for name in filters if not query[name].endswith(" != null")]:
        del query[name]
    for name in [name for name, value in (query or {}).items() if YEAR_0.match(str(value))]:
        del query[name]
    leave_year_0(case.body)
    if headers and KEY in headers:
        if headers[KEY] in used_keys:
            headers[KEY] = str(uuid.uuid4())
        used_keys.add(headers[KEY])


def leave_year_0(value):
    """Records, lists of them, and operations; a leap year, as that one would be."""
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, inner in list(places):
        if isinstance(inner, str) and YEAR_0.match(inner):
            value[place] = "2000" + inner[4:]
        else:
            leave_year_0(inner)


def is_given_out(cursor, sort):
    try:
        parts = json.loads(bytes.fromhex(cursor))
    except ValueError:
        return False
    return isinstance(parts, list) and len(parts) > 1 and parts[0] == sort
