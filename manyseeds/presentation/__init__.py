"""How results are shown: wording, tables, formats; shared by the report, the gate and parity."""
