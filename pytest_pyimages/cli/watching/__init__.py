"""``pyimages watch``: a process that stays, and runs the tests again when files of the project change.

Each run is a pytest session in a process forked from it, which is not slowed down by imports. The watch itself has no
threads, so that it can fork; watchfiles, which has some, is a process of its own.
"""
