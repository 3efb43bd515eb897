"""The analytic memory model: from architecture and recipe to bytes."""
