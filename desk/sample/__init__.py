"""The shipped sample: half a year of invented tickets and orders of an invented seller. See its README.md."""
