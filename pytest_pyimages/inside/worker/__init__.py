"""The worker, which runs the suite in the container: standard library and pytest only.

This folder is copied into every environment image, compiled, and run by its path. It imports nothing from the rest of
the package. Its syntax is common to Python 2.7 to 3.15, and it supports pytest 4.6 to 9.x.

Two processes. The *parent* owns the wire: it reads the job (one line of JSON) from standard input, forks, forwards the
child's records, and reports how the child ended. The *child* runs pytest with ``Reporter`` registered. The child's
records are kept in shared memory until they are written, so that a crash loses none of them.

A record is a line: ``TOKEN NUMBER JSON CRC``. Numbers start at 1 without gaps; the token is the run's own. All other
output goes to standard error. ``runs/wire.py`` is the other end, and lists the records.
"""
