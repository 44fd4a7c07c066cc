"""Draw failures in full for report files, whatever --tb is, in the container: a pytest plugin of its own.

The worker names this file with ``-p``, see sharding.py. Standard library and pytest only, and the common syntax of
Python 2.7 to 3.15.
"""

from __future__ import print_function

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    option = item.config.option
    if call.excinfo is None or outcome.excinfo is not None or outcome.get_result().outcome != "failed":
        return
    style, option.tbstyle = option.tbstyle, "long"
    try:
        text = "%s" % (item.repr_failure(call.excinfo),)
    except Exception:  # of a class of the suite that draws its own failures
        text = ""
    finally:
        option.tbstyle = style
    if text:
        outcome.get_result().pyimages_traceback = text  # a text survives the way from xdist's processes
