"""The regression gate, which finds out what has changed since the baseline.

Three layers, cheapest first: `numerics`, `accuracy` and `timing`. Each measures *entries*, compares
them with those of the baseline (`baseline`) and returns *findings* (`findings`), which `report`
shows to people, CI systems and programs.
"""
