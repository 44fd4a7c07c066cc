"""The host's pytest: command line, options, settings, selection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.host.command_line import (
        END,
        POSITION,
        captures_nothing,
        debugs,
        measures,
        options,
        pieces,
        refused,
        with_options,
    )
    from pytest_pyimages.host.foreign_options import REPORTERS, losses, refusal
    from pytest_pyimages.host.isolation import (
        divided,
        forget_project,
        invocation_from,
        invocation_of,
        rewrite_arguments,
        unknown_arguments,
        wants_images,
    )
    from pytest_pyimages.host.option_table import INI_KEYS, OPTIONS, OWN_INI, OWN_OPTIONS
    from pytest_pyimages.host.selection import image_arguments, other_images, selects_tests
    from pytest_pyimages.host.settings import INSIDE, Invocation, Settings, report_file, tells_github
    from pytest_pyimages.host.typos import check_options, check_positions
    from pytest_pyimages.host.workers import containers_at_once, with_share, workers_of

__all__ = [
    "END",
    "INI_KEYS",
    "INSIDE",
    "OPTIONS",
    "OWN_INI",
    "OWN_OPTIONS",
    "POSITION",
    "REPORTERS",
    "Invocation",
    "Settings",
    "captures_nothing",
    "check_options",
    "check_positions",
    "containers_at_once",
    "debugs",
    "divided",
    "forget_project",
    "image_arguments",
    "invocation_from",
    "invocation_of",
    "losses",
    "measures",
    "options",
    "other_images",
    "pieces",
    "refusal",
    "refused",
    "report_file",
    "rewrite_arguments",
    "selects_tests",
    "tells_github",
    "unknown_arguments",
    "wants_images",
    "with_options",
    "with_share",
    "workers_of",
]
__getattr__ = lazy_names(
    __name__,
    {
        "command_line": "END POSITION captures_nothing debugs measures options pieces refused with_options",
        "foreign_options": "REPORTERS losses refusal",
        "isolation": "divided forget_project invocation_from"
        " invocation_of rewrite_arguments unknown_arguments wants_images",
        "option_table": "INI_KEYS OPTIONS OWN_INI OWN_OPTIONS",
        "selection": "image_arguments other_images selects_tests",
        "settings": "INSIDE Invocation Settings report_file tells_github",
        "typos": "check_options check_positions",
        "workers": "containers_at_once with_share workers_of",
    },
)
