"""The figures of a report: each module draws one, from frames alone.

Figures use matplotlib's object interface: no pyplot, no state between figures. `suite_figures`
decides which of them a page has.
"""
