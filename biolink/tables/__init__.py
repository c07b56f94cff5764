"""Spreadsheets whose cells are linked: reading, linking, reporting and writing them."""
