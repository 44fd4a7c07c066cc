"""The part that runs inside the container: standard library and pytest only.

This folder is copied into every environment image, compiled, and run by its path. There it stands alone, so it imports
nothing of the rest of the package; its syntax is what Python 2.7 to 3.15 have in common, and it speaks to pytest 4.6 to
9.x.

Two processes. The *parent* owns the wire: it reads the run's description (one line of JSON) from standard input, forks,
passes on what the child reports, and says how the child ended. The *child* runs pytest with ``Reporter`` registered.
The child's records stand in shared memory until they are written, so that a crash loses none of them.

A record is a line: ``TOKEN NUMBER JSON``. Numbers start at 1 and have no gaps; the token is the run's own. Everything
else that anybody prints goes to standard error. ``wire.py`` is the other end, and lists the records.
"""
