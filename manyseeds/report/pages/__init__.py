"""The pages of a report, as HTML, Markdown and LaTeX.

A page is a frozen value that holds everything a template shows. Content comes from
`manyseeds.report.content`, figures from `manyseeds.report.figures`; no statistics here.
"""
