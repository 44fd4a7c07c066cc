"""The commands of ``pyimages``: a module each, with ``SUMMARY``, ``add_arguments`` and ``run`` (``cli.Command``)."""
