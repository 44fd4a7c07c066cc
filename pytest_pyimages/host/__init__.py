"""The host's pytest: options, command line, settings, selection of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_pyimages.facade import lazy_names

if TYPE_CHECKING:
    from pytest_pyimages.host.command_line import CommandLine
    from pytest_pyimages.host.foreign_options import FOREIGN_OPTIONS, describe_losses
    from pytest_pyimages.host.invocation import Invocation
    from pytest_pyimages.host.isolation import take_over
    from pytest_pyimages.host.option_table import INI_KEYS, OPTION_NAMES, OPTIONS, add_options
    from pytest_pyimages.host.request import INSIDE, read_request, refuse_misspelt_options
    from pytest_pyimages.host.selection import find_other_images, selects_tests, split_by_image
    from pytest_pyimages.host.settings import Settings, Value, parse_report_file, reports_to_github
    from pytest_pyimages.host.workers import Workers, containers_at_once, share_workers

__all__ = [
    "FOREIGN_OPTIONS",
    "INI_KEYS",
    "INSIDE",
    "OPTIONS",
    "OPTION_NAMES",
    "CommandLine",
    "Invocation",
    "Settings",
    "Value",
    "Workers",
    "add_options",
    "containers_at_once",
    "describe_losses",
    "find_other_images",
    "parse_report_file",
    "read_request",
    "refuse_misspelt_options",
    "reports_to_github",
    "selects_tests",
    "share_workers",
    "split_by_image",
    "take_over",
]
__getattr__ = lazy_names(
    __name__,
    {
        "command_line": "CommandLine",
        "foreign_options": "FOREIGN_OPTIONS describe_losses",
        "invocation": "Invocation",
        "isolation": "take_over",
        "option_table": "INI_KEYS OPTION_NAMES OPTIONS add_options",
        "request": "INSIDE read_request refuse_misspelt_options",
        "selection": "find_other_images selects_tests split_by_image",
        "settings": "Settings Value parse_report_file reports_to_github",
        "workers": "Workers containers_at_once share_workers",
    },
)
