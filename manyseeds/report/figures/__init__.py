"""The figures of a report: each module makes one, from frames alone.

A figure is a `Figure` of matplotlib's object interface: no pyplot, no state between figures.
"""
