"""An adapter starts from what its base holds, instead of from nothing.

- `begin`: which start a recipe asks for;
- `loftq`: from what 4 bits lost, with the base left as it is;
- `pissa`: from the base's principal part, with the rest left to the base;
- `low_rank`: the product of a rank that is next to a matrix;
- `layers`: the adapted layers, and the factors that they start from;
- `held_layers`: what quantised layers stand for, and how they are given other weights.

Everything is worked out in main memory, a layer at a time, by a generator of its own:
the run's random numbers are what a plain adapter's are.
"""
