"""Kills a real service at random points while clients write, and compares what is left with what they were told.

`python -m tests.gallery.crash --kills 200 --encrypted --record "what else ran meanwhile"`
"""
