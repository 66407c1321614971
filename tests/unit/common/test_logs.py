from __future__ import annotations

import json
import logging
import sys

from splatworks_common.logs import JsonFormatter


def record(**extra: object) -> logging.LogRecord:
    made = logging.LogRecord("splatworks", logging.WARNING, __file__, 1, "%s photos", ("50",), None)
    made.__dict__.update(extra)
    return made


def test_a_record_is_one_json_object_on_one_line():
    line = JsonFormatter().format(record())
    assert "\n" not in line
    assert json.loads(line)["message"] == "50 photos"


def test_request_id_and_stage_stand_in_the_object():
    fields = json.loads(JsonFormatter().format(record(request_id="job.sfm.1", stage="sfm")))
    assert (fields["request_id"], fields["stage"]) == ("job.sfm.1", "sfm")


def test_an_exception_keeps_its_traceback():
    made = record()
    try:
        raise ValueError("broken")
    except ValueError:
        made.exc_info = sys.exc_info()
    assert "ValueError: broken" in json.loads(JsonFormatter().format(made))["exception"]
