"""The Run page: how long, and is it going well."""
