"""The tests, a package so that type checkers tell equal file names apart."""
