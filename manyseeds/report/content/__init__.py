"""The text of a report: sentences, table cells and notes, made from tables of statistics.

Everything here returns text or frozen rows of text. Nothing knows HTML, Markdown or a file.
"""
