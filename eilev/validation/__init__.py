"""Great Expectations over the tables and episodes: suites, own expectations, outcomes.

The stage `validate` imports this. What a property is, is in `distributions`.
"""
