"""Rows of tables in files: CSV, JSON and Parquet, read in pieces of named columns."""
