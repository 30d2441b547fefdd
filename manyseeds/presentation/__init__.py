"""How results are shown: wording, number formats, Markdown, the look of figures, terminal output.

Shared by the report, the gate and parity. Nothing here computes a result.
"""
