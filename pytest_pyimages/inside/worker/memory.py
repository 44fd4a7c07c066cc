"""What the host remembers of earlier runs of this image, told to pytest."""

from __future__ import absolute_import, print_function

import os

from .channel import dumps
from .records import as_text


def remind(config, memory):
    """Put what the host remembers of this image where pytest's cache provider is about to read it.

    Return why that is not possible, or an empty text.
    """
    if memory is None or not config.pluginmanager.hasplugin("cacheprovider"):
        return ""
    root = as_text(getattr(config, "rootpath", None) or config.rootdir)
    folder = os.path.join(root, os.path.expandvars(os.path.expanduser(config.getini("cache_dir"))), "v", "cache")
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder)
        for name, value in memory.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(dumps(value))
    except (IOError, OSError) as error:
        return "what failed here before cannot be told to pytest: %s" % as_text(error)
    return ""
