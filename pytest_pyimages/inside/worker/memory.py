"""Give pytest the cached results of earlier runs of this image, which the host keeps."""

from __future__ import absolute_import, print_function

import os

from .channel import dumps
from .records import to_text


def fill_cache(config, memory):
    """Write the values into the files that pytest's cache provider is about to read.

    Return a message if that fails, else an empty text.
    """
    if memory is None or not config.pluginmanager.hasplugin("cacheprovider"):
        return ""
    root = to_text(getattr(config, "rootpath", None) or config.rootdir)
    folder = os.path.join(root, os.path.expandvars(os.path.expanduser(config.getini("cache_dir"))), "v", "cache")
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder)
        for name, value in memory.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(dumps(value))
    except (IOError, OSError) as error:
        return "the last-failed cache cannot be written: %s" % to_text(error)
    return ""
